"""What tests of the log need: entries in it, sealed as the worker seals them, and somebody who may look at it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.cast import OPERATOR
from torv.base.access import Access
from torv.base.db import Database, Tx, write_notes
from torv.base.feed import sequence
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.base.trail import Entry
from torv.ecosystem.audit import STREAM, Verdict, sign_head, verify_log

NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)


def may(operation: str) -> Access:
    """A permit of the operator's for an act on the log."""
    return Access(caller=OPERATOR, service="audit", operation=operation, category="trail", request_id=new_id())


def entry(operation: str, *subjects: UUID, minutes: int = 0, **more: Any) -> Entry:
    return Entry(kind="read", operation=operation, subjects=subjects, at=NOON + timedelta(minutes=minutes), **more)


async def write(database: Database, *entries: Entry) -> None:
    """Write entries into the trail."""
    async with database.transaction() as tx:
        await write_notes(tx, list(entries))


async def seal(database: Database, keys: Keys, count: int = 0) -> None:
    """Write so many entries more, let the sequencer do its work, and sign a head."""
    await write(database, *(entry(f"test.{number}", new_id()) for number in range(count)))
    async with database.line() as line:
        while await sequence(line, STREAM):
            pass
    async with database.transaction() as tx:
        await sign_head(tx, keys.heads)


async def verified(database: Database, keys: Keys) -> Verdict:
    return await verify_log(database, keys.heads)


@asynccontextmanager
async def unlogged(database: Database) -> AsyncIterator[Tx]:
    """A transaction whose notes are thrown away: for what a test does that is not what it looks for."""
    async with database.transaction() as tx:
        yield tx
        tx.notes.clear()
