"""Migrations: each once, all or nothing, by one process at a time, and never edited afterwards."""

import asyncio
from pathlib import Path

import pytest

from tests.conftest import CopyDatabase
from torv.base.db import Database
from torv.base.migrate import MigrationChanged, migrate


def a_slice(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        place = folder / "stalls" / "migrations" / f"{name}.sql"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder / "stalls"


FIRST = {"n0001_first": "create table stalls.stalls (id int);"}


def numbered(**files: str) -> dict[str, str]:
    """`n0001_first` as a file may be called in Python -> `0001_first`."""
    return {name.removeprefix("n"): text for name, text in files.items()}


@pytest.fixture
async def empty(dsn_of_empty_database: str):
    async with Database.opened(dsn_of_empty_database, 4) as database:
        yield database


async def test_what_has_run_does_not_run_again(empty: Database, tmp_path: Path) -> None:
    stalls = a_slice(tmp_path, **numbered(**FIRST))
    assert await migrate(empty, [stalls]) == ["stalls/0001_first.sql"]
    assert await migrate(empty, [stalls]) == []
    a_slice(tmp_path, **numbered(n0002_second="alter table stalls.stalls add name text;"))
    assert await migrate(empty, [stalls]) == ["stalls/0002_second.sql"]


async def test_a_migration_that_fails_leaves_nothing(empty: Database, tmp_path: Path) -> None:
    stalls = a_slice(tmp_path, **numbered(**FIRST, n0002_second="create table stalls.stalls (id int);"))
    with pytest.raises(Exception, match="already exists"):
        await migrate(empty, [stalls])
    (stalls / "migrations" / "0002_second.sql").unlink()
    assert await migrate(empty, [stalls]) == ["stalls/0001_first.sql"]


async def test_a_migration_is_not_edited_after_it_ran(empty: Database, tmp_path: Path) -> None:
    stalls = a_slice(tmp_path, **numbered(**FIRST))
    await migrate(empty, [stalls])
    a_slice(tmp_path, **numbered(n0001_first="create table stalls.stalls (id bigint);"))
    with pytest.raises(MigrationChanged, match="0001_first"):
        await migrate(empty, [stalls])


async def test_several_processes_that_start_together_migrate_once(copy_database: CopyDatabase, tmp_path: Path) -> None:
    stalls = a_slice(tmp_path, **numbered(n0001_first="create table stalls.stalls (id int); select pg_sleep(0.2);"))
    async with copy_database("template1") as dsn:
        processes = [await Database.open(dsn, 1) for _ in range(3)]
        ran = await asyncio.gather(*(migrate(each, [stalls]) for each in processes))
        for each in processes:
            await each.close()
    assert sorted(ran) == [[], [], ["stalls/0001_first.sql"]]
