"""Audit: the trail is searched newest first, page by page, and every search stands in it; so does who looked."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from joserfc.jwk import ECKey

from tests.cast import NOWHERE, OPERATOR, permit
from torv.base import signing
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database, write_notes
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.trail import Entry
from torv.ecosystem.audit import AuditEntry, AuditFilter, list_looks, search_entries
from torv.ecosystem.modules import register_module, register_release
from torv.ecosystem.modules.models import NewModule, NewRelease
from torv.ecosystem.partners import NewPartner, register_partner

NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
IDA, OLE = new_id(), new_id()
ANNA, BO = new_id(), new_id()
RELEASE, AGREEMENT = new_id(), new_id()
AUDITOR = Access(
    caller=Caller(kind=CallerKind.USER, id=new_id(), name="Vera Dam"),
    service="audit", operation="search", category="trail", request_id=new_id(),
)  # fmt: skip


@pytest.fixture
def dsn(dsn_of_tables: str) -> str:
    """The log of nobody yet."""
    return dsn_of_tables


def entry(operation: str, *subjects: UUID, minutes: int = 0, **more) -> Entry:
    return Entry(kind="read", operation=operation, subjects=subjects, at=NOON + timedelta(minutes=minutes), **more)


async def log(database: Database, *entries: Entry) -> None:
    async with database.transaction() as tx:
        await write_notes(tx, list(entries))


def page(size: int = 50, after: list[Any] | None = None) -> Wanted:
    return Wanted(size=size, after=after, binding=b"")


async def search(database: Database, wanted: Wanted | None = None, **sought: Any) -> list[AuditEntry]:
    async with database.transaction() as tx:
        found = await search_entries(tx, AUDITOR, search=AuditFilter(**sought), wanted=wanted or page())
        tx.notes.clear()  # the searches of a test are not what it looks for
    return found


def operations(found: list[AuditEntry]) -> list[str]:
    return [each.operation for each in found]


async def test_the_newest_entry_comes_first(database: Database) -> None:
    await log(database, entry("second", IDA, minutes=2), entry("first", IDA, minutes=1), entry("third", IDA, minutes=3))
    assert operations(await search(database)) == ["third", "second", "first"]


async def test_an_entry_about_several_persons_is_found_under_each(database: Database) -> None:
    await log(database, entry("ida", IDA), entry("both", IDA, OLE), entry("nobody"))
    assert operations(await search(database, person=IDA)) == ["both", "ida"]
    assert operations(await search(database, person=OLE)) == ["both"]
    assert operations(await search(database, person=new_id())) == []


@pytest.mark.parametrize("person", [None, IDA])
async def test_every_part_of_the_filter_narrows(database: Database, person: UUID | None) -> None:
    request = new_id()
    await log(
        database,
        entry("plain", IDA, user_id=BO, purpose="SEL § 83"),
        entry("anna", IDA, user_id=ANNA, minutes=1),
        entry("release", IDA, release_id=RELEASE, minutes=2, request_id=request),
        entry("agreement", IDA, release_id=RELEASE, agreement_id=AGREEMENT, minutes=3),
    )
    assert operations(await search(database, person=person, user=ANNA)) == ["anna"]
    assert operations(await search(database, person=person, release=RELEASE)) == ["agreement", "release"]
    assert operations(await search(database, person=person, agreement=AGREEMENT)) == ["agreement"]
    assert operations(await search(database, person=person, purpose="SEL § 83")) == ["plain"]
    assert operations(await search(database, person=person, request=request)) == ["release"]
    assert operations(await search(database, person=person, release=RELEASE, user=ANNA)) == []
    since, until = NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)
    assert operations(await search(database, person=person, since=since, until=until)) == ["release", "anna"]


async def test_a_module_is_found_by_all_its_releases_and_no_other(database: Database) -> None:
    module, older, newer = await enter_module(database)
    await log(database, entry("old", release_id=older), entry("new", release_id=newer, minutes=1))
    await log(database, entry("other", release_id=RELEASE), entry("anna", user_id=ANNA))
    assert operations(await search(database, module=module)) == ["new", "old"]
    assert operations(await search(database, module=module, release=older)) == ["old"]
    assert operations(await search(database, module=module, release=RELEASE)) == []
    assert operations(await search(database, module=new_id())) == []


@pytest.mark.parametrize("person", [None, IDA])
async def test_the_pages_together_hold_every_entry_once(database: Database, person: UUID | None) -> None:
    await log(database, *(entry(f"entry {n}", IDA) for n in range(7)))  # at the same instant
    seen, after = [], None
    for _ in range(4):
        found = (await search(database, page(2, after), person=person))[:2]
        seen += operations(found)
        after = [found[-1].at.isoformat(), found[-1].seq]
    assert seen == [f"entry {n}" for n in range(6, -1, -1)]


async def test_whoever_searches_stands_in_the_trail(database: Database) -> None:
    await log(database, entry("looked up", IDA, user_id=ANNA))
    async with database.transaction() as tx:
        await search_entries(
            tx, AUDITOR, search=AuditFilter(person=IDA, user=ANNA, purpose="<b>0101010101</b>\n"), wanted=page()
        )
    newest = (await search(database, person=IDA))[0]
    assert (newest.operation, newest.user_id, newest.subjects) == ("audit.search", AUDITOR.caller.id, [IDA])
    assert newest.request_id == AUDITOR.request_id
    assert newest.detail == {"entries": 0, "user": str(ANNA), "purpose": True}  # 69: no words that somebody wrote


# ---- who looked ------------------------------------------------------------------------------------------------------
async def test_who_looked_is_told_once_a_day_with_all_they_did(database: Database) -> None:
    _, older, _ = await enter_module(database)
    await log(
        database,
        entry("persons.read", IDA, user_id=ANNA, purpose="role:Sagsbehandler"),
        entry("persons.read", IDA, user_id=ANNA, minutes=5, detail={"shown": "cpr"}),
        entry("persons.search", IDA, OLE, user_id=ANNA, minutes=9),
        entry("persons.read", IDA, user_id=ANNA, minutes=13 * 60 + 1),  # past midnight in Denmark
        entry("records.read", IDA, release_id=older, minutes=2, purpose="SEL § 83"),
        entry("persons.read", OLE, user_id=BO),
        Entry(kind="refusal", operation="persons.read", subjects=[IDA], result="category", user_id=BO, at=NOON),
        Entry(kind="outcome", operation="notes.read", subjects=[IDA], user_id=BO, at=NOON),
    )
    async with database.transaction() as tx:
        looks = await list_looks(tx, AUDITOR, IDA, wanted=page(), since=NOON - timedelta(days=1))
        assert [(each.operation, each.kind, each.subjects) for each in tx.notes] == [("audit.search", "read", [IDA])]
    later, earlier, module = looks
    assert (later.day.day, earlier.day.day, later.count, earlier.count) == (3, 2, 1, 3)
    assert earlier.user_id == ANNA
    assert earlier.operations == ["persons.read", "persons.search"]
    assert (earlier.shown, earlier.purposes) == (["cpr"], ["role:Sagsbehandler"])
    assert (module.release_id, module.name, module.partner) == (older, "nordnote", "Nordlys Omsorg ApS")


async def test_looks_go_a_year_back_unless_more_is_asked(database: Database) -> None:
    await log(database, entry("persons.read", IDA, user_id=ANNA, minutes=-60 * 24 * 366 * 3))
    async with database.transaction() as tx:
        assert await list_looks(tx, AUDITOR, IDA, wanted=page()) == []
        assert len(await list_looks(tx, AUDITOR, IDA, wanted=page(), since=NOON - timedelta(days=3_000))) == 1


async def test_the_pages_of_looks_together_hold_each_once(database: Database) -> None:
    users = [new_id() for _ in range(5)]
    await log(database, *(entry("persons.read", IDA, user_id=each) for each in users))
    seen, after = [], None
    async with database.transaction() as tx:
        while True:
            looks = await list_looks(tx, AUDITOR, IDA, wanted=page(2, after), since=NOON - timedelta(days=1))
            seen += [each.user_id for each in looks[:2]]
            if len(looks) < 3:
                break
            after = [looks[1].last_at.isoformat(), str(looks[1].who)]
    assert {*seen} == {*users}
    assert len(seen) == len(users)


async def enter_module(database: Database) -> tuple[UUID, UUID, UUID]:
    """A module of Nordlys', and two releases of it."""
    access, releases = permit(OPERATOR, "modules.register", ("module",)), []
    async with database.transaction() as tx:
        partner = await register_partner(tx, access, new=NewPartner(cvr="48839355", name="Nordlys Omsorg ApS"))
        module = await register_module(tx, access, new=NewModule(partner_id=partner.id, name="nordnote"))
        for version in ("1.0.0", "1.1.0"):
            new = NewRelease(version=version, url=NOWHERE, jwk=signing.public(ECKey.generate_key("P-256")))
            releases.append((await register_release(tx, access, module.id, new=new, private=True)).id)
        tx.notes.clear()
    return module.id, releases[0], releases[1]
