"""Importing persons from a register, many at a time. With service.py and relations.py the only writer."""

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
from torv.kernel.persons.models import ImportedPerson, ImportResult
from torv.kernel.persons.packing import PackedPersons, pack
from torv.kernel.persons.words import note_words

sql = load(__file__)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Before:
    cpr: str
    person_id: UUID
    digest: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Incoming:
    """Those of the packed persons whom something is to be written of, and who they are with us."""

    places: list[int]  #: among all packed
    person_ids: list[UUID]
    renewed: list[UUID]  #: those of them who were known before

    def of(self) -> dict[str, Any]:
        """As the bulk statements join them to their rows."""
        return {"places": self.places, "person_ids": self.person_ids}


async def import_persons(tx: Tx, access: Access, persons: Sequence[ImportedPerson], *, source: str) -> ImportResult:
    """Take in what a register says about some persons; what it said before and no longer says is ended.

    A person is known by the present number or a former one. Who has not changed since the last import is left alone.
    One trail entry tells of all who were added or changed.
    """
    return await import_packed(tx, access, pack(persons, clock.today()), source=source)


async def import_packed(tx: Tx, access: Access, packed: PackedPersons, *, source: str) -> ImportResult:
    """The same for persons that have been packed, perhaps by another process."""
    incoming = await _match(tx, packed, source)
    changed, added = len(incoming.places), len(incoming.places) - len(incoming.renewed)
    if changed:
        await _write(tx, packed, incoming, source)
        note(tx, access, "write", incoming.person_ids, detail={"source": source})
    return ImportResult(added=added, changed=changed - added, unchanged=len(packed) - changed)


async def _match(tx: Tx, packed: PackedPersons, source: str) -> _Incoming:
    """Whom each of the register's persons is with us; who has not changed is left out."""
    numbers = packed.numbers["cpr"]
    before = {row.cpr: row for row in await tx.all(_Before, sql.imported_before, cprs=numbers, source=source)}
    known: dict[int, _Before] = {}
    for place, cpr in zip(packed.numbers["of"], numbers, strict=True):
        if place not in known and cpr in before:
            known[place] = before[cpr]
    places, person_ids, renewed = [], [], []
    for place, digest in enumerate(packed.digests):
        was = known.get(place)
        if was is None or was.digest != digest:
            places.append(place)
            person_ids.append(was.person_id if was else new_id())
            renewed += [was.person_id] if was else []
    return _Incoming(places=places, person_ids=person_ids, renewed=renewed)


async def _write(tx: Tx, packed: PackedPersons, incoming: _Incoming, source: str) -> None:
    of = incoming.of()
    await tx.run(sql.insert_imported, **packed.persons, **of)
    await tx.run(sql.insert_numbers, **packed.numbers, **of)
    if incoming.renewed:
        await tx.run(sql.end_missing_facts, **packed.facts, **of, source=source)
        await tx.run(sql.end_imported_relations, person_ids=incoming.renewed, source=source)
        await tx.run(sql.insert_missing_facts, **packed.facts, **of, source=source)
    else:
        await tx.run(sql.insert_imported_facts, **packed.facts, **of, source=source)
    await tx.run(sql.insert_relations, **packed.relations, **of, source=source)
    digests = [packed.digests[place] for place in incoming.places]
    await tx.run(sql.remember_imports, person_ids=incoming.person_ids, digests=digests, source=source)
    await note_words(tx, packed.words)  # last: whoever notes the same words waits for this transaction
