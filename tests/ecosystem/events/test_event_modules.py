"""Events end to end: a module of the SDK is told once, pushed or pulled; and a worker is killed meanwhile."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from tests.cast import Cast
from tests.ecosystem.following import (
    WRITTEN,
    permit_events,
    place_at,
    receiver,
    secrets_of,
    subscribe,
    subscription,
    tell,
    until,
)
from tests.ecosystem.programs import program, shipped
from tests.sdk.modules_under_test import nordnote
from tests.served import Api
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.server import listen, make_server
from torv.base.settings import Settings
from torv.base.signing import Keys
from torv_sdk import Event, KernelClient, publish
from torv_sdk import Settings as ModuleSettings
from torv_sdk.events import Events, SeenEvents
from torv_sdk.tokens import CallerTokens

pytestmark = pytest.mark.anyio


@pytest.fixture
async def market(api: Api, database: Database, cast: Cast, keys: Keys) -> Api:
    """Torv, and an agreement by which Nordnote may publish and follow events."""
    await permit_events(database, cast, keys)
    await until(lambda: _may(api), "the agreement is not in force")
    return api


async def _may(api: Api) -> bool:
    return (await api.get("/api/v1/subscriptions", by="nordnote")).status == 200


@pytest.fixture
async def kernel(market: Api, cast: Cast) -> AsyncIterator[KernelClient]:
    """Nordnote's own way to Torv."""
    key, client_id = cast.release_keys["nordnote"], str(cast.releases["nordnote"])
    async with KernelClient(market.url, client_id, key) as client:
        yield client


async def test_a_module_of_the_sdk_takes_what_is_pushed(
    market: Api, worker: None, kernel: KernelClient, cast: Cast, tmp_path: Path, outsider: asyncpg.Connection
) -> None:
    key, client_id = cast.release_keys["nordnote"], str(cast.releases["nordnote"])
    module = nordnote.build(ModuleSettings(url=market.url, client_id=client_id, key=key, data=tmp_path))
    told: list[Event] = []

    @module.event(WRITTEN)
    async def heard(event: Event) -> None:
        told.append(event)

    listening = listen("127.0.0.1", 0)
    app = module.app(kernel, CallerTokens(market.url, client_id, "notes", kernel.public_keys))
    server = make_server(app, listening)
    serving = asyncio.create_task(server.serve())
    try:
        await place_at(outsider, cast, "nordnote", f"http://127.0.0.1:{listening.getsockname()[1]}")
        made = await subscribe(market)
        note = new_id()
        facts = {"note_id": str(note), "version": 1}
        published = [
            await publish(kernel, "notes", "note.written", subject=note, data=facts, key="once") for _ in range(2)
        ]
        await until(lambda: len(told) == 1, "nothing came")
        assert {told[0].id} == set(published)
        assert (told[0].subject, told[0].sequence, told[0].data) == (str(note), 1, facts)
        await market.post(f"/api/v1/subscriptions/{made['id']}/replay", {"after": 0}, by="nordnote")
        await until(lambda: _has_nothing_left(market), "the replay does not end")
        assert len(told) == 1  # it came twice, and was handled once
    finally:
        server.stop()
        await serving


async def _has_nothing_left(api: Api) -> bool:
    return bool((await subscription(api))["lag_events"] == 0)


async def test_a_module_nobody_can_reach_pulls(market: Api, worker: None, kernel: KernelClient, tmp_path: Path) -> None:
    await subscribe(market, mode="pull")
    told: list[int] = []
    events = Events()

    async def heard(event: Event) -> None:
        told.append(event.sequence)

    events.handlers[WRITTEN] = heard
    subject = new_id()
    pulling = asyncio.create_task(events.pull(kernel, "notes", SeenEvents(tmp_path / "events.sqlite")))
    try:
        for number in range(1, 6):
            assert (await tell(market, number, subject=subject)).status == 201
        await until(lambda: told == [1, 2, 3, 4, 5], "not everything came")
        await until(lambda: _has_nothing_left(market), "nothing is acknowledged")
    finally:
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)


async def test_a_worker_killed_in_the_middle_loses_nothing_and_another_takes_over(
    market: Api, cast: Cast, dsn: str, settings: Settings, outsider: asyncpg.Connection
) -> None:
    async with receiver() as server:
        await place_at(outsider, cast, "nordnote", server.url)
        await subscribe(market)
        server.secrets = await secrets_of(market)
        subjects = [new_id() for _ in range(5)]
        async with worker_process(settings, dsn) as first, worker_process(settings, dsn):
            for number in range(1, 31):
                for each in subjects:
                    assert (await tell(market, number, subject=each)).status == 201
                if number == 15:
                    await until(lambda: len(server.taken) > 20, "nothing comes", 60)
                    os.kill(first.pid, signal.SIGKILL)
            await until(lambda: len(set(server.ids)) == 150, "something was lost", 90)
        assert [server.about(each) for each in subjects] == [list(range(1, 31))] * 5


async def test_a_note_written_through_a_shipped_module_is_told_to_who_follows(
    market: Api, worker: None, cast: Cast, outsider: asyncpg.Connection, tmp_path: Path
) -> None:
    """Nordnote as a process of its own; the second call under the same key tells nothing twice."""
    release, key = cast.releases["nordnote"], cast.release_keys["nordnote"]
    async with program(market, release, key, tmp_path, "", shipped("nordnote")) as url:
        await place_at(outsider, cast, "nordnote", url)
        await subscribe(market, mode="pull")
        await until(lambda: _is_there(market, cast), "the module does not answer", 60)
        written = [(await market.write_note("Alt var vel.", key=each)).json for each in ("a", "b")]
        await outsider.execute("truncate gateway.calls")  # so that the module itself is asked a second time
        assert (await market.write_note("Alt var vel.", key="a")).json == written[0]
        await until(lambda: _told(market, 2), "nothing is told")
        events = (await market.get("/api/v1/events?capability=notes&after=0", by="nordnote")).json["events"]
    assert [(each["type"], each["subject"]) for each in events] == [(WRITTEN, each["id"]) for each in written]
    assert events[0]["data"] == {"note_id": written[0]["id"], "version": 1}


async def _is_there(api: Api, cast: Cast) -> bool:
    return (await api.get(f"/c/notes/v1/notes?person_id={cast.bjorn.id}", by="borgerblik")).status == 200


async def _told(api: Api, count: int) -> bool:
    return len((await api.get("/api/v1/events?capability=notes&after=0", by="nordnote")).json["events"]) >= count


@asynccontextmanager
async def worker_process(settings: Settings, dsn: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker as a process of its own; the first to start leads."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")}
    environment |= settings.environment() | {"TORV_DATABASE_URL": dsn}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "torv.cli", "worker", env=environment,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    await asyncio.sleep(2)  # so that it leads before the next one asks
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
