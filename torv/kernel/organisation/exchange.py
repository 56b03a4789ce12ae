"""The whole organisation as one JSON document, `torv-organisation/1`: written by us, or by another system for us.

Importing a file a second time changes nothing; what is not in the file stays as it is; a file is taken whole or not at
all. Exporting what was imported gives the same document.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import Denied, InvalidInput
from torv.base.signing import strict_json
from torv.base.trail import note
from torv.kernel.organisation import rules, storing
from torv.kernel.organisation.errors import OrganisationFileInvalid
from torv.kernel.organisation.models import Employee, ImportSummary, Organisation, Period, Position, UnitHistory

FORMAT = "torv-organisation/1"
Day = Annotated[date, Field(ge=date(1800, 1, 1), lt=date(3000, 1, 1))]
T = TypeVar("T", UnitHistory, Employee, Position)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Span(_Part):
    valid_from: Day
    valid_to: Day | None = None


class _Period(_Span):
    name: str
    kind: str
    parent_id: UUID | None = None


class _Unit(_Part):
    id: UUID
    periods: tuple[_Period, ...]


class _Employee(_Span):
    id: UUID
    name: str
    email: str | None = None
    person_id: UUID | None = None


class _Position(_Span):
    id: UUID
    employee_id: UUID
    unit_id: UUID
    job_function: str
    is_leader: bool = False


class _Document(_Part):
    format: Literal["torv-organisation/1"]
    units: tuple[_Unit, ...] = ()
    employees: tuple[_Employee, ...] = ()
    positions: tuple[_Position, ...] = ()


def read_document(text: bytes) -> Organisation:
    """The organisation that a file describes, in normal form. Raises OrganisationFileInvalid, naming the place."""
    try:
        document = _Document.model_validate(strict_json(text))
    except InvalidInput as error:
        raise OrganisationFileInvalid(reason=error.facts["reason"]) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise OrganisationFileInvalid(reason=f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return Organisation(
        units=_each("units", [_unit(each) for each in document.units], rules.normal_unit),
        employees=_each(
            "employees", [Employee(**each.model_dump()) for each in document.employees], rules.normal_employee
        ),
        positions=_each(
            "positions", [Position(**each.model_dump()) for each in document.positions], rules.normal_position
        ),
    )


def document_of(organisation: Organisation) -> dict[str, Any]:
    """The organisation as plain JSON values, in the order of ids."""
    return {
        "format": FORMAT,
        "units": [
            {"id": str(unit.id), "periods": [_plain(asdict(each)) for each in unit.periods]}
            for unit in organisation.units
        ],
        "employees": [_plain(asdict(each)) for each in organisation.employees],
        "positions": [_plain(asdict(each)) for each in organisation.positions],
    }


async def import_organisation(tx: Tx, access: Access, organisation: Organisation) -> ImportSummary:
    """Make every unit, employee and position of a file what the file says.

    Raises UnitUnknown, EmployeeUnknown, PersonUnknown, UnitMisplaced or PositionStray, and Denied to those who see
    some units only; then nothing is changed.
    """
    _require_whole(access)
    known = await storing.begin(tx)
    summary = await storing.store_units(tx, known, await storing.units_now(tx), organisation.units)
    summary += await storing.store_employees(tx, known, await storing.employees_now(tx), organisation.employees)
    summary += await storing.store_positions(tx, known, await storing.positions_now(tx), organisation.positions)
    await storing.settle(tx)
    note(tx, access, "write", detail=asdict(summary))
    return summary


async def export_organisation(tx: Tx, access: Access) -> Organisation:
    """Everything as we know it now, past and planned. Raises Denied to those who see some units only."""
    _require_whole(access)
    units, employees = await storing.units_now(tx), await storing.employees_now(tx)
    positions = await storing.positions_now(tx)
    subjects = sorted({each.person_id for each in employees.values() if each.person_id is not None})
    note(tx, access, "read", subjects, detail={"units": len(units), "employees": len(employees)})
    return Organisation(
        units=tuple(units.values()), employees=tuple(employees.values()), positions=tuple(positions.values())
    )


def _require_whole(access: Access) -> None:
    if access.row_filter is not None:
        raise Denied(
            check="unit", reason="your role is for some units only", reason_da="din rolle gælder kun nogle enheder",
            mender="Systemadministratoren",
        )  # fmt: skip


def _unit(unit: _Unit) -> UnitHistory:
    return UnitHistory(id=unit.id, periods=tuple(Period(**each.model_dump()) for each in unit.periods))


def _each(place: str, values: Sequence[T], normal: Callable[[T], T]) -> tuple[T, ...]:
    """The values in normal form. Raises OrganisationFileInvalid for one that has none, or an id that stands twice."""
    seen: set[UUID] = set()
    made = []
    for number, value in enumerate(values):
        if value.id in seen:
            raise OrganisationFileInvalid(reason=f"{place}.{number}.id: stands twice")
        seen.add(value.id)
        try:
            made.append(normal(value))
        except InvalidInput as error:
            raise OrganisationFileInvalid(reason=f"{place}.{number}: {error.facts['reason']}") from None
    return tuple(made)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Values as JSON has them; what is None, and our own count of versions, is left out."""
    kept = {name: value for name, value in values.items() if value is not None and name != "version"}
    return {name: value if isinstance(value, bool) else str(value) for name, value in kept.items()}
