"""A municipal profile as a certifier reads it: what is demanded beyond the contract, each demand by its name.

Needs the extra `torv-sdk[contracts]`. A profile may only add: one that contradicts the contract is refused here, where
openapi.yaml is at hand, as Torv refuses one that contradicts contract.yaml and the records.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema_rs
import torv_contracts
import yaml

from torv_sdk.canonical import canonical
from torv_sdk.contracts import Contract, Operation
from torv_sdk.problems import Problem

LARGEST = 200_000  #: characters of a file
SOMEBODY = "0198c0de-0000-7000-8000-00000000a11c"  #: stands for a citizen where there is no Torv to know one
_NAME = re.compile(r"\{[a-z][a-z0-9_]*\}")
FORMAT = "torv-requirement-set/1"


class Kind(StrEnum):
    """What a demand is about; what an agreement promises cannot be tried on a module, and is left out here."""

    OPERATION = "operation"
    FIELD = "field"
    CASE = "case"


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """One demand. `id` is its name in Torv, in reports and in the matrix."""

    id: str
    kind: Kind
    danish: str
    english: str
    hash: str  #: SHA-256 over the canonical demand, hex
    content: dict[str, Any]


class _OneMeaning(yaml.SafeLoader):
    """YAML without aliases and without a name that stands twice: what is hashed must be what people read."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        if len(set(names)) != len(names):
            raise yaml.YAMLError("a name stands twice")
        return dict(super().construct_mapping(node, deep))


_OneMeaning.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in some if tag != "tag:yaml.org,2002:timestamp"]
    for first, some in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class Profile:
    """A profile, read for one contract."""

    def __init__(self, content: dict[str, Any], contract: Contract) -> None:
        """Raises ValueError for what does not follow the schema, or contradicts the contract."""
        errors = jsonschema_rs.Draft202012Validator(torv_contracts.profile_schema()).iter_errors(content)
        for error in errors:
            raise ValueError(f"profile: {'/'.join(map(str, error.instance_path)) or 'the file'}: {error.message[:200]}")
        self.content, self._contract = content, contract
        extra = [
            Operation(name=o["id"], method=o["method"], path=o["path"], is_safe=o["safe"], category=o["category"])
            for o in content.get("operations", ())
        ]
        self.operations = {**contract.operations, **{each.name: each for each in extra}}
        if faults := list(_contradictions(content, contract)):
            raise ValueError("profile: " + "; ".join(faults))

    @classmethod
    def read(cls, file: Path, contract: Contract) -> "Profile":
        """The profile in a file, YAML or JSON. Raises OSError or ValueError."""
        text = file.read_text("utf-8")
        if len(text) > LARGEST:
            raise ValueError(f"{file} is larger than {LARGEST} characters")
        try:
            content = yaml.load(text, Loader=_OneMeaning)  # noqa: S506 a safe loader, and stricter
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(f"{file}: not plain YAML ({str(error).splitlines()[0]})") from None
        return cls(content, contract)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the canonical profile, hex."""
        return _hash(self.content)

    @cached_property
    def requirement_set(self) -> str:
        """The name of the set that the profile makes with its contract; Torv reckons the same."""
        return _hash({"format": FORMAT, "contract": self._contract.hash, "profile": self.content})

    @cached_property
    def demands(self) -> list[Demand]:
        """What is tried on a module: operations and cases first, then the fields of all that was answered."""
        parts = (("operations", Kind.OPERATION), ("cases", Kind.CASE), ("fields", Kind.FIELD))
        return [
            Demand(
                id=each["id"], kind=kind, danish=each["da"], english=each["en"], hash=_hash(each), content=each
            )
            for part, kind in parts
            for each in self.content.get(part, ())
        ]  # fmt: skip


def _hash(value: Any) -> str:
    return sha256(canonical(value)).hexdigest()


def _contradictions(content: Mapping[str, Any], contract: Contract) -> Iterator[str]:
    if (content["capability"], content["major"]) != (contract.capability, contract.major):
        yield f"it is about {content['capability']} v{content['major']}, not {contract.capability} v{contract.major}"
        return
    if content["contract"] != contract.version:
        yield f"it adds to version {content['contract']} of the contract, and this is {contract.version}"
    known = {(each.method, each.path) for each in contract.operations.values()}
    for each in content.get("operations", ()):
        if each["id"] in contract.operations or (each["method"], each["path"]) in known:
            yield f"{each['id']}: the contract has this operation already"
    for each in content.get("fields", ()):
        if each.get("answer") in contract.operations:
            yield from _field(each, contract)
    for case in content.get("cases", ()):
        for step in case["steps"]:
            if step["call"] in contract.operations:
                yield from _step(case["id"], step, contract)


def _field(each: Mapping[str, Any], contract: Contract) -> Iterator[str]:
    """A field the contract's answer describes otherwise, or allows no room for."""
    place = contract.answer_part(each["answer"], each.get("at", ""))
    known = place.get("properties", {}).get(each["name"])
    if known is None and place.get("additionalProperties") is False:
        yield f"{each['id']}: the contract allows no field {each['name']} there"
    if known is not None and "schema" in each:
        yield f"{each['id']}: the contract says what {each['name']} is"


def _step(name: str, step: Mapping[str, Any], contract: Contract) -> Iterator[str]:
    """A step that expects what the contract rules out, or a refusal of what it allows."""
    call, status = step["call"], step["expect"]["status"]
    if not contract.knows_answer(call, status):
        yield f"{name}: the contract knows no answer {status} of {call}"
    body = json.loads(json.dumps(step.get("body")).replace("{person}", SOMEBODY))
    if body is None or _NAME.search(json.dumps(body)):
        return  # what an earlier step keeps is known only when it is sent
    try:
        contract.check_body(call, body)
        is_allowed = True
    except Problem:
        is_allowed = False
    if is_allowed and status in (400, 413, 422):
        yield f"{name}: expects a refusal of what the contract allows"
    if not is_allowed and status < 300:
        yield f"{name}: expects that what the contract forbids is taken"
