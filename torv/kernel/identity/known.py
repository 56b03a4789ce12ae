"""Known callers: whom a session's token belonged to a moment ago, so that many requests in a second ask once.

The promise is that of agreements: a session that was ended, a lock, a role taken back stop in every process within a
second, by its own monotonic clock; in the process where it happened, at once.
"""

from torv.base import clock
from torv.base.access import Caller
from torv.base.db import Tx

TRUST = 1.0  #: seconds that what the database said may be believed, counted from when it was asked
ROOM = 10_000  #: tokens; when it is full, all are asked for again

_callers: dict[bytes, tuple[Caller, float]] = {}
_forgotten = 0  #: how often everything was forgotten


def remembered(token_hash: bytes) -> Caller | None:
    """The caller of a token; None if the database is to be asked."""
    caller, asked_at = _callers.get(token_hash, (None, 0.0))
    return caller if clock.ticks() - asked_at < TRUST else None


class Question:
    """A question to the database, begun now."""

    def __init__(self) -> None:
        self._asked_at, self._forgotten = clock.ticks(), _forgotten

    def remember(self, token_hash: bytes, caller: Caller) -> None:
        """Keep the answer, unless something has changed since the question."""
        if self._forgotten != _forgotten:
            return
        if len(_callers) >= ROOM:
            _callers.clear()
        _callers[token_hash] = caller, self._asked_at


def forget_callers(tx: Tx) -> None:
    """Forget everybody when this transaction commits: it changes who somebody is, or what they may."""
    tx.after_commit.append(_forget)


def _forget() -> None:
    global _forgotten
    _forgotten += 1
    _callers.clear()
