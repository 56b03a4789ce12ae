"""The feed: positions are given to what is committed, gap-free, by one sequencer; and another takes over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import pytest
from asyncpg import Connection

from tests.cast import Cast
from tests.served import Api
from torv.base import feed
from torv.base.db import Database, write_notes
from torv.base.feed import TRAIL, Listener, sequence
from torv.base.trail import Entry

INSERT = """insert into base.trail (id, at, kind, operation, subjects, result)
            values (gen_random_uuid(), now(), 'read', $1, '{}', 'permitted')"""
BY_POSITION = "select operation from base.trail where position > $1 order by position"
BY_SEQ = "select operation, seq from base.trail where seq > $1 order by seq"


@asynccontextmanager
async def leading(database: Database) -> AsyncIterator[asyncio.Task[None]]:
    """One worker's sequencer: it waits for the leadership, then gives positions."""

    async def work() -> None:
        async with feed.lead(database) as line:
            await feed.sequence_all(line, [TRAIL])

    task = asyncio.create_task(work())
    yield task
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task


async def unnumbered(outsider: Connection) -> int:
    return await outsider.fetchval("select count(*) from base.trail where position is null")


async def all_numbered(outsider: Connection, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while await unnumbered(outsider):
            await asyncio.sleep(0.01)


async def test_who_begins_first_and_commits_last_is_not_missed(
    database: Database, dsn: str, outsider: Connection
) -> None:
    slow = await asyncpg.connect(dsn)
    async with database.line() as line:
        await sequence(line, TRAIL)
        start = await outsider.fetchval("select max(position) from base.trail")
        seq = await outsider.fetchval("select max(seq) from base.trail")
        async with slow.transaction():
            await slow.execute(INSERT, "slow")
            await outsider.execute(INSERT, "quick")
            await sequence(line, TRAIL)
            [by_position] = await outsider.fetch(BY_POSITION, start)
            [by_seq] = await outsider.fetch(BY_SEQ, seq)
            assert (by_position["operation"], by_seq["operation"]) == ("quick", "quick")
        await sequence(line, TRAIL)
        assert [row["operation"] for row in await outsider.fetch(BY_POSITION, start + 1)] == ["slow"]
        # a reader that followed the order of insertion would never have seen it
        assert await outsider.fetch(BY_SEQ, by_seq["seq"]) == []
    slow.terminate()


async def test_positions_have_no_gaps_even_when_writers_fail(database: Database, outsider: Connection) -> None:
    async with leading(database):
        for number in range(30):
            async with outsider.transaction():
                await outsider.execute(INSERT, f"{number}")
            with suppress(ZeroDivisionError):
                async with outsider.transaction():
                    await outsider.execute(INSERT, "never")
                    raise ZeroDivisionError
        await all_numbered(outsider)
    positions = [row["position"] for row in await outsider.fetch("select position from base.trail order by position")]
    assert positions == list(range(1, len(positions) + 1))
    assert await outsider.fetchval("select position from base.streams where name = 'trail'") == len(positions)


async def test_more_than_a_batch_is_numbered_batch_by_batch(database: Database, outsider: Connection) -> None:
    waiting = await unnumbered(outsider)
    await outsider.executemany(INSERT, [(f"{n}",) for n in range(feed.BATCH + 5 - waiting)])
    async with database.line() as line:
        assert [await sequence(line, TRAIL) for _ in range(3)] == [feed.BATCH, 5, 0]


async def test_two_sequencers_at_once_give_no_position_twice(database: Database, outsider: Connection) -> None:
    await outsider.executemany(INSERT, [(f"{n}",) for n in range(500)])
    async with database.line() as one, database.line() as other:
        await asyncio.gather(*(sequence(line, TRAIL) for line in (one, other, one, other)[:2]))
        await sequence(one, TRAIL)
    count, distinct, last = await outsider.fetchrow(
        "select count(*), count(distinct position), max(position) from base.trail"
    )
    assert count == distinct == last


async def test_another_worker_takes_over_when_the_leader_is_cut_off(database: Database, outsider: Connection) -> None:
    async with leading(database) as first:
        await all_numbered(outsider)
        async with leading(database) as second:
            await asyncio.sleep(0.2)
            await outsider.execute(
                """select pg_terminate_backend(l.pid) from pg_locks l join pg_database d on d.oid = l.database
                   where l.locktype = 'advisory' and l.granted and d.datname = current_database()"""
            )
            await outsider.execute(INSERT, "after the fall")
            await all_numbered(outsider)
            assert first.done()
            assert not second.done()


async def test_the_leadership_is_held_by_one_alone(database: Database) -> None:
    async with feed.lead(database):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), feed.lead(database):
                pytest.fail("two workers lead")


