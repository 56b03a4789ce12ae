"""Values of service levels: months, what the log says of a minute's calls, notices, and statements."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from torv.base.clock import DENMARK
from torv.kernel.organisation import NamedUnit

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True, slots=True, order=True)
class Month:
    """A calendar month by Denmark's clocks: with a change of clocks it is an hour shorter or longer."""

    year: int
    month: int

    @classmethod
    def of(cls, instant: datetime) -> "Month":
        here = instant.astimezone(DENMARK)
        return cls(year=here.year, month=here.month)

    @property
    def first(self) -> date:
        return date(self.year, self.month, 1)

    @property
    def next(self) -> "Month":
        return Month(year=self.year + self.month // 12, month=self.month % 12 + 1)

    @property
    def begins(self) -> datetime:
        return datetime.combine(self.first, time(), DENMARK).astimezone(UTC)

    @property
    def ends(self) -> datetime:
        return self.next.begins

    @property
    def minutes(self) -> int:
        return (self.ends - self.begins) // MINUTE

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Minute:
    """What the log says of some calls in one minute that went the same way."""

    service: str
    minute: datetime  #: its first instant
    operation: str
    agreement_id: UUID | None  #: under which the call was to be answered; None: that was not known yet
    is_refusal: bool  #: refused before it was carried
    result: str  #: as the log has it
    status: int | None  #: the module's, where it answered
    calls: int
    module_us: list[int]  #: whole microseconds, of each call that the module answered
    hold_us: int  #: of all calls together, waiting at the fence of a move
    torv_us: int  #: of all calls together, with Torv
    first_position: int
    last_position: int
    unit_id: UUID | None = None  #: of the binding that they went by; None: the whole municipality's


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """That a partner's module was bound to a service from an instant on: in the whole municipality, or in a unit."""

    service: str
    at: datetime
    position: int
    module: str | None  #: None: the unit's binding was dissolved, and the one above it counts from then on
    partner_id: UUID | None  #: the same
    unit_id: UUID | None = None  #: None: the whole municipality


class NoticeKind(StrEnum):
    MAINTENANCE = "maintenance"  #: planned work; counts for nothing if it was announced in time
    OWN_FAULT = "own_fault"  #: the municipality declares that what happened was its own doing


@dataclass(frozen=True, kw_only=True, slots=True)
class NewNotice:
    """Something to announce about an agreement's service."""

    agreement_id: UUID
    service: str
    begins: datetime
    ends: datetime
    kind: NoticeKind = NoticeKind.MAINTENANCE


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """What was announced, and when."""

    id: UUID
    agreement_id: UUID
    service: str
    kind: NoticeKind
    begins: datetime
    ends: datetime
    announced_at: datetime
    position: int | None  #: in the log; None until it has one


@dataclass(frozen=True, kw_only=True, slots=True)
class LevelStatement:
    """What was promised and what was measured in a month, sealed in the log; a later version says why it is there."""

    id: UUID | None  #: None: the month is not over, and nothing is sealed
    agreement_id: UUID
    partner_id: UUID
    month: date  #: its first day
    version: int  #: 0 for what is not sealed
    reason: str  #: month_over | late_entries | notice | terms | not_over
    hash: str  #: SHA-256 over the canonical JSON of the content, hex
    content: dict[str, Any]
    gathered_to: int  #: how far the log had come
    sealed_at: datetime | None
    units: list[NamedUnit] = field(default_factory=list)  #: those it names; read beside it, and not part of its hash
