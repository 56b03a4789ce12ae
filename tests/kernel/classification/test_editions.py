"""Editions of a code list: taken in once, compared with what was known, and never forgotten."""

import asyncio
from dataclasses import replace
from datetime import date, timedelta

import asyncpg
import pytest

from tests.kernel.classification.conftest import AUTUMN, CODES, SPRING, edition, take_in, wanted
from torv.base.access import Access
from torv.base.db import Database
from torv.base.errors import EditionRefused, NotFound
from torv.kernel.classification import (
    ChangeKind,
    CodeList,
    EntryFilter,
    list_editions,
    list_entries,
    read_entry,
)

KLE = CodeList.KLE


async def test_a_first_edition_adds_everything(database: Database, importer: Access) -> None:
    done = await take_in(database, importer, edition())
    assert (done.edition.number, done.is_new, done.unchanged) == (1, True, 0)
    assert [change.code for change in done.changes] == sorted(CODES)
    assert done.count(ChangeKind.ADDED) == len(CODES)


async def test_an_edition_is_imported_once(database: Database, importer: Access, outsider: asyncpg.Connection) -> None:
    await take_in(database, importer, edition())
    again = await take_in(database, importer, edition(SPRING + timedelta(days=1)))
    assert (again.edition.number, again.is_new, again.changes) == (1, False, ())
    assert await outsider.fetchval("select count(*) from classification.versions") == len(CODES)


async def test_a_second_edition_says_what_changed(database: Database, importer: Access) -> None:
    await take_in(database, importer, edition())
    new = edition(AUTUMN, without=("09.13.02",), c27_36_24="Mad til hjemmeboende", c09_13_06="Ræve")
    done = await take_in(database, importer, new)
    told = {change.code: (change.kind, change.former_title) for change in done.changes}
    assert told == {
        "09.13.02": (ChangeKind.ENDED, None),
        "09.13.06": (ChangeKind.ADDED, None),
        "27.36.24": (ChangeKind.RETITLED, "Madservice"),
    }
    assert done.unchanged == len(CODES) - 2


async def test_an_older_edition_is_refused(database: Database, importer: Access) -> None:
    await take_in(database, importer, edition(AUTUMN))
    with pytest.raises(EditionRefused, match="2026-03-01"):
        await take_in(database, importer, edition(SPRING, c27_36_24="Mad"))


async def test_an_edition_that_is_cut_short_changes_nothing_unless_accepted(
    database: Database, importer: Access, outsider: asyncpg.Connection
) -> None:
    await take_in(database, importer, edition())
    short = edition(AUTUMN, without=("27.36.04", "27.36.24", "27.42.08"))
    with pytest.raises(EditionRefused, match="3 of 15 codes would end"):
        await take_in(database, importer, short)
    assert await outsider.fetchval("select count(*) from classification.editions") == 1
    done = await take_in(database, importer, short, accepts_endings=True)
    assert done.count(ChangeKind.ENDED) == 3


async def test_an_edition_of_other_levels_ends_nothing(database: Database, importer: Access) -> None:
    await take_in(database, importer, edition())
    only_groups = tuple(each for each in edition().entries if each.level == "group")
    new = replace(edition(AUTUMN), levels=frozenset({"group"}), entries=only_groups)
    assert (await take_in(database, importer, new)).changes == ()


async def test_two_imports_at_once_make_one_edition(database: Database, importer: Access) -> None:
    done = await asyncio.gather(*(take_in(database, importer, edition()) for _ in range(2)))
    assert sorted(each.is_new for each in done) == [False, True]


async def test_an_import_is_in_the_trail(database: Database, importer: Access, outsider: asyncpg.Connection) -> None:
    await take_in(database, importer, edition())
    row = await outsider.fetchrow("select * from base.trail where operation = 'classification.import'")
    assert (row["kind"], row["category"], row["user_id"]) == ("write", "classification", importer.caller.id)
    assert '"added":15' in row["detail"].replace(" ", "")


@pytest.fixture
async def two_editions(database: Database, importer: Access) -> None:
    await take_in(database, importer, edition(SPRING))
    await take_in(database, importer, edition(AUTUMN, without=("09.13.02",), c27_36_24="Mad til hjemmeboende"))


@pytest.mark.parametrize(
    ("asked", "title"),
    [
        ({}, "Mad til hjemmeboende"),
        ({"edition": 1}, "Madservice"),
        ({"edition": 2}, "Mad til hjemmeboende"),
        ({"valid_at": date(2026, 8, 31)}, "Madservice"),
        ({"valid_at": AUTUMN}, "Mad til hjemmeboende"),
        ({"valid_at": date(1999, 1, 1)}, "Madservice"),
        ({"edition": 1, "valid_at": date(2027, 1, 1)}, "Madservice"),
    ],
)
@pytest.mark.usefixtures("two_editions")
async def test_a_title_is_read_as_it_was_known_and_as_it_was(
    database: Database, reader: Access, asked: dict, title: str
) -> None:
    async with database.reading() as tx:
        assert (await read_entry(tx, reader, KLE, "27.36.24", **asked)).title == title


@pytest.mark.usefixtures("two_editions")
async def test_a_code_that_has_ended_is_still_explained_but_not_on_a_day_after(
    database: Database, reader: Access
) -> None:
    async with database.reading() as tx:
        assert (await read_entry(tx, reader, KLE, "09.13.02")).valid_to == AUTUMN
        assert (await read_entry(tx, reader, KLE, "09.13.02", valid_at=AUTUMN - timedelta(days=1))).code == "09.13.02"
        with pytest.raises(NotFound):
            await read_entry(tx, reader, KLE, "09.13.02", valid_at=AUTUMN)


@pytest.mark.usefixtures("two_editions")
async def test_a_list_is_of_the_codes_in_force_on_the_day(database: Database, reader: Access) -> None:
    async with database.reading() as tx:
        for day, is_there in ((SPRING, True), (AUTUMN, False)):
            like = EntryFilter(parent="09.13", valid_at=day)
            listed = await list_entries(tx, reader, KLE, like=like, wanted=wanted())
            assert ("09.13.02" in {each.code for each in listed}) is is_there


@pytest.mark.usefixtures("two_editions")
async def test_editions_are_listed_newest_first(database: Database, reader: Access) -> None:
    async with database.reading() as tx:
        editions = await list_editions(tx, reader, KLE, wanted=wanted())
        assert [(each.number, each.published) for each in editions] == [(2, AUTUMN), (1, SPRING)]
        assert [each.number for each in await list_editions(tx, reader, KLE, wanted=wanted(after=[2]))] == [1]


@pytest.mark.usefixtures("two_editions")
async def test_other_slices_read_the_codes_as_they_are(outsider: asyncpg.Connection) -> None:
    row = await outsider.fetchrow("select * from classification.v_entries where code = '27.36.24'")
    assert (row["code_list"], row["title"], row["parent"]) == ("kle", "Mad til hjemmeboende", "27.36")
    assert await outsider.fetchval("select count(*) from classification.v_entries") == len(CODES)
