"""Values of organisation: units, employees and positions. A period is [valid_from, valid_to); None is open-ended."""

from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

FAR_FUTURE = datetime.fromisoformat("9000-01-01T00:00:00+00:00")  #: known by then is known now


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """Which day is asked about, and what we knew of it when."""

    on: date
    known_at: datetime = FAR_FUTURE


@dataclass(frozen=True, kw_only=True, slots=True)
class Unit:
    """A part of the municipality, as it is on a day."""

    id: UUID
    version: int
    name: str
    kind: str
    parent_id: UUID | None
    above: list[UUID]  #: ids from the root to the unit itself
    valid_from: date  #: of the period in which name, kind and parent are these
    valid_to: date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """What a unit is called, what it is, and what it belongs to, for a time."""

    valid_from: date
    valid_to: date | None
    name: str
    kind: str
    parent_id: UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class UnitHistory:
    """All periods of a unit in order, as we know them now."""

    id: UUID
    periods: tuple[Period, ...]
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Employee:
    """Somebody who works for the municipality; known as a person too, or not."""

    id: UUID
    name: str
    email: str | None
    person_id: UUID | None
    valid_from: date
    valid_to: date | None
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """What an employee does in a unit, for a time; a leader leads the unit and what lies below without one."""

    id: UUID
    employee_id: UUID
    unit_id: UUID
    job_function: str
    is_leader: bool
    valid_from: date
    valid_to: date | None
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Placement:
    """An employee in a position, for lists."""

    position_id: UUID
    unit_id: UUID
    job_function: str
    is_leader: bool
    valid_from: date
    valid_to: date | None
    employee_id: UUID
    name: str
    email: str | None
    person_id: UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewUnit:
    """What is needed to create a unit."""

    name: str
    kind: str
    valid_from: date
    valid_to: date | None = None
    parent_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEmployee:
    """What is needed to hire somebody."""

    name: str
    valid_from: date
    valid_to: date | None = None
    email: str | None = None
    person_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EmployeeFacts:
    """What is known of an employee beside the period: all of it, so that what is left out is taken away."""

    name: str
    email: str | None = None
    person_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPosition:
    """What is needed to give an employee a position."""

    employee_id: UUID
    unit_id: UUID
    job_function: str
    valid_from: date
    valid_to: date | None = None
    is_leader: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Organisation:
    """The whole of it, as it is written to and read from a file."""

    units: tuple[UnitHistory, ...]
    employees: tuple[Employee, ...]
    positions: tuple[Position, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportSummary:
    """What an import did: objects, not lines."""

    added: int
    changed: int
    unchanged: int

    def __add__(self, other: "ImportSummary") -> "ImportSummary":
        return ImportSummary(
            added=self.added + other.added, changed=self.changed + other.changed,
            unchanged=self.unchanged + other.unchanged,
        )  # fmt: skip
