"""Values of agreements: how one lies in the database, how it stands, and what is permitted under it."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from torv.base.access import Limit, Scope


class State(StrEnum):
    """Derived from signatures, events and clock; never stored."""

    DRAFT = "draft"  #: being written; binds nobody
    PROPOSED = "proposed"  #: not every party has signed
    REJECTED = "rejected"
    WAITING = "waiting"  #: signed, not yet valid
    ACTIVE = "active"
    SUSPENDED = "suspended"
    NOTICE = "notice"  #: notice is running; in force until it ends
    EXIT = "exit"  #: export only
    CLOSED = "closed"  #: nothing at all
    SUPERSEDED = "superseded"  #: a later version has come into force


IN_FORCE = frozenset({State.ACTIVE, State.NOTICE})


class EventKind(StrEnum):
    REJECT = "reject"
    SUSPEND = "suspend"
    RESUME = "resume"
    NOTICE = "notice"
    EXTEND = "extend"  #: an option is used
    REVOKE = "revoke"  #: ended at once for breach: export only
    EXIT = "exit"  #: brought into exit, as after a move
    OVERSIGHT = "oversight"  #: the municipality has looked into the processing
    CLOSE = "close"  #: exit duties are done


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to an agreement. Append-only."""

    kind: EventKind
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAgreement:
    """An agreement as it lies in the database, without its content."""

    id: UUID
    partner_id: UUID
    hash: str
    signed_by: frozenset[str]  #: CVR numbers
    events: tuple[Event, ...]  #: in the order in which they happened


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How an agreement stands at an instant."""

    state: State
    cause: str | None = None  #: the check that refuses what the state does not permit; None while in force


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """Why an agreement is not in force, or not for long, and who can mend it."""

    check: str
    text: str
    text_da: str
    mender: str


class ReminderKind(StrEnum):
    UNSIGNED = "unsigned"  #: somebody has not signed
    ENDS = "ends"
    OPTION = "option"  #: the municipality must decide whether to use it
    OVERSIGHT = "oversight"
    HAND_BACK = "hand_back"  #: the partner must have handed back all data


@dataclass(frozen=True, kw_only=True, slots=True)
class Reminder:
    """Something to do about an agreement."""

    kind: ReminderKind
    by: date  #: the last day; of what is unsigned, the day on which it should begin
    days: int  #: until then; negative when it is past
    is_urgent: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """An agreement and how it stands now."""

    id: UUID
    partner_id: UUID
    title: str
    version: int
    hash: str  #: SHA-256 over the canonical JSON of the content, hex
    state: State
    reasons: list[Reason]  #: why it is not in force; empty while it is
    not_before: datetime
    not_after: datetime  #: with the options used and the notice given
    reminders: list[Reminder]  #: what there is to do, the most urgent first
    signed_by: list[str]  #: CVR numbers
    missing_signatures: list[str]
    content: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """An agreement in a list."""

    id: UUID
    partner_id: UUID
    title: str
    version: int
    state: State
    reasons: list[Reason]  #: why it permits nothing or less; empty while it is in force, and those above it are
    not_before: datetime
    not_after: datetime
    modules: list[str]
    reminders: list[Reminder]
    missing_signatures: list[str] = field(default_factory=list)  #: CVR numbers of those who have not signed


@dataclass(frozen=True, kw_only=True, slots=True)
class Permit:
    """What the agreements permit of a request, with the obligations that come with it."""

    agreement_id: UUID
    grant_id: str  #: joined by `+` where several grants reach different rows
    categories: frozenset[str]
    purpose: str
    row_filter: tuple[Scope, ...] | None
    limits: tuple[Limit, ...] = field(default=())
    is_emergency: bool = False
