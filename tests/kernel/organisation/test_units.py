"""Units: a tree that is whole on every day, past and planned, as we knew it then and as we know it now."""

import asyncio
from contextvars import Context
from dataclasses import replace
from uuid import UUID

import pytest

from tests.kernel.organisation.small_town import START, Town, day, names_below, units_below
from torv.base import clock
from torv.base.access import Access, Scope
from torv.base.db import Database
from torv.base.errors import Busy, Denied, InvalidInput, NotFound, VersionMismatch
from torv.base.ids import new_id
from torv.kernel.organisation import (
    Moment,
    NewUnit,
    UnitHistory,
    UnitMisplaced,
    UnitUnknown,
    close_unit,
    create_unit,
    move_unit,
    read_unit,
    read_unit_history,
    rename_unit,
)

SPRING, AUTUMN = Moment(on=day(3)), Moment(on=day(10))


async def move(base: Database, access: Access, unit: UnitHistory, parent: UUID | None, month: int) -> UnitHistory:
    async with base.transaction() as tx:
        return await move_unit(tx, access, unit.id, expected=unit.version, valid_from=day(month), parent_id=parent)


async def rename(base: Database, access: Access, unit: UnitHistory, name: str, month: int) -> UnitHistory:
    async with base.transaction() as tx:
        return await rename_unit(
            tx, access, unit.id, expected=unit.version, valid_from=day(month), name=name, kind=None
        )


async def test_units_come_by_name_the_danish_way(base: Database, operator: Access, town: Town) -> None:
    assert await names_below(base, operator, None, SPRING) == ["Omsorg", "Rådhuset", "Skole", "Vest", "Øst"]
    assert await names_below(base, operator, town.care.id, SPRING) == ["Omsorg", "Vest", "Øst"]
    assert await names_below(base, operator, town.hall.id, SPRING, levels=1) == ["Omsorg", "Rådhuset", "Skole"]


async def test_a_unit_knows_what_is_above_it(base: Database, operator: Access, town: Town) -> None:
    async with base.reading() as tx:
        unit = await read_unit(tx, operator, town.east.id, SPRING)
    assert unit.above == [town.hall.id, town.care.id, town.east.id]
    assert (unit.parent_id, unit.valid_from, unit.valid_to) == (town.care.id, START, None)


async def test_what_is_below_moves_along_from_that_day(base: Database, operator: Access, town: Town) -> None:
    await move(base, operator, town.care, town.school.id, 6)
    assert await names_below(base, operator, town.school.id, SPRING) == ["Skole"]
    assert await names_below(base, operator, town.school.id, AUTUMN) == ["Omsorg", "Skole", "Vest", "Øst"]
    east = next(each for each in await units_below(base, operator, None, AUTUMN) if each.id == town.east.id)
    assert east.above == [town.hall.id, town.school.id, town.care.id, town.east.id]


async def test_what_we_knew_before_can_still_be_asked(base: Database, operator: Access, town: Town) -> None:
    before = clock.now()
    await move(base, operator, town.east, town.school.id, 2)
    await rename(base, operator, town.west, "Vestbyen", 2)
    now, then = SPRING, replace(SPRING, known_at=before)
    assert await names_below(base, operator, town.care.id, now) == ["Omsorg", "Vestbyen"]
    assert await names_below(base, operator, town.care.id, then) == ["Omsorg", "Vest", "Øst"]
    async with base.reading() as tx:
        assert len((await read_unit_history(tx, operator, town.west.id, now)).periods) == 2
        assert len((await read_unit_history(tx, operator, town.west.id, then)).periods) == 1


async def test_a_new_name_replaces_what_was_planned_for_later(base: Database, operator: Access, town: Town) -> None:
    unit = await rename(base, operator, town.east, "Østbyen", 9)
    unit = await rename(base, operator, unit, "Havnen", 5)
    assert [(each.valid_from, each.name) for each in unit.periods] == [(START, "Øst"), (day(5), "Havnen")]


async def test_a_move_keeps_the_name_that_is_planned(base: Database, operator: Access, town: Town) -> None:
    unit = await rename(base, operator, town.east, "Østbyen", 9)
    unit = await move(base, operator, unit, town.school.id, 5)
    assert [(each.valid_from, each.name, each.parent_id) for each in unit.periods] == [
        (START, "Øst", town.care.id),
        (day(5), "Øst", town.school.id),
        (day(9), "Østbyen", town.school.id),
    ]


