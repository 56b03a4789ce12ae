"""The verbs of organisation that read, as it is on a day and as it was known at an instant."""

from uuid import UUID

from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import NotFound
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.kernel.organisation import storing
from torv.kernel.organisation.models import Employee, Moment, Placement, Position, Unit, UnitHistory

sql = load(__file__)

ALL_LEVELS = 1_000
_START = ["", UUID(int=0)]  #: sorts before every name


async def read_unit(tx: Tx, access: Access, unit_id: UUID, moment: Moment) -> Unit:
    """A unit as it is on a day. Raises NotFound if it is not there then."""
    unit = await tx.one(Unit, sql.unit_at, id=unit_id, day=moment.on, known=moment.known_at)
    note(tx, access, "read", detail={"unit": str(unit_id)})
    return unit


async def read_unit_history(tx: Tx, access: Access, unit_id: UUID, moment: Moment) -> UnitHistory:
    """All periods of a unit, as known at an instant. Raises NotFound."""
    stored = await tx.all(storing.StoredPeriod, sql.unit_history, id=unit_id, known=moment.known_at)
    note(tx, access, "read", detail={"unit": str(unit_id)})
    if not stored:
        raise NotFound
    return storing.histories(stored)[unit_id]


async def list_units(
    tx: Tx, access: Access, *, wanted: Wanted, moment: Moment, under: UUID | None = None, levels: int = ALL_LEVELS
) -> list[Unit]:
    """A unit and those below it (or every unit) on a day, by name. Raises NotFound if the unit is not there then."""
    name, after = wanted.after or _START
    units = await tx.all(
        Unit, sql.units_below, root=under, depth=levels, day=moment.on, known=moment.known_at, size=wanted.fetch,
        after_name=name, after_id=after,
    )  # fmt: skip
    if under is not None and wanted.after is None and not units:
        raise NotFound  # a unit that is there is at least in its own list
    note(tx, access, "read", detail={"units": len(units)})
    return units


async def list_staff(
    tx: Tx, access: Access, unit_id: UUID, *, wanted: Wanted, moment: Moment, levels: int = 0
) -> list[Placement]:
    """Who has a position in a unit, or so many levels below it, on a day, by name; as far as the permit reaches."""
    name, after = wanted.after or _START
    staff = await tx.all(
        Placement, sql.staff_below, root=unit_id, depth=levels, day=moment.on, known=moment.known_at,
        scopes=access.scopes(), size=wanted.fetch, after_name=name, after_id=after,
    )  # fmt: skip
    _note_people(tx, access, staff)
    return staff


async def list_leaders(tx: Tx, access: Access, unit_id: UUID, moment: Moment) -> list[Placement]:
    """Who leads a unit on a day: its own leaders, or those of the nearest unit above that has any. May be nobody.

    Who leads a unit is no secret inside the municipality, so every permit that covers employees reaches it.
    """
    leaders = await tx.all(Placement, sql.leaders_of, id=unit_id, day=moment.on, known=moment.known_at)
    _note_people(tx, access, leaders)
    return leaders


async def list_employees(tx: Tx, access: Access, *, wanted: Wanted, moment: Moment) -> list[Employee]:
    """Who works here on a day, by name, as far as the permit reaches."""
    name, after = wanted.after or _START
    employees = await tx.all(
        Employee, sql.employees_by_name, day=moment.on, known=moment.known_at, scopes=access.scopes(),
        size=wanted.fetch, after_name=name, after_id=after,
    )  # fmt: skip
    _note_people(tx, access, employees)
    return employees


async def read_employee(tx: Tx, access: Access, employee_id: UUID, moment: Moment) -> Employee:
    """An employee, as known at an instant. Raises NotFound, also where the permit reaches no unit of theirs."""
    employee = await tx.one(
        Employee, sql.employee_at, id=employee_id, known=moment.known_at, scopes=access.scopes()
    )  # fmt: skip
    _note_people(tx, access, [employee])
    return employee


async def list_positions(tx: Tx, access: Access, employee_id: UUID, moment: Moment) -> list[Position]:
    """All positions of an employee, as known at an instant. Raises NotFound; see read_employee."""
    await read_employee(tx, access, employee_id, moment)
    return await tx.all(Position, sql.positions_of, id=employee_id, known=moment.known_at)


async def unknown_units(tx: Tx, ids: list[UUID]) -> set[UUID]:
    """Those of some ids that are no units; for slices above, whose limits name units."""
    return set(ids) - set(await tx.value(sql.known_units, ids=ids) or ())


def _note_people(tx: Tx, access: Access, people: list[Placement] | list[Employee]) -> None:
    subjects = sorted({each.person_id for each in people if each.person_id is not None})
    note(tx, access, "read", subjects, detail={"employees": len(people)})
