"""Events while a capability moves: told to whoever provides it, with nothing lost on the way and nobody else told."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from tests.cast import ANNA, Cast
from tests.ecosystem.following import (
    Receiver,
    subscription,
    tell,
    until,
)
from tests.ecosystem.taking import both_programs
from tests.served import Api
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys

pytestmark = pytest.mark.anyio


@pytest.fixture
async def programs(
    api: Api, worker: None, dsn: str, database: Database, cast: Cast, keys: Keys, outsider: asyncpg.Connection
) -> AsyncIterator[dict[str, Receiver]]:
    async with both_programs(api, dsn, database, cast, keys, outsider) as both:
        yield both


async def _publish(api: Api, done: asyncio.Event, subject: object) -> int:
    """Tell one thing after another, as whoever provides notes just then; gives how many."""
    number = 0
    while not done.is_set():
        for by in ("nordnote", "kviknote"):
            reply = await tell(api, number + 1, subject=subject, by=by)  # type: ignore[arg-type]
            if reply.status in (200, 201):
                number += 1
                break
        await asyncio.sleep(0.01)
    return number


async def _read(api: Api, done: asyncio.Event) -> None:
    """Somebody who reads notes, so that there are answers to compare."""
    while not done.is_set():
        await api.get("/c/notes/v1/notes", by="borgerblik")
        await asyncio.sleep(0.01)


async def move(api: Api, outsider: asyncpg.Connection, cast: Cast, to: str) -> str:
    """Move notes while somebody reads and events are told; gives the move."""
    new = {"capability": "notes", "to_release": str(cast.releases[to])}
    planned = str((await api.post("/api/v1/moves", new, by=ANNA)).json["id"])
    await reach(outsider, planned, "watching")
    return planned


async def reach(outsider: asyncpg.Connection, planned: str, *goals: str) -> None:
    deadline, query = time.monotonic() + 60, "select state from moves.moves where id = $1"
    while (state := await outsider.fetchval(query, planned)) not in goals:
        assert state != "aborted"
        assert time.monotonic() < deadline, state
        await asyncio.sleep(0.02)


async def test_a_move_in_the_middle_loses_no_event_and_tells_nobody_else(
    api: Api, programs: dict[str, Receiver], outsider: asyncpg.Connection, cast: Cast
) -> None:
    nordnote, kviknote = programs["nordnote"], programs["kviknote"]
    done, subject = asyncio.Event(), new_id()
    telling = asyncio.create_task(_publish(api, done, subject))
    reading = asyncio.create_task(_read(api, done))
    await until(lambda: len(nordnote.taken) > 3, "nothing comes")
    await move(api, outsider, cast, "kviknote")
    seen_by_nordnote = len(nordnote.messages)
    await until(lambda: len(kviknote.taken) > 3, "the successor is told nothing")
    assert len(nordnote.messages) == seen_by_nordnote
    done.set()
    count = await telling
    await reading
    await until(lambda: kviknote.about(subject)[-1:] == [count], "not everything came")
    first, second = nordnote.about(subject), kviknote.about(subject)
    assert first == list(range(1, len(first) + 1))
    assert second == list(range(second[0], count + 1))
    assert second[0] <= len(first) + 1  # an event may come to both, and none to neither
    binding = (
        "select data ->> 'capability' from events.events where type = 'torv.binding.moved' order by seq desc limit 1"
    )
    assert await outsider.fetchval(binding) == "notes"


async def test_one_that_comes_back_goes_on_where_it_was_itself(
    api: Api, programs: dict[str, Receiver], outsider: asyncpg.Connection, cast: Cast
) -> None:
    nordnote, kviknote = programs["nordnote"], programs["kviknote"]
    done, subject = asyncio.Event(), new_id()
    reading = asyncio.create_task(_read(api, done))
    for number in (1, 2):
        await tell(api, number, subject=subject)
    await until(lambda: nordnote.about(subject) == [1, 2], "nothing comes")
    planned = await move(api, outsider, cast, "kviknote")
    for number in (3, 4):
        assert (await tell(api, number, subject=subject, by="kviknote")).status == 201
    await until(lambda: kviknote.about(subject) == [3, 4], "nothing comes to the successor")
    assert (await api.post(f"/api/v1/moves/{planned}/rollback", by=ANNA)).status < 300
    await reach(outsider, planned, "rolled_back")
    await until(lambda: nordnote.about(subject) == [1, 2, 3, 4], "what it missed does not come")
    done.set()
    await reading
    assert (await subscription(api))["lag_events"] == 0
