"""Rules of moves: which state may follow which."""

from uuid import UUID

from torv.base.errors import WrongState
from torv.ecosystem.moves.models import MoveState

S = MoveState

_NEXT: dict[MoveState, frozenset[MoveState]] = {
    S.PLANNED: frozenset({S.PREFLIGHT, S.ABORTED}),
    S.PREFLIGHT: frozenset({S.HYDRATING, S.ABORTED}),
    S.HYDRATING: frozenset({S.SHADOWING, S.FREEZING, S.ABORTED}),
    S.SHADOWING: frozenset({S.FREEZING, S.ABORTED}),
    S.FREEZING: frozenset({S.MOVED, S.HYDRATING, S.ABORTED}),
    S.MOVED: frozenset({S.WATCHING, S.FINAL}),
    S.WATCHING: frozenset({S.FINAL, S.ROLLED_BACK}),
    S.FINAL: frozenset(),
    S.ROLLED_BACK: frozenset(),
    S.ABORTED: frozenset(),
}

BEFORE_FLIP = frozenset({S.PLANNED, S.PREFLIGHT, S.HYDRATING, S.SHADOWING, S.FREEZING})

DRAIN = 3.0  #: seconds calls in flight may take to finish, then they are cut
FREEZE = 4.5  #: seconds a freeze may last in all, then it is given up: waiting calls are refused after 5
SHADOW_CALLS = 20  #: comparisons that are enough
SHADOW_SHORTEST, SHADOW_LONGEST = 1.0, 10.0  #: seconds


def check_step(before: MoveState, after: MoveState) -> None:
    """Raises WrongState unless `after` may follow `before`."""
    if after not in _NEXT[before]:
        raise WrongState(state=before)


def is_telling(different: int, unit_id: UUID | None) -> bool:
    """Whether differing answers end a move.

    In a unit they are counted and told, and end nothing: who serves a unit may hold the records of that unit only, and
    a person who has lived in two of them has records in both. That it holds the unit's own is proved by digests.
    """
    return different > 0 and unit_id is None


def is_shadowed_enough(seconds: float, compared: int) -> bool:
    """Whether a candidate has been tried for long enough: many comparisons, or as many as the traffic gave."""
    return seconds >= SHADOW_LONGEST or (seconds >= SHADOW_SHORTEST and compared >= SHADOW_CALLS)
