"""The verbs of one person: register, read, change, number change, merge. With importing.py and relations.py the only
writer of the schema `persons`.
"""

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from torv.base import clock, db
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import CprAlreadyKnown, InvalidInput, NotFound, VersionMismatch
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import note
from torv.kernel.persons import facts as time
from torv.kernel.persons import rules, words
from torv.kernel.persons.models import (
    Address,
    Fact,
    FactKind,
    FactValue,
    KnownFact,
    Name,
    NewPerson,
    Person,
    PersonChange,
    Protection,
)

sql = load(__file__)
for _constraint in ("persons_cpr_key", "numbers_cpr_key"):
    db.names_constraint(_constraint, CprAlreadyKnown)

BY_HAND = "hand"  #: the source of what people enter


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredFact:
    """A fact as it lies in the database."""

    kind: str
    value: dict[str, Any]
    valid_from: date | None
    valid_to: date | None
    known_from: datetime
    known_to: datetime | None

    def fact(self) -> Fact:
        value = time.read_value(self.kind, self.value)
        return Fact(kind=FactKind(self.kind), value=value, valid_from=self.valid_from, valid_to=self.valid_to)


async def register_person(tx: Tx, access: Access, *, new: NewPerson) -> Person:
    """Register a person. Raises CprInvalid, InvalidInput, or CprAlreadyKnown if the number is another person's."""
    cpr = rules.normal_cpr(new.cpr) if new.cpr is not None else None
    facts = [Fact(kind=time.KIND_OF[type(value)], value=value) for value in _first_values(new)]
    person_id, made = new_id(), time.snapshot(facts, clock.today())
    await tx.run(
        sql.insert_person, id=person_id, cpr=cpr, sex=rules.sex_of(cpr) if cpr else None,
        birth_date=rules.birth_date(cpr) if cpr else None, **asdict(made),
    )  # fmt: skip
    await words.note_words(tx, words.words_in(made))
    if cpr is not None:
        await tx.run(sql.insert_number, cpr=cpr, person_id=person_id)
    await _insert_facts(tx, person_id, facts)
    note(tx, access, "write", [person_id])
    return rules.visible(await _read(tx, person_id), access)


async def read_person(tx: Tx, access: Access, person_id: UUID) -> Person:
    """A person as of today; the id of a merged person gives whom it turned out to be. Raises NotFound."""
    person = await _resolve(tx, person_id)
    note(tx, access, "read", [person.id])
    return rules.visible(person, access)


async def read_person_at(
    tx: Tx, access: Access, person_id: UUID, *, valid_at: date | None, known_at: datetime | None
) -> Person:
    """A person on a day (None: the day of `known_at`, else today), as known at an instant (None: now).

    Numbers, version and protection are today's: what is protected now is so for every day. Raises InvalidInput, or
    NotFound, also where nothing was known of the person yet.
    """
    if valid_at is None and known_at is None:
        return await read_person(tx, access, person_id)
    person = await _resolve(tx, person_id)
    stored = await tx.all(StoredFact, sql.facts_known_at, person_id=person.id, known_at=known_at or clock.now())
    if not stored:
        raise NotFound
    day = valid_at or _day_of(known_at)
    made = time.snapshot([each.fact() for each in stored], day)
    then = replace(
        person, given_names=made.given_names, family_name=made.family_name, address=made.address,
        civil_status=made.civil_status, status=made.status, known_at=max(each.known_from for each in stored),
    )  # fmt: skip
    note(tx, access, "read", [person.id], detail={"valid_at": day.isoformat()})
    return rules.visible(then, access)


def _day_of(known_at: datetime | None) -> date:
    try:
        return known_at.astimezone(clock.DENMARK).date() if known_at else clock.today()
    except OverflowError:  # the last hour of the year 9999
        raise InvalidInput(reason="known_at") from None


async def find_person_by_cpr(tx: Tx, access: Access, cpr: str) -> Person:
    """The person who has or had this CPR number. Raises CprInvalid or NotFound."""
    person = await tx.one(Person, sql.person_by_number, cpr=rules.normal_cpr(cpr), today=clock.today())
    note(tx, access, "read", [person.id])
    return rules.visible(person, access)


