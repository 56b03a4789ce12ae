"""What happens to a person: moving, dying, a new number, being registered twice; and what was known when."""

from datetime import date, datetime, timedelta

import asyncpg
import pytest

from tests.cast import ANNA, BJORN_CPR, Cast
from tests.served import Api
from torv.base import clock
from torv.base.db import Database
from torv.base.errors import CprAlreadyKnown, NotFound, VersionMismatch
from torv.kernel.persons import (
    Address,
    Fact,
    FactKind,
    KnownFact,
    NewPerson,
    PersonChange,
    Protection,
    Relation,
    RelationKind,
    Status,
    StatusCode,
    change_cpr,
    change_person,
    end_relation,
    find_person_by_cpr,
    merge_persons,
    read_facts,
    read_person,
    read_person_at,
    read_relations,
    record_fact,
    refresh_snapshots,
    register_person,
    relate,
)

pytestmark = pytest.mark.anyio
ALL = ("person", "person.cpr", "person.protected_address", "person.protected_name")


async def test_yesterdays_address_is_still_known_and_what_we_thought_too(database: Database, cast: Cast) -> None:
    access, today = cast.user("persons.change", *ALL), clock.today()
    before = clock.now()
    async with database.transaction() as tx:
        change = PersonChange(address="Ærøgade 1, 6200 Fjordby", valid_from=today - timedelta(days=10))
        await change_person(tx, access, cast.bjorn.id, expected=1, change=change)
    async with database.reading() as tx:
        last_month = await read_facts(tx, access, cast.bjorn.id, valid_at=today - timedelta(days=30), known_at=None)
        now = await read_facts(tx, access, cast.bjorn.id, valid_at=today, known_at=None)
        thought = await read_facts(tx, access, cast.bjorn.id, valid_at=today, known_at=before)
    assert addresses(last_month) == addresses(thought) == ["Skolebakken 12, 6200 Fjordby"]
    assert addresses(now) == ["Ærøgade 1, 6200 Fjordby"]


async def test_a_person_is_read_as_of_a_day_and_as_known_at_an_instant(database: Database, cast: Cast) -> None:
    access, today = cast.user("persons.change", *ALL), clock.today()
    before = clock.now()
    async with database.transaction() as tx:
        change = PersonChange(address="Ærøgade 1, 6200 Fjordby", valid_from=today - timedelta(days=10))
        await change_person(tx, access, cast.bjorn.id, expected=1, change=change)
        marriage = PersonChange(family_name="Krogh", valid_from=today + timedelta(days=5))
        await change_person(tx, access, cast.bjorn.id, expected=2, change=marriage)

    async def seen(valid_at: date | None, known_at: datetime | None) -> tuple[str | None, str | None]:
        async with database.reading() as tx:
            person = await read_person_at(tx, access, cast.bjorn.id, valid_at=valid_at, known_at=known_at)
            assert [each.subjects for each in tx.notes] == [[cast.bjorn.id]]
        return person.family_name, person.address

    old, new = "Skolebakken 12, 6200 Fjordby", "Ærøgade 1, 6200 Fjordby"
    assert await seen(None, None) == ("Aagaard", new)
    assert await seen(today - timedelta(days=30), None) == ("Aagaard", old)
    assert await seen(today + timedelta(days=9), None) == ("Krogh", new)
    assert await seen(None, before) == await seen(today + timedelta(days=9), before) == ("Aagaard", old)
    with pytest.raises(NotFound):
        await seen(None, before - timedelta(days=10_000))


async def test_todays_protection_hides_how_a_person_was(database: Database, cast: Cast) -> None:
    async with database.transaction() as tx:
        hidden = PersonChange(has_protected_address=True, has_protected_name=True)
        await change_person(tx, cast.user("persons.change", *ALL), cast.bjorn.id, expected=1, change=hidden)
    yesterday = clock.today() - timedelta(days=1)
    async with database.reading() as tx:
        then = await read_person_at(
            tx, cast.user("persons.read", "person"), cast.bjorn.id, valid_at=yesterday, known_at=None
        )
    assert (then.given_names, then.family_name, then.address, then.cpr) == (None, None, None, None)
    assert then.has_protected_address
    assert then.has_protected_name


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-01-01T00:00:00", "x"])
async def test_no_instant_breaks_reading(shared_api: Api, cast: Cast, at: str) -> None:
    reply = await shared_api.get(f"/api/v1/persons/{cast.alma.id}?known_at={at}", by=ANNA)
    assert reply.status in {200, 404, 422}


