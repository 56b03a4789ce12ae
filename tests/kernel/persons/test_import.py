"""Importing persons in bulk: the same again changes nothing; what a register no longer says is ended, not lost."""

from dataclasses import replace
from datetime import date

import pytest

from tests.cast import BJORN_CPR, Cast
from torv.base import clock
from torv.base.db import Database
from torv.kernel.persons import (
    Address,
    Fact,
    FactKind,
    ImportedPerson,
    ImportResult,
    Name,
    Relation,
    RelationKind,
    find_person_by_cpr,
    import_persons,
    read_facts,
    read_relations,
)

pytestmark = pytest.mark.anyio
ALL = ("person", "person.cpr", "person.protected_address", "person.protected_name")
KARLA = ImportedPerson(
    cpr="1404902222", sex="K", birth_date=date(1990, 4, 14),
    facts=(
        Fact(kind=FactKind.NAME, value=Name(given_names="Karla", family_name="Bæk")),
        Fact(kind=FactKind.ADDRESS, value=Address(lines=("Havnegade 1", "6200 Fjordby")), valid_from=date(2020, 1, 1)),
    ),
    relations=(Relation(kind=RelationKind.PARENT, cpr=BJORN_CPR),),
)  # fmt: skip


async def take_in(database: Database, cast: Cast, *persons: ImportedPerson) -> ImportResult:
    async with database.transaction() as tx:
        return await import_persons(tx, cast.user("persons.import", *ALL), persons, source="cpr")


async def test_an_import_adds_then_leaves_alone_then_changes(database: Database, cast: Cast) -> None:
    assert await take_in(database, cast, KARLA) == ImportResult(added=1, changed=0, unchanged=0)
    assert await take_in(database, cast, KARLA) == ImportResult(added=0, changed=0, unchanged=1)
    married = replace(KARLA.facts[0], value=Name(given_names="Karla", family_name="Holm"))
    renamed = replace(KARLA, facts=(married, KARLA.facts[1]), relations=())
    assert await take_in(database, cast, renamed) == ImportResult(added=0, changed=1, unchanged=0)
    access = cast.user("persons.read", *ALL)
    async with database.reading() as tx:
        person = await find_person_by_cpr(tx, access, KARLA.cpr)
        facts = await read_facts(tx, access, person.id, valid_at=None, known_at=None)
        related = await read_relations(tx, access, person.id, valid_at=None, known_at=None)
    assert (person.family_name, person.address, person.version) == ("Holm", "Havnegade 1, 6200 Fjordby", 2)
    assert len(facts) == 2
    assert related == []


async def test_what_the_register_said_before_is_still_known_to_have_been_said(database: Database, cast: Cast) -> None:
    await take_in(database, cast, KARLA)
    between = clock.now()
    await take_in(database, cast, replace(KARLA, facts=(KARLA.facts[0],)))
    access = cast.user("persons.read", *ALL)
    async with database.reading() as tx:
        person = await find_person_by_cpr(tx, access, KARLA.cpr)
        then = await read_facts(tx, access, person.id, valid_at=None, known_at=between)
    assert {fact.kind for fact in then} == {FactKind.NAME, FactKind.ADDRESS}
    assert person.address is None


async def test_a_new_number_belongs_to_the_same_person(database: Database, cast: Cast) -> None:
    await take_in(database, cast, KARLA)
    changed = replace(KARLA, cpr="1404902230", former_cprs=(KARLA.cpr,))
    assert await take_in(database, cast, changed) == ImportResult(added=0, changed=1, unchanged=0)
    access = cast.user("persons.read", *ALL)
    async with database.reading() as tx:
        ids = {(await find_person_by_cpr(tx, access, cpr)).id for cpr in (KARLA.cpr, changed.cpr)}
    assert len(ids) == 1


async def test_one_trail_entry_tells_of_a_whole_part(database: Database, cast: Cast, outsider: object) -> None:
    others = [replace(KARLA, cpr=f"14049022{number:02}", relations=()) for number in range(30, 40)]
    await take_in(database, cast, KARLA, *others)
    rows = await outsider.fetch("select subjects from base.trail where operation = 'persons.import'")  # type: ignore[attr-defined]
    assert [len(row["subjects"]) for row in rows] == [11]
