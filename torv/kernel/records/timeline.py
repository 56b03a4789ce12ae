"""The timeline: a line about a person from each record whose type has one, derived where the record is written.

It belongs to the capability: no module is asked for it, and nothing of it moves with a module.
"""

from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from torv.base import clock
from torv.base.access import ALL, Access
from torv.base.clock import DENMARK
from torv.base.db import Tx
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.kernel.records.models import Stale, Stored, TimelineLine

sql = load(__file__)

LONGEST_TEXT = 500  #: characters of a line
SLICE = 200  #: records derived anew in one transaction


def pointed(body: Any, pointer: str | None) -> Any:
    """What a JSON pointer (RFC 6901) leads to through objects; None if there is nothing."""
    for part in [] if pointer is None else pointer.split("/")[1:]:
        body = body.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(body, dict) else None
    return None if pointer is None else body


def line_of(body: dict[str, Any], pointers: dict[str, str]) -> tuple[datetime | None, str] | None:
    """When (None: the body does not say) and what; None if the body has no text for a line."""
    text = pointed(body, pointers["text"])
    shown = " ".join(text.split()) if isinstance(text, str) else ""
    if not shown:
        return None
    if len(shown) > LONGEST_TEXT:
        shown = shown[: LONGEST_TEXT - 1] + "…"
    return instant_of(pointed(body, pointers.get("instant"))), shown


def instant_of(value: Any) -> datetime | None:
    """An RFC 3339 time, or the beginning of a day in Denmark; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        if len(value) == len("2026-01-01"):
            return datetime.combine(date.fromisoformat(value), time(), DENMARK)
        found = datetime.fromisoformat(value.upper())
    except ValueError:
        return None
    return found if found.tzinfo is not None and 1 < found.year < 9999 else None


async def derive_line(tx: Tx, capability: str, record_type: str, stored: Stored, pointers: dict[str, str]) -> None:
    """Bring a record's line in step with its latest version."""
    line = None if stored.person_id is None else line_of(stored.body, pointers)
    if line is None:
        await tx.run(sql.remove_line, id=stored.id)
        return
    await tx.run(
        sql.upsert_line, id=stored.id, capability=capability, type=record_type, unit_id=stored.unit_id,
        version=stored.version, person_id=stored.person_id, at=line[0], text=line[1],
    )  # fmt: skip


async def derive_again(tx: Tx) -> bool:
    """Derive a slice of what a changed contract left behind; False when there is nothing left to do.

    Nobody writes records of the capability meanwhile: else a line could be left of what was just written over.
    """
    capability = await tx.value(sql.stale_capability)
    if capability is None:
        return False
    await tx.value(sql.close_fence, capability=capability)
    stale = await tx.maybe(Stale, sql.stale_type, capability=capability)
    if stale is None:
        return True  # declared otherwise while we waited; there may be others
    found = await tx.all(
        Stored, sql.versions_to_derive, capability=stale.capability, type=stale.type, after=stale.after, size=SLICE
    )
    for each in found:
        if stale.timeline is None:
            await tx.run(sql.remove_line, id=each.id)
        else:
            await derive_line(tx, stale.capability, stale.type, each, stale.timeline)
    after = found[-1].seq if len(found) == SLICE else None
    await tx.run(sql.note_derived, capability=stale.capability, type=stale.type, after=after)
    return True


async def list_timeline(tx: Tx, access: Access, person_id: UUID, *, wanted: Wanted) -> list[TimelineLine]:
    """A person's timeline, newest first: only lines from records whose category the permit covers."""
    at, before = wanted.after or (None, None)
    lines = await tx.all(
        TimelineLine, sql.timeline_of, person_id=person_id, size=wanted.fetch,
        categories=None if ALL in access.categories else sorted(access.categories), limits=access.row_limits(),
        day=clock.today(),
        before_at=datetime.fromisoformat(at) if at else None, before_id=UUID(before) if before else None,
    )  # fmt: skip
    note(tx, access, "read", [person_id], detail={"timeline": len(lines[: wanted.size])})
    return lines
