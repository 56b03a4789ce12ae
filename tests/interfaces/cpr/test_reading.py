"""What the test persons' records say, and what they do not."""

from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest

from torv.interfaces.cpr.checking import check_file
from torv.interfaces.cpr.layouts import layouts
from torv.interfaces.cpr.parts import read_persons
from torv.interfaces.cpr.reading import read_person
from torv.kernel.persons import (
    Address,
    CivilStatus,
    CivilStatusCode,
    ContactAddress,
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

People = dict[str, ImportedPerson]
CPR = "0205761235"


@pytest.fixture(scope="module")
def people(test_extract: Path) -> People:
    return read_all(test_extract)


def read_all(path: Path) -> People:
    extract = check_file(path, lambda *_: None, 3)
    with path.open("rb") as file:
        found = [read_persons(file, extract, part) for part in range(3)]
    return {person.cpr: person for part in found for person in part.values()}


def facts(person: ImportedPerson, kind: FactKind) -> list[Fact]:
    return [fact for fact in person.facts if fact.kind is kind]


def line(record: str, **values: str) -> str:
    return layouts()[record].write(cpr=CPR, **values)


def test_all_eighty_are_read_from_both_variants(people: People, test_extract: Path) -> None:
    assert len(people) == 80
    assert read_all(test_extract.with_stem(f"{test_extract.stem}_FixedLength")) == people


def test_at_most_one_fact_of_a_kind_holds_on_a_day(people: People) -> None:
    for person in people.values():
        for kind in FactKind:
            for one, other in pairwise(facts(person, kind)):
                assert one.valid_to is not None
                assert other.valid_from is not None
                assert one.valid_to <= other.valid_from
        assert all(
            fact.valid_from is None or fact.valid_to is None or fact.valid_from < fact.valid_to for fact in person.facts
        )


def test_somebody_whose_letters_go_elsewhere(people: People) -> None:
    [contact] = facts(people["0709614738"], FactKind.CONTACT_ADDRESS)
    assert isinstance(contact.value, ContactAddress)
    assert len(contact.value.lines) == 5
    assert contact.value.lines[0].startswith("Kontaktadresse Linje 1")


def test_somebody_who_has_moved_between_countries(people: People) -> None:
    person = people["0307610078"]
    assert [fact.value for fact in facts(person, FactKind.NAME)] == [
        Name(given_names="Monika", family_name="Eliasen"),
        Name(given_names="Monika Togliatti", family_name="Eliasen"),
    ]
    *_, abroad, home = facts(person, FactKind.ADDRESS)
    assert isinstance(abroad.value, Address)
    assert (abroad.value.lines[1], abroad.value.country) == ("I 23432 Bergamo", "Italien")
    assert home.value == Address(
        lines=("Industrivænget 4,1 tv", "Hasseris", "9000 Aalborg"), municipality_code="0851", road_code="8512",
        house="004", floor="01", door="tv", postal_code="9000", city="Aalborg",
    )  # fmt: skip
    assert (home.valid_from, home.valid_to) == (date(1998, 2, 28), None)
    assert facts(person, FactKind.STATUS) == [
        Fact(
            kind=FactKind.STATUS, value=Status(code=StatusCode.EMIGRATED, country="Italien"),
            valid_from=date(1997, 12, 31), valid_to=date(1998, 2, 28),
        ),
        Fact(kind=FactKind.STATUS, value=Status(code=StatusCode.RESIDENT), valid_from=date(1998, 2, 28)),
    ]  # fmt: skip
    assert person.former_cprs == ("0708614246",)


def test_a_child_who_has_died(people: People) -> None:
    person = people["0101980014"]
    assert (person.sex, person.birth_date) == ("K", date(1998, 1, 1))
    assert facts(person, FactKind.STATUS) == [
        Fact(kind=FactKind.STATUS, value=Status(code=StatusCode.DEAD), valid_from=date(2000, 6, 30))
    ]
    assert [(each.kind, each.cpr) for each in person.relations] == [
        (RelationKind.PARENT, "0709614282"), (RelationKind.CUSTODY, "0709614290"), (RelationKind.CUSTODY, "0707614293"),
    ]  # fmt: skip


def test_custody_of_a_mother_is_hers_whom_another_record_names(people: People) -> None:
    custody = [each for each in people["3112970079"].relations if each.kind is RelationKind.CUSTODY]
    assert custody == [Relation(kind=RelationKind.CUSTODY, cpr="1303814074", valid_from=date(2008, 1, 1))]


def test_guardians_come_by_number_or_by_name(people: People) -> None:
    guardians = {each for person in people.values() for each in person.relations if each.kind is RelationKind.GUARDIAN}
    assert guardians == {
        Relation(kind=RelationKind.GUARDIAN, cpr="0904414131", valid_from=date(2000, 2, 28)),
        Relation(
            kind=RelationKind.GUARDIAN,
            name="Dieter Planckhardt",
            valid_from=date(2001, 6, 30),
            valid_to=date(2009, 7, 1),
        ),
    }


def test_only_protection_of_name_and_address_hides(people: People) -> None:
    assert facts(people["0108610018"], FactKind.PROTECTION) == []  # has 0003, against marketing
    assert facts(people["0708614335"], FactKind.PROTECTION) == [
        Fact(
            kind=FactKind.PROTECTION, value=Protection(hides_address=True, hides_name=True),
            valid_from=date(2001, 11, 12), valid_to=date(2003, 11, 12),
        )
    ]  # fmt: skip
    assert sum(bool(facts(person, FactKind.PROTECTION)) for person in people.values()) == 9


def test_what_was_corrected_is_left_out(people: People) -> None:
    married = [fact.value for fact in facts(people["0708614319"], FactKind.CIVIL_STATUS)]
    assert married == [
        CivilStatus(code=CivilStatusCode.MARRIED, spouse_cpr="0707614218"),
        CivilStatus(code=CivilStatusCode.DIVORCED, spouse_cpr="0707614218"),
        CivilStatus(code=CivilStatusCode.MARRIED, spouse_cpr="0707614218"),
    ]


def test_a_replaced_number_points_at_the_new_one(people: People) -> None:
    (fact,) = facts(people["0101520013"], FactKind.STATUS)
    assert fact.value == Status(code=StatusCode.DELETED, new_cpr="0107529039")


def test_parents_without_number_come_by_name(people: People) -> None:
    names = [each.name for each in people["2802363039"].relations if each.kind is RelationKind.PARENT]
    assert names == ["Udolfina Ullerini", "Ugo Ullerini"]


def test_of_two_that_overlap_the_one_that_began_last_holds() -> None:
    person = read_person(
        [
            line("001", status="01"),
            line("008", given="Ny", family="Bæk", named_at="202001011200"),
            line("026", given="Gammel", family="Bæk", named_at="200001011200", ended_at="202106011200"),
        ]
    )
    assert [(fact.valid_from, fact.valid_to) for fact in facts(person, FactKind.NAME)] == [
        (date(2000, 1, 1), date(2020, 1, 1)), (date(2020, 1, 1), None),
    ]  # fmt: skip


def test_an_unknown_day_is_the_first_it_may_be() -> None:
    person = read_person(
        [line("001", status="01", born_on="1941-00-00"), line("008", given="A", named_at="194105009999")]
    )
    assert person.birth_date == date(1941, 1, 1)
    assert person.facts[0].valid_from == date(1941, 5, 1)


def test_a_country_without_a_name_is_its_code() -> None:
    person = read_person([line("001", status="80"), line("005", country="5998", left_at="202501011200")])
    assert person.facts[-1].value == Status(code=StatusCode.EMIGRATED, country="5998")
