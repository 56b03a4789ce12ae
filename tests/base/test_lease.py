"""The lease: what a process may believe, for how long; and what waits, passes or is cut at a fence."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.conftest import ServeApi
from tests.served import Api
from torv.base import lease
from torv.base.background import forever
from torv.base.db import Database, Tx
from torv.base.errors import MoveTakesTooLong, OutcomeUnknown, StateUnconfirmed
from torv.base.lease import Lease

KEY = "notes"


class Process:
    """One process's lease, and how often it has learnt anew."""

    def __init__(self, database: Database) -> None:
        self.lease, self.learnt = Lease(database, "api", self._learn), 0

    async def _learn(self, _: Tx) -> None:
        self.learnt += 1


@asynccontextmanager
async def running(database: Database) -> AsyncIterator[Process]:
    process = Process(database)
    task = asyncio.create_task(forever(process.lease.run))
    async with asyncio.timeout(5):
        while not process.learnt:
            await asyncio.sleep(0.005)
    yield process
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def stalled(outsider: Connection) -> AsyncIterator[None]:
    """No lease can be renewed while the block lasts, as when a process is stopped or cut off."""
    async with outsider.transaction():
        await outsider.execute("lock table base.leases in access exclusive mode")
        yield


async def change(database: Database, verb: Any, *arguments: str) -> None:
    async with database.transaction() as tx:
        await verb(tx, *arguments)


async def is_quiet(database: Database) -> bool:
    async with database.reading() as tx:
        return await lease.is_quiet(tx, KEY)


