"""Writing extracts: made-up people in the register's own form, so that demo data takes the real road in."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from torv.interfaces.cpr.layouts import ENCODING, FIRST, LAST, layouts
from torv.interfaces.cpr.population import (
    DISTRICT,
    MUNICIPALITY,
    NOW,
    POSTAL_CODE,
    Citizen,
    Home,
    Named,
    citizens,
)

TASK = "999999"
NOON = "1200"
NO_CPR, NO_TIME = "0" * 10, "0" * 12
_HOLDERS = {"mother": "0003", "father": "0004"}


def write_extract(path: Path, *, persons: int, seed: int) -> int:
    """Write a valid extract about made-up people; gives the number of its records. The same seed, the same file.

    Raises FileExistsError: what is there may be somebody's real extract.
    """
    records = 0
    with path.open("x", encoding=ENCODING, newline="\r\n") as file:
        print(_line(FIRST, sort="0" * 10, task=TASK, produced_on=f"{NOW:%Y%m%d}", previous_on="0" * 8), file=file)
        for citizen in citizens(persons, seed):
            lines = list(lines_of(citizen))
            print(*lines, sep="\n", file=file)
            records += len(lines)
        print(_line(LAST, nines="9" * 10, records=f"{records:08}"), file=file)
    return records


def lines_of(citizen: Citizen) -> Iterator[str]:
    """The records about one person, in the order of their numbers."""
    own = {"cpr": citizen.cpr}
    name, homes = citizen.names[-1], list(citizen.homes)
    here = homes.pop() if homes and homes[-1].span[1] is None else None
    yield _person(citizen)
    if here:
        yield _address(citizen.cpr, here)
    yield _letter(citizen, here)
    if citizen.protection:
        begin, end = citizen.protection
        yield _line("004", **own, kind="0001", from_on=_day(begin), to_on=_day(end))
    if citizen.gone:
        country, street, town, land, since = citizen.gone
        yield _line(
            "005", **own, country=country, left_at=_minute(since), abroad_1=street, abroad_2=town, abroad_3=land
        )
    yield _line("008", **own, **_name(name), named_at=_minute(name.span[0]), letter_name=_letter_name(name))
    yield from _family(citizen)
    if citizen.former_cpr:
        number, changed = citizen.former_cpr
        yield _line("022", **own, former_cpr=number, from_on=_day(citizen.born), to_on=_day(changed))
    yield from _history(citizen, homes)


def _person(citizen: Citizen) -> str:
    status, since = ("90", citizen.died) if citizen.died else ("80", citizen.gone[4]) if citizen.gone else ("01", None)
    return _line(
        "001", cpr=citizen.cpr, status=status, status_at=_minute(since), sex=citizen.sex, born_on=_day(citizen.born),
        began_on=_day(citizen.born), ended_on=_day(citizen.died),
    )  # fmt: skip


def _address(cpr: str, home: Home) -> str:
    return _line(
        "002", cpr=cpr, **_codes(home), moved_in_at=_minute(home.span[0]), arrived_at=_minute(home.span[0]),
        left_municipality="0000", left_at=NO_TIME, home_authority="0000",
    )  # fmt: skip


def _letter(citizen: Citizen, home: Home | None) -> str:
    name = _letter_name(citizen.names[-1])
    if home is None:
        return _line("003", cpr=citizen.cpr, letter_name=name, postal_code="0000", municipality="0000", road="0000")
    return _line(
        "003", cpr=citizen.cpr, letter_name=name, street_line=street_line(home), postal_code=POSTAL_CODE,
        district=DISTRICT, **_codes(home), street=home.street,
    )  # fmt: skip


def street_line(home: Home) -> str:
    """The line of a letter: "Torvet 4,2 th"."""
    where = f",{home.floor.lstrip('0')} {home.door}" if home.floor else ""
    return f"{home.street} {home.house.lstrip('0')}{where}"


def _family(citizen: Citizen) -> Iterator[str]:
    own, civil = {"cpr": citizen.cpr}, citizen.wedlocks[-1]
    yield _line(
        "012", **own, code=civil.code, spouse_cpr=civil.spouse or "", from_at=_minute(civil.span[0])
    )  # fmt: skip
    yield _line(
        "015", **own, mother_from=_day(citizen.born), mother_cpr=citizen.mother or NO_CPR,
        father_from=_day(citizen.born), father_cpr=citizen.father or NO_CPR,
    )  # fmt: skip
    for custody in citizen.custody:
        begin, end = (_day(each) for each in custody.span)
        holder = _HOLDERS.get(custody.holder)
        others = {} if holder else {"holder_cpr": custody.holder, "holder_from": begin}
        yield _line("016", **own, holder=holder or "0005", from_on=begin, to_on=end, **others)
    if citizen.guardian:
        guardian, (since, until) = citizen.guardian
        own |= {"from_on": _day(since), "to_on": _day(until)}
        yield _line("017", **own, kind="0001", guardian_cpr=guardian, guardian_from=_day(since))


def _history(citizen: Citizen, homes: list[Home]) -> Iterator[str]:
    own = {"cpr": citizen.cpr}
    for home in homes:
        begin, end = (_minute(each) for each in home.span)
        yield _line("023", **own, **_codes(home), moved_in_at=begin, moved_out_at=end)
    if citizen.was_abroad:
        country, left, back = citizen.was_abroad
        yield _line(
            "024", **own, left_to=country, left_at=_minute(left), came_from=country, came_at=_minute(back)
        )  # fmt: skip
    for name in citizen.names[:-1]:
        begin, end = (_minute(each) for each in name.span)
        yield _line("026", **own, **_name(name), named_at=begin, ended_at=end)
    for civil in citizen.wedlocks[:-1]:
        begin, end = (_minute(each) for each in civil.span)
        yield _line("029", **own, code=civil.code, spouse_cpr=civil.spouse or "", from_at=begin, to_at=end)


def _line(record: str, **values: str) -> str:
    return layouts()[record].write(**values)


def _codes(home: Home) -> dict[str, str]:
    codes = {"municipality": MUNICIPALITY, "road": home.road, "house": home.house}
    return codes | {"floor": home.floor, "door": home.door}


def _name(name: Named) -> dict[str, str]:
    return {"given": name.given, "middle": name.middle, "family": name.family}


def _letter_name(name: Named) -> str:
    return " ".join(filter(None, (name.given, name.middle, name.family)))[:34]


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""


def _minute(day: date | None) -> str:
    return f"{day:%Y%m%d}{NOON}" if day else NO_TIME
