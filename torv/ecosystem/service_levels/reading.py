"""Reading what was gathered, and reckoning a statement from it day by day: a month of calls need not fit in memory."""

import asyncio
from datetime import date, datetime, timedelta

from torv.base.db import Tx
from torv.base.sql import load
from torv.ecosystem.agreements import InForce
from torv.ecosystem.service_levels.models import Bound, Minute, Month, Notice
from torv.ecosystem.service_levels.reckoning import Basis, Plain, Reckoning, services_of

sql = load(__file__)

SETTLED = timedelta(hours=1)  #: after its beginning, a call without an outcome is held for one that has none
PART = timedelta(hours=12)  #: of calls that are in memory at a time


async def reckon(tx: Tx, agreement: InForce, month: Month, until: datetime) -> Plain:
    """The statement of a month up to an instant, from all that is gathered by now."""
    services = services_of(agreement)
    basis = Basis(
        agreement=agreement, month=month, until=until,
        bindings=await tx.all(Bound, sql.bindings_of, services=services),
        notices=await tx.all(Notice, sql.notices_of, agreement_id=agreement.id),
    )  # fmt: skip
    reckoning = await asyncio.to_thread(Reckoning, basis)
    begins = month.begins
    while begins < until:
        ends = min(begins + PART, until)
        rows = await tx.all(Minute, sql.minutes_between, services=services, begins=begins, ends=ends)
        settled = ends if until == month.ends else min(ends, until - SETTLED)
        rows += await tx.all(Minute, sql.unknown_between, services=services, begins=begins, ends=settled)
        await asyncio.to_thread(reckoning.add, rows)
        begins = ends
    return await asyncio.to_thread(reckoning.statement)


async def touched_months(tx: Tx, services: list[str]) -> dict[date, int]:
    """How far the log had come when something last concerned some services, by the first day of the month."""
    return {row["month"]: row["position"] for row in await tx.all(dict, sql.touched_months, services=services)}
