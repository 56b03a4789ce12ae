"""Made-up municipalities: nobody's numbers, and what is written is what is read."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stdnum.dk import cpr as referee

from torv.interfaces.cpr import write_extract
from torv.interfaces.cpr.checking import check_file
from torv.interfaces.cpr.layouts import countries
from torv.interfaces.cpr.population import DISTRICT, MUNICIPALITY, POSTAL_CODE, Citizen, Home, citizens, made_up_cpr
from torv.interfaces.cpr.reading import CIVIL_STATUSES, WITH_SPOUSE, read_person
from torv.interfaces.cpr.writing import lines_of, street_line
from torv.kernel.persons import (
    Address,
    CivilStatus,
    Fact,
    FactKind,
    ImportedPerson,
    Name,
    Protection,
    Relation,
    RelationKind,
    Status,
    StatusCode,
)

MANY = list(citizens(3_000, 7))


def test_no_made_up_number_can_be_anybodys() -> None:
    numbers = [citizen.cpr for citizen in MANY] + [citizen.former_cpr[0] for citizen in MANY if citizen.former_cpr]
    assert len(set(numbers)) == len(numbers)
    for number in numbers:
        assert (
            sum(int(digit) * weight for digit, weight in zip(number, (4, 3, 2, 7, 6, 5, 4, 3, 2, 1), strict=True)) % 11
        )
        assert not number.startswith("0101")


def test_made_up_numbers_have_the_form_of_numbers() -> None:
    for citizen in MANY:
        assert referee.get_birth_date(citizen.cpr) == citizen.born
        assert (int(citizen.cpr[-1]) % 2 == 1) == (citizen.sex == "M")


def test_nobody_is_made_up_on_the_day_that_such_numbers_are_given_for() -> None:
    with pytest.raises(ValueError, match="first of January"):
        made_up_cpr(Random(1), date(1985, 1, 1), "K")


def test_a_municipality_has_everything_an_extract_can_tell_of() -> None:
    assert any(citizen.protection for citizen in MANY)
    assert any(citizen.died for citizen in MANY)
    assert any(citizen.gone for citizen in MANY)
    assert any(citizen.was_abroad for citizen in MANY)
    assert any(citizen.former_cpr for citizen in MANY)
    assert any(citizen.guardian for citizen in MANY)
    assert any(len(citizen.names) > 1 for citizen in MANY)
    assert any(len(citizen.homes) > 1 for citizen in MANY)
    assert {wedlock.code for citizen in MANY for wedlock in citizen.wedlocks} == set("UGFE")
    assert any(len({each.span for each in citizen.custody}) == 2 for citizen in MANY)


def test_parents_are_grown_and_live_in_the_municipality() -> None:
    born = {citizen.cpr: citizen.born for citizen in MANY}
    children = [citizen for citizen in MANY if citizen.mother]
    assert len(children) > 300
    for child in children:
        assert child.mother in born
        assert born[child.mother].year + 18 < child.born.year


def test_the_same_seed_writes_the_same_file(tmp_path: Path) -> None:
    one, other, third = (tmp_path / name for name in ("one", "other", "third"))
    for path, seed in ((one, 1), (other, 1), (third, 2)):
        write_extract(path, persons=50, seed=seed)
    assert one.read_bytes() == other.read_bytes() != third.read_bytes()


def test_a_written_file_is_a_valid_extract(tmp_path: Path) -> None:
    path = tmp_path / "extract.txt"
    records = write_extract(path, persons=300, seed=4)
    extract = check_file(path, lambda *_: None)
    assert (extract.persons, extract.records) == (300, records)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), persons=st.integers(1, 120))
def test_what_is_made_up_is_what_is_read(seed: int, persons: int) -> None:
    for citizen in citizens(persons, seed):
        assert read_person(list(lines_of(citizen))) == expected(citizen)


def expected(citizen: Citizen) -> ImportedPerson:
    """What the kernel should be told, made straight from the made-up person."""
    return ImportedPerson(
        cpr=citizen.cpr, sex=citizen.sex, birth_date=citizen.born,
        facts=(
            *names(citizen), *addresses(citizen), *protection(citizen), *civil_statuses(citizen), *statuses(citizen),
        ),
        relations=tuple(relations(citizen)), former_cprs=(citizen.former_cpr[0],) if citizen.former_cpr else (),
    )  # fmt: skip


def names(citizen: Citizen) -> Iterator[Fact]:
    for each in citizen.names:
        value = Name(given_names=f"{each.given} {each.middle}".strip(), family_name=each.family)
        yield Fact(kind=FactKind.NAME, value=value, valid_from=each.span[0], valid_to=each.span[1])


def addresses(citizen: Citizen) -> Iterator[Fact]:
    for each in citizen.homes:
        value = here(each) if each.span[1] is None else codes(each)
        yield Fact(kind=FactKind.ADDRESS, value=value, valid_from=each.span[0], valid_to=each.span[1])
    if citizen.gone:
        _, street, town, country, since = citizen.gone
        value = Address(lines=(street, town, country), country=country)
        yield Fact(kind=FactKind.ADDRESS, value=value, valid_from=since)


def codes(home: Home, **more: str) -> Address:
    return Address(
        lines=(), municipality_code=MUNICIPALITY, road_code=home.road, house=home.house,
        floor=home.floor or None, door=home.door or None,
    )  # fmt: skip


def here(home: Home) -> Address:
    return Address(
        lines=(street_line(home), f"{POSTAL_CODE} {DISTRICT}"), municipality_code=MUNICIPALITY, road_code=home.road,
        house=home.house, floor=home.floor or None, door=home.door or None, postal_code=POSTAL_CODE, city=DISTRICT,
    )  # fmt: skip


def protection(citizen: Citizen) -> Iterator[Fact]:
    if citizen.protection:
        value, (begin, end) = Protection(hides_address=True, hides_name=True), citizen.protection
        yield Fact(kind=FactKind.PROTECTION, value=value, valid_from=begin, valid_to=end)


def civil_statuses(citizen: Citizen) -> Iterator[Fact]:
    for each in citizen.wedlocks:
        value = CivilStatus(code=CIVIL_STATUSES[each.code], spouse_cpr=each.spouse)
        yield Fact(kind=FactKind.CIVIL_STATUS, value=value, valid_from=each.span[0], valid_to=each.span[1])


def statuses(citizen: Citizen) -> Iterator[Fact]:
    back: date | None = None
    if citizen.was_abroad:
        code, left, back = citizen.was_abroad
        value = Status(code=StatusCode.EMIGRATED, country=countries()[code])
        yield Fact(kind=FactKind.STATUS, value=value, valid_from=left, valid_to=back)
    if citizen.died:
        yield Fact(kind=FactKind.STATUS, value=Status(code=StatusCode.DEAD), valid_from=citizen.died)
    elif citizen.gone:
        value = Status(code=StatusCode.EMIGRATED, country=citizen.gone[3])
        yield Fact(kind=FactKind.STATUS, value=value, valid_from=citizen.gone[4])
    else:
        yield Fact(kind=FactKind.STATUS, value=Status(code=StatusCode.RESIDENT), valid_from=back)


def relations(citizen: Citizen) -> Iterator[Relation]:
    parents = {"mother": citizen.mother, "father": citizen.father}
    for parent in filter(None, parents.values()):
        yield Relation(kind=RelationKind.PARENT, cpr=parent, valid_from=citizen.born)
    for each in citizen.custody:
        begin, end = each.span
        holder = parents.get(each.holder, each.holder)
        yield Relation(kind=RelationKind.CUSTODY, cpr=holder, valid_from=begin, valid_to=end)
    if citizen.guardian:
        number, (begin, until) = citizen.guardian
        yield Relation(kind=RelationKind.GUARDIAN, cpr=number, valid_from=begin, valid_to=until)
    for wedlock in citizen.wedlocks:
        if CIVIL_STATUSES[wedlock.code] in WITH_SPOUSE:
            begin_, end_ = wedlock.span
            yield Relation(kind=RelationKind.SPOUSE, cpr=wedlock.spouse, valid_from=begin_, valid_to=end_)
