"""The events' stream: what the feed tells of changes becomes events, and every event gets its position.

The kernel tells nothing twice: record versions and trail entries are in the feed already, gap-free and in the
transaction of the change itself. Here they are read on, and marked as read in the transaction that makes events of
them.
"""

from torv.base.db import Tx
from torv.base.feed import Stream
from torv.base.sql import load

sql = load(__file__)


async def _number(tx: Tx, last: int, size: int) -> int:
    await tx.value(sql.events_of_records, size=size)
    await tx.value(sql.events_of_trail, size=size)
    return int(await tx.value(sql.number_events, last=last, size=size))


STREAM = Stream(name="events", waiting=sql.are_waiting, number=_number)
