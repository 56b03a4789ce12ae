"""Time: instants are UTC; ages inside a process are measured on the monotonic clock, which nobody can set back."""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

DENMARK = ZoneInfo("Europe/Copenhagen")
SLACK = 5.0  #: seconds a clock may be set back, as when it is corrected


class Guard:
    """Follows a clock forwards, and back by `SLACK` at most: what has expired stays so when the clock is set back.

    It remembers the most that the clock has been ahead of the monotonic one, which nobody can set.
    """

    def __init__(self, clock: Callable[[], float], ticks: Callable[[], float]) -> None:
        self._clock, self._ticks = clock, ticks
        self._ahead = clock() - ticks()

    def seconds(self) -> float:
        """The present instant, in Unix seconds."""
        wall, ticks = self._clock(), self._ticks()
        self._ahead = max(self._ahead, wall - ticks)
        return max(wall, ticks + self._ahead - SLACK)

    def behind(self) -> float:
        """Seconds by which the clock has been set back since this process began."""
        return max(0.0, self._ticks() + self._ahead - self._clock())


_guard = Guard(lambda: time.time(), lambda: time.monotonic())


def now() -> datetime:
    """The present instant, in UTC; it never falls more than `SLACK` behind what this process has seen."""
    return datetime.fromtimestamp(_guard.seconds(), UTC)


def seconds() -> float:
    """The same in Unix seconds, as tokens state it."""
    return _guard.seconds()


def behind() -> float:
    """Seconds by which the clock has been set back since this process began."""
    return _guard.behind()


def today() -> date:
    """The date in Denmark."""
    return now().astimezone(DENMARK).date()


def ticks() -> float:
    """Seconds on this process's monotonic clock; only differences mean anything."""
    return time.monotonic()
