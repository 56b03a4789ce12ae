"""Contracts as folders of files: read with suspicion, and refused by file, place and reason."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import rfc8785
import torv_contracts
import yaml

from torv.base.errors import InvalidInput
from torv.base.plain import PlainLoader
from torv.base.signing import strict_json
from torv.ecosystem.modules.contract_checks import DRAFT, Fault, faults_in_schema, faults_of
from torv.ecosystem.modules.contracts import Contract, parse_contract
from torv.ecosystem.modules.errors import ContractInvalid, naming

MAIN = "contract.yaml"
OPENAPI = "openapi.yaml"
LARGEST_FILE, MOST_FILES = 200_000, 201  #: characters; files that a contract is made of
SHOWN = 20  #: faults that a refusal names

#: keyword of the schema -> what a value has against it, in English and Danish
_SENTENCES: dict[str, tuple[str, str]] = {
    "type": ("has the wrong type", "har en forkert type"),
    "enum": ("is not one of the possible values", "er ikke en af de mulige værdier"),
    "const": ("is not the value it must be", "er ikke den værdi, der skal stå"),
    "pattern": ("is not spelled as it must be", "er ikke skrevet, som det skal"),
    "maxItems": ("has too many entries", "har for mange poster"),
    "maxLength": ("is too long", "er for langt"),
    "minItems": ("has too few entries", "har for få poster"),
    "minimum": ("is too small", "er for lille"),
    "maximum": ("is too large", "er for stort"),
    "uniqueItems": ("has something twice", "har noget to gange"),
}


def read_folder(folder: Path) -> dict[str, str]:
    """The files of a contract's folder that a contract is made of. Raises ContractInvalid."""
    found: dict[str, str] = {}
    described = [file for file in (folder / OPENAPI,) if file.is_file()]
    for file in [folder / MAIN, *described, *sorted(folder.rglob("*.json"))]:
        name = file.relative_to(folder).as_posix()
        try:
            if file.stat().st_size > LARGEST_FILE:
                raise _refusal(_too_large(name))
            found[name] = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            raise _refusal(Fault(file=name, place="", reason="cannot be read", reason_da="kan ikke læses")) from None
    return found


def shipped_contracts() -> list[Contract]:
    """Every contract of the installed bundle."""
    root = Path(torv_contracts.__file__).parent
    return [read_contract(read_folder(file.parent)) for file in sorted(root.glob(f"*/v*/{MAIN}"))]


def read_contract(files: Mapping[str, str]) -> Contract:
    """The contract that files (name -> text) make up. Raises ContractInvalid with everything that is wrong."""
    too_large = [_too_large(name) for name, text in files.items() if len(text) > LARGEST_FILE]
    if len(files) > MOST_FILES:
        raise _refusal(_too_large("*"))
    _refuse_any(too_large)
    if MAIN not in files:
        raise _refusal(Fault(file=MAIN, place="", reason="is missing", reason_da="mangler"))
    content = _main(files[MAIN])
    _refuse_any(_faults_by_schema(content))
    _refuse_any(_with_schemas(content, files))
    _refuse_any(faults_of(content))
    openapi = _yaml(OPENAPI, files[OPENAPI]) if OPENAPI in files else None
    _refuse_any([] if openapi is None else list(_faults_of_openapi(openapi, content["operations"])))
    return parse_contract(content, openapi)


def _faults_of_openapi(openapi: Any, operations: list[dict[str, Any]]) -> Iterator[Fault]:
    """What the description of the operations lacks, or has that JSON cannot say."""
    paths = openapi.get("paths") if isinstance(openapi, dict) else None
    try:
        rfc8785.dumps(openapi)
    except (rfc8785.CanonicalizationError, RecursionError):
        paths = None
    if not isinstance(paths, dict) or not str(openapi.get("openapi", "")).startswith("3."):
        yield Fault(file=OPENAPI, place="", reason="is not OpenAPI 3", reason_da="er ikke OpenAPI 3")
        return
    for each in operations:
        described = paths.get(each["path"])
        if not isinstance(described, dict) or each["method"].lower() not in described:
            place = f"/paths/{each['path'].replace('~', '~0').replace('/', '~1')}/{each['method'].lower()}"
            yield Fault(file=OPENAPI, place=place, reason="is missing", reason_da="mangler")


