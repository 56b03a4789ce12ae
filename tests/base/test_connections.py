"""Connections: one a request, and whoever must wait too long for one, or for a lock, is told to come again."""

import asyncio
import time

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.conftest import ServeApi
from tests.served import Api
from torv.base.db import Database, SecondConnection
from torv.base.sql import Query

#: which connection of the database's is asked
BACKEND = Query(name="backend", sentence="Its process.", text="select pg_backend_pid()", parameters=())


async def test_a_second_connection_is_a_mistake_that_shows_at_once(database: Database) -> None:
    async with database.reading():
        with pytest.raises(SecondConnection):
            async with database.transaction():
                pass
    async with database.transaction():
        pass  # one after the other is how it should be


async def test_tasks_that_run_side_by_side_may_have_a_connection_each(database: Database) -> None:
    async def hold() -> int:
        async with database.reading() as tx:
            await asyncio.sleep(0.05)
            return int(await tx.value(BACKEND))

    assert len(set(await asyncio.gather(hold(), hold(), hold()))) == 3


async def test_fifty_equal_writes_at_once_make_one_record(serve_api: ServeApi, outsider: Connection) -> None:
    async with serve_api(pool_size=5) as api:
        await api.token("nordnote")
        equal = [api.post(api.RECORDS, api.note(), by="nordnote", Idempotency_Key="same") for _ in range(50)]
        replies = await asyncio.gather(*equal)
    written = [reply for reply in replies if reply.status in (200, 201)]
    assert [reply.status for reply in written].count(201) == 1
    assert len({reply.json["id"] for reply in written}) == 1
    assert {reply.code for reply in replies if reply not in written} <= {(503, "overloaded"), (409, "busy")}
    assert await outsider.fetchval("select count(*) from records.versions") == 1


async def test_whoever_waits_too_long_for_a_lock_is_told_to_come_again(
    api: Api, outsider: Connection, cast: Cast
) -> None:
    token = await api.token(ANNA)
    async with outsider.transaction():
        await outsider.execute("lock table persons.persons in access exclusive mode")
        began = time.monotonic()
        reply = await api.get(f"/api/v1/persons/{cast.bjorn.id}", Authorization=f"Bearer {token}")
    assert reply.code == (409, "busy")
    assert reply.headers["retry-after"] == "1"
    assert 1.5 < time.monotonic() - began < 6


async def test_an_exhausted_pool_refuses_within_a_second_or_so(
    serve_api: ServeApi, outsider: Connection, cast: Cast
) -> None:
    async with serve_api(pool_size=1) as api:
        path = f"/api/v1/persons/{cast.bjorn.id}"
        await api.get(path, by="borgerblik")
        async with outsider.transaction():
            await outsider.execute("lock table persons.persons in access exclusive mode")
            first = asyncio.create_task(api.get(path, by="borgerblik"))
            await asyncio.sleep(0.2)
            began = time.monotonic()
            second = await api.get(path, by="borgerblik")
            waited = time.monotonic() - began
        assert second.code == (503, "overloaded")
        assert second.headers["retry-after"] == "1"
        assert 0.9 < waited < 4
        assert (await first).status in (200, 409)
        assert (await api.get(path, by="borgerblik")).status == 200