async def test_a_reader_is_woken_by_news(database: Database, outsider: Connection) -> None:
    listener = Listener(database)
    listening = asyncio.create_task(listener.run())
    await asyncio.sleep(0.2)
    waiting, elsewhere = (asyncio.create_task(listener.news(name).within(10)) for name in ("records", "trail"))
    await asyncio.sleep(0.05)
    await outsider.execute("select pg_notify('torv_feed', 'records')")
    done, _ = await asyncio.wait({waiting}, timeout=2)
    assert done == {waiting}  # long before the ten seconds it would have waited
    assert not elsewhere.done()  # there was no news in its stream
    elsewhere.cancel()
    listening.cancel()
    await asyncio.gather(listening, elsewhere, return_exceptions=True)


async def test_news_between_a_look_and_the_waiting_is_not_missed(database: Database, outsider: Connection) -> None:
    listener = Listener(database)
    news = listener.news("records")  # asked for before the look
    listening = asyncio.create_task(listener.run())
    async with asyncio.timeout(5):
        await news.within(10)  # whoever waits when the listening begins may have missed something
    news = listener.news("records")
    await outsider.execute("select pg_notify('torv_feed', 'records')")
    async with asyncio.timeout(5):
        while not news.is_set():
            await asyncio.sleep(0.01)
    waiting = asyncio.create_task(news.within(60))  # only now: what came meanwhile is not waited for
    done, _ = await asyncio.wait({waiting}, timeout=5)
    assert done == {waiting}
    assert not listener.news("records").is_set()  # whoever asks after it waits for what is new
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_a_lost_notification_costs_time_and_nothing_else(
    api: Api, database: Database, outsider: Connection, cast: Cast
) -> None:
    """The reader of the feed waits at a process that hears nothing: its listener's connection is taken away."""
    feed_path = f"{api.RECORDS}/feed?capability=notes&wait=10"
    await api.get("/health/live", by="nordnote")
    await outsider.execute(
        """select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and query ilike '%select 1%' and application_name = 'torv-line'"""
    )
    waiting = asyncio.create_task(api.get(feed_path, by="nordnote"))
    await asyncio.sleep(0.1)
    await api.post(api.RECORDS, api.note(), by="nordnote", Idempotency_Key="1")
    async with outsider.transaction():  # as the sequencer, but silently
        await outsider.execute("insert into base.streams (name, position) values ('records', 1)")
        await outsider.execute("update records.versions set position = 1")
    async with asyncio.timeout(5):
        reply = await waiting
    assert len(reply.json["records"]) == 1


async def test_an_entry_by_either_road_gets_a_position(database: Database, outsider: Connection) -> None:
    async with leading(database):
        async with database.transaction() as tx:
            tx.notes.append(Entry(kind="write", operation="in its transaction"))
        async with database.line() as line:
            await write_notes(line, [Entry(kind="read", operation="batched")])
        await all_numbered(outsider)
        numbered = await outsider.fetch("select operation from base.trail where position is not null")
        assert {row["operation"] for row in numbered} >= {"in its transaction", "batched"}