async def test_no_unit_stands_below_itself(base: Database, operator: Access, town: Town) -> None:
    for parent in (town.care, town.east):
        with pytest.raises(UnitMisplaced):
            await move(base, operator, town.care, parent.id, 6)
    with pytest.raises(UnitMisplaced) as refused:
        await move(base, operator, town.hall, town.west.id, 6)
    assert refused.value.facts["day"] == "2026-06-01"
    assert await names_below(base, operator, town.hall.id, AUTUMN) == ["Omsorg", "Rådhuset", "Skole", "Vest", "Øst"]


async def test_two_moves_at_once_make_no_ring(base: Database, operator: Access, town: Town) -> None:
    both = await asyncio.gather(
        move(base, operator, town.care, town.school.id, 6),
        move(base, operator, town.school, town.care.id, 6),
        return_exceptions=True,
    )
    assert sorted(type(each).__name__ for each in both) == ["UnitHistory", "UnitMisplaced"]
    assert len(await units_below(base, operator, town.hall.id, AUTUMN)) == 5


async def test_a_unit_lives_no_longer_than_what_is_above_it(base: Database, operator: Access, town: Town) -> None:
    with pytest.raises(UnitMisplaced) as refused:
        async with base.transaction() as tx:
            await close_unit(tx, operator, town.care.id, expected=1, valid_to=day(7))
    assert refused.value.facts["day"] == "2026-07-01"
    early = NewUnit(name="Før", kind="team", valid_from=day(1).replace(year=2025), parent_id=town.east.id)
    with pytest.raises(UnitMisplaced):
        async with base.transaction() as tx:
            await create_unit(tx, operator, new=early)


async def test_a_closed_unit_is_gone_from_that_day_and_can_be_taken_back(
    base: Database, operator: Access, town: Town
) -> None:
    async with base.transaction() as tx:
        closed = await close_unit(tx, operator, town.east.id, expected=1, valid_to=day(7))
    assert await names_below(base, operator, town.care.id, SPRING) == ["Omsorg", "Vest", "Øst"]
    assert await names_below(base, operator, town.care.id, AUTUMN) == ["Omsorg", "Vest"]
    with pytest.raises(NotFound):
        await names_below(base, operator, town.east.id, AUTUMN)
    async with base.transaction() as tx:
        await close_unit(tx, operator, town.east.id, expected=closed.version, valid_to=None)
    assert await names_below(base, operator, town.care.id, AUTUMN) == ["Omsorg", "Vest", "Øst"]


async def test_a_change_needs_the_present_version(base: Database, operator: Access, town: Town) -> None:
    changed = await rename(base, operator, town.east, "Østbyen", 5)
    assert changed.version == 2
    with pytest.raises(VersionMismatch):
        await rename(base, operator, town.east, "Havnen", 5)


@pytest.mark.parametrize("name", ["", "   ", "x" * 201, "Øst\x00", "Øst\u200b\n\u202e"])
async def test_a_name_is_a_plain_line(base: Database, operator: Access, town: Town, name: str) -> None:
    with pytest.raises(InvalidInput):
        await rename(base, operator, town.east, name, 5)


async def test_a_unit_needs_a_parent_that_is_known(base: Database, operator: Access, town: Town) -> None:
    with pytest.raises(UnitUnknown):
        await move(base, operator, town.east, new_id(), 5)


async def test_a_writer_waits_only_so_long_for_another(base: Database, operator: Access, town: Town) -> None:
    async with base.transaction() as tx:
        await rename_unit(tx, operator, town.east.id, expected=1, valid_from=day(5), name="Først", kind=None)
        with pytest.raises(Busy):
            await asyncio.create_task(_rename_apart(base, operator, town.west))


async def _rename_apart(base: Database, access: Access, unit: UnitHistory) -> None:
    """In a context of its own: one request has one connection."""
    await asyncio.get_running_loop().create_task(rename(base, access, unit, "Senere", 5), context=Context())


async def test_who_may_change_one_district_changes_no_other(base: Database, operator: Access, town: Town) -> None:
    scope = Scope(categories=frozenset({"organisation.unit"}), units=(frozenset({town.east.id}),))
    limited = replace(operator, row_filter=(scope,))
    await rename(base, limited, town.east, "Østbyen", 5)
    team = NewUnit(name="Team A", kind="team", valid_from=day(5), parent_id=town.east.id)
    async with base.transaction() as tx:
        await create_unit(tx, limited, new=team)
    for refused in (
        rename(base, limited, town.west, "Vestbyen", 5),
        rename(base, limited, town.care, "Pleje", 5),
        move(base, limited, replace(town.east, version=2), town.west.id, 6),
        move(base, limited, replace(town.east, version=2), None, 6),
    ):
        with pytest.raises(Denied):
            await refused