async def test_todays_protection_hides_yesterdays_address(database: Database, cast: Cast) -> None:
    change = PersonChange(has_protected_address=True)
    async with database.transaction() as tx:
        await change_person(tx, cast.user("persons.change", *ALL), cast.bjorn.id, expected=1, change=change)
    async with database.reading() as tx:
        yesterday = clock.today() - timedelta(days=1)
        facts = await read_facts(
            tx, cast.user("persons.read", "person"), cast.bjorn.id, valid_at=yesterday, known_at=None
        )
    assert facts
    assert addresses(facts) == []


async def test_a_protection_that_begins_tomorrow_bites_at_midnight_even_before_the_row_is_made_anew(
    database: Database, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    access, tomorrow = cast.user("persons.change", *ALL), clock.today() + timedelta(days=1)
    protection = Fact(
        kind=FactKind.PROTECTION, value=Protection(hides_address=True, hides_name=False), valid_from=tomorrow
    )
    async with database.transaction() as tx:
        seen = await record_fact(tx, access, cast.bjorn.id, expected=1, fact=protection)
    assert not seen.has_protected_address
    monkeypatch.setattr(clock, "today", lambda: tomorrow)
    async with database.reading() as tx:
        stale = await read_person(tx, cast.user("persons.read", "person"), cast.bjorn.id)
    assert (stale.has_protected_address, stale.address) == (True, None)
    async with database.transaction() as tx:
        assert await refresh_snapshots(tx) >= 1
    async with database.reading() as tx:
        fresh = await read_person(tx, access, cast.bjorn.id)
    assert (fresh.has_protected_address, fresh.has_protected_name, fresh.version) == (True, False, 2)


async def test_a_death_is_a_fact_from_its_day_on(database: Database, cast: Cast) -> None:
    death = Fact(kind=FactKind.STATUS, value=Status(code=StatusCode.DEAD), valid_from=date(2026, 5, 2))
    async with database.transaction() as tx:
        person = await record_fact(tx, cast.user("persons.change", *ALL), cast.bjorn.id, expected=1, fact=death)
    assert (person.status, person.version) == ("dead", 2)


async def test_an_old_number_still_finds_the_person(database: Database, cast: Cast) -> None:
    access = cast.user("persons.change_cpr", *ALL)
    async with database.transaction() as tx:
        await change_cpr(tx, access, cast.bjorn.id, expected=1, cpr="120576-1138")
    async with database.reading() as tx:
        found = [await find_person_by_cpr(tx, access, number) for number in (BJORN_CPR, "1205761138")]
    assert [person.id for person in found] == [cast.bjorn.id] * 2
    assert found[0].cpr == "1205761138"


async def test_a_number_of_somebody_else_is_refused(database: Database, cast: Cast) -> None:
    with pytest.raises(CprAlreadyKnown):
        async with database.transaction() as tx:
            await change_cpr(tx, cast.user("persons.change_cpr", *ALL), cast.alma.id, expected=1, cpr=BJORN_CPR)


async def test_who_was_registered_twice_is_one_and_both_ids_work(database: Database, cast: Cast) -> None:
    access = cast.user("persons.merge", *ALL)
    async with database.transaction() as tx:
        twin = await register_person(
            tx, access, new=NewPerson(given_names="Bjorn", family_name="Agaard", cpr="6105761111")
        )
        await relate(tx, access, twin.id, Relation(kind=RelationKind.CONTACT, name="Naboen"))
        third = await register_person(tx, access, new=NewPerson(given_names="B", family_name="A"))
        await merge_persons(tx, access, third.id, expected=1, into=twin.id)
        await merge_persons(tx, access, twin.id, expected=1, into=cast.bjorn.id)
    async with database.reading() as tx:
        people = [await read_person(tx, access, each) for each in (twin.id, third.id)]
        by_number = await find_person_by_cpr(tx, access, "6105761111")
        related = await read_relations(tx, access, cast.bjorn.id, valid_at=None, known_at=None)
    assert [person.id for person in [*people, by_number]] == [cast.bjorn.id] * 3
    assert [each.name for each in related] == ["Naboen"]


async def test_two_who_are_merged_into_each_other_do_not_both_vanish(database: Database, cast: Cast) -> None:
    access = cast.user("persons.merge", *ALL)
    async with database.transaction() as tx:
        await merge_persons(tx, access, cast.alma.id, expected=1, into=cast.bjorn.id)
    with pytest.raises(NotFound):
        async with database.transaction() as tx:
            await merge_persons(tx, access, cast.bjorn.id, expected=1, into=cast.alma.id)


async def test_custody_ends_on_its_day_and_the_history_keeps_what_we_thought(database: Database, cast: Cast) -> None:
    access, today, before = cast.user("persons.change", *ALL), clock.today(), clock.now()
    async with database.transaction() as tx:
        parent = Relation(kind=RelationKind.PARENT, cpr=BJORN_CPR)
        await relate(tx, access, cast.alma.id, parent)
        held = await relate(tx, access, cast.alma.id, Relation(kind=RelationKind.CUSTODY, cpr=BJORN_CPR))
    meanwhile = clock.now()
    async with database.transaction() as tx:
        await end_relation(tx, access, cast.alma.id, held, today)
    async with database.reading() as tx:
        now = await read_relations(tx, access, cast.alma.id, valid_at=today, known_at=None)
        yesterday = await read_relations(tx, access, cast.alma.id, valid_at=today - timedelta(days=1), known_at=None)
        thought = await read_relations(tx, access, cast.alma.id, valid_at=today, known_at=meanwhile)
        nothing = await read_relations(tx, access, cast.alma.id, valid_at=today, known_at=before)
        of_father = await read_relations(tx, access, cast.bjorn.id, valid_at=today, known_at=None)
    assert [each.kind for each in now] == [RelationKind.PARENT]
    assert (
        [each.kind for each in yesterday]
        == [each.kind for each in thought]
        == [RelationKind.CUSTODY, RelationKind.PARENT]
    )
    assert nothing == []
    assert [(each.kind, each.person_id) for each in of_father] == [(RelationKind.CHILD, cast.alma.id)]


async def test_a_change_of_an_old_version_changes_nothing(database: Database, cast: Cast) -> None:
    access = cast.user("persons.change", *ALL)
    async with database.transaction() as tx:
        await change_person(tx, access, cast.bjorn.id, expected=1, change=PersonChange(given_names="Bjarne"))
    with pytest.raises(VersionMismatch):
        async with database.transaction() as tx:
            await change_person(tx, access, cast.bjorn.id, expected=1, change=PersonChange(given_names="Børge"))
    async with database.reading() as tx:
        assert (await read_person(tx, access, cast.bjorn.id)).given_names == "Bjarne"


def addresses(facts: list[KnownFact]) -> list[str]:
    values = [fact.value for fact in facts]
    return [value.lines[0] for value in values if isinstance(value, Address)]


@pytest.mark.parametrize(
    "statement",
    [
        "insert into persons.facts (person_id, kind, value, source) values (gen_random_uuid(), 'name', '{}', 'hand')",
        "insert into persons.numbers (cpr, person_id) values ('0101900000', gen_random_uuid())",
        "insert into persons.relations (person_id, kind, name, source) values (gen_random_uuid(), 'spouse', 'x', '')",
        "insert into persons.imports (person_id, source, digest) values (gen_random_uuid(), 'cpr', '')",
    ],
)
async def test_nothing_is_said_of_nobody(outsider: asyncpg.Connection, statement: str) -> None:
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await outsider.execute(statement)


@pytest.mark.parametrize("statement", ["delete from persons.persons", "truncate persons.persons cascade"])
async def test_a_person_is_never_deleted(outsider: asyncpg.Connection, cast: Cast, statement: str) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await outsider.execute(statement)
    assert await outsider.fetchval("select count(*) from persons.persons where id = $1", cast.alma.id) == 1
