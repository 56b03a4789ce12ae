"""`torv-sdk new`: a module to begin with, made from a contract's own data."""

import argparse
import keyword
import re
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from torv_sdk.extras import contract_named

if TYPE_CHECKING:
    from torv_sdk.contracts import Contract, Operation

_FILES = {
    "pyproject.toml": "pyproject.toml.template",
    "manifest.yaml": "manifest.yaml.template",
    "README.md": "README.md.template",
    "{name}.py": "module.py.template",
    "tests/test_{name}.py": "test_module.py.template",
}
REMOVED = "removed"  #: what a record says of itself that an operation has removed: nothing is ever deleted in Torv
_SDK = ("Problem", "Record", "Settings", "instant")  #: what a module may need of the SDK, besides the rest


def add_to(commands: Any) -> None:
    """Add the command to the parser's commands."""
    new = commands.add_parser("new", help="make a folder with a module that passes bronze")
    new.add_argument("name", help="the module's name: small letters, digits and _")
    new.add_argument("--contract", required=True, help="the capability, as notes or notes/1; or a contract's folder")
    new.add_argument("--into", type=Path, default=Path(), help="where the folder is made (default: here)")
    new.set_defaults(run=_new)


def _new(options: argparse.Namespace) -> str:
    contract = contract_named(options.contract)
    place = make_module(options.name, contract, options.into)
    told = f"{place} is made. Look at {place / options.name}.py, and run: pip install {place}"
    if left := unwritten(contract):
        told += (
            f"\nStill to be written: {', '.join(left)}. The contract does not say which record they read or write, or a"
            "\nrecord has no field for what they do. Until then they answer 501, which certification refuses."
        )
    return told


