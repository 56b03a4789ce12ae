"""The demo in a database that somebody lends it: it throws away what a demo has made, and nothing else."""

import asyncpg
import pytest

from torv.base.db import Database
from torv.base.migrate import migrate
from torv.demo.borrowed import MARK, claim, has_town
from torv.running import Unfit
from torv.wiring import schema_folders


async def fill(dsn: str) -> None:
    """What the demo does next: all tables, and something in them."""
    async with Database.opened(dsn, 1) as database:
        await migrate(database, schema_folders())
        async with database.transaction() as tx:
            await tx.script("create schema mine; create table mine.kept (); update base.generation set number = 7")


async def generation(dsn: str) -> int | None:
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("select to_regclass('base.generation')") is None:
            return None
        return int(await connection.fetchval("select number from base.generation"))
    finally:
        await connection.close()


async def test_an_empty_database_is_taken_and_marked(dsn_of_empty_database: str) -> None:
    assert not await has_town(dsn_of_empty_database)
    await claim(dsn_of_empty_database, is_new=True)
    assert await has_town(dsn_of_empty_database)
    await fill(dsn_of_empty_database)
    assert await has_town(dsn_of_empty_database)  # migrations leave the mark


async def test_a_demo_that_goes_on_keeps_what_is_there_and_a_fresh_one_throws_away_torvs_own_and_nothing_else(
    dsn_of_empty_database: str,
) -> None:
    await claim(dsn_of_empty_database, is_new=True)
    await fill(dsn_of_empty_database)
    await claim(dsn_of_empty_database, is_new=False)
    assert await generation(dsn_of_empty_database) == 7
    await claim(dsn_of_empty_database, is_new=True)
    assert await generation(dsn_of_empty_database) is None
    connection = await asyncpg.connect(dsn_of_empty_database)
    assert await connection.fetchval("select to_regclass('mine.kept')") is not None
    assert await connection.fetchval("select obj_description('base'::regnamespace)") == MARK
    await connection.close()


@pytest.mark.parametrize("is_new", [True, False])
async def test_a_database_that_the_demo_did_not_make_is_left_as_it_is(dsn_of_empty_database: str, is_new: bool) -> None:
    await fill(dsn_of_empty_database)
    for asked in (has_town(dsn_of_empty_database), claim(dsn_of_empty_database, is_new=is_new)):
        with pytest.raises(Unfit, match="left as it is"):
            await asked
    assert await generation(dsn_of_empty_database) == 7
