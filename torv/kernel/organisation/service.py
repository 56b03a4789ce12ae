"""The verbs of organisation that change something; with storing.py the only writer of the schema `organisation`."""

from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import Denied, NotFound, VersionMismatch
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import note
from torv.kernel.organisation import rules, storing
from torv.kernel.organisation.models import (
    FAR_FUTURE,
    Employee,
    EmployeeFacts,
    NewEmployee,
    NewPosition,
    NewUnit,
    Period,
    Position,
    UnitHistory,
)

sql = load(__file__)


async def create_unit(tx: Tx, access: Access, *, new: NewUnit) -> UnitHistory:
    """Create a unit below another one, or as a root. Raises InvalidInput, UnitUnknown, UnitMisplaced or Denied."""
    known = await storing.begin(tx)
    await require_reach(tx, access, new.parent_id)
    period = Period(
        valid_from=new.valid_from, valid_to=new.valid_to, name=new.name, kind=new.kind, parent_id=new.parent_id
    )
    unit = rules.normal_unit(UnitHistory(id=new_id(), periods=(period,)))
    await storing.store_units(tx, known, {}, [unit])
    note(tx, access, "write", detail={"unit": str(unit.id)})
    return (await storing.units_now(tx, unit.id))[unit.id]


async def rename_unit(
    tx: Tx, access: Access, unit_id: UUID, *, expected: int, valid_from: date, name: str | None, kind: str | None
) -> UnitHistory:
    """Give a unit another name or kind from a day on. Raises NotFound, VersionMismatch, InvalidInput or Denied."""
    values = {"name": name, "kind": kind}
    given = {field: text for field, text in values.items() if text is not None}
    known, before = await _begin_change(tx, access, unit_id, expected)
    return await _change_unit(tx, access, known, before, rules.change(before.periods, valid_from, **given))


async def move_unit(
    tx: Tx, access: Access, unit_id: UUID, *, expected: int, valid_from: date, parent_id: UUID | None
) -> UnitHistory:
    """Let a unit and what is below it belong to another one from a day on; None makes it a root.

    Raises NotFound, VersionMismatch, InvalidInput, Denied, UnitUnknown, or UnitMisplaced for a ring or a parent that
    is not there.
    """
    known, before = await _begin_change(tx, access, unit_id, expected)
    await require_reach(tx, access, parent_id)
    return await _change_unit(tx, access, known, before, rules.change(before.periods, valid_from, parent_id=parent_id))


async def close_unit(tx: Tx, access: Access, unit_id: UUID, *, expected: int, valid_to: date | None) -> UnitHistory:
    """Let a unit end on a day, or (None) go on. Raises UnitMisplaced or PositionStray if something is left in it."""
    known, before = await _begin_change(tx, access, unit_id, expected)
    return await _change_unit(tx, access, known, before, rules.end(before.periods, valid_to))


async def hire(tx: Tx, access: Access, *, new: NewEmployee) -> Employee:
    """Make somebody an employee. Raises InvalidInput, PersonUnknown, or Denied to those who see some units only."""
    known = await storing.begin(tx)
    await require_reach(tx, access, None)
    employee = rules.normal_employee(
        Employee(
            id=new_id(), name=new.name, email=new.email, person_id=new.person_id, valid_from=new.valid_from,
            valid_to=new.valid_to,
        )
    )  # fmt: skip
    await storing.store_employees(tx, known, {}, [employee])
    _note(tx, access, employee)
    return replace(employee, version=1)


async def change_employee(
    tx: Tx, access: Access, employee_id: UUID, *, expected: int, facts: EmployeeFacts
) -> Employee:
    """Say anew what is known of an employee, from now on. Raises NotFound, VersionMismatch, PersonUnknown."""
    known = await storing.begin(tx)
    before = await _employee(tx, access, employee_id, expected)
    after = rules.normal_employee(replace(before, name=facts.name, email=facts.email, person_id=facts.person_id))
    await storing.store_employees(tx, known, {before.id: before}, [after])
    _note(tx, access, after)
    return (await storing.employees_now(tx, employee_id))[employee_id]


