"""Values of events: what happened, who follows it and how far, and what nobody would take."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID


class Mode(StrEnum):
    """How events reach a module."""

    PULL = "pull"  #: it asks, waits, and acknowledges
    PUSH = "push"  #: Torv sends (Standard Webhooks) to the release in service


class Alert(StrEnum):
    """How a subscription is doing, for whoever watches over it."""

    OK = "ok"
    BEHIND = "behind"  #: the first event that waits is older than five minutes
    FAILING = "failing"  #: the receiver does not answer
    STOPPED = "stopped"  #: the agreement does not permit delivery just now
    DEAD_LETTERS = "dead_letters"  #: something was given up


@dataclass(frozen=True, kw_only=True, slots=True)
class NewEvent:
    """An event to be published by the module that holds the capability."""

    capability: str
    type: str  #: as the contract names it, without the capability
    subject: UUID  #: what it is about
    data: dict[str, Any]  #: as the contract's schema has it: ids and codes, never free text or a CPR number
    person_id: UUID | None = None
    unit_id: UUID | None = None  #: what grants' limits are held against; what is left out is kept from limited grants
    kle: str | None = None
    sensitivity: int | None = None
    time: datetime | None = None  #: when it happened, if that is not now


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedEvent:
    """The id that an event was published under."""

    id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """An event as it lies in the database."""

    position: int  #: in the feed of events
    id: UUID
    type: str
    capability: str | None  #: that published it; None: the kernel's own
    subject: str
    sequence: int  #: 1, 2, 3 ... of the subject
    category: str
    person_id: UUID | None
    unit_id: UUID | None
    kle: str | None
    sensitivity: int | None
    data: dict[str, Any]
    at: datetime
    partner_id: UUID | None = None  #: whom alone it is for; None: whoever's permit reaches it


@dataclass(frozen=True, kw_only=True, slots=True)
class LateEvent:
    """An event of a module that did not hold the capability: kept and shown, never told to anybody."""

    id: UUID
    capability: str
    release_id: UUID
    type: str  #: as the contract names it
    idempotency_key: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LateEventContent(LateEvent):
    """A late event with what it would have said, for somebody with a reason to look."""

    content: dict[str, Any]  #: the members of NewEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class EventPage:
    """Events as a program gets them."""

    events: list[dict[str, Any]]  #: CloudEvents 1.0
    position: int  #: acknowledge this, and go on from here
    more: bool
    turns: dict[str, int]  #: of the subscriptions that were asked: to be given back with the acknowledgement


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSubscription:
    """What a capability wants to be told."""

    capability: str
    unit_id: UUID | None = None  #: by the binding of this very unit; None: by the municipality's
    types: list[str]  #: such as `torv.record.written` or `notes.note.written`
    mode: Mode = Mode.PULL
    path: str = "/torv/events"  #: where the releases take events
    start: Literal["now", "beginning"] = "now"  #: counts once: a subscription that is there keeps its place


@dataclass(frozen=True, kw_only=True, slots=True)
class Subscription:
    """A subscription as it lies in the database."""

    id: UUID
    key: str  #: of the binding that follows
    capability: str
    unit_id: UUID | None  #: that the binding is for; None: the whole municipality
    types: list[str]
    mode: Mode
    path: str
    cursor: int
    turn: int  #: raised whenever the cursor is set from outside
    secret_number: int
    secret_changed_at: datetime
    failures: int  #: in a row
    failing_since: datetime | None
    retry_at: datetime | None
    stopped_by: str | None
    is_alone: bool  #: the capability has no other binding: every event is for this one


@dataclass(frozen=True, kw_only=True, slots=True)
class Lag:
    """What a subscription waits for."""

    events: int  #: 10,000: so many or more
    since: datetime | None  #: when the first of them happened
    parked: int  #: laid aside, to be tried again
    dead: int


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriptionView:
    """A subscription as people and suppliers read it."""

    id: UUID
    key: str  #: of the binding: the capability, and `@<unit>` where it is for a unit
    capability: str
    unit_id: UUID | None
    unit_name: str | None  #: as it is called today
    types: list[str]
    mode: Mode
    path: str
    cursor: int
    lag_events: int  #: 10,000: so many or more
    lag_seconds: int
    parked: int
    dead_letters: int
    breaker: Literal["closed", "open", "half_open"]
    retry_at: datetime | None
    stopped_by: str | None  #: the check of the agreement that stops it
    alert: Alert


@dataclass(frozen=True, kw_only=True, slots=True)
class Secrets:
    """What a release verifies signatures with: any of these is good."""

    subscription_id: UUID
    secrets: list[str]  #: `whsec_...`, the newest first
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledgement:
    """Everything up to a position was received."""

    capability: str
    position: int
    turns: dict[str, int] = field(default_factory=dict)  #: as the page gave them; needed by who serves several units


@dataclass(frozen=True, kw_only=True, slots=True)
class Replay:
    """Where to begin again: beyond a position, or at an instant. One of them."""

    after: int | None = None
    since: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Parked:
    """An event laid aside."""

    id: UUID
    position: int
    subject: str
    attempts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredLetter:
    """A dead letter as it lies in the database."""

    id: UUID
    subscription_id: UUID
    key: str
    capability: str
    unit_id: UUID | None
    unit_name: str | None
    attempts: int
    last_status: int | None
    dead_at: datetime
    position: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """An event that its receiver would not take for about a day; without what it says."""

    id: UUID
    capability: str  #: whose subscription it is
    unit_id: UUID | None  #: whose binding has it; None: the municipality's
    unit_name: str | None  #: as it is called today
    event_id: UUID
    type: str
    subject: str
    sequence: int
    position: int
    attempts: int
    last_status: int | None  #: HTTP status of the last refusal; None: it did not answer
    dead_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Revival:
    """How many dead letters are tried again."""

    revived: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Above:
    """A unit, with its own id and those of the units above it."""

    unit_id: UUID
    above: list[UUID]


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """A unit, and the binding that it belongs to."""

    unit_id: UUID
    key: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Events on their way to a receiver."""

    events: list[Event] = field(default_factory=list)
    until: int = 0  #: the cursor after it
    parked: Parked | None = None  #: this one was laid aside before
    waiting: list[Event] = field(default_factory=list)  #: must wait behind others about their subjects
    is_cut: bool = False  #: more may lie right behind it


@dataclass(frozen=True, kw_only=True, slots=True)
class Reaction:
    """What a receiver did with a batch."""

    status: int | None  #: HTTP status; None: it did not answer
    retry_after: float | None = None  #: seconds, as it asked

    @property
    def is_taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_absent(self) -> bool:
        """Whether it is the receiver that is not there, rather than the event that is refused."""
        return self.status is None or self.status in (408, 429, 502, 503, 504)
