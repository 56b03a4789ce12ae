"""What roles permit: a pure decision over the roles, the demand and the day."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torv.base.access import Access, Caller, CallerKind, Demand, Right, Scope
from torv.base.errors import Denied, InvalidInput
from torv.base.ids import new_id
from torv.kernel.identity import NewAssignment, RoleContent, decide
from torv.kernel.identity import rules as identity_rules

NOON = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
TODAY = date(2026, 3, 2)
EAST, WEST, CARE = (UUID(int=number) for number in (1, 2, 3))
READ_STAFF = Demand(service="organisation", operation="read", category="staff")


def right(**changes: object) -> Right:
    """A role that reads staff."""
    scope = {"categories": frozenset({"staff"}), "units": None, "kle": None, "sensitivity": None}
    limits = {name: changes.pop(name) for name in list(changes) if name in scope}
    units = limits.get("units")
    limits["units"] = () if units is None else (units,)
    values = {
        "role": "Læser", "permits": {"organisation": frozenset({"read"})}, "valid_from": TODAY, "valid_to": None,
        "scope": Scope(**{**scope, **limits}),  # type: ignore[arg-type]
    }  # fmt: skip
    return Right(**{**values, **changes})  # type: ignore[arg-type]


def permit(*rights: Right, demand: Demand = READ_STAFF, now: datetime = NOON) -> Access:
    caller = Caller(kind=CallerKind.USER, id=new_id(), name="Anna Holm", rights=rights)
    return decide(caller, demand, now, new_id())


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"valid_from": TODAY + timedelta(days=1)}, "role"),
        ({"valid_to": TODAY}, "role"),
        ({"permits": {"persons": frozenset({"read"})}}, "service"),
        ({"permits": {"organisation": frozenset({"write"})}}, "operation"),
        ({"categories": frozenset({"unit"})}, "category"),
    ],
)
def test_the_first_check_that_fails_is_named(changes: dict[str, object], check: str) -> None:
    assert permit(right()).covers("staff")
    with pytest.raises(Denied) as refused:
        permit(right(**changes))
    assert refused.value.facts["check"] == check
    assert "Systemadministratoren" in refused.value.message("da")


def test_nobody_without_a_role_may_do_anything_but_see_to_themselves() -> None:
    with pytest.raises(Denied) as refused:
        permit()
    assert refused.value.facts["check"] == "role"
    own = permit(demand=Demand(service="identity", operation="own", category="identity.user"))
    assert not own.covers("identity.user")


def test_the_role_that_came_furthest_speaks() -> None:
    with pytest.raises(Denied) as refused:
        permit(right(valid_to=TODAY), right(categories=frozenset()), right(permits={}))
    assert refused.value.facts["check"] == "category"


def test_a_role_begins_and_ends_at_midnight_in_denmark() -> None:
    tomorrow = right(valid_from=TODAY + timedelta(days=1))
    assert permit(tomorrow, now=datetime(2026, 3, 2, 23, 0, tzinfo=UTC)).covers("staff")
    with pytest.raises(Denied):
        permit(tomorrow, now=datetime(2026, 3, 2, 22, 59, tzinfo=UTC))


@pytest.mark.parametrize("service", ["identity", "partners", "agreements", "modules", "moves", "audit", "notes"])
def test_a_limited_role_is_worth_nothing_where_nothing_can_be_limited(service: str) -> None:
    everything = {"*": frozenset({"*"})}
    demand = Demand(service=service, operation="read", category=None)
    assert permit(right(permits=everything), demand=demand).row_filter is None
    with pytest.raises(Denied) as refused:
        permit(right(permits=everything, units=frozenset({EAST})), demand=demand)
    assert refused.value.facts["check"] == "limits"


def test_two_roles_reach_what_either_does_each_with_its_own_data() -> None:
    near = right(units=frozenset({EAST}), categories=frozenset({"staff", "salary"}))
    access = permit(near, right(units=frozenset({WEST})))
    east, west = access.for_row(above=(CARE, EAST)), access.for_row(above=(CARE, WEST))
    assert east is not None
    assert west is not None
    assert (east.covers("salary"), west.covers("salary")) == (True, False)
    assert access.for_row(above=(CARE,)) is None


def test_limits_of_different_roles_are_not_mixed() -> None:
    access = permit(
        right(units=frozenset({EAST}), kle=frozenset({"27"})), right(units=frozenset({WEST}), sensitivity=1)
    )
    assert access.for_row(above=(EAST,), kle="27.15.12", sensitivity=3) is not None
    assert access.for_row(above=(WEST,), kle="85.02.02", sensitivity=1) is not None
    assert access.for_row(above=(EAST,), kle="85.02.02", sensitivity=0) is None
    assert access.for_row(above=(WEST,), kle="27.15.12", sensitivity=2) is None


def test_a_row_that_lacks_what_a_limit_is_about_stays_out() -> None:
    access = permit(right(units=frozenset({EAST}), kle=frozenset({"27"})))
    assert access.for_row(above=(), kle="27.15.12") is None
    assert access.for_row(above=(EAST,), kle="") is None
    assert access.for_row(above=(EAST,)) is not None  # rows of this kind never bear a number


def test_an_unlimited_role_makes_the_limited_one_superfluous() -> None:
    assert permit(right(), right(units=frozenset({EAST}))).row_filter is None
    everything = right(permits={"*": frozenset({"*"})}, categories=frozenset({"*"}))
    assert permit(everything, right(units=frozenset({EAST}))).row_filter is None
    assert permit(right(), right(units=frozenset({EAST}), categories=frozenset({"staff", "salary"}))).row_filter


choices = st.builds(
    right,
    units=st.none() | st.sets(st.sampled_from([EAST, WEST]), min_size=1).map(frozenset),
    kle=st.none() | st.sets(st.sampled_from(["27", "27.15", "85"]), min_size=1).map(frozenset),
    sensitivity=st.none() | st.integers(0, 3),
    categories=st.sampled_from([frozenset({"staff"}), frozenset({"staff", "salary"}), frozenset({"*"})]),
)


@given(st.lists(choices, min_size=1, max_size=4))
def test_a_union_of_roles_is_what_each_gives_alone(rights: list[Right]) -> None:
    together, alone = permit(*rights), [permit(each) for each in rights]
    for above, kle, sensitivity in product([(), (EAST,), (CARE, WEST)], ["", "27.15.12", "85.02"], [0, 2, 3]):
        row = {"above": above, "kle": kle, "sensitivity": sensitivity}
        seen = [found for each in alone if (found := each.for_row(**row)) is not None]  # type: ignore[arg-type]
        found = together.for_row(**row)  # type: ignore[arg-type]
        assert (found is not None) == bool(seen)
        for category in ("staff", "salary", "other"):
            assert bool(found and found.covers(category)) == any(each.covers(category) for each in seen)


def test_what_a_statement_gets_says_the_same() -> None:
    assert permit(right()).scopes() == [{"units": None, "kle": None, "sensitivity": None}]
    assert permit(right(units=frozenset({WEST, EAST}), sensitivity=2)).scopes() == [
        {"units": [[str(EAST), str(WEST)]], "kle": None, "sensitivity": 2}
    ]


@pytest.mark.parametrize(
    ("given", "stored"),
    [(None, None), (["27"], ["27"]), (["27.*", "32.18.04"], ["27", "32.18.04"]), (["27", "27.*"], ["27"])],
)
def test_kle_limits_are_whole_parts(given: list[str] | None, stored: list[str] | None) -> None:
    assert identity_rules.normal_kle(given) == stored


@pytest.mark.parametrize("wrong", [[], ["2"], ["27."], ["27.1"], ["27.15.12.01"], ["a"], ["27\n"], ["*"], ["٢٧"]])
def test_anything_else_is_refused(wrong: list[str]) -> None:
    with pytest.raises(InvalidInput):
        identity_rules.normal_kle(wrong)


@pytest.mark.parametrize("new", [{"units": []}, {"valid_to": TODAY}, {"units": [EAST] * 101}])
def test_limits_that_make_no_sense_are_refused(new: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        identity_rules.check_limits(NewAssignment(role_id=new_id(), **new), TODAY)  # type: ignore[arg-type]


CONTENT = RoleContent(name="Læser", permits={"persons": ["read"]}, categories=["person"])


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""}, {"permits": {"persons": []}}, {"permits": {"Persons": ["x"]}}, {"permits": {"persons": ["x y"]}},
        {"categories": ["person.*"]}, {"description": "x" * 2001}, {"categories": [f"c{n}" for n in range(1001)]},
    ],
)  # fmt: skip
def test_a_role_that_cannot_be_read_is_refused(changes: dict[str, object]) -> None:
    assert identity_rules.normal_content(CONTENT) == CONTENT
    with pytest.raises(InvalidInput):
        identity_rules.normal_content(replace(CONTENT, **changes))  # type: ignore[arg-type]
