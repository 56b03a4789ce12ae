"""How organisation is stored: what differs from what we thought is closed and noted anew, by one writer at a time.

Every verb and every import takes this road: begin, store, settle. `settle` refuses what would leave a unit without a
place in the tree, or a position without its unit or employee, on any day; so rings and gaps cannot come to be.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

from torv.base import clock, db, lease
from torv.base.db import Tx
from torv.base.errors import PersonUnknown
from torv.base.sql import load
from torv.base.text import sort_key
from torv.kernel.organisation import rules
from torv.kernel.organisation.errors import EmployeeUnknown, PositionStray, UnitAnchored, UnitMisplaced, UnitUnknown
from torv.kernel.organisation.models import Employee, ImportSummary, Period, Position, UnitHistory

sql = load(__file__)
db.names_constraint("unit_periods_parent_known", UnitUnknown)
db.names_constraint("positions_unit_known", UnitUnknown)
db.names_constraint("positions_employee_known", EmployeeUnknown)
db.names_constraint("employees_person_known", PersonUnknown)
db.names_constraint("anchors_unit_known", UnitUnknown)

V = TypeVar("V", UnitHistory, Employee, Position)


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPeriod:
    """A period as it lies in the database."""

    unit_id: UUID
    version: int
    valid_from: date
    valid_to: date | None
    name: str
    kind: str
    parent_id: UUID | None

    def period(self) -> Period:
        return Period(
            valid_from=self.valid_from, valid_to=self.valid_to, name=self.name, kind=self.kind, parent_id=self.parent_id
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Misfit:
    """What has no place, and since which day."""

    id: UUID
    day: date


async def begin(tx: Tx) -> datetime:
    """Keep other writers out until the transaction ends; gives the instant from which the new is known. Raises Busy."""
    known: datetime = await tx.value(sql.begin_write)
    return known


async def settle(tx: Tx) -> None:
    """Raises PositionStray if a position lacks its unit or its employee on some day; comes last, before the commit."""
    stray = await tx.maybe(Misfit, sql.first_stray_position)
    if stray is not None:
        raise PositionStray(position=str(stray.id), day=str(stray.day))


async def units_now(tx: Tx, unit_id: UUID | None = None) -> dict[UUID, UnitHistory]:
    """All units, or one, with all their periods, as we know them now."""
    return histories(await tx.all(StoredPeriod, sql.periods_now, id=unit_id))


async def employees_now(tx: Tx, employee_id: UUID | None = None) -> dict[UUID, Employee]:
    """All employees, or one, as we know them now."""
    return {each.id: each for each in await tx.all(Employee, sql.employees_now, id=employee_id)}


async def positions_now(
    tx: Tx, position_id: UUID | None = None, *, employee_id: UUID | None = None
) -> dict[UUID, Position]:
    """All positions, or one, or those of an employee, as we know them now."""
    found = await tx.all(Position, sql.positions_now, id=position_id, employee_id=employee_id)
    return {each.id: each for each in found}


def histories(stored: Iterable[StoredPeriod]) -> dict[UUID, UnitHistory]:
    """The periods put together by unit."""
    versions: dict[UUID, int] = {}
    periods: defaultdict[UUID, list[Period]] = defaultdict(list)
    for each in stored:
        versions[each.unit_id] = each.version
        periods[each.unit_id].append(each.period())
    return {
        unit_id: UnitHistory(id=unit_id, version=versions[unit_id], periods=tuple(each))
        for unit_id, each in periods.items()
    }


async def store_units(
    tx: Tx, known: datetime, before: Mapping[UUID, UnitHistory], after: Sequence[UnitHistory]
) -> ImportSummary:
    """Store what differs, and work out where everything stands. Raises UnitUnknown, UnitMisplaced or UnitAnchored."""
    summary, fresh, changed = _compare(before, after)
    closed, added = [], []
    for unit in (*fresh, *changed):
        was, is_now = set(before[unit.id].periods if unit.id in before else ()), set(unit.periods)
        closed += [{"unit_id": unit.id, "valid_from": each.valid_from} for each in was - is_now]
        added += [asdict(each) | {"unit_id": unit.id, "sort_key": sort_key(each.name)} for each in is_now - was]
    await tx.run(sql.add_units, ids=[each.id for each in fresh])
    await tx.run(sql.raise_unit_versions, ids=[each.id for each in changed])
    await tx.run(sql.close_periods, rows=closed, known=known)
    await tx.run(sql.insert_periods, rows=added, known=known)
    if any(each.id not in before or rules.places(before[each.id]) != rules.places(each) for each in (*fresh, *changed)):
        await _derive_paths(tx, known)
    return summary


async def _derive_paths(tx: Tx, known: datetime) -> None:
    await tx.run(sql.derive_paths, known=known)
    misplaced = await tx.maybe(Misfit, sql.first_misplaced_unit)
    if misplaced is not None:
        raise UnitMisplaced(unit=str(misplaced.id), day=str(misplaced.day))
    await check_anchors(tx, known)
    await lease.raise_generation(tx)  # every process knows the tree


async def check_anchors(tx: Tx, known: datetime) -> None:
    """Raises UnitAnchored where a unit would come below an anchored one, or out from below it, now or as is planned."""
    torn = await tx.maybe(Misfit, sql.first_torn_unit, known=known, day=clock.today())
    if torn is not None:
        raise UnitAnchored(unit=str(torn.id), day=str(torn.day))


async def store_employees(
    tx: Tx, known: datetime, before: Mapping[UUID, Employee], after: Sequence[Employee]
) -> ImportSummary:
    """Store what differs. Raises PersonUnknown."""
    summary, fresh, changed = _compare(before, after)
    await tx.run(sql.add_employees, ids=[each.id for each in fresh])
    await tx.run(sql.raise_employee_versions, ids=[each.id for each in changed])
    await tx.run(sql.close_employees, ids=[each.id for each in changed], known=known)
    rows = [_row(each) | {"sort_key": sort_key(each.name)} for each in (*fresh, *changed)]
    await tx.run(sql.insert_employees, rows=rows, known=known)
    return summary


async def store_positions(
    tx: Tx, known: datetime, before: Mapping[UUID, Position], after: Sequence[Position]
) -> ImportSummary:
    """Store what differs. Raises UnitUnknown or EmployeeUnknown."""
    summary, fresh, changed = _compare(before, after)
    await tx.run(sql.add_positions, ids=[each.id for each in fresh])
    await tx.run(sql.raise_position_versions, ids=[each.id for each in changed])
    await tx.run(sql.close_positions, ids=[each.id for each in changed], known=known)
    await tx.run(sql.insert_positions, rows=[_row(each) for each in (*fresh, *changed)], known=known)
    return summary


def _row(each: Employee | Position) -> dict[str, Any]:
    return {name: value for name, value in asdict(each).items() if name != "version"}


def _compare(before: Mapping[UUID, V], after: Sequence[V]) -> tuple[ImportSummary, list[V], list[V]]:
    """How many are new, changed and as they were; the new ones; the changed ones."""
    fresh = [each for each in after if each.id not in before]
    changed = [each for each in after if each.id in before and before[each.id] != each]
    same = len(after) - len(fresh) - len(changed)
    return ImportSummary(added=len(fresh), changed=len(changed), unchanged=same), fresh, changed
