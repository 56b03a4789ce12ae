"""Service levels over a real log: entries put into it, agreements that promise something, and what was sealed."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection

from tests.cast import NORDLYS, Cast, content_of, enter_agreement
from torv.base import clock
from torv.base.db import Database
from torv.base.feed import sequence
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.base.trail import Entry
from torv.ecosystem import audit
from torv.ecosystem.agreements import in_force
from torv.ecosystem.service_levels import Bound, Month, gather_all
from torv.ecosystem.service_levels.reading import reckon

PROMISE = {
    "metric": "availability",
    "service": "notes",
    "target": 99.9,
    "maintenance": {"announce_hours": 1, "most_minutes": 600},
}


async def log(database: Database, entries: list[Entry]) -> None:
    """Put entries into the log, in this order, and let them have their positions."""
    async with database.transaction() as tx:
        tx.notes.extend(replace(each, id=new_id()) for each in entries)
    await give_positions(database)


async def give_positions(database: Database) -> None:
    async with database.line() as line:
        while await sequence(line, audit.STREAM):
            pass


def bound(release: UUID, at: datetime) -> Entry:
    detail = {"capability": "notes", "release": str(release), "epoch": 1}
    return Entry(kind="system", operation="modules.bound", detail=detail, at=at)


def changed(binding: Bound, release: UUID | None) -> Entry:
    """A change of a binding as the log has it; no release: a unit's went up into the one above it."""
    detail = {"capability": binding.service} | ({} if binding.unit_id is None else {"unit": str(binding.unit_id)})
    detail |= {} if release is None else {"release": str(release)}
    operation = "modules.dissolved" if release is None else "modules.bound"
    return Entry(kind="system", operation=operation, detail=detail, at=binding.at)


async def enter_with_promises(database: Database, outsider: Connection, cast: Cast, keys: Keys, **plain: Any) -> UUID:
    """An agreement that was signed before anything we log."""
    async with database.transaction() as tx:
        agreement_id = await enter_agreement(tx, cast, plain, keys)
    await outsider.execute("update agreements.signatures set at = '2023-12-01' where agreement_id = $1", agreement_id)
    return agreement_id


async def promised_last_month(
    database: Database, outsider: Connection, cast: Cast, keys: Keys, **terms: Any
) -> tuple[UUID, Month]:
    """An agreement of Nordlys with a promise, in force all of last month, and its release bound long before."""
    now = clock.now()
    month = Month.of(Month.of(now).begins - timedelta(days=1))
    validity = {
        "not_before": month.begins.isoformat(), "not_after": (now + timedelta(days=300)).isoformat(), "options": [],
    }  # fmt: skip
    plain = content_of(NORDLYS, validity=validity, service_levels=[PROMISE], **terms)
    agreement_id = await enter_with_promises(database, outsider, cast, keys, **plain)
    await log(database, [bound(cast.releases["nordnote"], month.begins - timedelta(days=40))])
    return agreement_id, month


async def so_far(database: Database, agreement_id: UUID) -> dict[str, Any]:
    """The statement of this month with all that is in the log by now."""
    await give_positions(database)
    await gather_all(database)
    now = clock.now()
    async with database.reading() as tx:
        return await reckon(tx, await in_force(tx, agreement_id), Month.of(now), now + timedelta(minutes=1))


async def versions(outsider: Connection, agreement_id: UUID) -> list[tuple[int, str, str]]:
    rows = await outsider.fetch(
        "select version, reason, hash from service_levels.statements where agreement_id = $1 order by version",
        agreement_id,
    )
    return [(row["version"], row["reason"], row["hash"]) for row in rows]
