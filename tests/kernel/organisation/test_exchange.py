"""The organisation file: taken whole or not at all, twice as well as once, and given back as it came."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kernel.organisation.small_town import START, Town, day, first, units_below
from torv.base.access import Access
from torv.base.db import Database
from torv.base.errors import PersonUnknown, TorvError
from torv.kernel.organisation import (
    ImportSummary,
    Moment,
    Organisation,
    Period,
    PositionStray,
    UnitHistory,
    UnitMisplaced,
    UnitUnknown,
    document_of,
    export_organisation,
    import_organisation,
    list_units,
    read_document,
)
from torv.kernel.organisation.errors import OrganisationFileInvalid

A, B, C, E, P = (f"00000000-0000-7000-8000-00000000000{letter}" for letter in "abcef")
LONG = timedelta(days=400)


def document(**changes: Any) -> dict[str, Any]:
    whole = {
        "format": "torv-organisation/1",
        "units": [
            {"id": A, "periods": [{"valid_from": "2026-01-01", "name": "Rådhuset", "kind": "kommune"}]},
            {
                "id": B,
                "periods": [
                    period(valid_to="2026-07-01", name="Pleje", parent_id=A),
                    period(valid_from="2026-07-01", name="Omsorg", parent_id=A),
                ],
            },
        ],
        "employees": [{"id": E, "name": "Åse Lind", "email": "aase@fjordby.dk", "valid_from": "2026-01-01"}],
        "positions": [
            {
                "id": P, "employee_id": E, "unit_id": B, "job_function": "Leder", "is_leader": True,
                "valid_from": "2026-02-01", "valid_to": "2027-01-01",
            }
        ],
    }  # fmt: skip
    return whole | changes


def read(content: dict[str, Any]) -> Organisation:
    return read_document(json.dumps(content).encode())


async def take(base: Database, access: Access, organisation: Organisation) -> ImportSummary:
    async with base.transaction() as tx:
        return await import_organisation(tx, access, organisation)


async def give(base: Database, access: Access) -> Organisation:
    async with base.reading() as tx:
        return await export_organisation(tx, access)


async def test_what_goes_in_comes_out_and_a_second_time_changes_nothing(base: Database, operator: Access) -> None:
    assert await take(base, operator, read(document())) == ImportSummary(added=4, changed=0, unchanged=0)
    exported = document_of(await give(base, operator))
    assert exported == document()
    assert await take(base, operator, read(exported)) == ImportSummary(added=0, changed=0, unchanged=4)
    assert document_of(await give(base, operator)) == exported


async def test_an_import_leaves_alone_what_it_does_not_name(base: Database, operator: Access, town: Town) -> None:
    await take(base, operator, read(document()))
    changed = read(document(units=document()["units"][:1], employees=[], positions=[]))
    assert await take(base, operator, changed) == ImportSummary(added=0, changed=0, unchanged=1)
    assert len(await units_below(base, operator, None, Moment(on=day(3)))) == 7


def period(**more: Any) -> dict[str, Any]:
    return {"valid_from": "2026-01-01", "name": "X", "kind": "x", **more}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"units": [{"id": B, "periods": [period(parent_id=C)]}]}, UnitUnknown),
        ({"units": [{"id": B, "periods": [period(parent_id=B)]}]}, UnitMisplaced),
        (
            {"units": [{"id": A, "periods": [period(parent_id=B)]}, {"id": B, "periods": [period(parent_id=A)]}]},
            UnitMisplaced,
        ),
        ({"employees": []}, TorvError),
        ({"employees": [{"id": E, "name": "Åse", "valid_from": "2026-03-01"}]}, PositionStray),
        ({"employees": [{"id": E, "name": "Åse", "valid_from": "2026-01-01", "person_id": A}]}, PersonUnknown),
    ],
)
async def test_a_file_that_does_not_fit_together_changes_nothing(
    base: Database, operator: Access, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await take(base, operator, read(document(**changes)))
    assert await give(base, operator) == Organisation(units=(), employees=(), positions=())


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"", "JSON"),
        (b'{"format": "torv-organisation/1", "format": "torv-organisation/1"}', "twice"),
        (b'{"format": "torv-organisation/2"}', "format"),
        (json.dumps(document(extra=1)).encode(), "extra"),
        (json.dumps(document(units=[{"id": A, "periods": []}])).encode(), "units.0: periods"),
        (json.dumps(document(units=[{"id": A, "periods": [period()]}] * 2)).encode(), "units.1.id: stands twice"),
        (json.dumps(document(units=[{"id": A, "periods": [period(), period()]}])).encode(), "overlap"),
        (json.dumps(document(units=[{"id": A, "periods": [period(valid_to="2026-01-01")]}])).encode(), "valid_to"),
        (json.dumps(document(units=[{"id": A, "periods": [period(name=" ")]}])).encode(), "units.0: name"),
        (json.dumps(document(units=[{"id": A, "periods": [period(valid_to="9999-12-31")]}])).encode(), "valid_to"),
        (
            json.dumps(document(employees=[{"id": "x", "name": "y", "valid_from": "2026-01-01"}])).encode(),
            "employees.0.id",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(text: bytes, place: str) -> None:
    with pytest.raises(OrganisationFileInvalid) as refused:
        read_document(text)
    assert place in refused.value.facts["reason"]


# ---- any tree at all, against a second way to tell whether it holds --------------------------------------------------
IDS = [UUID(int=0x7000_8000_0000_0000_0000 + number) for number in range(5)]
days = st.integers(0, 6).map(lambda number: START + timedelta(days=number * 30))


@st.composite
def units(draw: st.DrawFn) -> tuple[UnitHistory, ...]:
    """Up to five units: an orderly tree that changes over time, or periods and parents at random."""
    chosen = sorted(draw(st.lists(st.sampled_from(IDS), unique=True, min_size=1)))
    if draw(st.booleans()):
        return tuple(UnitHistory(id=each, periods=draw(periods((None, *IDS)))) for each in chosen)
    return tuple(
        UnitHistory(id=each, periods=draw(periods((None, *chosen[:number]), is_always_there=True)))
        for number, each in enumerate(chosen)
    )


@st.composite
def periods(draw: st.DrawFn, parents: tuple[UUID | None, ...], *, is_always_there: bool = False) -> tuple[Period, ...]:
    bounds = sorted(draw(st.sets(days, min_size=2, max_size=4)))
    last = None if is_always_there else draw(st.sampled_from([None, bounds[-1]]))
    starts = [START, *bounds[1:-1]] if is_always_there else bounds[:-1]
    return tuple(
        Period(
            valid_from=start, valid_to=end, name=draw(st.sampled_from(["Øst", "Vest"])), kind="enhed",
            parent_id=draw(st.sampled_from(parents)),
        )
        for start, end in zip(starts, [*starts[1:], last], strict=True)
    )  # fmt: skip


def chain_on(tree: dict[UUID, UnitHistory], unit_id: UUID | None, on: date) -> list[UUID] | None:
    """The ids from the root to a unit on a day, walked upwards; None if the walk breaks off or goes round."""
    chain: list[UUID] = []
    while unit_id is not None:
        there = [each for each in tree[unit_id].periods if holds(each, on)] if unit_id in tree else []
        if unit_id in chain or not there:
            return None
        chain.insert(0, unit_id)
        unit_id = there[0].parent_id
    return chain


def holds(each: Period, on: date) -> bool:
    return each.valid_from <= on and (each.valid_to is None or on < each.valid_to)


def sampled_days() -> Iterator[date]:
    return (START + timedelta(days=number) for number in [*range(-1, 200, 15), *range(0, 200, 30), 1000])


def is_whole(tree: dict[UUID, UnitHistory]) -> bool:
    return all(
        chain_on(tree, unit.id, on) is not None
        for unit in tree.values()
        for on in sampled_days()
        if any(holds(each, on) for each in unit.periods)
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=units())
async def test_any_tree_is_stored_as_it_is_or_refused(
    base: Database, operator: Access, drawn: tuple[UnitHistory, ...]
) -> None:
    content = document_of(Organisation(units=drawn, employees=(), positions=()))
    organisation = read(content)
    tree = {each.id: each for each in organisation.units}
    accepted = False
    try:
        async with base.transaction() as tx:
            await import_organisation(tx, operator, organisation)
            accepted = True
            assert is_whole(tree)
            assert (await export_organisation(tx, operator)).units == organisation.units
            for on in (START, START + timedelta(days=75), START + LONG):
                await _compare(tx, operator, tree, on)
            raise _Undo
    except (_Undo, UnitMisplaced, UnitUnknown):
        assert accepted == is_whole(tree)


class _Undo(Exception):
    """The examples share a database: none of them stays."""


async def _compare(tx: Any, access: Access, tree: dict[UUID, UnitHistory], on: date) -> None:
    there = {each.id for each in tree.values() if any(holds(one, on) for one in each.periods)}
    found = await list_units(tx, access, wanted=first(), moment=Moment(on=on))
    assert {each.id: each.above for each in found} == {each: chain_on(tree, each, on) for each in there}
    for root in there:
        below = await list_units(tx, access, wanted=first(), moment=Moment(on=on), under=root)
        assert {each.id for each in below} == {each for each in there if root in (chain_on(tree, each, on) or [])}