async def end_employment(
    tx: Tx, access: Access, employee_id: UUID, *, expected: int, valid_to: date | None
) -> Employee:
    """Let an employee leave on a day, and the positions end by then; None: stays, and positions stay as they are.

    Raises NotFound, VersionMismatch, InvalidInput, or PositionStray for a position that begins later.
    """
    known = await storing.begin(tx)
    before = await _employee(tx, access, employee_id, expected)
    after = rules.normal_employee(replace(before, valid_to=valid_to))
    held = await storing.positions_now(tx, employee_id=employee_id)
    ended = [rules.shortened(each, valid_to) for each in held.values()]
    await storing.store_employees(tx, known, {before.id: before}, [after])
    await storing.store_positions(tx, known, held, ended)
    await storing.settle(tx)
    _note(tx, access, after)
    return (await storing.employees_now(tx, employee_id))[employee_id]


async def appoint(tx: Tx, access: Access, *, new: NewPosition) -> Position:
    """Give an employee a position in a unit. Raises UnitUnknown, EmployeeUnknown, PositionStray, Denied."""
    known = await storing.begin(tx)
    await require_reach(tx, access, new.unit_id)
    position = rules.normal_position(
        Position(
            id=new_id(), employee_id=new.employee_id, unit_id=new.unit_id, job_function=new.job_function,
            is_leader=new.is_leader, valid_from=new.valid_from, valid_to=new.valid_to,
        )
    )  # fmt: skip
    await storing.store_positions(tx, known, {}, [position])
    await storing.settle(tx)
    note(tx, access, "write", detail={"position": str(position.id), "unit": str(position.unit_id)})
    return replace(position, version=1)


async def end_position(tx: Tx, access: Access, position_id: UUID, *, expected: int, valid_to: date | None) -> Position:
    """Let a position end on a day, or (None) go on. Raises NotFound, VersionMismatch, PositionStray, Denied."""
    known = await storing.begin(tx)
    before = (await storing.positions_now(tx, position_id)).get(position_id)
    if before is None:
        raise NotFound
    await require_reach(tx, access, before.unit_id)
    _expect(before.version, expected)
    after = rules.normal_position(replace(before, valid_to=valid_to))
    await storing.store_positions(tx, known, {before.id: before}, [after])
    await storing.settle(tx)
    note(tx, access, "write", detail={"position": str(position_id), "unit": str(before.unit_id)})
    return (await storing.positions_now(tx, position_id))[position_id]


async def require_reach(tx: Tx, access: Access, unit_id: UUID | None) -> None:
    """Raises Denied where the permit does not reach a unit; None is the top, reached by permits for all units."""
    if access.row_filter is None:
        return
    above = await tx.value(sql.above_from, id=unit_id, day=clock.today()) if unit_id else None
    if access.for_row(above=above or ()) is None:
        raise Denied(
            check="unit", reason="your role is for other units", reason_da="din rolle gælder andre enheder",
            mender="Systemadministratoren",
        )  # fmt: skip


async def _begin_change(tx: Tx, access: Access, unit_id: UUID, expected: int) -> tuple[datetime, UnitHistory]:
    known = await storing.begin(tx)
    unit = (await storing.units_now(tx, unit_id)).get(unit_id)
    if unit is None:
        raise NotFound
    await require_reach(tx, access, unit_id)
    _expect(unit.version, expected)
    return known, unit


async def _change_unit(
    tx: Tx, access: Access, known: datetime, before: UnitHistory, periods: tuple[Period, ...]
) -> UnitHistory:
    after = rules.normal_unit(replace(before, periods=periods))
    await storing.store_units(tx, known, {before.id: before}, [after])
    await storing.settle(tx)
    note(tx, access, "write", detail={"unit": str(before.id)})
    return (await storing.units_now(tx, before.id))[before.id]


async def _employee(tx: Tx, access: Access, employee_id: UUID, expected: int) -> Employee:
    """The employee as we know them now; nobody outside the units that the permit reaches."""
    scopes = access.scopes()
    employee = await tx.one(Employee, sql.employee_at, id=employee_id, known=FAR_FUTURE, scopes=scopes)
    _expect(employee.version, expected)
    return employee


def _expect(version: int, expected: int) -> None:
    if version != expected:
        raise VersionMismatch


def _note(tx: Tx, access: Access, employee: Employee) -> None:
    subjects = [employee.person_id] if employee.person_id else []
    note(tx, access, "write", subjects, detail={"employee": str(employee.id)})
