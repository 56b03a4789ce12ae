"""Time: instants are UTC; ages inside a process are measured on the monotonic clock, which nobody can set back."""

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

DENMARK = ZoneInfo("Europe/Copenhagen")


def now() -> datetime:
    """The present instant, in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """The date in Denmark."""
    return datetime.now(DENMARK).date()


def ticks() -> float:
    """Seconds on this process's monotonic clock; only differences mean anything."""
    return time.monotonic()