async def read_facts(
    tx: Tx, access: Access, person_id: UUID, *, valid_at: date | None, known_at: datetime | None
) -> list[KnownFact]:
    """What was true on a day (None: every day), as we knew it at an instant (None: now). Raises NotFound."""
    person = await _resolve(tx, person_id)
    stored = await tx.all(StoredFact, sql.facts_known_at, person_id=person.id, known_at=known_at or clock.now())
    note(tx, access, "read", [person.id], detail={"facts": len(stored)})
    known = [
        KnownFact(**{**asdict(each), "kind": FactKind(each.kind), "value": time.read_value(each.kind, each.value)})
        for each in stored
        if valid_at is None or time.is_valid(each.fact(), valid_at)
    ]
    return rules.visible_facts(known, person, access)


async def change_person(tx: Tx, access: Access, person_id: UUID, *, expected: int, change: PersonChange) -> Person:
    """Change names, address or protection from a day on. Raises NotFound, InvalidInput or VersionMismatch."""
    person = await tx.one(Person, sql.person_by_id, id=person_id, today=clock.today())
    facts = await _known(tx, person_id)
    day = change.valid_from or clock.today()
    for value in _changed_values(change, time.facts_on(facts, day)):
        facts = await _learn(tx, person_id, facts, _from(value, day))
    await _set_snapshot(tx, person_id, expected, facts)
    note(tx, access, "write", [person.id], detail={"version": expected + 1})
    return rules.visible(await _read(tx, person_id), access)


async def record_fact(tx: Tx, access: Access, person_id: UUID, *, expected: int, fact: Fact) -> Person:
    """Note a fact for its whole period, such as a death or an emigration. Raises NotFound or VersionMismatch."""
    await tx.one(Person, sql.person_by_id, id=person_id, today=clock.today())
    facts = await _learn(tx, person_id, await _known(tx, person_id), fact)
    await _set_snapshot(tx, person_id, expected, facts)
    note(tx, access, "write", [person_id], detail={"version": expected + 1, "fact": fact.kind})
    return rules.visible(await _read(tx, person_id), access)


async def change_cpr(tx: Tx, access: Access, person_id: UUID, *, expected: int, cpr: str) -> Person:
    """Give a person another number; the old one finds them too. Raises CprInvalid, CprAlreadyKnown, VersionMismatch."""
    digits = rules.normal_cpr(cpr)
    if await tx.value(sql.person_of_number, cpr=digits) != person_id:
        await tx.run(sql.insert_number, cpr=digits, person_id=person_id)
    born, sex = rules.birth_date(digits), rules.sex_of(digits)
    if not await tx.run(sql.set_number, id=person_id, expected=expected, cpr=digits, sex=sex, birth_date=born):
        raise VersionMismatch
    note(tx, access, "write", [person_id], detail={"version": expected + 1})
    return rules.visible(await _read(tx, person_id), access)


async def merge_persons(tx: Tx, access: Access, person_id: UUID, *, expected: int, into: UUID) -> Person:
    """Let one person resolve to another, with its numbers. Raises InvalidInput, NotFound or VersionMismatch."""
    if person_id == into:
        raise InvalidInput(reason="into: the same person")
    await tx.value(sql.lock_persons, ids=[person_id, into])
    for each in (person_id, into):
        await _read(tx, each)
    if not await tx.run(sql.merge, id=person_id, into=into, expected=expected):
        raise VersionMismatch
    await tx.run(sql.move_numbers, id=person_id, into=into)
    await tx.run(sql.move_relations, id=person_id, into=into)
    note(tx, access, "write", [person_id, into], detail={"merged_into": str(into)})
    return rules.visible(await _read(tx, into), access)


