"""The feed: one sequencer gives the committed rows of every stream a gap-free position; readers ask beyond their own.

Not insertion order, not transaction ids: a row inserted early may commit late, and a reader who has passed it would
never see it. A position is given only to what is committed, so nothing can appear behind a reader.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from torv.base import clock, metrics
from torv.base.db import Database, Line, Tx, sql
from torv.base.sql import Query

BATCH = 1_000  #: rows given positions in one transaction
PAUSE = 0.02  #: seconds between two looks where readers wait for what is new
UNHURRIED = 0.1  #: seconds between two looks where nobody does: a batch costs the same for one row as for a hundred

#: number(tx, last, size): give at most `size` waiting rows the positions last+1, last+2 ...; tells how many
Number = Callable[[Tx, int, int], Awaitable[int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Stream:
    """A table whose rows get positions."""

    name: str
    waiting: Query  #: whether any row has none yet
    number: Number
    pause: float = PAUSE  #: seconds between two looks when there was less than a batch


async def _number_trail(tx: Tx, last: int, size: int) -> int:
    return int(await tx.value(sql.number_trail, last=last, size=size))


TRAIL = Stream(name="trail", waiting=sql.trail_is_waiting, number=_number_trail, pause=UNHURRIED)


async def sequence(line: Line, stream: Stream) -> int:
    """Give one batch of the stream its positions, in one transaction; tells how many rows."""
    if not await line.value(stream.waiting):
        return 0
    async with line.transaction() as tx:
        last = await tx.value(sql.lock_stream, name=stream.name)
        if last is None:
            await tx.run(sql.create_stream, name=stream.name)
            last = await tx.value(sql.lock_stream, name=stream.name)
        count = await stream.number(tx, last, BATCH)
        if count:
            await tx.run(sql.advance_stream, name=stream.name, position=last + count)
            await tx.value(sql.notify_feed, name=stream.name)
            metrics.feed_positions.labels(stream.name).set(last + count)
    return count


async def sequence_all(line: Line, streams: Sequence[Stream]) -> None:
    """Sequence every stream until cancelled, each at its own pace. The caller holds the leadership (`lead`)."""
    due = dict.fromkeys((stream.name for stream in streams), 0.0)
    while True:
        for stream in streams:
            if due[stream.name] <= clock.ticks() and await sequence(line, stream) < BATCH:
                due[stream.name] = clock.ticks() + stream.pause
        await asyncio.sleep(max(0.0, min(due.values()) - clock.ticks()))


@asynccontextmanager
async def lead(database: Database) -> AsyncIterator[Line]:
    """Wait until this worker is the one that sequences and moves; another takes over when its connection ends."""
    async with database.line() as line:
        while not await line.value(sql.try_leadership):
            await asyncio.sleep(1.0)
        yield line


class News(asyncio.Event):
    """The next news of a stream, from when this was asked for."""

    async def within(self, seconds: float) -> None:
        """Return when there is some, or after at most `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.wait()


class Listener:
    """Wakes this process's readers of a stream when positions were given in it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._news: defaultdict[str, News] = defaultdict(News)

    async def run(self) -> None:
        """Listen until cancelled."""
        async with self._database.line() as line:
            await line.listen("torv_feed", self._spread)
            for stream in list(self._news):
                self._spread(stream)  # nobody knows what was said while nobody listened
            while True:
                await line.value(sql.ping)
                await asyncio.sleep(5.0)

    def _spread(self, stream: str) -> None:
        self._news.pop(stream, News()).set()

    def news(self, stream: str) -> News:
        """To be asked for before a reader looks, so that what comes between its look and its waiting wakes it too."""
        return self._news[stream]
