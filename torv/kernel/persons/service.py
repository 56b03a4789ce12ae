"""The verbs of persons; the only writer of the schema `persons`."""

from dataclasses import asdict
from uuid import UUID

from torv.base import db
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import CprAlreadyKnown, NotFound, VersionMismatch
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import note
from torv.kernel.persons import rules
from torv.kernel.persons.models import NewPerson, Person, PersonChange

sql = load(__file__)
db.names_constraint("persons_cpr_key", CprAlreadyKnown)


async def register_person(tx: Tx, access: Access, *, new: NewPerson) -> Person:
    """Register a person. Raises CprInvalid, InvalidInput, or CprAlreadyKnown if the number is another person's."""
    values = asdict(new) | {
        "cpr": rules.normal_cpr(new.cpr) if new.cpr is not None else None,
        "given_names": rules.normal_name(new.given_names),
        "family_name": rules.normal_name(new.family_name),
    }
    person = await tx.one(Person, sql.insert_person, id=new_id(), **values)
    note(tx, access, "write", [person.id])
    return rules.visible(person, access)


async def read_person(tx: Tx, access: Access, person_id: UUID) -> Person:
    """The present version. Raises NotFound."""
    person = await tx.one(Person, sql.person_by_id, id=person_id)
    note(tx, access, "read", [person.id])
    return rules.visible(person, access)


async def find_person_by_cpr(tx: Tx, access: Access, cpr: str) -> Person:
    """The person with this CPR number. Raises CprInvalid or NotFound."""
    person = await tx.one(Person, sql.person_by_cpr, cpr=rules.normal_cpr(cpr))
    note(tx, access, "read", [person.id])
    return rules.visible(person, access)


async def change_person(tx: Tx, access: Access, person_id: UUID, *, expected: int, change: PersonChange) -> Person:
    """Make the next version. Raises NotFound, InvalidInput, or VersionMismatch if `expected` is not the present one."""
    values = asdict(change)
    for name in ("given_names", "family_name"):
        values[name] = rules.normal_name(values[name]) if values[name] is not None else None
    person = await tx.maybe(Person, sql.change_person, id=person_id, expected=expected, **values)
    if person is None:
        known = await tx.maybe(Person, sql.person_by_id, id=person_id)
        raise VersionMismatch if known else NotFound
    note(tx, access, "write", [person.id], detail={"version": person.version})
    return rules.visible(person, access)
