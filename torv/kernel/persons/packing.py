"""Packing: what a register says about many persons, as the columns that the bulk statements take.

Pure, and the work of an import that is not the database's: another process can do it and send what it has made.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import attrgetter
from typing import Any

from pydantic_core import to_json

from torv.kernel.persons.facts import plain_value, snapshot
from torv.kernel.persons.models import Fact, FactValue, ImportedPerson, Relation
from torv.kernel.persons.words import Word, words_in

_PERSON = (
    "cpr", "sex", "birth_date", "given_names", "family_name", "address", "hides_address", "hides_name", "civil_status",
    "status", "name_sort", "name_search", "address_search", "refresh_on",
)  # fmt: skip
_of_today = attrgetter(*_PERSON[3:])
_FACT = ("of", "kind", "value", "valid_from", "valid_to")
_RELATION = ("of", "kind", "cpr", "name", "valid_from", "valid_to")

Columns = dict[str, list[Any]]  #: by name; `of` is the place of the person among those packed


@dataclass(frozen=True, kw_only=True, slots=True)
class PackedPersons:
    """Persons in columns. One value of each column of `persons` and one digest for each person."""

    persons: Columns
    numbers: Columns  #: present and former ones, the present one first
    facts: Columns
    relations: Columns
    digests: list[bytes]  #: of everything the register says, whatever the day
    words: set[Word]  #: of all of them

    def __len__(self) -> int:
        return len(self.digests)


def pack(persons: Iterable[ImportedPerson], today: date) -> PackedPersons:
    """Persons with what is true of them today."""
    rows: list[tuple[Any, ...]] = []
    numbers: list[tuple[int, str]] = []
    facts: list[tuple[Any, ...]] = []
    relations: list[tuple[Any, ...]] = []
    digests: list[bytes] = []
    words: set[Word] = set()
    for place, person in enumerate(persons):
        made = snapshot(person.facts, today)
        words |= words_in(made)
        rows.append((person.cpr, person.sex, person.birth_date, *_of_today(made)))
        numbers += [(place, cpr) for cpr in (person.cpr, *person.former_cprs)]
        said = [_fact(place, fact) for fact in person.facts]
        related = [_relation(place, relation) for relation in person.relations]
        digests.append(_digest(person, said, related))
        facts += said
        relations += related
    return PackedPersons(
        persons=_columns(_PERSON, rows), numbers=_columns(("of", "cpr"), numbers), facts=_columns(_FACT, facts),
        relations=_columns(_RELATION, relations), digests=digests, words=words,
    )  # fmt: skip


def _fact(place: int, fact: Fact) -> tuple[Any, ...]:
    return place, fact.kind, _json(fact.value), fact.valid_from, fact.valid_to


def _relation(place: int, relation: Relation) -> tuple[Any, ...]:
    return place, relation.kind, relation.cpr, relation.name, relation.valid_from, relation.valid_to


@lru_cache(maxsize=20_000)
def _json(value: FactValue) -> str:
    return to_json(plain_value(value)).decode()


def _digest(person: ImportedPerson, facts: Sequence[tuple[Any, ...]], relations: Sequence[tuple[Any, ...]]) -> bytes:
    """A hash of everything said; where somebody stands among the others is no part of it."""
    said = [f"{person.cpr},{person.sex},{person.birth_date},{','.join(person.former_cprs)}"]
    said += [f"{kind}{value}{_iso(begin)}{_iso(end)}" for _, kind, value, begin, end in facts]
    said += [f"{kind},{cpr},{name!r}{_iso(begin)}{_iso(end)}" for _, kind, cpr, name, begin, end in relations]
    return hashlib.sha256("\n".join(said).encode()).digest()


@lru_cache(maxsize=100_000)
def _iso(day: date | None) -> str:
    return f",{day or ''}"


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Columns:
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    return dict(zip(names, map(list, columns), strict=True))
