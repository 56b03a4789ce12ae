"""The trail: no data without a durable entry; a write's entry lives and dies with the write."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, BJORN_CPR, NOTES_PURPOSE, Cast
from tests.served import Api
from torv.base import clock, trail
from torv.base.db import Database
from torv.base.errors import TrailUnavailable
from torv.base.ids import new_id
from torv.base.trail import Entry, Trail

ENTRY = "select kind, result, subjects, user_id, purpose from base.trail where operation = $1 order by seq"


def entry(operation: str = "test") -> Entry:
    return Entry(kind="read", operation=operation)


@asynccontextmanager
async def running(batcher: Trail) -> AsyncIterator[None]:
    task = asyncio.create_task(batcher.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def trail_held(outsider: Connection) -> AsyncIterator[None]:
    """Nothing can be written to the trail, or read from it, while the block lasts."""
    async with outsider.transaction():
        await outsider.execute("lock table base.trail in access exclusive mode")
        yield


async def count(outsider: Connection, operation: str) -> int:
    return await outsider.fetchval("select count(*) from base.trail where operation = $1", operation)


# ---- writes: one transaction -----------------------------------------------------------------------------------------
async def test_a_writes_entry_is_in_its_transaction(database: Database, outsider: Connection) -> None:
    async with database.transaction() as tx:
        tx.notes.append(entry())
        assert await count(outsider, "test") == 0
    assert await count(outsider, "test") == 1


async def test_a_write_that_is_rolled_back_leaves_no_entry(database: Database, outsider: Connection) -> None:
    with suppress(ZeroDivisionError):
        async with database.transaction() as tx:
            tx.notes.append(entry())
            raise ZeroDivisionError
    assert await count(outsider, "test") == 0


async def test_a_write_whose_entry_cannot_be_written_is_not_done(api: Api, outsider: Connection) -> None:
    await outsider.execute(
        "alter table base.trail add constraint refused check (operation <> 'persons.register') not valid"
    )
    new = {"given_names": "Ida", "family_name": "Holm"}
    reply = await api.post("/api/v1/persons", new, by=ANNA, Idempotency_Key="1")
    assert reply.status == 409
    assert await outsider.fetchval("select count(*) from persons.persons") == 2


async def test_entries_can_be_neither_deleted_nor_truncated(outsider: Connection, database: Database) -> None:
    async with database.transaction() as tx:
        tx.notes.append(entry())
    for statement in ("delete from base.trail", "truncate base.trail"):
        with pytest.raises(Exception, match="append-only"):
            await outsider.execute(statement)


# ---- reads: durable before the answer --------------------------------------------------------------------------------
async def test_when_data_is_shown_its_entry_is_durable(api: Api, outsider: Connection, cast: Cast) -> None:
    reply = await api.get(f"/api/v1/persons/{cast.alma.id}", by=ANNA)
    assert reply.status == 200
    shown = await outsider.fetch(ENTRY, "persons.read")
    assert [(row["kind"], row["result"], row["subjects"]) for row in shown] == [("read", "permitted", [cast.alma.id])]
    assert shown[0]["user_id"] == cast.users[ANNA].id
    assert shown[0]["purpose"].startswith("role")


async def test_a_program_stands_in_the_trail_with_agreement_grant_and_purpose(
    api: Api, outsider: Connection, cast: Cast
) -> None:
    await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="borgerblik")
    row = await outsider.fetchrow("select * from base.trail where operation = 'persons.read'")
    assert row["release_id"] == cast.releases["borgerblik"]
    assert row["agreement_id"] == cast.agreements["borgerblik"]
    assert (row["grant_id"], row["category"]) == ("2-persons", "person")
    assert row["purpose"] == NOTES_PURPOSE


async def test_no_cpr_number_ever_stands_in_the_trail(api: Api, outsider: Connection) -> None:
    await api.post("/api/v1/persons/lookup", {"cpr": BJORN_CPR}, by=ANNA)
    assert await count(outsider, "persons.lookup") == 1
    assert await outsider.fetchval("select count(*) from base.trail t where t::text like $1", f"%{BJORN_CPR}%") == 0


async def test_when_the_entry_is_late_nothing_is_shown(api: Api, outsider: Connection, cast: Cast) -> None:
    path = f"/api/v1/persons/{cast.alma.id}"
    await api.get(path, by=ANNA)  # signed in, and everything is warm
    async with trail_held(outsider):
        asked = asyncio.create_task(api.get(path, by=ANNA))
        await asyncio.sleep(3)
    reply = await asked
    assert reply.code == (503, "trail_unavailable")
    assert b"Alma" not in reply.body
    assert (await api.get(path, by=ANNA)).status == 200


async def test_a_client_that_hangs_up_still_leaves_its_entry(api: Api, outsider: Connection, cast: Cast) -> None:
    token = await api.token(ANNA)
    async with trail_held(outsider):
        _, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
        head = f"GET /api/v1/persons/{cast.alma.id} HTTP/1.1\r\nHost: torv\r\nAuthorization: Bearer {token}\r\n\r\n"
        writer.write(head.encode())
        await asyncio.sleep(0.3)
        writer.transport.abort()
        await asyncio.sleep(0.3)
    async with asyncio.timeout(5):
        while await count(outsider, "persons.read") == 0:
            await asyncio.sleep(0.02)
    assert await count(outsider, "persons.read") == 1


async def ready(api: Api) -> tuple[int, str]:
    reply = await api.get("/health/ready")
    return reply.status, reply.json.get("code", "ok")


async def test_64_while_the_trail_is_slow_nothing_personal_leaves_and_health_says_so(
    api: Api, outsider: Connection, cast: Cast
) -> None:
    path = f"/api/v1/persons/{cast.alma.id}"
    await api.get(path, by=ANNA)
    assert await ready(api) == (200, "ok")
    async with trail_held(outsider):
        began = clock.ticks()
        reply = await api.get(path, by=ANNA)
        first = clock.ticks() - began
        assert reply.code == (503, "trail_unavailable")
        assert await ready(api) == (503, "trail_unavailable")
        began = clock.ticks()
        for who in (ANNA, "borgerblik"):
            reply = await api.get(path, by=who)
            assert reply.code == (503, "trail_unavailable")
            assert b"Alma" not in reply.body
        assert (await api.get("/api/v1/bindings", by="borgerblik")).code == (403, "denied")
        later = clock.ticks() - began
    assert 1.9 < first < 3.5  # its own two seconds; the entry of the refusal is not waited for
    assert later < 1.0  # the trail is known to be late
    async with asyncio.timeout(5):
        while await ready(api) != (200, "ok"):
            await asyncio.sleep(0.02)
    assert (await api.get(path, by=ANNA)).status == 200
    refused = await outsider.fetchval("select count(*) from base.trail where kind = 'refusal' and result = 'service'")
    assert refused == 1  # written as soon as it could be


async def test_64_a_trail_that_is_down_or_full_is_not_ready(
    database: Database, outsider: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = Trail(database)
    with pytest.raises(TrailUnavailable):
        batcher.check()  # it has no connection
    await batcher.write_if_it_can([entry("before")])  # and nobody waits for it
    async with running(batcher):
        await batcher.write([entry("after")])
        batcher.check()
        monkeypatch.setattr(trail, "ROOM", 10)
        async with trail_held(outsider):
            waiting = []
            for _ in range(3):  # the first is being written, the others wait
                waiting.append(asyncio.create_task(batcher.write([entry()] * 5)))
                await asyncio.sleep(0.05)
            with pytest.raises(TrailUnavailable):
                batcher.check()
            with pytest.raises(TrailUnavailable):
                await batcher.write([entry()])
        await asyncio.gather(*waiting)
        batcher.check()
    with pytest.raises(TrailUnavailable):
        batcher.check()
    assert await count(outsider, "before") == 1


# ---- refusals --------------------------------------------------------------------------------------------------------
async def test_a_refusal_of_somebody_identified_is_an_entry(api: Api, outsider: Connection, cast: Cast) -> None:
    reply = await api.get("/api/v1/bindings", by="borgerblik")
    assert reply.code == (403, "denied")
    row = await outsider.fetchrow("select * from base.trail where kind = 'refusal'")
    assert (row["release_id"], row["result"]) == (cast.releases["borgerblik"], "service")
    assert row["request_id"] == UUID(reply.headers["x-request-id"])


async def test_a_refusal_of_a_stranger_is_counted_and_fills_no_disk(api: Api, outsider: Connection) -> None:
    before = await outsider.fetchval("select count(*) from base.trail")
    counted = await api.metric("torv_refusals_of_strangers_total", code="not_identified")
    for authorization in ("Bearer x", "Bearer a.b.c", "Basic x", "Bearer"):
        reply = await api.get(f"/api/v1/persons/{new_id()}", Authorization=authorization)
        assert reply.code == (401, "not_identified")
    assert await api.metric("torv_refusals_of_strangers_total", code="not_identified") == counted + 4
    assert await outsider.fetchval("select count(*) from base.trail") == before


# ---- the batcher -----------------------------------------------------------------------------------------------------
async def test_entries_that_wait_at_the_same_time_share_a_commit(database: Database, outsider: Connection) -> None:
    batcher = Trail(database)
    async with running(batcher):
        await batcher.write([entry()])
        async with trail_held(outsider):
            many = [asyncio.create_task(batcher.write([entry("many")])) for _ in range(200)]
            await asyncio.sleep(0.2)
        await asyncio.gather(*many)
    commits = await outsider.fetch("select xmin::text, count(*) from base.trail where operation = 'many' group by 1")
    assert sum(row["count"] for row in commits) == 200
    assert len(commits) <= 2  # the one that was first in line, and all the others together


async def test_a_full_batcher_refuses_at_once(database: Database) -> None:
    batcher = Trail(database)  # not running: nothing gets through
    waiting = [asyncio.create_task(batcher.write([entry()] * 500)) for _ in range(trail.ROOM // 500)]
    await asyncio.sleep(0.05)
    with pytest.raises(TrailUnavailable):
        async with asyncio.timeout(0.2):
            await batcher.write([entry()])
    refused = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, TrailUnavailable) for each in refused)


async def test_entries_are_written_even_when_nobody_waits_any_longer(database: Database, outsider: Connection) -> None:
    batcher = Trail(database)
    waiting = asyncio.create_task(batcher.write([entry("left")]))
    await asyncio.sleep(0.01)
    waiting.cancel()
    async with running(batcher):
        await batcher.write([entry("stayed")])
    assert await count(outsider, "left") == 1


async def test_a_lost_connection_refuses_those_who_wait_and_then_it_goes_on(
    api: Api, outsider: Connection, cast: Cast
) -> None:
    path = f"/api/v1/persons/{cast.alma.id}"
    assert (await api.get(path, by=ANNA)).status == 200
    await outsider.execute(
        """select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid()"""
    )
    statuses = set()
    async with asyncio.timeout(10):
        while (status := (await api.get(path, by=ANNA)).status) != 200:
            statuses.add(status)
            await asyncio.sleep(0.05)
    assert statuses <= {503}
