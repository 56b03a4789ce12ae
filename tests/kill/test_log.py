"""The worker is killed -9 while it seals the log and gathers service levels from it: neither ever counts wrongly."""

import asyncio
import time

import asyncpg
import pytest

from tests.kill.scene import SLOWEST, Scene
from torv.base.db import Database
from torv.base.signing import load_keys
from torv.ecosystem.audit import Verdict, verify_log

#: what the worker is about to write when it dies
POINTS = (
    "insert on audit.leaves",
    "insert on audit.heads",
    "insert on service_levels.minutes",
    "insert on service_levels.open_calls",
    "update on service_levels.progress",
)

#: the calls by minute as the log has them, up to where they are gathered, and what was gathered of them
COUNTED_AGAIN = """
    select split_part(operation, '.', 1), date_trunc('minute', at, 'UTC'), split_part(operation, '.', 2), result,
           (detail ->> 'status')::int, count(*)::int,
           coalesce(sum((detail ->> 'module_us')::bigint) filter (where detail ? 'status'), 0),
           min(position), max(position)
    from base.trail where kind = 'outcome' and result <> 'answer_cut'
      and position <= (select position from service_levels.progress)
    group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5"""
GATHERED = """
    select service, minute, operation, result, status, sum(calls)::int,
           coalesce(sum((select sum(each) from unnest(module_us) each)), 0)::bigint,
           min(first_position), max(last_position)
    from service_levels.minutes where not is_refusal and result not like 'cut:%'
    group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5"""
OPEN_AGAIN = """
    select call_id from base.trail t where kind = 'intent' and result not in ('mirrored', 'replayed')
      and position <= (select position from service_levels.progress)
      and not exists (select from base.trail o where o.kind = 'outcome' and o.call_id = t.call_id
        and o.position <= (select position from service_levels.progress))
    order by 1"""


async def test_a_worker_that_dies_while_it_seals_or_gathers_leaves_a_log_that_verifies(scene: Scene) -> None:
    connection = await asyncpg.connect(scene.stage.dsn)
    async with scene.traffic():
        for point in POINTS:
            await dies_at(scene, connection, point)
            await goes_on(connection)
    verdict = await verified(scene)
    assert verdict.holds, verdict.flaws
    async with connection.transaction(isolation="repeatable_read"):
        gathered = await connection.fetch(GATHERED)
        assert gathered == await connection.fetch(COUNTED_AGAIN)
        assert sum(row[5] for row in gathered) > 100
        open_calls = await connection.fetch("select call_id from service_levels.open_calls order by 1")
        assert open_calls == await connection.fetch(OPEN_AGAIN)
    await connection.close()


async def dies_at(scene: Scene, connection: asyncpg.Connection, point: str) -> None:
    """Kill the worker while the transaction that does this is under way, after it has done it."""
    table = point.rpartition(" ")[2]
    await connection.execute(f"""
        create or replace function public.linger() returns trigger language plpgsql as
        $$ begin perform pg_sleep(1); return null; end $$;
        create trigger linger after {point} for each statement execute function public.linger();
    """)
    await until(connection, "select count(*) from pg_stat_activity where wait_event = 'PgSleep'")
    scene.kill("worker")
    await connection.execute(f"drop trigger linger on {table}")


async def goes_on(connection: asyncpg.Connection) -> None:
    """Wait until another worker has given positions, sealed, signed and gathered beyond what there is now."""
    last = await connection.fetchval("select max(seq) from base.trail")
    position = f"(select position from base.trail where seq = {last})"
    await until(connection, f"select (select max(size) from audit.heads) >= {position}")
    await until(connection, f"select (select position from service_levels.progress) >= {position}")


async def until(connection: asyncpg.Connection, query: str) -> None:
    deadline = time.monotonic() + SLOWEST
    while not await connection.fetchval(query):
        if time.monotonic() > deadline:
            pytest.fail(f"not after {SLOWEST} s: {query}")
        await asyncio.sleep(0.01)


async def verified(scene: Scene) -> Verdict:
    keys = load_keys(scene.stage.settings.keys_dir)
    async with Database.opened(scene.stage.dsn, 3) as database:
        return await verify_log(database, keys.heads)
