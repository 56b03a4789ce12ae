"""Breakers: a release that does not answer is left alone for a while, then one call may try it. Kept per process."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from torv.base import clock, metrics
from torv.ecosystem.gateway.errors import ModuleResting
from torv.ecosystem.gateway.limits import Limits


class BreakerState(StrEnum):
    CLOSED = "closed"  #: calls go through
    OPEN = "open"  #: none do
    HALF_OPEN = "half_open"  #: the next one may, or one just does


@dataclass(slots=True)
class _Breaker:
    failures: int = 0  #: in a row
    opened_at: float | None = None  #: on the monotonic clock
    since: datetime | None = None
    is_tried: bool = False  #: one call is trying it now


class Breakers:
    """The breakers of one process, by release."""

    def __init__(self, limits: Limits) -> None:
        self._most, self._pause = limits.breaker_failures, limits.breaker_seconds
        self._breakers: dict[UUID, _Breaker] = {}

    def admit(self, release_id: UUID) -> None:
        """Let a call through, or not: it then tells `succeed`, `fail` or `leave`. Raises ModuleResting."""
        breaker = self._breakers.get(release_id)
        if breaker is None or breaker.opened_at is None:
            return
        left = breaker.opened_at + self._pause - clock.ticks()
        if left > 0 or breaker.is_tried:
            raise ModuleResting(retry_after=max(1, round(left)))
        breaker.is_tried = True

    def succeed(self, release_id: UUID) -> None:
        """The release has answered, whatever it said."""
        breaker = self._breakers.pop(release_id, None)
        if breaker is not None and breaker.opened_at is not None:
            metrics.open_breakers.dec()

    def fail(self, release_id: UUID) -> None:
        """The release did not answer, or with something that is no answer."""
        breaker = self._breakers.setdefault(release_id, _Breaker())
        breaker.failures += 1
        if breaker.failures < self._most:
            return
        if breaker.opened_at is None:
            metrics.open_breakers.inc()
            breaker.since = clock.now()
        breaker.opened_at, breaker.is_tried = clock.ticks(), False

    def leave(self, release_id: UUID) -> None:
        """The call ended for a reason of ours: nothing is known of the release, and the next call may try it."""
        breaker = self._breakers.get(release_id)
        if breaker is not None:
            breaker.is_tried = False

    def resting(self) -> list[UUID]:
        """The releases that no call is sent to, or only the one that tries them."""
        return [release for release, breaker in self._breakers.items() if breaker.opened_at is not None]

    def state(self, release_id: UUID) -> tuple[BreakerState, int, datetime | None]:
        """The state, the failures in a row, and since when calls are kept from the release."""
        breaker = self._breakers.get(release_id)
        if breaker is None or breaker.opened_at is None:
            return BreakerState.CLOSED, breaker.failures if breaker else 0, None
        is_over = clock.ticks() >= breaker.opened_at + self._pause
        return (BreakerState.HALF_OPEN if is_over else BreakerState.OPEN), breaker.failures, breaker.since