async def becomes_quiet(database: Database, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await is_quiet(database):
            return True
        await asyncio.sleep(0.01)
    return False


# ---- belief ----------------------------------------------------------------------------------------------------------
async def test_a_process_that_never_confirmed_believes_nothing(database: Database) -> None:
    with pytest.raises(StateUnconfirmed):
        Process(database).lease.check()


async def test_a_stalled_process_stops_deciding_after_a_second_and_recovers(
    database: Database, outsider: Connection
) -> None:
    async with running(database) as process:
        async with stalled(outsider):
            process.lease.check()
            await asyncio.sleep(lease.TRUST + 0.3)
            with pytest.raises(StateUnconfirmed):
                process.lease.check()
        await asyncio.sleep(0.5)
        process.lease.check()


async def test_an_api_without_a_confirmed_state_answers_503_and_shows_nothing(
    api: Api, outsider: Connection, cast: Cast
) -> None:
    path = f"/api/v1/persons/{cast.alma.id}"
    assert (await api.get(path, by=ANNA)).status == 200
    async with stalled(outsider):
        await asyncio.sleep(lease.TRUST + 0.3)
        for by in (ANNA, "borgerblik"):
            reply = await api.get(path, Authorization=f"Bearer {await api.token(by)}")
            assert reply.code == (503, "state_unconfirmed")
            assert reply.headers["retry-after"] == "1"
        assert (await api.get("/health/ready")).status == 503
        assert (await api.get("/health/live")).status == 200
    await asyncio.sleep(0.5)
    assert (await api.get(path, by=ANNA)).status == 200


async def test_a_change_is_learnt_within_a_second_even_when_nobody_is_told(
    database: Database, outsider: Connection
) -> None:
    async with running(database) as process:
        await outsider.execute("update base.generation set number = number + 1")  # no NOTIFY
        began = time.monotonic()
        while process.learnt < 2:
            await asyncio.sleep(0.005)
        assert time.monotonic() - began < 1


async def test_a_suspension_holds_in_every_process_within_a_second(serve_api: ServeApi, cast: Cast) -> None:
    path = f"/api/v1/persons/{cast.bjorn.id}"
    async with serve_api() as one, serve_api() as other:
        assert [(await each.get(path, by="borgerblik")).status for each in (one, other)] == [200, 200]
        await one.token(ANNA)
        await one.post(f"/api/v1/agreements/{cast.agreements['borgerblik']}/suspend", by=ANNA, Idempotency_Key="1")
        deadline = time.monotonic() + 1
        while (reply := await other.get(path, by="borgerblik")).status == 200:
            assert time.monotonic() < deadline
        assert (reply.code, reply.json["check"]) == ((403, "denied"), "suspended")


async def test_a_process_that_stops_in_order_leaves_no_lease(database: Database, outsider: Connection) -> None:
    leases = "select count(*) from base.leases where kind = 'api'"
    async with running(database):
        assert await outsider.fetchval(leases) == 1
    assert await outsider.fetchval(leases) == 0


async def test_stopping_is_not_lost_when_the_lease_is_woken_at_the_same_moment(database: Database) -> None:
    for _ in range(5):
        async with asyncio.timeout(5), running(database) as process:
            await change(database, lease.raise_fence, KEY)
            assert await becomes_quiet(database, 1)
            await _pass(process.lease, follows_admitted=True)  # wakes the lease as it leaves


# ---- fences ----------------------------------------------------------------------------------------------------------
async def test_a_fence_is_confirmed_only_when_nothing_is_in_flight(database: Database) -> None:
    async with running(database) as process:
        async with process.lease.admitted(lambda: KEY):
            await change(database, lease.raise_fence, KEY)
            assert not await becomes_quiet(database, 0.7)
        assert await becomes_quiet(database, 1)


async def test_every_process_must_confirm(database: Database) -> None:
    async with running(database) as one, running(database) as _:
        async with one.lease.admitted(lambda: KEY):
            await change(database, lease.raise_fence, KEY)
            assert not await becomes_quiet(database, 0.7)
        assert await becomes_quiet(database, 1)


async def test_a_silent_process_is_dead_after_a_second_and_a_half(database: Database, outsider: Connection) -> None:
    await outsider.execute(
        """insert into base.leases (process, kind, renewed_at, generation, fences, in_flight)
           values (gen_random_uuid(), 'api', clock_timestamp(), 1, '{}', '{"notes": 1}')"""
    )
    await change(database, lease.raise_fence, KEY)
    began = time.monotonic()
    assert not await is_quiet(database)
    assert await becomes_quiet(database, 3)
    assert time.monotonic() - began > 1.2


async def test_a_held_call_goes_on_when_the_fence_is_lowered(database: Database) -> None:
    async with running(database) as process:
        await change(database, lease.raise_fence, KEY)
        assert await becomes_quiet(database, 1)
        went_on = asyncio.create_task(_pass(process.lease))
        await asyncio.sleep(0.3)
        assert not went_on.done()
        await change(database, lease.lower_fence, KEY)
        async with asyncio.timeout(1):
            await went_on


async def test_what_follows_from_an_admitted_call_passes_and_other_capabilities_do(database: Database) -> None:
    async with running(database) as process:
        await change(database, lease.raise_fence, KEY)
        assert await becomes_quiet(database, 1)
        async with asyncio.timeout(0.5):
            await _pass(process.lease, follows_admitted=True)
            await _pass(process.lease, key="calendar")


async def test_who_waits_at_a_fence_for_five_seconds_is_told_to_come_again(database: Database) -> None:
    async with running(database) as process:
        await change(database, lease.raise_fence, KEY)
        assert await becomes_quiet(database, 1)
        began = time.monotonic()
        with pytest.raises(MoveTakesTooLong):
            await _pass(process.lease)
        assert lease.HOLD - 0.1 < time.monotonic() - began < lease.HOLD + 2


async def test_a_forced_fence_cuts_what_is_in_flight_behind_it_and_nothing_else(database: Database) -> None:
    async with running(database) as process:
        doomed = asyncio.create_task(_pass(process.lease, seconds=10))
        spared = asyncio.create_task(_pass(process.lease, key="calendar", seconds=1.5))
        await asyncio.sleep(0.05)
        await change(database, lease.raise_fence, KEY)
        await change(database, lease.force_fence, KEY)
        async with asyncio.timeout(1):
            with pytest.raises(OutcomeUnknown):
                await doomed
        assert await becomes_quiet(database, 1)
        await spared


async def test_a_timeout_inside_a_call_is_its_own(database: Database) -> None:
    async with running(database) as process:
        with pytest.raises(TimeoutError):
            async with process.lease.admitted(lambda: KEY):
                raise TimeoutError


async def _pass(of: Lease, *, key: str = KEY, seconds: float = 0, follows_admitted: bool = False) -> None:
    async with of.admitted(lambda: key, follows_admitted=follows_admitted):
        await asyncio.sleep(seconds)
