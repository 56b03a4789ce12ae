"""A made-up municipality: families with everything an extract can tell of, the same for the same seed.

No number belongs to anybody: see `made_up_cpr`.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import islice
from typing import Any

from torv.interfaces.cpr.layouts import data

MUNICIPALITY, POSTAL_CODE, DISTRICT = "0899", "6299", "Fjordby"  #: no such codes are in use
NOW = date(2026, 11, 1)  #: when the extract is made; fixed, so that a seed gives the same file tomorrow
GROWN = 18
_WEIGHTS = (4, 3, 2, 7, 6, 5, 4, 3, 2, 1)
_SEVENTH = {1900: "0123", 2000: "5678"}  #: seventh digits that state the century, whatever the year

Span = tuple[date, date | None]  #: from a day, up to another


@dataclass(frozen=True, kw_only=True, slots=True)
class Named:
    given: str
    middle: str
    family: str
    span: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class Home:
    road: str
    street: str
    house: str
    floor: str
    door: str
    span: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class Wedlock:
    code: str  #: U, G, F or E
    spouse: str | None
    span: tuple[date | None, date | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Custody:
    holder: str  #: "mother", "father", or the CPR number of another
    span: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class Citizen:
    """Somebody made up. Names, homes and wedlocks are in order of time; the last one without an end is the present."""

    cpr: str
    sex: str
    born: date
    names: tuple[Named, ...]
    homes: tuple[Home, ...]
    wedlocks: tuple[Wedlock, ...]
    mother: str | None = None
    father: str | None = None
    custody: tuple[Custody, ...] = ()
    guardian: tuple[str, Span] | None = None
    protection: Span | None = None
    died: date | None = None
    gone: tuple[str, str, str, str, date] | None = None  #: country code, lines of the address abroad, since
    was_abroad: tuple[str, date, date] | None = None  #: country code, away from, back again
    former_cpr: tuple[str, date] | None = None  #: and when it was changed


@dataclass(slots=True)
class _Maker:
    """What the making of a municipality goes on with: chance, and the numbers that are taken."""

    chance: random.Random
    taken: set[str] = field(default_factory=set)
    words: dict[str, Any] = field(default_factory=lambda: dict(data("made_up")))


def citizens(persons: int, seed: int) -> Iterator[Citizen]:
    """So many people of a made-up municipality, family by family."""
    return islice(_families(_Maker(random.Random(seed))), persons)  # noqa: S311 people are made up, no secrets


def made_up_cpr(chance: random.Random, born: date, sex: str) -> str:
    """A number with the form of a CPR number that belongs to nobody, living or dead.

    It fails modulus 11. Such numbers are given to people born on the first of January only (cpr.dk, "Personnumre uden
    kontrolciffer"), so nobody made up is born on that day. Raises ValueError for that day.
    """
    if (born.month, born.day) == (1, 1):
        raise ValueError("numbers that fail modulus 11 are in use on the first of January")
    while True:
        seventh = chance.choice(_SEVENTH[born.year // 100 * 100])
        last = chance.choice("13579" if sex == "M" else "02468")
        cpr = f"{born:%d%m%y}{seventh}{chance.randrange(100):02}{last}"
        if sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, cpr, strict=True)) % 11:
            return cpr


def _families(maker: _Maker) -> Iterator[Citizen]:
    while True:
        kind = maker.chance.random()
        if kind < 0.55:
            yield from _couple(maker)
        elif kind < 0.70:
            yield from _parted(maker)
        else:
            yield _marked(maker, _grown(maker, maker.chance.choice("MK"), _day(maker, 1932, 2007)))


def _couple(maker: _Maker) -> Iterator[Citizen]:
    """Two who live together, two in three of them married, and their children."""
    woman = _grown(maker, "K", _day(maker, 1935, 2002))
    man = _grown(maker, "M", _near(maker, woman.born))
    man = replace(man, homes=woman.homes)
    if maker.chance.random() < 0.67:
        day = _day(maker, max(woman.born, man.born).year + 20, min(max(woman.born, man.born).year + 35, 2025))
        woman, man = _wed(woman, man, day, maker.chance.random() < 0.4)
    woman, man = _age(maker, woman, man)
    children = list(_children(maker, woman, man))
    yield _marked(maker, woman)
    yield _marked(maker, man)
    yield from children


def _parted(maker: _Maker) -> Iterator[Citizen]:
    """Two who were married and have parted; the children live with the mother."""
    woman = _grown(maker, "K", _day(maker, 1960, 1998))
    man = _grown(maker, "M", _near(maker, woman.born))
    day = _day(maker, max(woman.born, man.born).year + 20, max(woman.born, man.born).year + 21)
    woman, man = _wed(woman, man, day, False)
    parted = _day(maker, max(day.year + 3, 2015), max(day.year + 4, 2024))
    woman, man = _part(woman, man, parted)
    children = list(_children(maker, woman, man, parted))
    yield _marked(maker, woman)
    yield _marked(maker, man)
    yield from children


def _grown(maker: _Maker, sex: str, born: date) -> Citizen:
    """Somebody grown up, unmarried so far, who may have moved once."""
    since = max(born + timedelta(days=19 * 366), _day(maker, 1990, 2025))
    homes: tuple[Home, ...] = (_home(maker, (min(since, NOW), None)),)
    if maker.chance.random() < 0.5:
        homes = (_home(maker, (born, homes[0].span[0])), *homes)
    return _newborn(maker, sex, born, maker.chance.choice(maker.words["families"]), homes)


def _newborn(maker: _Maker, sex: str, born: date, family: str, homes: tuple[Home, ...]) -> Citizen:
    given = maker.chance.choice(maker.words["women" if sex == "K" else "men"])
    middle = maker.chance.choice(maker.words["families"]) if maker.chance.random() < 0.4 else ""
    name = Named(given=given, middle=middle, family=family, span=(born, None))
    single = Wedlock(code="U", spouse=None, span=(None, None))
    return Citizen(cpr=_number(maker, born, sex), sex=sex, born=born, names=(name,), homes=homes, wedlocks=(single,))


def _number(maker: _Maker, born: date, sex: str) -> str:
    while (cpr := made_up_cpr(maker.chance, born, sex)) in maker.taken:
        pass
    maker.taken.add(cpr)
    return cpr


def _home(maker: _Maker, span: Span) -> Home:
    number = maker.chance.randrange(len(maker.words["streets"]))
    is_flat = maker.chance.random() < 0.4
    return Home(
        road=f"{100 + 4 * number:04}", street=maker.words["streets"][number], house=f"{maker.chance.randint(1, 98):03}",
        floor=maker.chance.choice(("st", "01", "02", "03")) if is_flat else "",
        door=maker.chance.choice(("tv", "mf", "th")) if is_flat else "", span=span,
    )  # fmt: skip


def _wed(woman: Citizen, man: Citizen, day: date, takes_name: bool) -> tuple[Citizen, Citizen]:
    woman, man = _civil(woman, "G", man.cpr, day), _civil(man, "G", woman.cpr, day)
    if takes_name and woman.names[-1].family != man.names[-1].family:
        old = woman.names[-1]
        taken = replace(old, family=man.names[-1].family, span=(day, None))
        woman = replace(woman, names=(replace(old, span=(old.span[0], day)), taken))
    return woman, man


def _part(woman: Citizen, man: Citizen, day: date) -> tuple[Citizen, Citizen]:
    return _civil(woman, "F", man.cpr, day), _civil(man, "F", woman.cpr, day)


def _civil(citizen: Citizen, code: str, spouse: str, day: date) -> Citizen:
    *before, last = citizen.wedlocks
    ended = replace(last, span=(last.span[0], day))
    new = Wedlock(code=code, spouse=spouse, span=(day, None))
    return replace(citizen, wedlocks=(*before, ended, new))


def _age(maker: _Maker, woman: Citizen, man: Citizen) -> tuple[Citizen, Citizen]:
    """Among the old some men have died; whom they were married to is widowed."""
    if man.born.year > 1955 or maker.chance.random() > 0.3:
        return woman, man
    died = _day(maker, 2019, 2025)
    if woman.wedlocks[-1].code == "G":
        woman = _civil(woman, "E", man.cpr, died)
    return woman, _leave_home(replace(man, died=died), died)


def _leave_home(citizen: Citizen, day: date) -> Citizen:
    """Whoever dies or goes abroad has no home here from that day."""
    homes = [home for home in citizen.homes if home.span[0] < day]
    return replace(
        citizen, homes=tuple(replace(each, span=(each.span[0], min(each.span[1] or day, day))) for each in homes)
    )


def _children(maker: _Maker, woman: Citizen, man: Citizen, parted: date | None = None) -> Iterator[Citizen]:
    """Children who still live at home."""
    for _ in range(maker.chance.randint(0, 3)):
        born = _day(maker, woman.born.year + 20, woman.born.year + 38)
        if (
            NOW - timedelta(days=21 * 365) < born < NOW
            and not (parted and born > parted)
            and not (man.died and born > man.died)
        ):
            homes = tuple(replace(each, span=(max(each.span[0], born), each.span[1])) for each in woman.homes[-1:])
            child = _newborn(maker, maker.chance.choice("MK"), born, man.names[0].family, homes)
            yield _in_custody(maker, replace(child, mother=woman.cpr, father=man.cpr), parted)


def _in_custody(maker: _Maker, child: Citizen, parted: date | None) -> Citizen:
    """Parents share custody until the child is grown; after a parting one of them may hold it alone."""
    grown = child.born.replace(year=child.born.year + GROWN, day=min(child.born.day, 28))
    if grown <= NOW:
        return child
    until = max(parted, child.born) if parted and maker.chance.random() < 0.5 else grown
    custody: list[Custody] = [Custody(holder="mother", span=(child.born, grown))]
    if child.born < until:
        custody.append(Custody(holder="father", span=(child.born, until)))
    return replace(child, custody=tuple(custody))


def _marked(maker: _Maker, citizen: Citizen) -> Citizen:
    """What befalls a few: protection, a new number, a guardian, going abroad and perhaps coming back."""
    fate = maker.chance.random()
    if fate < 0.04:
        day = _day(maker, 2025, 2025)
        return replace(citizen, protection=(day, day.replace(year=day.year + maker.chance.choice((1, 5)))))
    if fate < 0.045:
        return replace(citizen, former_cpr=(_number(maker, citizen.born, citizen.sex), _day(maker, 2019, 2024)))
    if fate < 0.05 and maker.taken:
        guardian = _grown(maker, "K", _day(maker, 1960, 1990)).cpr
        return replace(citizen, guardian=(guardian, (_day(maker, 2019, 2024), None)))
    if fate < 0.06 and citizen.died is None:
        return _emigrated(maker, citizen)
    if fate < 0.07 and citizen.died is None and citizen.born.year < 1995:
        code = maker.chance.choice(maker.words["abroad"])[0]
        return replace(citizen, was_abroad=(code, _day(maker, 2016, 2016), _day(maker, 2018, 2018)))
    return citizen


def _emigrated(maker: _Maker, citizen: Citizen) -> Citizen:
    code, street, town, country = maker.chance.choice(maker.words["abroad"])
    day = NOW - timedelta(days=maker.chance.randint(1, 300))
    address = f"{street} {maker.chance.randint(1, 150)}"
    return _leave_home(replace(citizen, gone=(code, address, town, country, day)), day)


def _near(maker: _Maker, born: date) -> date:
    return _day(maker, max(born.year - 4, 1932), min(born.year + 4, 2006))


def _day(maker: _Maker, first: int, last: int) -> date:
    """A day of these years, never the first of January."""
    return date(maker.chance.randint(first, max(first, last)), 1, 1) + timedelta(days=maker.chance.randint(1, 364))
