"""Employees, positions and leaders: where they are on a day, and never without a unit or an employment."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from tests.kernel.organisation.small_town import START, Town, day, first
from torv.base import clock
from torv.base.access import Access, Scope
from torv.base.db import Database
from torv.base.errors import Denied, InvalidInput, NotFound, PersonUnknown
from torv.base.ids import new_id
from torv.kernel.organisation import (
    Employee,
    EmployeeFacts,
    EmployeeUnknown,
    Moment,
    NewEmployee,
    NewPosition,
    Position,
    PositionStray,
    appoint,
    change_employee,
    close_unit,
    end_employment,
    end_position,
    hire,
    list_employees,
    list_leaders,
    list_positions,
    list_staff,
    move_unit,
    read_employee,
)

SPRING, AUTUMN = Moment(on=day(3)), Moment(on=day(10))


@pytest.fixture
async def people(base: Database, operator: Access) -> dict[str, Employee]:
    """Åse, Bodil and Carl, employed since 1 January."""
    hired = {}
    for name in ("Åse Lind", "Bodil Holm", "Carl Dahl"):
        async with base.transaction() as tx:
            new = NewEmployee(name=name, valid_from=START, email=f"{name[0].lower()}@fjordby.dk")
            hired[name.split()[0]] = await hire(tx, operator, new=new)
    return hired


async def place(
    base: Database, access: Access, employee: Employee, unit_id: UUID, *, start: date = START, **more: object
) -> Position:
    values = {"job_function": "Sagsbehandler", **more}
    async with base.transaction() as tx:
        new = NewPosition(employee_id=employee.id, unit_id=unit_id, valid_from=start, **values)  # type: ignore[arg-type]
        return await appoint(tx, access, new=new)


async def staff(base: Database, access: Access, unit_id: UUID, moment: Moment = SPRING, levels: int = 0) -> list[str]:
    async with base.reading() as tx:
        found = await list_staff(tx, access, unit_id, wanted=first(), moment=moment, levels=levels)
    return [each.name for each in found]


async def leaders(base: Database, access: Access, unit_id: UUID, moment: Moment = SPRING) -> list[str]:
    async with base.reading() as tx:
        return [each.name for each in await list_leaders(tx, access, unit_id, moment)]


async def test_staff_of_a_unit_and_of_what_is_below(
    base: Database, operator: Access, town: Town, people: dict[str, Employee]
) -> None:
    await place(base, operator, people["Åse"], town.east.id)
    await place(base, operator, people["Bodil"], town.west.id)
    await place(base, operator, people["Carl"], town.care.id)
    assert await staff(base, operator, town.care.id) == ["Carl Dahl"]
    assert await staff(base, operator, town.care.id, levels=1) == ["Bodil Holm", "Carl Dahl", "Åse Lind"]
    assert await staff(base, operator, town.school.id, levels=9) == []


async def test_staff_moves_with_the_unit(
    base: Database, operator: Access, town: Town, people: dict[str, Employee]
) -> None:
    await place(base, operator, people["Åse"], town.east.id)
    async with base.transaction() as tx:
        await move_unit(tx, operator, town.east.id, expected=1, valid_from=day(6), parent_id=town.school.id)
    assert await staff(base, operator, town.school.id, SPRING, levels=1) == []
    assert await staff(base, operator, town.school.id, AUTUMN, levels=1) == ["Åse Lind"]


async def test_a_unit_without_a_leader_is_led_from_above(
    base: Database, operator: Access, town: Town, people: dict[str, Employee]
) -> None:
    assert await leaders(base, operator, town.east.id) == []
    await place(base, operator, people["Åse"], town.hall.id, is_leader=True)
    await place(base, operator, people["Bodil"], town.care.id, is_leader=True, valid_to=day(7))
    await place(base, operator, people["Carl"], town.east.id)
    assert await leaders(base, operator, town.east.id) == ["Bodil Holm"]
    assert await leaders(base, operator, town.east.id, AUTUMN) == ["Åse Lind"]
    assert await leaders(base, operator, town.school.id) == ["Åse Lind"]


async def test_a_position_lies_within_its_unit_and_its_employment(
    base: Database, operator: Access, town: Town, people: dict[str, Employee]
) -> None:
    with pytest.raises(PositionStray) as refused:
        await place(base, operator, people["Åse"], town.east.id, start=date(2025, 12, 1))
    assert refused.value.facts["day"] == "2025-12-01"
    await place(base, operator, people["Åse"], town.east.id)
    with pytest.raises(PositionStray):
        async with base.transaction() as tx:
            await close_unit(tx, operator, town.east.id, expected=1, valid_to=day(7))
    with pytest.raises(EmployeeUnknown):
        await place(base, operator, replace(people["Åse"], id=new_id()), town.east.id)


async def test_who_leaves_holds_no_position_afterwards(
    base: Database, operator: Access, town: Town, people: dict[str, Employee]
) -> None:
    await place(base, operator, people["Åse"], town.east.id)
    before = clock.now()
    async with base.transaction() as tx:
        gone = await end_employment(tx, operator, people["Åse"].id, expected=1, valid_to=day(7))
    assert (gone.version, gone.valid_to) == (2, day(7))
    assert await staff(base, operator, town.east.id, SPRING) == ["Åse Lind"]
    assert await staff(base, operator, town.east.id, AUTUMN) == []
    assert await staff(base, operator, town.east.id, replace(AUTUMN, known_at=before)) == ["Åse Lind"]


async def test_a_position_ends(base: Database, operator: Access, town: Town, people: dict[str, Employee]) -> None:
    position = await place(base, operator, people["Åse"], town.east.id)
    async with base.transaction() as tx:
        ended = await end_position(tx, operator, position.id, expected=1, valid_to=day(7))
    assert (ended.version, ended.valid_to) == (2, day(7))
    async with base.reading() as tx:
        assert await list_positions(tx, operator, people["Åse"].id, SPRING) == [ended]


async def test_a_new_name_sorts_anew_and_the_old_one_is_still_known(
    base: Database, operator: Access, people: dict[str, Employee]
) -> None:
    before = clock.now()
    async with base.transaction() as tx:
        facts = EmployeeFacts(name="Dorthe Holm")
        changed = await change_employee(tx, operator, people["Bodil"].id, expected=1, facts=facts)
    assert (changed.name, changed.email, changed.version) == ("Dorthe Holm", None, 2)
    async with base.reading() as tx:
        now = await list_employees(tx, operator, wanted=first(), moment=SPRING)
        then = await list_employees(tx, operator, wanted=first(), moment=replace(SPRING, known_at=before))
    assert [each.name for each in now] == ["Carl Dahl", "Dorthe Holm", "Åse Lind"]
    assert [each.name for each in then] == ["Bodil Holm", "Carl Dahl", "Åse Lind"]


@pytest.mark.parametrize(
    "email", ["", "åse", "@fjordby.dk", "a@b", "a b@fjordby.dk", "a@@fjordby.dk", "a@fjordby.dk\n"]
)
async def test_an_address_is_one_mail_can_be_sent_to(base: Database, operator: Access, email: str) -> None:
    with pytest.raises(InvalidInput):
        async with base.transaction() as tx:
            await hire(tx, operator, new=NewEmployee(name="Åse", valid_from=START, email=email))


async def test_an_employee_may_be_a_person_the_kernel_knows(base: Database, operator: Access) -> None:
    with pytest.raises(PersonUnknown):
        async with base.transaction() as tx:
            await hire(tx, operator, new=NewEmployee(name="Åse", valid_from=START, person_id=new_id()))


async def test_a_limited_role_sees_the_people_of_its_units_only(
    base: Database, operator: Access, town: Town, people: dict[str, Employee]
) -> None:
    await place(base, operator, people["Åse"], town.east.id)
    position = await place(base, operator, people["Bodil"], town.west.id)
    scope = Scope(categories=frozenset({"organisation.employee"}), units=(frozenset({town.east.id}),))
    limited = replace(operator, row_filter=(scope,))
    assert await staff(base, limited, town.care.id, levels=9) == ["Åse Lind"]
    async with base.reading() as tx:
        seen = await list_employees(tx, limited, wanted=first(), moment=SPRING)
        assert [each.name for each in seen] == ["Åse Lind"]
        assert (await read_employee(tx, limited, people["Åse"].id, SPRING)).name == "Åse Lind"
        for hidden in ("Bodil", "Carl"):
            with pytest.raises(NotFound):
                await read_employee(tx, limited, people[hidden].id, SPRING)
    with pytest.raises(Denied):
        await place(base, limited, people["Carl"], town.west.id)
    with pytest.raises(Denied):
        async with base.transaction() as tx:
            await end_position(tx, limited, position.id, expected=1, valid_to=day(7))
    with pytest.raises(Denied):
        async with base.transaction() as tx:
            await hire(tx, limited, new=NewEmployee(name="Ny", valid_from=START))


async def test_two_limited_roles_reach_the_union(
    base: Database, operator: Access, town: Town, people: dict[str, Employee]
) -> None:
    await place(base, operator, people["Åse"], town.east.id)
    await place(base, operator, people["Bodil"], town.west.id)
    await place(base, operator, people["Carl"], town.school.id)
    covered = frozenset({"organisation.employee"})
    scopes = tuple(Scope(categories=covered, units=(frozenset({unit.id}),)) for unit in (town.east, town.school))
    limited = replace(operator, row_filter=scopes)
    assert await staff(base, limited, town.hall.id, levels=9) == ["Carl Dahl", "Åse Lind"]
