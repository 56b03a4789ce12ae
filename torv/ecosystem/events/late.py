"""Late events: published by modules that did not hold the capability. Kept and shown, never told to anybody."""

from datetime import datetime
from uuid import UUID

from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import NotFound
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.events.models import LateEvent, LateEventContent
from torv.ecosystem.modules import event_types

sql = load(__file__)


async def late_events(tx: Tx, access: Access, *, capability: str | None, wanted: Wanted) -> list[LateEvent]:
    """The late events of a capability (None: of all), newest first; a program sees its own partner's."""
    at, before = wanted.after or (None, None)
    found = await tx.all(
        LateEvent, sql.late_events, capability=capability, partner_id=access.party, size=wanted.fetch,
        before_at=datetime.fromisoformat(at) if at else None, before_id=UUID(before) if before else None,
    )  # fmt: skip
    note(tx, access, "read", detail={"late_events": len(found[: wanted.size])})
    return found


async def read_late_event(tx: Tx, access: Access, late_id: UUID) -> LateEventContent:
    """A late event with its content. Raises NotFound; also where the permit does not cover its type."""
    late = await tx.one(LateEventContent, sql.late_event, id=late_id, partner_id=access.party)
    kinds = [each for each in await event_types(tx, late.capability) if each.name == late.type]
    if not kinds or not all(access.covers(each.category) for each in kinds):
        raise NotFound
    person_id = late.content.get("person_id")
    note(tx, access, "read", [UUID(person_id)] if person_id else [], detail={"late_event": str(late_id)})
    return late