def make_module(name: str, contract: "Contract", into: Path) -> Path:
    """Make the folder `into`/`name`; gives it. Raises ValueError for a name, FileExistsError if something is there."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,39}", name) or keyword.iskeyword(name):
        raise ValueError("a module's name is 2 to 40 small letters, digits and _, and begins with a letter")
    place, known = into / name, _known(name, contract)
    place.mkdir(parents=True)
    (place / "tests").mkdir()
    for target, template in _FILES.items():
        text = files("torv_sdk").joinpath("creating", template).read_text("utf-8")
        (place / target.format(name=name)).write_text(Template(text).substitute(known), encoding="utf-8")
    return place


def _known(name: str, contract: "Contract") -> dict[str, str]:
    """What the templates are filled with."""
    operations = "".join(_operation(contract, each) for each in contract.operations.values())
    stamps = "".join(
        f',\n            "{each}": instant(record.body.get("{each}")) or record.at' for each in _stamps(contract)
    )
    used = operations + stamps
    imports = [word for word in _SDK if word not in ("Problem", "instant") or f"{word}(" in used]
    return {
        "name": name, "title": name.replace("_", " ").capitalize(), "capability": contract.capability,
        "major": str(contract.major), "danish": contract.title["da"], "operations": operations, "stamps": stamps,
        "version": contract.version, "needs": ", ".join(contract.needs), "sdk": version("torv-sdk"),
        "categories": ", ".join(contract.categories),
        "imports": ", ".join(imports),
    }  # fmt: skip


def _operation(contract: "Contract", operation: "Operation") -> str:
    """The handler of one operation; of one whose shape says too little, only its beginning."""
    head = [
        f'@module.operation("{operation.name}")',
        f"async def {operation.name}(call: Call) -> Answer:",
        f'    """{contract.summary(operation.name)}."""',
    ]
    lines = _body(contract, operation) or _unknown()
    return "\n" + "".join(f"    {line}\n" for line in [*head, *(f"    {line}" for line in lines)])


def unwritten(contract: "Contract") -> list[str]:
    """The operations of a contract that are left to whoever writes the module: their shape says too little."""
    return [each.name for each in contract.operations.values() if not _body(contract, each)]


def _body(contract: "Contract", operation: "Operation") -> list[str]:
    return _safe(contract, operation) if operation.is_safe else _unsafe(contract, operation)


def _safe(contract: "Contract", operation: "Operation") -> list[str]:
    if own := _own_variable(operation):
        status, _ = contract.answer_schema(operation.name)
        checked = f'CONTRACT.check_query("{operation.name}", call.query)'
        return [checked, *_found(contract, operation, own), f"return Answer(show(record), status={status})"]
    return _listing(contract, operation)


def _unsafe(contract: "Contract", operation: "Operation") -> list[str]:
    body, own = contract.body_schema(operation.name), _own_variable(operation)
    if operation.method == "DELETE":
        return _marking(contract, operation, own, REMOVED) if own else []
    if body is None and (about := _record_variable(operation)):
        mark = operation.path.rpartition("/")[2].replace("-", "_").replace(".", "_").replace("~", "_")
        return [] if own else _marking(contract, operation, about, mark)
    if body is None:
        return _writing(contract, operation, None) if operation.method == "POST" else []
    if own:
        return _changing(contract, operation, own)
    return _writing(contract, operation, body) if operation.method == "POST" else []


def _variables(operation: "Operation") -> list[str]:
    return re.findall(r"\{([a-z_]+)\}", operation.path)


def _own_variable(operation: "Operation") -> str | None:
    """The variable part that an address ends in, where that names a record; a person is none."""
    last = operation.path.rpartition("/")[2]
    return last[1:-1] if last.startswith("{") and last != "{person_id}" else None


def _record_variable(operation: "Operation") -> str | None:
    """The last variable part of an address that names a record; None if there is none."""
    found = [each for each in _variables(operation) if each != "person_id"]
    return found[-1] if found else None


def _removes(contract: "Contract", record_type: str) -> bool:
    """Whether an operation removes records of a type: they are then marked, and found no more."""
    return any(
        each.method == "DELETE" and _own_variable(each) and _record_type(contract, each) == record_type
        for each in contract.operations.values()
    )


def _marking(contract: "Contract", operation: "Operation", own: str, mark: str) -> list[str]:
    """Writes a new version that says what was done; nothing where a record of the type may not say so."""
    if not contract.may_mark(_record_type(contract, operation), mark):
        return []
    status, _ = contract.answer_schema(operation.name)
    answer = "None" if status == 204 else "show(record)"
    return [
        *_found(contract, operation, own, is_removing=mark == REMOVED),
        f'record = await call.records.change(record, {{**record.body, "{mark}": True}})',
        f"return Answer({answer}, status={status})",
    ]


def _found(contract: "Contract", operation: "Operation", own: str, *, is_removing: bool = False) -> list[str]:
    """Finds the record that the address names; one that was removed only for being removed once more."""
    is_gone = f' or "{REMOVED}" in record.body' if _removes(contract, _record_type(contract, operation)) else ""
    is_gone = "" if is_removing else is_gone
    return [
        f'record = memory.find("{_record_type(contract, operation)}", call.uuid("{own}", call.path["{own}"]))',
        *(
            [f'if record is None or str(record.person_id) != call.path["person_id"]{is_gone}:']
            if "person_id" in _variables(operation)
            else [f"if record is None{is_gone}:"]
        ),
        '    raise Problem(404, "not_found", "There is no such thing here.")',
    ]


def _changing(contract: "Contract", operation: "Operation", own: str) -> list[str]:
    """Writes a new version of the record that the address names: with PATCH what is sent, with PUT nothing else."""
    status, _ = contract.answer_schema(operation.name)
    lines = ["body = call.json()", f'CONTRACT.check_body("{operation.name}", body)']
    lines += [*_found(contract, operation, own), 'body.pop("person_id", None)  # a record stays with its person']
    kept = "{**record.body, **body}" if operation.method == "PATCH" else "body"
    return [
        *lines,
        f"record = await call.records.change(record, {kept})",
        f"return Answer({'None' if status == 204 else 'show(record)'}, status={status})",
    ]


def _writing(contract: "Contract", operation: "Operation", body: dict[str, Any] | None) -> list[str]:
    """Writes one record from the body, or from the address alone where the operation takes none."""
    lines = ["body = call.json()", f'CONTRACT.check_body("{operation.name}", body)']
    if body is None:
        lines, body = ["body: dict[str, Any] = {}"], {}
    lines += [f'body["{each}"] = call.path["{each}"]' for each in _variables(operation) if each != "person_id"]
    if "person_id" in _variables(operation):
        lines += ['person_id = call.uuid("person_id", call.path["person_id"])', 'body.pop("person_id", None)']
    elif "person_id" in body.get("required", []):
        lines.append('person_id = call.uuid("person_id", body.pop("person_id"))')
    elif "person_id" in body.get("properties", {}):
        lines.append('person_id = call.uuid("person_id", body.pop("person_id")) if "person_id" in body else None')
    else:
        lines.append("person_id = None")
    status, _ = contract.answer_schema(operation.name)
    lines.append(
        f'record = await call.records.write("{_record_type(contract, operation)}", person_id=person_id, body=body)'
    )
    return [*lines, f"return Answer({'None' if status == 204 else 'show(record)'}, status={status})"]


def _listing(contract: "Contract", operation: "Operation") -> list[str]:
    """Lists records where the answer is an object with one list; nothing for other answers."""
    _, schema = contract.answer_schema(operation.name)
    lists = [name for name, each in schema.get("properties", {}).items() if each.get("type") == "array"]
    if len(lists) != 1 or set(schema.get("required", [])) - set(lists):
        return []
    parameters = {each["name"]: each for each in contract.query_parameters(operation.name)}
    record_type, about = _record_type(contract, operation), ""
    lines = [f'CONTRACT.check_query("{operation.name}", call.query)']
    if "person_id" in _variables(operation) or "person_id" in parameters:
        place = 'call.path["person_id"]' if "person_id" in _variables(operation) else 'call.query.get("person_id")'
        lines.append(f'person_id = call.uuid("person_id", {place})')
        about = ", person_id=person_id"
    lines.append(f'found = memory.newest("{record_type}"{about})')
    if _removes(contract, record_type):
        lines.append(f'found = [record for record in found if "{REMOVED}" not in record.body]')
    lines += [
        f'found = [record for record in found if record.body.get("{each}") == call.path["{each}"]]'
        for each in _variables(operation)
        if each != "person_id"
    ]
    if limit := parameters.get("limit", {}).get("schema"):
        most = limit.get("maximum", 200)
        lines.append(f'found = found[: call.number("limit", default={limit.get("default", most)}, most={most})]')
    return [*lines, f'return Answer({{"{lists[0]}": [show(record) for record in found]}})']


def _unknown() -> list[str]:
    return ['raise Problem(501, "not_written_yet", "This operation is still to be written.")']


def _record_type(contract: "Contract", operation: "Operation") -> str:
    """The record type an operation is about: the one its name or address holds, or else the contract's first."""
    own = _own_variable(operation) or ""
    named = [each for each in contract.record_types if own.startswith(each) or (not own and each in operation.name)]
    return max(named, key=len) if named else contract.record_types[0]


def _stamps(contract: "Contract") -> list[str]:
    """The times an answer must have although a body need not: they are the record's own."""
    found: list[str] = []
    for operation in contract.operations.values():
        body = contract.body_schema(operation.name)
        if operation.is_safe or body is None:
            continue
        _, answer = contract.answer_schema(operation.name)
        must = set(answer.get("required", [])) - set(body.get("required", []))
        properties = answer.get("properties", {})
        found += [name for name in sorted(must) if properties.get(name, {}).get("format") == "date-time"]
    return list(dict.fromkeys(found))
