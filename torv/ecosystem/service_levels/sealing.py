"""Sealing: the statement of a month that is over is kept for good; what comes late gives a later version."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from torv.base import clock
from torv.base.db import Database, Tx
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import Entry
from torv.ecosystem.agreements import InForce, agreements_with_promises, in_force
from torv.ecosystem.service_levels.models import LevelStatement, Month
from torv.ecosystem.service_levels.reading import reckon, touched_months
from torv.ecosystem.service_levels.reckoning import Plain, hash_of, services_of

sql = load(__file__)

AT_ONCE = 5_000  #: minutes deleted in one transaction
GRACE = timedelta(hours=6)  #: after a month's end, for what the log gets late


async def seal_months(database: Database) -> int:
    """Seal every month that is over and is not sealed, or has changed since; tells how many statements were made."""
    async with database.reading() as tx:
        agreements = await agreements_with_promises(tx)
    return sum([await _seal_agreement(database, each) for each in agreements])


async def _seal_agreement(database: Database, agreement_id: UUID) -> int:
    async with database.reading() as tx:
        agreement = await in_force(tx, agreement_id)
        newest = {each.month: each for each in await _newest(tx, agreement_id)}
        touched = await touched_months(tx, services_of(agreement))
        forgotten: date = await tx.value(sql.forgotten_before)
    made = 0
    for month in months_over(agreement, clock.now() - GRACE):
        if month.first < forgotten:
            continue
        before = newest.get(month.first)
        if before is None or touched.get(month.first, 0) > before.gathered_to:
            async with database.transaction() as tx:
                made += await _seal(tx, agreement, month, before)
    return made


def months_over(agreement: InForce, now: datetime) -> list[Month]:
    """The months that an agreement was in force in, at least for a while, and that are over, the earliest first."""
    if agreement.begins is None:
        return []
    months, month = [], Month.of(agreement.begins)
    while month.ends <= now and month.begins < agreement.ends:
        months.append(month)
        month = month.next
    return months


async def forget_old_minutes(database: Database) -> int:
    """Delete the minutes of months that are sealed and older than the rule says; tells how many. Call after sealing.

    What a claim could still rest on is kept for as long as claims live. The statements, and the log, stay as they are.
    """
    async with database.transaction() as tx:
        months = int((await tx.one(dict[str, int | str], sql.retention, day=clock.today()))["months"])
        before: date = await tx.value(sql.forget_months, before=_months_before(clock.today(), months))
    begins, total, deleted = Month(year=before.year, month=before.month).begins, 0, AT_ONCE
    while deleted == AT_ONCE:
        async with database.transaction() as tx:
            deleted = await tx.value(sql.forget_minutes, before=begins, size=AT_ONCE)
        total += deleted
    return total


def _months_before(day: date, months: int) -> date:
    """The first day of the month so many months before that of a day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, 1)


async def _newest(tx: Tx, agreement_id: UUID) -> list[LevelStatement]:
    return await tx.all(LevelStatement, sql.newest_statements, agreement_id=agreement_id)


async def _seal(tx: Tx, agreement: InForce, month: Month, before: LevelStatement | None) -> int:
    """Seal a month, unless the statement there is says the same; 1 if a statement was made."""
    gathered: int = await tx.value(sql.progress)
    content = await reckon(tx, agreement, month, month.ends)
    if before is not None and hash_of(content) == before.hash:
        await tx.run(sql.look_again, id=before.id, gathered_to=gathered)
        return 0
    version = 1 if before is None else before.version + 1
    reason = "month_over" if before is None else reason_of(before.content, content)
    statement = {
        "agreement_id": agreement.id, "partner_id": agreement.partner_id, "month": month.first, "version": version,
        "reason": reason, "hash": hash_of(content), "content": content, "gathered_to": gathered,
    }  # fmt: skip
    if await tx.run(sql.insert_statement, id=new_id(), sealed_at=clock.now().astimezone(UTC), **statement) == 0:
        return 0
    detail = {
        "agreement": str(agreement.id), "month": str(month), "version": version, "reason": reason,
        "hash": statement["hash"], "log": content["log"],
    }  # fmt: skip
    tx.notes.append(
        Entry(kind="system", operation="service_levels.sealed", agreement_id=agreement.id, detail=detail)
    )  # fmt: skip
    return 1


def reason_of(before: Plain, after: Plain) -> str:
    """Why there is a later version: something was announced or declared, entries came late, or terms differ."""
    if before["notices"] != after["notices"]:
        return "notice"
    return "late_entries" if before["log"] != after["log"] else "terms"
