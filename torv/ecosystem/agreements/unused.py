"""Agreements that nobody uses: permission that could be taken back, as the trail tells."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.pages import Wanted
from torv.base.trail import note
from torv.ecosystem.agreements import storing
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.models import IN_FORCE
from torv.ecosystem.agreements.storing import Row, sql

#: What others ask of a module, which stands in the trail under their agreements: who is only permitted this asks for
#: nothing, and the trail cannot tell whether it is used.
ANSWERING = frozenset({"provide", "export"})
_NEWEST = 2**62


@dataclass(frozen=True, kw_only=True, slots=True)
class Unused:
    """An agreement in force under which nothing was done for a long time."""

    id: UUID
    partner_id: UUID
    title: str
    modules: list[str]
    in_force_since: datetime  #: by its own terms
    used_at: datetime | None  #: None: never


@dataclass(frozen=True, kw_only=True, slots=True)
class UnusedRow(Row):
    used_at: datetime | None = None


async def list_unused(tx: Tx, access: Access, *, wanted: Wanted, days: int) -> list[tuple[int, Unused | None]]:
    """Agreements without a trace since so many days, with their places in the list, the last proposed first.

    None stands for one that is not in force, has not been for so long, or lets its modules answer and never ask.
    """
    before, now = wanted.after[0] if wanted.after else _NEWEST, clock.now()
    since = now - timedelta(days=days)
    rows = await tx.all(UnusedRow, sql.agreements_unused, before=before, since=since, size=wanted.fetch)
    found = [(row.seq, await _unused(tx, row, now, since)) for row in rows]
    note(tx, access, "read", detail={"days": days, "unused": sum(each is not None for _, each in found)})
    return found


async def _unused(tx: Tx, row: UnusedRow, now: datetime, since: datetime) -> Unused | None:
    await asyncio.sleep(0)  # reading two hundred contents in one piece would hold the loop
    content = Content.model_validate(row.content)
    is_asking = any(not grant.operations <= ANSWERING for grant in content.grants)
    if not is_asking or content.validity.not_before > since:
        return None
    if (await storing.standing_of(tx, row, now)).state not in IN_FORCE:
        return None
    return Unused(
        id=row.id, partner_id=row.partner_id, title=content.title, in_force_since=content.validity.not_before,
        modules=sorted({grant.module for grant in content.grants}), used_at=row.used_at,
    )  # fmt: skip
