"""The trail: who did what to whose data, why, under which grant. Two roads lead to one table.

A write that commits carries its entry in its own transaction (`Tx.notes`). Reads, refusals and failures go through
the batcher: many requests share one commit, and each waits for it before its answer leaves.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from torv.base import clock, metrics
from torv.base.access import Access
from torv.base.db import Database, Line, Tx, write_notes
from torv.base.errors import TorvError, TrailUnavailable
from torv.base.ids import new_id

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
    """The entry of something done under a permit."""
    return Entry(
        kind=kind, operation=f"{access.service}.{access.operation}", subjects=subjects, request_id=access.request_id,
        user_id=access.caller.user_id, release_id=access.caller.release_id, agreement_id=access.agreement_id,
        grant_id=access.grant_id, category=access.category, purpose=access.purpose, **more,
    )  # fmt: skip


def note(tx: Tx, access: Access, kind: str, subjects: Sequence[UUID] = (), **more: Any) -> None:
    """Log what a verb did; a verb that meets personal data and notes nothing is refused its answer."""
    tx.notes.append(entry_of(access, kind, subjects, **more))


class Trail:
    """The batcher of one process: flushed as soon as its connection is free, bounded, awaited."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[tuple[list[Entry], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    async def write(self, entries: list[Entry]) -> None:
        """Return when the entries are durable. Raises TrailUnavailable if they are not within two seconds.

        The entries are written even if the caller is cancelled meanwhile: a client that hangs up leaves a trace.
        """
        if sum(len(batch) for batch, _ in self._waiting) + len(entries) > ROOM:
            raise TrailUnavailable
        durable: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entries, durable))
        self._wake.set()
        try:
            async with asyncio.timeout(PATIENCE):
                await asyncio.shield(durable)
        except TimeoutError:
            raise TrailUnavailable from None

    def check(self) -> None:
        """Raises TrailUnavailable when the batcher is full."""
        if len(self._waiting) >= ROOM:
            raise TrailUnavailable

    async def run(self) -> None:
        """Write until cancelled; a lost connection is opened again by whoever repeats this step."""
        async with self._database.line() as line:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._flush(line, self._take())

    def _take(self) -> list[tuple[list[Entry], asyncio.Future[None]]]:
        taken, size = 0, 0
        while taken < len(self._waiting) and size < BATCH:
            size += len(self._waiting[taken][0])
            taken += 1
        batch, self._waiting = self._waiting[:taken], self._waiting[taken:]
        metrics.trail_waiting.set(len(self._waiting))
        return batch

    async def _flush(self, line: Line, batch: list[tuple[list[Entry], asyncio.Future[None]]]) -> None:
        entries = [entry for part, _ in batch for entry in part]
        try:
            await write_notes(line, entries)
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
