"""Facts in time: learning against a second, simpler computation that keeps one value for every day."""

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.cast import permit
from torv.base import clock
from torv.base.access import Caller, CallerKind
from torv.base.ids import new_id
from torv.kernel.persons import ContactAddress, Fact, FactKind, KnownFact, Name, Person, Protection
from torv.kernel.persons.facts import facts_on, learn, plain_value, read_value, snapshot
from torv.kernel.persons.rules import visible_facts

FIRST = date(2026, 1, 1)
DAYS = 30

names = st.sampled_from("abcdef").map(lambda letter: Name(given_names=letter, family_name="x"))
days = st.none() | st.integers(0, DAYS - 1).map(lambda number: FIRST + timedelta(days=number))


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    begins, ends = draw(days), draw(days)
    if begins and ends and begins > ends:
        begins, ends = ends, begins
    if begins is not None and begins == ends:
        ends = None
    return Fact(kind=FactKind.NAME, value=draw(names), valid_from=begins, valid_to=ends)


def every_day() -> list[date]:
    return [FIRST + timedelta(days=number) for number in range(-1, DAYS + 1)]


@given(st.lists(facts(), max_size=12))
def test_what_is_learnt_last_is_true_on_its_days_and_changes_no_other(learnt: list[Fact]) -> None:
    known: list[Fact] = []
    calendar: dict[date, Name] = {}
    for new in learnt:
        ended, added = learn(known, new)
        known = [fact for fact in known if fact not in ended] + added
        for day in every_day():
            if (new.valid_from or date.min) <= day < (new.valid_to or date.max):
                assert isinstance(new.value, Name)
                calendar[day] = new.value
    for day in every_day():
        assert facts_on(known, day).get(FactKind.NAME) == calendar.get(day)


@given(st.lists(facts(), max_size=12))
def test_at_most_one_fact_of_a_kind_holds_on_a_day(learnt: list[Fact]) -> None:
    known: list[Fact] = []
    for new in learnt:
        ended, added = learn(known, new)
        known = [fact for fact in known if fact not in ended] + added
    for day in every_day():
        assert sum((each.valid_from or date.min) <= day < (each.valid_to or date.max) for each in known) <= 1


@given(facts())
def test_a_value_survives_the_way_through_json(fact: Fact) -> None:
    assert read_value(fact.kind, plain_value(fact.value)) == fact.value


def test_a_snapshot_knows_the_next_day_on_which_something_changes() -> None:
    later = Protection(hides_address=True, hides_name=False)
    known = [
        Fact(kind=FactKind.NAME, value=Name(given_names="Alma", family_name="Holm")),
        Fact(kind=FactKind.PROTECTION, value=later, valid_from=date(2026, 3, 1), valid_to=date(2026, 5, 1)),
    ]
    before, within = snapshot(known, date(2026, 2, 1)), snapshot(known, date(2026, 3, 1))
    assert (before.hides_address, before.refresh_on) == (False, date(2026, 3, 1))
    assert (within.hides_address, within.refresh_on) == (True, date(2026, 5, 1))


def test_a_contact_address_is_hidden_where_the_address_is() -> None:
    value = ContactAddress(lines=("Sygehuset", "6200 Fjordby"))
    assert read_value(FactKind.CONTACT_ADDRESS, plain_value(value)) == value
    person = Person(
        id=new_id(), version=1, cpr=None, sex=None, birth_date=None, given_names="Alma", family_name="Holm",
        address=None, has_protected_address=True, has_protected_name=False, civil_status=None, status=None,
        known_at=clock.now(),
    )  # fmt: skip
    known = KnownFact(
        kind=FactKind.CONTACT_ADDRESS,
        value=value,
        valid_from=None,
        valid_to=None,
        known_from=clock.now(),
        known_to=None,
    )
    reader = Caller(kind=CallerKind.USER, id=new_id(), name="Anna Holm")
    assert visible_facts([known], person, permit(reader, "persons.read", ("person",))) == []
    assert visible_facts([known], person, permit(reader, "persons.read", ("person.protected_address",))) == [known]
    assert visible_facts([known], replace(person, has_protected_address=False), permit(reader, "persons.read")) == [
        known
    ]
