"""Values of moves."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from torv.kernel.records import key_of


class MoveState(StrEnum):
    PLANNED = "planned"
    PREFLIGHT = "preflight"  #: may the candidate take over at all?
    HYDRATING = "hydrating"  #: the candidate reads the records and proves that it holds them
    SHADOWING = "shadowing"  #: safe calls are mirrored to the candidate and compared
    FREEZING = "freezing"  #: new calls wait, the last ones finish, the last records are compared
    MOVED = "moved"
    WATCHING = "watching"  #: the predecessor stands by
    FINAL = "final"
    ROLLED_BACK = "rolled_back"
    ABORTED = "aborted"


class Reason(StrEnum):
    """Why a move ended before the flip, or went a step back."""

    ASKED = "asked"
    NOT_PERMITTED = "not_permitted"  #: the candidate's agreement does not cover what it is to do
    MAJORS_MISSING = "majors_missing"  #: it lacks a major version that is served
    CONTRACT_OUTSIDE_RANGE = "contract_outside_range"
    RELEASE_RETIRED = "release_retired"
    REQUIREMENTS_NOT_MET = "requirements_not_met"
    RECORDS_DIFFER = "records_differ"  #: it does not export what the kernel has
    ANSWERS_DIFFER = "answers_differ"
    NOT_DRAINED = "not_drained"  #: not every process of Torv confirmed in time that it holds the calls
    CANDIDATE_TOO_SLOW = "candidate_too_slow"  #: it had not read the last records in time
    FREEZE_INTERRUPTED = "freeze_interrupted"  #: the worker that froze died: the move goes on from hydrating


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMove:
    capability: str
    to_release: UUID
    unit_id: UUID | None = None  #: in this unit and what lies below it alone: a pilot; None: the whole municipality


@dataclass(frozen=True, kw_only=True, slots=True)
class DissolvedBinding:
    """A unit's own binding that goes up into the one above it."""

    capability: str
    unit_id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A move as it lies in the database."""

    id: UUID
    capability: str
    unit_id: UUID | None  #: whose binding is moved; None: the municipality's
    from_release: UUID
    to_release: UUID
    reverses: UUID | None  #: the move that this one takes back
    state: MoveState
    planned_at: datetime
    shadowing_at: datetime | None
    frozen_at: datetime | None
    moved_at: datetime | None
    epoch: int | None  #: of the binding after the move
    receipt: str | None  #: compact JWS

    @property
    def key(self) -> str:
        """Of the binding that is moved."""
        return key_of(self.capability, self.unit_id)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Something that happened to a move."""

    state: str
    at: datetime
    detail: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveLine:
    """A move in a list."""

    id: UUID
    capability: str
    unit_id: UUID | None
    unit_name: str | None
    state: MoveState
    from_release: UUID
    from_name: str
    to_release: UUID
    to_name: str
    reverses: UUID | None
    started_at: datetime
    hold_ms: int | None  #: from the raising of the fence to the flip, in milliseconds


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveView(MoveLine):
    """A move as people read it."""

    steps: list[Step]