async def refresh_snapshots(tx: Tx, size: int = 500) -> int:
    """Make anew the rows of persons of whom something became true by the passing of time; tells how many."""
    rows = await tx.all(dict, sql.persons_to_refresh, today=clock.today(), size=size)
    borne: set[words.Word] = set()
    for row in rows:
        made = time.snapshot(await _known(tx, row["id"]), clock.today())
        await tx.run(sql.refresh_snapshot, id=row["id"], **asdict(made))
        borne |= words.words_in(made)
    await words.note_words(tx, borne)
    return len(rows)


def _first_values(new: NewPerson) -> list[FactValue]:
    values: list[FactValue] = [
        Name(given_names=rules.normal_name(new.given_names), family_name=rules.normal_name(new.family_name))
    ]
    if new.address is not None:
        values.append(Address(lines=(rules.normal_name(new.address),)))
    if new.has_protected_address or new.has_protected_name:
        values.append(Protection(hides_address=new.has_protected_address, hides_name=new.has_protected_name))
    return values


def _changed_values(change: PersonChange, now: dict[FactKind, FactValue]) -> list[FactValue]:
    values: list[FactValue] = []
    if change.given_names is not None or change.family_name is not None:
        name = now.get(FactKind.NAME)
        assert name is None or isinstance(name, Name)
        given = change.given_names if change.given_names is not None else name.given_names if name else ""
        family = change.family_name if change.family_name is not None else name.family_name if name else ""
        values.append(Name(given_names=rules.normal_name(given), family_name=rules.normal_name(family)))
    if change.address is not None:
        values.append(Address(lines=(rules.normal_name(change.address),)))
    if change.has_protected_address is not None or change.has_protected_name is not None:
        present = now.get(FactKind.PROTECTION, time.OPEN)
        assert isinstance(present, Protection)
        values.append(_protection(present, change))
    return values


def _protection(present: Protection, change: PersonChange) -> Protection:
    if change.has_protected_address is not None:
        present = replace(present, hides_address=change.has_protected_address)
    if change.has_protected_name is not None:
        present = replace(present, hides_name=change.has_protected_name)
    return present


def _from(value: FactValue, day: date) -> Fact:
    return Fact(kind=time.KIND_OF[type(value)], value=value, valid_from=day)


async def _learn(tx: Tx, person_id: UUID, known: list[Fact], new: Fact) -> list[Fact]:
    """Write what follows from a new fact; gives what is known then."""
    ended, added = time.learn(known, new)
    await tx.run(sql.end_facts, person_id=person_id, facts=[fact_row(person_id, each) for each in ended])
    await _insert_facts(tx, person_id, added)
    return [fact for fact in known if fact not in ended] + added


async def _insert_facts(tx: Tx, person_id: UUID, facts: list[Fact]) -> None:
    await tx.run(sql.insert_facts, facts=[fact_row(person_id, each) for each in facts], source=BY_HAND)


def fact_row(person_id: UUID, fact: Fact) -> dict[str, Any]:
    """A fact as the bulk statements take it."""
    return {
        "person_id": person_id,
        "kind": fact.kind,
        "value": time.plain_value(fact.value),
        "valid_from": fact.valid_from,
        "valid_to": fact.valid_to,
    }


async def _set_snapshot(tx: Tx, person_id: UUID, expected: int, facts: list[Fact]) -> None:
    made = time.snapshot(facts, clock.today())
    if not await tx.run(sql.set_snapshot, id=person_id, expected=expected, **asdict(made)):
        raise VersionMismatch
    await words.note_words(tx, words.words_in(made))


async def _known(tx: Tx, person_id: UUID) -> list[Fact]:
    return [each.fact() for each in await tx.all(StoredFact, sql.known_facts, person_id=person_id)]


async def _read(tx: Tx, person_id: UUID) -> Person:
    return await tx.one(Person, sql.person_by_id, id=person_id, today=clock.today())


async def _resolve(tx: Tx, person_id: UUID) -> Person:
    person = await tx.maybe(Person, sql.person_by_id, id=person_id, today=clock.today())
    if person is not None:
        return person
    successor = await tx.value(sql.successor, id=person_id)
    if successor is None:
        raise NotFound
    return await _read(tx, successor)