def _main(text: str) -> Any:
    return _yaml(MAIN, text)


def _yaml(file: str, text: str) -> Any:
    try:
        return yaml.load(text, Loader=PlainLoader)  # noqa: S506 a safe loader, and stricter
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else ""
        reason, reason_da = (
            "is not plain YAML (no aliases, no name twice)",
            "er ikke enkel YAML (uden alias og dubletter)",
        )
        raise _refusal(Fault(file=file, place=place, reason=reason, reason_da=reason_da)) from None


def _faults_by_schema(content: Any) -> list[Fault]:
    try:
        errors = list(jsonschema_rs.Draft202012Validator(torv_contracts.contract_schema()).iter_errors(content))
    except ValueError:  # what YAML can say and JSON cannot
        return [Fault(file=MAIN, place="", reason="is more than JSON can say", reason_da="er mere, end JSON kan sige")]
    return [_fault_by_schema(each) for each in errors[:SHOWN]]


def _fault_by_schema(error: jsonschema_rs.ValidationError) -> Fault:
    place, kind = "".join(f"/{part}" for part in error.instance_path), error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return Fault(file=MAIN, place=place, reason=f"{kind.property} is missing", reason_da=f"{kind.property} mangler")
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        words = ", ".join(kind.unexpected)[:200]
        return Fault(file=MAIN, place=place, reason=f"unknown: {words}", reason_da=f"ukendt: {words}")
    reason, reason_da = _SENTENCES.get(kind.name, ("is not as it must be", "er ikke, som det skal være"))
    return Fault(file=MAIN, place=place, reason=reason, reason_da=reason_da)


def _with_schemas(content: dict[str, Any], files: Mapping[str, str]) -> list[Fault]:
    """Put each schema in the place of its file's name; gives what is wrong with them."""
    faults = []
    for each in (*content["records"], *content.get("events", ())):
        name = each["schema"]
        each["schema"], found = _schema(name, files)
        faults += found
    return faults


def _schema(name: str, files: Mapping[str, str]) -> tuple[dict[str, Any], list[Fault]]:
    if name not in files:
        return {}, [Fault(file=name, place="", reason="is missing", reason_da="mangler")]
    try:
        schema = strict_json(files[name])
    except InvalidInput:
        schema = None
    if not isinstance(schema, dict):
        return {}, [Fault(file=name, place="", reason="is not a JSON object", reason_da="er ikke et JSON-objekt")]
    faults = faults_in_schema(name, schema)
    if not faults:
        try:
            jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            place = "".join(f"/{part}" for part in getattr(error, "instance_path", ()))
            reason = f"is not JSON Schema 2020-12 ({DRAFT})"
            faults = [Fault(file=name, place=place, reason=reason, reason_da=f"er ikke JSON Schema 2020-12 ({DRAFT})")]
    return schema, faults


def _too_large(name: str) -> Fault:
    reason, reason_da = f"is larger than {LARGEST_FILE} characters", f"fylder mere end {LARGEST_FILE} tegn"
    if name == "*":
        reason, reason_da = f"has more than {MOST_FILES} files", f"har mere end {MOST_FILES} filer"
    return Fault(file=re.sub(r"[^\w./*-]", "?", name)[:200], place="", reason=reason, reason_da=reason_da)


def _refuse_any(faults: list[Fault]) -> None:
    if faults:
        raise _refusal(*faults)


def _refusal(*faults: Fault) -> ContractInvalid:
    return ContractInvalid(**naming(faults[:SHOWN]))
