"""Erasing: a person is taken out of entries whose time is over. The tree keeps their leaves, so proofs still hold.

An entry about this person alone keeps what leads to nobody: when, what kind of act, its result, under which agreement.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.audit.models import Retention

sql = load(__file__)

AT_ONCE = 500  #: entries in one transaction


async def read_retention(tx: Tx) -> Retention:
    """How long entries about persons are kept, by the rule in force today."""
    return await tx.one(Retention, sql.retention, day=clock.today())


async def erase_entries(tx: Tx, access: Access, person_id: UUID) -> int:
    """Take a person out of their oldest entries, at most 500, that are older than the retention; tells of how many.

    The log says in an entry of its own which entries have lost somebody: who erases without a word is found out.
    Call it again, each time in a transaction of its own, until it gives 0.
    """
    retention = await read_retention(tx)
    before = _months_ago(retention.months)
    positions: list[int] = await tx.value(sql.erasable, person=person_id, before=before, size=AT_ONCE)
    note(tx, access, "write", [person_id], detail={"erased": spans_of(positions), "months": retention.months})
    if positions:
        await tx.value(sql.erase_subject, person=person_id, positions=positions)
    return len(positions)


def spans_of(positions: list[int]) -> list[list[int]]:
    """Rising numbers as pairs of first and last of what stands together."""
    spans: list[list[int]] = []
    for each in positions:
        if spans and spans[-1][1] == each - 1:
            spans[-1][1] = each
        else:
            spans.append([each, each])
    return spans


def _months_ago(months: int) -> datetime:
    """That many months before today; of a day that month has not, the first day after it."""
    today = clock.today()
    years, month = divmod(today.year * 12 + today.month - 1 - months, 12)
    first = datetime(years, month + 1, 1, tzinfo=UTC)
    return first + timedelta(days=today.day - 1)
