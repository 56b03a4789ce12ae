"""The trail: who did what to whose data, why, under which grant. Two roads lead to one table.

A write that commits carries its entry in its own transaction (`Tx.notes`). Reads, refusals and failures go through
the batcher: many requests share one commit, and each waits for it before its answer leaves.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from structlog import get_logger

from torv.base import clock, metrics
from torv.base.access import Access
from torv.base.db import Database, Line, Tx, sql, write_notes
from torv.base.errors import ClockSetBack, TorvError, TrailUnavailable
from torv.base.ids import new_id

log = get_logger("torv.trail")

ROOM = 4_000  #: entries that may wait in one process; one more is refused
BATCH = 500  #: entries written in one statement
PATIENCE = 2.0  #: seconds a request waits for its entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the trail."""

    kind: str  #: read | write | refusal | intent | outcome | system
    operation: str
    result: str = "permitted"  #: or the code of the refusal
    subjects: Sequence[UUID] = ()  #: the persons it is about
    request_id: UUID | None = None
    user_id: UUID | None = None
    release_id: UUID | None = None
    agreement_id: UUID | None = None
    grant_id: str | None = None
    category: str | None = None
    purpose: str | None = None
    call_id: UUID | None = None
    detail: dict[str, Any] | None = None  #: ids, codes and numbers; never free text or a CPR number
    id: UUID = field(default_factory=new_id)
    at: datetime = field(default_factory=clock.now)


def entry_of(access: Access, kind: str, subjects: Sequence[UUID] = (), **more: Any) -> Entry:
    """The entry of something done under a permit; what the emergency list alone permitted says so."""
    if access.is_emergency:
        more = {"result": "emergency", **more}
        metrics.emergency_accesses.inc()
        log.warning("emergency_access", agreement=str(access.agreement_id), grant=access.grant_id)
    return Entry(
        kind=kind, operation=f"{access.service}.{access.operation}", subjects=subjects, request_id=access.request_id,
        user_id=access.caller.person, release_id=access.caller.release_id, agreement_id=access.agreement_id,
        grant_id=access.grant_id, category=access.category, purpose=access.purpose, **more,
    )  # fmt: skip


def note(tx: Tx, access: Access, kind: str, subjects: Sequence[UUID] = (), **more: Any) -> None:
    """Log what a verb did; a verb that meets personal data and notes nothing is refused its answer."""
    tx.notes.append(entry_of(access, kind, subjects, **more))


async def check_clock(dsn: str) -> None:
    """Raises ClockSetBack where the trail has entries later than now: what had expired then would be in force again.

    Asked at every start; while a process runs, `clock` sees to it.
    """
    async with Database.opened(dsn, 1) as database, database.reading() as tx:
        newest = await tx.value(sql.newest_entry)
    if newest is not None and newest - clock.seconds() > clock.SLACK:
        raise ClockSetBack(seconds=int(newest - clock.seconds()))


class Trail:
    """The batcher of one process: flushed as soon as its connection is free, bounded, awaited."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[list[Entry], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._began: float | None = None  # when the batch that is being written was sent
        self._is_open = False  # the batcher has its connection
        self._shown = 0  # in the metrics

    @property
    def is_stuck(self) -> bool:
        """Whether it is known that an entry given now would not be durable in time."""
        return not self._is_open or self._is_late

    @property
    def _is_late(self) -> bool:
        return self._began is not None and clock.ticks() - self._began > PATIENCE

    async def write(self, entries: list[Entry]) -> None:
        """Return when the entries are durable. Raises TrailUnavailable if they are not within two seconds.

        The entries are written even if the caller is cancelled meanwhile: a client that hangs up leaves a trace.
        """
        if self._is_late:
            raise TrailUnavailable  # those before have waited long enough for all
        durable = self._enqueue(entries)
        try:
            async with asyncio.timeout(PATIENCE):
                await durable
        except TimeoutError:
            raise TrailUnavailable from None

    async def write_if_it_can(self, entries: list[Entry]) -> None:
        """The same for entries that no data waits for: a trail that is stuck gets them, and nobody waits."""
        with suppress(TrailUnavailable):
            if self.is_stuck:
                self._enqueue(entries)
            else:
                await self.write(entries)

    def _enqueue(self, entries: list[Entry]) -> asyncio.Future[None]:
        if sum(len(batch) for batch, _ in self._waiting) + len(entries) > ROOM:
            raise TrailUnavailable
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, durable))
        self._wake.set()
        return durable

    def check(self) -> None:
        """Raises TrailUnavailable when the batcher is full, late, or without its connection."""
        if self.is_stuck or sum(len(batch) for batch, _ in self._waiting) >= ROOM:
            raise TrailUnavailable

    async def run(self) -> None:
        """Write until cancelled; a lost connection is opened again by whoever repeats this step."""
        async with self._database.line() as line:
            self._is_open = True
            try:
                while True:
                    while self._waiting:
                        await self._flush(line, self._take())
                    await self._wake.wait()
                    self._wake.clear()
            finally:
                self._is_open, self._began = False, None

    def _take(self) -> list[tuple[list[Entry], asyncio.Future[None]]]:
        taken, size = 0, 0
        while taken < len(self._waiting) and size < BATCH:
            size += len(self._waiting[taken][0])
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        if len(self._waiting) != self._shown:
            self._shown = len(self._waiting)
            metrics.trail_waiting.set(self._shown)
        return batch

    async def _flush(self, line: Line, batch: list[tuple[list[Entry], asyncio.Future[None]]]) -> None:
        entries = [entry for part, _ in batch for entry in part]
        self._began = clock.ticks()
        try:
            await write_notes(line, entries)
            self._began = None
        except (TorvError, asyncio.CancelledError):
            for _, durable in batch:
                if not durable.done():
                    durable.set_exception(TrailUnavailable())
                    durable.exception()  # the request may have gone away: nobody need fetch it
            raise
        metrics.trail_entries.inc(len(entries))
        metrics.trail_batches.inc()
        for _, durable in batch:
            if not durable.done():
                durable.set_result(None)
