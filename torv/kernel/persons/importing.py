"""Importing persons from a register, many at a time. With service.py and relations.py the only writer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import note
from torv.kernel.persons import facts as time
from torv.kernel.persons.facts import plain
from torv.kernel.persons.models import ImportedPerson, ImportResult
from torv.kernel.persons.service import fact_row

sql = load(__file__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Before:
    cpr: str
    person_id: UUID
    digest: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Incoming:
    person: ImportedPerson
    person_id: UUID
    digest: bytes
    is_new: bool


async def import_persons(tx: Tx, access: Access, persons: Sequence[ImportedPerson], *, source: str) -> ImportResult:
    """Take in what a register says about some persons; what it said before and no longer says is ended.

    A person is known by the present number or a former one. Who has not changed since the last import is left alone.
    One trail entry tells of all who were added or changed.
    """
    incoming = await _match(tx, persons, source)
    changed = [each for each in incoming if each is not None]
    if changed:
        await _write(tx, changed, source)
        note(tx, access, "write", [each.person_id for each in changed], detail={"source": source})
    added = sum(each.is_new for each in changed)
    return ImportResult(added=added, changed=len(changed) - added, unchanged=len(persons) - len(changed))


async def _match(tx: Tx, persons: Sequence[ImportedPerson], source: str) -> list[_Incoming | None]:
    """Whom each of the register's persons is with us; None for one who has not changed."""
    numbers = [number for each in persons for number in (each.cpr, *each.former_cprs)]
    before = {row.cpr: row for row in await tx.all(_Before, sql.imported_before, cprs=numbers, source=source)}
    return [_incoming(person, before) for person in persons]


def _incoming(person: ImportedPerson, before: dict[str, _Before]) -> _Incoming | None:
    digest = hashlib.sha256(repr(person).encode()).digest()
    known = next((before[number] for number in (person.cpr, *person.former_cprs) if number in before), None)
    if known is not None and known.digest == digest:
        return None
    return _Incoming(
        person=person, person_id=known.person_id if known else new_id(), digest=digest, is_new=known is None
    )


async def _write(tx: Tx, incoming: list[_Incoming], source: str) -> None:
    today = clock.today()
    rows, numbers, facts, relations, digests = [], [], [], [], []
    for each in incoming:
        person, person_id = each.person, each.person_id
        snapshot = plain(time.snapshot(person.facts, today))
        rows.append(
            {"id": person_id, "cpr": person.cpr, "sex": person.sex, "birth_date": person.birth_date, **snapshot}
        )
        numbers += [{"cpr": cpr, "person_id": person_id} for cpr in (person.cpr, *person.former_cprs)]
        facts += [fact_row(person_id, fact) for fact in person.facts]
        relations += [{"person_id": person_id, **plain(relation)} for relation in person.relations]
        digests.append({"person_id": person_id, "digest": each.digest.hex()})
    await tx.run(sql.insert_imported, persons=rows)
    await tx.run(sql.insert_numbers, numbers=numbers)
    await _write_facts(tx, incoming, facts, relations, source)
    await tx.run(sql.remember_imports, digests=digests, source=source)


async def _write_facts(
    tx: Tx, incoming: list[_Incoming], facts: list[dict[str, Any]], relations: list[dict[str, Any]], source: str
) -> None:
    renewed = [each.person_id for each in incoming if not each.is_new]
    if renewed:
        await tx.run(sql.end_missing_facts, person_ids=renewed, facts=facts, source=source)
        await tx.run(sql.end_imported_relations, person_ids=renewed, source=source)
        await tx.run(sql.insert_missing_facts, facts=facts, source=source)
    else:
        await tx.run(sql.insert_facts, facts=facts, source=source)
    await tx.run(sql.insert_relations, relations=relations, source=source)
