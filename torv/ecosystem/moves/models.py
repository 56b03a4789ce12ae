"""Values of moves."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


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


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMove:
    capability: str
    to_release: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """A move as it lies in the database."""

    id: UUID
    capability: str
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """Something that happened to a move."""

    state: str
    at: datetime
    detail: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class MoveView:
    """A move as people read it."""

    id: UUID
    capability: str
    state: MoveState
    from_release: UUID
    from_name: str
    to_release: UUID
    to_name: str
    reverses: UUID | None
    started_at: datetime
    hold_ms: int | None  #: from the raising of the fence to the flip, in milliseconds
    steps: list[Step]


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The names of the two releases of a move."""

    from_name: str
    to_name: str
