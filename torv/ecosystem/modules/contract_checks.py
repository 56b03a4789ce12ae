"""What a contract must be beyond its schema: pure checks, each of which names file, place and reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"
MAIN = "contract.yaml"
#: Torv's own services, present and planned: a grant for one of them must never be a grant for a capability
SERVICES = frozenset({
    "agreements", "audit", "calendar", "cases", "classification", "documents", "events", "gateway", "health",
    "identity", "interfaces", "keys", "modules", "moves", "organisation", "partners", "persons", "records",
    "requirements", "service_levels", "torv", "web",
})  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """Something a contract cannot have."""

    file: str
    place: str  #: JSON pointer, or a line; empty: the whole file
    reason: str
    reason_da: str


def faults_of(content: dict[str, Any]) -> list[Fault]:
    """What is wrong with a content that follows the schema of contract.yaml."""
    return [
        *_name(content),
        *_version(content),
        *_twins(content, "operations", "id"),
        *_twins(content, "records", "type"),
        *_twins(content, "events", "type"),
        *_paths(content["operations"]),
        *_projections(content["records"]),
        *_codes(content.get("events", ())),
        *_launch(content),
    ]


def faults_in_schema(file: str, schema: dict[str, Any]) -> list[Fault]:
    """References that lead out of the file, and drafts that are not 2020-12; to be asked before it is compiled."""
    faults = []
    for place, name, value in _words(schema, ""):
        if name in ("$ref", "$dynamicRef") and not value.startswith("#"):
            faults.append(_fault(file, place, "leads out of the file", "peger ud af filen"))
        if name == "$schema" and value.rstrip("#") != DRAFT:
            faults.append(_fault(file, place, f"must be {DRAFT}", f"skal være {DRAFT}"))
    if schema.get("type") != "object":
        faults.append(_fault(file, "/type", "must be object", "skal være object"))
    return faults


def _words(value: Any, place: str) -> Iterator[tuple[str, str, str]]:
    """Every member whose value is a text: where it stands, its name, the text."""
    if isinstance(value, dict):
        for name, each in value.items():
            if isinstance(each, str):
                yield f"{place}/{name}", name, each
            yield from _words(each, f"{place}/{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _words(each, f"{place}/{number}")


def _name(content: dict[str, Any]) -> Iterator[Fault]:
    if content["capability"] in SERVICES:
        yield _fault(MAIN, "/capability", "is one of Torv's own services", "er en af Torvs egne tjenester")


def _version(content: dict[str, Any]) -> Iterator[Fault]:
    if content["version"].split(".")[0] != str(content["major"]):
        yield _fault(MAIN, "/version", "does not begin with the major version", "begynder ikke med hovedversionen")


def _twins(content: dict[str, Any], part: str, name: str) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, each in enumerate(content.get(part, ())):
        if each[name] in seen:
            yield _fault(MAIN, f"/{part}/{number}/{name}", "stands twice", "står to gange")
        seen.add(each[name])


def _paths(operations: list[dict[str, Any]]) -> Iterator[Fault]:
    for number, each in enumerate(operations):
        if each["path"].split("/")[1] in ("torv", "."):
            yield _fault(MAIN, f"/operations/{number}/path", "/torv belongs to Torv", "/torv tilhører Torv")
    for (_, one), (number, other) in combinations(enumerate(operations), 2):
        if one["method"] == other["method"] and paths_may_meet(one["path"], other["path"]):
            reason, reason_da = f"cannot be told from {one['path']}", f"kan ikke skelnes fra {one['path']}"
            yield _fault(MAIN, f"/operations/{number}/path", reason, reason_da)


def paths_may_meet(one: str, other: str) -> bool:
    """Whether there is a path that both templates match."""
    ours, theirs = one.split("/"), other.split("/")
    pairs = zip(ours, theirs, strict=False)
    return len(ours) == len(theirs) and all(a == b or "{" in a + b for a, b in pairs)


def _projections(records: list[dict[str, Any]]) -> Iterator[Fault]:
    for number, each in enumerate(records):
        for name, pointer in each.get("projections", {}).get("timeline", {}).items():
            if not _is_text(each["schema"], pointer):
                place = f"/records/{number}/projections/timeline/{name}"
                yield _fault(MAIN, place, "leads to no text in the schema", "fører ikke til en tekst i skemaet")


def _codes(events: Sequence[dict[str, Any]]) -> Iterator[Fault]:
    """Texts of events that could be anything: events carry ids and codes."""
    for number, each in enumerate(events):
        for place in _free_texts(each["schema"], f"/events/{number}/schema"):
            reason, reason_da = "could be free text: say format, pattern, enum or const", "kan være fri tekst"
            yield _fault(MAIN, place, reason, reason_da)


def _free_texts(schema: Any, place: str) -> Iterator[str]:
    if isinstance(schema, dict):
        kinds = schema.get("type")
        is_text = kinds == "string" or (isinstance(kinds, list) and "string" in kinds)
        if is_text and not schema.keys() & {"format", "pattern", "enum", "const"}:
            yield place
        for name, each in schema.items():
            yield from _free_texts(each, f"{place}/{name}")
    elif isinstance(schema, list):
        for number, each in enumerate(schema):
            yield from _free_texts(each, f"{place}/{number}")


def _launch(content: dict[str, Any]) -> Iterator[Fault]:
    is_safe = {each["id"]: each["safe"] for each in content["operations"]}
    launch = content.get("launch", {})
    if launch and is_safe.get(launch["reads"]) is not True:
        yield _fault(MAIN, "/launch/reads", "names no safe operation", "nævner ingen handling uden virkning")
    if "writes" in launch and is_safe.get(launch["writes"]) is not False:
        reason = "names no operation that changes something", "nævner ingen handling, der ændrer noget"
        yield _fault(MAIN, "/launch/writes", *reason)


def _is_text(schema: Any, pointer: str) -> bool:
    for part in pointer.split("/")[1:]:
        found = schema.get("properties", {}) if isinstance(schema, dict) else {}
        schema = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return isinstance(schema, dict) and schema.get("type") == "string"


def _fault(file: str, place: str, reason: str, reason_da: str) -> Fault:
    return Fault(file=file, place=place, reason=reason, reason_da=reason_da)
