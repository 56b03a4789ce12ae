"""Facts in time: pure decisions about what follows when something new is learnt, and what is true on a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from torv.base.text import search_key, sort_key
from torv.kernel.persons.models import (
    Address,
    CivilStatus,
    CivilStatusCode,
    ContactAddress,
    Fact,
    FactKind,
    FactValue,
    Name,
    Protection,
    Status,
    StatusCode,
)

KIND_OF: dict[type, FactKind] = {
    Name: FactKind.NAME,
    Address: FactKind.ADDRESS,
    ContactAddress: FactKind.CONTACT_ADDRESS,
    Protection: FactKind.PROTECTION,
    CivilStatus: FactKind.CIVIL_STATUS,
    Status: FactKind.STATUS,
}
KEY_LENGTH = 500  #: characters of a name or an address that are sorted and searched by; an index takes no more
OPEN = Protection(hides_address=False, hides_name=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """What is true on one day, as the table of persons keeps it for reading and searching."""

    given_names: str | None
    family_name: str | None
    address: str | None
    hides_address: bool
    hides_name: bool
    civil_status: str | None
    status: str | None
    name_sort: str
    name_search: str
    address_search: str
    refresh_on: date | None  #: the next day on which something of this changes


def learn(known: Sequence[Fact], new: Fact) -> tuple[list[Fact], list[Fact]]:
    """What ends and what is added when `new` is learnt: (facts no longer thought, facts thought instead).

    The new fact holds for its whole period; what was thought of other days stays.
    """
    ended, added = [], [new]
    for fact in known:
        if fact.kind is new.kind and _overlap(fact, new):
            ended.append(fact)
            added += _around(fact, new)
    return ended, added


def facts_on(facts: Iterable[Fact], day: date) -> dict[FactKind, FactValue]:
    """What is true on a day. Of two of a kind, which a register may give, the one that began last."""
    best: dict[FactKind, Fact] = {}
    for fact in facts:
        if is_valid(fact, day):
            other = best.get(fact.kind)
            if other is None or _begins(fact) >= _begins(other):
                best[fact.kind] = fact
    return {kind: fact.value for kind, fact in best.items()}


def is_valid(fact: Fact, day: date) -> bool:
    """Whether a fact holds on a day."""
    return _begins(fact) <= day < _ends(fact)


def snapshot(facts: Sequence[Fact], day: date) -> Snapshot:
    """What is true on a day, and when that changes."""
    now = facts_on(facts, day)
    name, address = now.get(FactKind.NAME), now.get(FactKind.ADDRESS)
    protection = now.get(FactKind.PROTECTION, OPEN)
    civil_status, status = now.get(FactKind.CIVIL_STATUS), now.get(FactKind.STATUS)
    assert isinstance(protection, Protection)
    given, family = (name.given_names, name.family_name) if isinstance(name, Name) else (None, None)
    letter = ", ".join(address.lines) if isinstance(address, Address) else None
    edges = [edge for fact in facts for edge in (fact.valid_from, fact.valid_to) if edge is not None and edge > day]
    sorted_by, called = f"{family or ''} {given or ''}"[:KEY_LENGTH], f"{given or ''} {family or ''}"[:KEY_LENGTH]
    return Snapshot(
        given_names=given, family_name=family, address=letter,
        hides_address=protection.hides_address, hides_name=protection.hides_name,
        civil_status=civil_status.code if isinstance(civil_status, CivilStatus) else None,
        status=status.code if isinstance(status, Status) else None,
        name_sort=sort_key(sorted_by), name_search=search_key(called),
        address_search=search_key((letter or "")[:KEY_LENGTH]), refresh_on=min(edges, default=None),
    )  # fmt: skip


def plain_value(value: FactValue) -> dict[str, Any]:
    """A value as JSON; what is not known is left out."""
    return {name: each for name, each in plain(value).items() if each is not None}


def plain(value: Any) -> dict[str, Any]:
    """The members of one of our flat values; `asdict` would copy them deeply, which costs ten times as much."""
    return {name: getattr(value, name) for name in value.__slots__}


def read_value(kind: str, plain: dict[str, Any]) -> FactValue:
    """The value that `plain_value` wrote."""
    match FactKind(kind):
        case FactKind.NAME:
            return Name(**plain)
        case FactKind.ADDRESS:
            return Address(**{**plain, "lines": tuple(plain["lines"])})
        case FactKind.CONTACT_ADDRESS:
            return ContactAddress(lines=tuple(plain["lines"]))
        case FactKind.PROTECTION:
            return Protection(**plain)
        case FactKind.CIVIL_STATUS:
            return CivilStatus(**{**plain, "code": CivilStatusCode(plain["code"])})
        case FactKind.STATUS:
            return Status(**{**plain, "code": StatusCode(plain["code"])})


def _around(fact: Fact, new: Fact) -> list[Fact]:
    """The parts of a fact before and after a new one's period."""
    before = replace(fact, valid_to=new.valid_from) if _begins(fact) < _begins(new) else None
    after = replace(fact, valid_from=new.valid_to) if _ends(fact) > _ends(new) else None
    return [part for part in (before, after) if part is not None]


def _overlap(one: Fact, other: Fact) -> bool:
    return _begins(one) < _ends(other) and _begins(other) < _ends(one)


def _begins(fact: Fact) -> date:
    return fact.valid_from or date.min


def _ends(fact: Fact) -> date:
    return fact.valid_to or date.max
