"""The kernel's own events: their types, the data category each belongs to, and their schemas."""

from dataclasses import dataclass
from typing import Any

DRAFT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelEvent:
    """A kind of event that Torv itself tells."""

    type: str
    category: str | None  #: None: that of the record type
    meaning: str
    schema: dict[str, Any]  #: of `data`


_ID = {"type": "string", "format": "uuid"}
_CODE = {"type": "string", "pattern": "^[a-z][a-z0-9_]{0,62}$"}


def _schema(**properties: Any) -> dict[str, Any]:
    return {
        "$schema": DRAFT, "type": "object", "properties": properties, "required": sorted(properties),
        "additionalProperties": False,
    }  # fmt: skip


KERNEL_EVENTS = (
    KernelEvent(
        type="torv.record.written", category=None, meaning="A version of a record was written.",
        schema=_schema(
            capability=_CODE, type=_CODE, record_id=_ID, version={"type": "integer", "minimum": 1},
            person_id={"type": ["string", "null"], "format": "uuid"},
        ),
    ),
    KernelEvent(
        type="torv.person.changed", category="person", meaning="A person was registered or changed.",
        schema=_schema(person_id=_ID, change=_CODE),
    ),
    KernelEvent(
        type="torv.unit.changed", category="organisation", meaning="A unit was made, changed, moved or closed.",
        schema=_schema(unit_id=_ID, change=_CODE),
    ),
    KernelEvent(
        type="torv.agreement.changed", category="contract",
        meaning="An agreement was proposed or signed, or something happened to it: suspend, resume, notice, exit ...",
        schema=_schema(agreement_id=_ID, change=_CODE),
    ),
    KernelEvent(
        type="torv.binding.moved", category="contract",
        meaning="Another release provides a capability from now on, in a unit or (null) everywhere else.",
        schema=_schema(capability=_CODE, release_id=_ID, unit_id=_ID | {"type": ["string", "null"]}),
    ),
    KernelEvent(
        type="torv.requirement.changed", category="contract",
        meaning="Demands were put to the partner that is told, or their day was set; nobody else is told.",
        schema=_schema(proposal_id=_ID, capability=_CODE, change=_CODE),
    ),
)  # fmt: skip
