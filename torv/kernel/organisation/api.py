"""Routes of organisation. `valid_at` is the day asked about, `known_at` the instant whose knowledge counts."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from pydantic import AwareDatetime, Field

from torv.base import clock
from torv.base.http import Answer, Call, Routes
from torv.base.pages import Cursor, Page, Size
from torv.base.text import sort_key
from torv.kernel.organisation import reading, service
from torv.kernel.organisation.models import (
    FAR_FUTURE,
    Employee,
    EmployeeFacts,
    Moment,
    NewEmployee,
    NewPosition,
    NewUnit,
    Placement,
    Position,
    Unit,
    UnitHistory,
)

routes = Routes("/api/v1/organisation", "organisation")

UNIT, EMPLOYEE = "organisation.unit", "organisation.employee"  #: data categories
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)

Day = Annotated[date, Field(ge=date(1800, 1, 1), lt=date(3000, 1, 1))]
ValidAt = Annotated[Day | None, Query()]
KnownAt = Annotated[Annotated[AwareDatetime, Field(gt=FIRST, lt=LAST)] | None, Query()]
Levels = Annotated[int, Query(ge=0, le=reading.ALL_LEVELS)]


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitPlan(NewUnit):
    valid_from: Day
    valid_to: Day | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EmployeePlan(NewEmployee):
    valid_from: Day
    valid_to: Day | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PositionPlan(NewPosition):
    valid_from: Day
    valid_to: Day | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitChange:
    """Another name or kind from a day on."""

    valid_from: Day
    name: str | None = None
    kind: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitMove:
    """Another parent from a day on; null makes the unit a root."""

    valid_from: Day
    parent_id: UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """The first day on which it is no more; null takes an end back."""

    valid_to: Day | None


@routes.reads("/units", "read", UNIT)
async def list_units(
    call: Call,
    under: UUID | None = None,
    levels: Levels = reading.ALL_LEVELS,
    valid_at: ValidAt = None,
    known_at: KnownAt = None,
    limit: Size = 50,
    cursor: Cursor = None,
) -> Page[Unit]:
    """The units on a day, by name: all of them, or one (`under`) and what is below it, `levels` down."""
    filters = {"under": under, "levels": levels, "valid_at": valid_at, "known_at": known_at}
    wanted = call.page(limit, cursor, **filters)
    units = await reading.list_units(
        call.tx, call.access, wanted=wanted, moment=_moment(valid_at, known_at), under=under, levels=levels
    )
    return call.paged(units, wanted, key=lambda each: [sort_key(each.name), str(each.id)])


@routes.writes("/units", "create_unit", UNIT, status_code=201, response_model=UnitHistory)
async def create_unit(call: Call, new: UnitPlan) -> Answer:
    """Create a unit."""
    unit = await service.create_unit(call.tx, call.access, new=new)
    return Answer(body=unit, status=201, headers={"location": f"/api/v1/organisation/units/{unit.id}"})


@routes.reads("/units/{unit_id}", "read", UNIT)
async def read_unit(call: Call, unit_id: UUID, valid_at: ValidAt = None, known_at: KnownAt = None) -> Unit:
    """A unit as it is on a day; `above` are the ids from the root to the unit itself."""
    return await reading.read_unit(call.tx, call.access, unit_id, _moment(valid_at, known_at))


@routes.reads("/units/{unit_id}/history", "read", UNIT)
async def read_unit_history(call: Call, unit_id: UUID, known_at: KnownAt = None) -> UnitHistory:
    """Every period of a unit, past and planned."""
    return await reading.read_unit_history(call.tx, call.access, unit_id, _moment(None, known_at))


@routes.writes("/units/{unit_id}", "change_unit", UNIT, method="PATCH")
async def rename_unit(call: Call, unit_id: UUID, change: UnitChange) -> UnitHistory:
    """Give a unit another name or kind from a day on; what was planned for later of the same is replaced."""
    return await service.rename_unit(
        call.tx, call.access, unit_id, expected=call.expected_version(), valid_from=change.valid_from,
        name=change.name, kind=change.kind,
    )  # fmt: skip


@routes.writes("/units/{unit_id}/move", "change_unit", UNIT)
async def move_unit(call: Call, unit_id: UUID, move: UnitMove) -> UnitHistory:
    """Move a unit, and all below it, to another parent from a day on."""
    return await service.move_unit(
        call.tx, call.access, unit_id, expected=call.expected_version(), valid_from=move.valid_from,
        parent_id=move.parent_id,
    )  # fmt: skip


@routes.writes("/units/{unit_id}/close", "change_unit", UNIT)
async def close_unit(call: Call, unit_id: UUID, end: End) -> UnitHistory:
    """Close a unit from a day on; nothing may be left in it."""
    expected = call.expected_version()
    return await service.close_unit(call.tx, call.access, unit_id, expected=expected, valid_to=end.valid_to)


@routes.reads("/units/{unit_id}/employees", "read", EMPLOYEE)
async def list_staff(
    call: Call,
    unit_id: UUID,
    levels: Levels = 0,
    valid_at: ValidAt = None,
    known_at: KnownAt = None,
    limit: Size = 50,
    cursor: Cursor = None,
) -> Page[Placement]:
    """Who has a position in a unit (and in those below it, `levels` down) on a day, by name."""
    filters = {"unit": unit_id, "levels": levels, "valid_at": valid_at, "known_at": known_at}
    wanted = call.page(limit, cursor, **filters)
    staff = await reading.list_staff(
        call.tx, call.access, unit_id, wanted=wanted, moment=_moment(valid_at, known_at), levels=levels
    )
    return call.paged(staff, wanted, key=lambda each: [sort_key(each.name), str(each.position_id)])


@routes.reads("/units/{unit_id}/leaders", "read", EMPLOYEE)
async def list_leaders(
    call: Call, unit_id: UUID, valid_at: ValidAt = None, known_at: KnownAt = None
) -> list[Placement]:
    """Who leads a unit on a day: its own leaders, or those of the nearest unit above that has any."""
    return await reading.list_leaders(call.tx, call.access, unit_id, _moment(valid_at, known_at))


@routes.reads("/employees", "read", EMPLOYEE)
async def list_employees(
    call: Call,
    valid_at: ValidAt = None,
    known_at: KnownAt = None,
    limit: Size = 50,
    cursor: Cursor = None,
) -> Page[Employee]:
    """Who works here on a day, by name."""
    wanted = call.page(limit, cursor, valid_at=valid_at, known_at=known_at)
    moment = _moment(valid_at, known_at)
    employees = await reading.list_employees(call.tx, call.access, wanted=wanted, moment=moment)
    return call.paged(employees, wanted, key=lambda each: [sort_key(each.name), str(each.id)])


@routes.writes("/employees", "change_employee", EMPLOYEE, status_code=201, response_model=Employee)
async def hire(call: Call, new: EmployeePlan) -> Answer:
    """Hire somebody."""
    employee = await service.hire(call.tx, call.access, new=new)
    return Answer(body=employee, status=201, headers={"location": f"/api/v1/organisation/employees/{employee.id}"})


@routes.reads("/employees/{employee_id}", "read", EMPLOYEE)
async def read_employee(call: Call, employee_id: UUID, known_at: KnownAt = None) -> Employee:
    """An employee."""
    return await reading.read_employee(call.tx, call.access, employee_id, _moment(None, known_at))


@routes.writes("/employees/{employee_id}", "change_employee", EMPLOYEE, method="PUT")
async def change_employee(call: Call, employee_id: UUID, facts: EmployeeFacts) -> Employee:
    """Say anew what is known of an employee: what is left out is taken away."""
    expected = call.expected_version()
    return await service.change_employee(call.tx, call.access, employee_id, expected=expected, facts=facts)


@routes.writes("/employees/{employee_id}/end", "change_employee", EMPLOYEE)
async def end_employment(call: Call, employee_id: UUID, end: End) -> Employee:
    """Let an employee leave; positions end by the same day."""
    expected = call.expected_version()
    return await service.end_employment(call.tx, call.access, employee_id, expected=expected, valid_to=end.valid_to)


@routes.reads("/employees/{employee_id}/positions", "read", EMPLOYEE)
async def list_positions(call: Call, employee_id: UUID, known_at: KnownAt = None) -> list[Position]:
    """All positions of an employee, past and planned."""
    return await reading.list_positions(call.tx, call.access, employee_id, _moment(None, known_at))


@routes.writes("/positions", "appoint", EMPLOYEE, status_code=201)
async def appoint(call: Call, new: PositionPlan) -> Position:
    """Give an employee a position in a unit, as a leader or not."""
    return await service.appoint(call.tx, call.access, new=new)


@routes.writes("/positions/{position_id}/end", "appoint", EMPLOYEE)
async def end_position(call: Call, position_id: UUID, end: End) -> Position:
    """Let a position end on a day."""
    expected = call.expected_version()
    return await service.end_position(call.tx, call.access, position_id, expected=expected, valid_to=end.valid_to)


def _moment(valid_at: date | None, known_at: datetime | None) -> Moment:
    return Moment(on=valid_at or clock.today(), known_at=known_at or FAR_FUTURE)
