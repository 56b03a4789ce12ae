"""Audit: the trail is searched newest first, page by page, and every search stands in it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database, write_notes
from torv.base.ids import new_id
from torv.base.migrate import migrate
from torv.base.trail import Entry
from torv.ecosystem.audit import AuditFilter, AuditPage, search_entries
from torv.wiring import schema_folders

NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
IDA, OLE = new_id(), new_id()
ANNA, BO = new_id(), new_id()
RELEASE, AGREEMENT = new_id(), new_id()
AUDITOR = Access(
    caller=Caller(kind=CallerKind.USER, id=new_id(), name="Vera Dam"),
    service="audit", operation="search", category="trail", request_id=new_id(),
)  # fmt: skip


@pytest.fixture
async def database(dsn_of_empty_database: str) -> AsyncIterator[Database]:
    opened = await Database.open(dsn_of_empty_database, 2)
    await migrate(opened, schema_folders())
    yield opened
    await opened.close()


def entry(operation: str, *subjects: UUID, minutes: int = 0, **more) -> Entry:
    return Entry(kind="read", operation=operation, subjects=subjects, at=NOON + timedelta(minutes=minutes), **more)


async def log(database: Database, *entries: Entry) -> None:
    async with database.transaction() as tx:
        await write_notes(tx, list(entries))


async def search(database: Database, **wanted) -> AuditPage:
    page = {name: wanted.pop(name) for name in ("before", "size") if name in wanted}
    async with database.transaction() as tx:
        found = await search_entries(tx, AUDITOR, AuditFilter(**wanted), **page)
        tx.notes.clear()  # the searches of a test are not what it looks for
    return found


def operations(page: AuditPage) -> list[str]:
    return [each.operation for each in page.entries]


async def test_the_newest_entry_comes_first(database: Database) -> None:
    await log(database, entry("first", IDA), entry("second", IDA), entry("third", IDA))
    assert operations(await search(database)) == ["third", "second", "first"]


async def test_an_entry_about_several_persons_is_found_under_each(database: Database) -> None:
    await log(database, entry("ida", IDA), entry("both", IDA, OLE), entry("nobody"))
    assert operations(await search(database, person=IDA)) == ["both", "ida"]
    assert operations(await search(database, person=OLE)) == ["both"]
    assert operations(await search(database, person=new_id())) == []


@pytest.mark.parametrize("person", [None, IDA])
async def test_every_part_of_the_filter_narrows(database: Database, person: UUID | None) -> None:
    await log(
        database,
        entry("plain", IDA, user_id=BO),
        entry("anna", IDA, user_id=ANNA, minutes=1),
        entry("release", IDA, release_id=RELEASE, minutes=2),
        entry("agreement", IDA, release_id=RELEASE, agreement_id=AGREEMENT, minutes=3),
    )
    assert operations(await search(database, person=person, user=ANNA)) == ["anna"]
    assert operations(await search(database, person=person, release=RELEASE)) == ["agreement", "release"]
    assert operations(await search(database, person=person, agreement=AGREEMENT)) == ["agreement"]
    assert operations(await search(database, person=person, release=RELEASE, user=ANNA)) == []
    since, until = NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)
    assert operations(await search(database, person=person, since=since, until=until)) == ["release", "anna"]


@pytest.mark.parametrize("person", [None, IDA])
async def test_the_pages_together_hold_every_entry_once(database: Database, person: UUID | None) -> None:
    await log(database, *(entry(f"entry {n}", IDA) for n in range(7)))
    seen, before = [], None
    for _ in range(4):
        page = await search(database, person=person, before=before, size=2)
        seen += operations(page)
        before = page.before
    assert seen == [f"entry {n}" for n in range(6, -1, -1)]
    assert before is None


async def test_a_page_holds_at_most_two_hundred(database: Database) -> None:
    await log(database, *(entry("many", IDA) for _ in range(201)))
    page = await search(database, size=1_000)
    assert len(page.entries) == 200
    assert page.before == page.entries[-1].seq


async def test_whoever_searches_stands_in_the_trail(database: Database) -> None:
    await log(database, entry("looked up", IDA, user_id=ANNA))
    async with database.transaction() as tx:
        await search_entries(tx, AUDITOR, AuditFilter(person=IDA, user=ANNA))
    newest = (await search(database, person=IDA)).entries[0]
    assert (newest.operation, newest.user_id, newest.subjects) == ("audit.search", AUDITOR.caller.id, [IDA])
    assert newest.request_id == AUDITOR.request_id
    assert newest.detail == {"entries": 1, "user": str(ANNA)}
