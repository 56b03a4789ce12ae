"""Limits: what a call may cost, and how many may be under way at a time. Counted in one process."""

from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from torv.base import metrics
from torv.base.settings import Settings
from torv.ecosystem.gateway.errors import ModuleBusy, TooManyCalls

K = TypeVar("K")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What an installation has decided; see docs/reference/settings.md."""

    request: int = 1_048_576  #: bytes of a request that is not declared to stream
    answer: int = 5_000_000  #: bytes of an answer that is not declared to stream
    stream: int = 104_857_600  #: bytes of either where the contract declares it
    header_lines: int = 100
    header_bytes: int = 32_768
    connect_seconds: int = 2
    first_byte_seconds: int = 10  #: from the connection to the head of the answer, and between two parts of it
    answer_seconds: int = 10  #: for the whole of an answer that is kept whole
    stream_seconds: int = 300  #: for the whole of an answer that is passed on as it comes
    body_seconds: int = 30  #: a caller has for sending its whole request
    calls_per_caller: int = 64
    calls_per_release: int = 128
    breaker_failures: int = 5  #: in a row, after which a release is left alone
    breaker_seconds: int = 5  #: until one call may try it again

    @property
    def longest_call(self) -> int:
        """Seconds after which nobody can still be carrying out a call that keeps its key."""
        return 2 * self.connect_seconds + self.first_byte_seconds + self.answer_seconds + 10  # hold, entries


def limits_of(settings: Settings) -> Limits:
    return Limits(
        request=settings.body_limit, answer=settings.answer_limit, stream=settings.stream_limit,
        header_lines=settings.header_lines, header_bytes=settings.header_bytes,
        connect_seconds=settings.connect_seconds, first_byte_seconds=settings.first_byte_seconds,
        answer_seconds=settings.answer_seconds, stream_seconds=settings.stream_seconds,
        body_seconds=settings.body_seconds, calls_per_caller=settings.calls_per_caller,
        calls_per_release=settings.calls_per_release, breaker_failures=settings.breaker_failures,
        breaker_seconds=settings.breaker_seconds,
    )  # fmt: skip


class UnderWay:
    """How many calls each caller and each release has under way in this process."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._callers, self._releases = Counter[str](), Counter[UUID]()

    @contextmanager
    def caller(self, subject: str) -> Iterator[None]:
        """Count one call of a caller. Raises TooManyCalls."""
        if self._callers[subject] >= self._limits.calls_per_caller:
            raise TooManyCalls(limit=self._limits.calls_per_caller)
        with _counted(self._callers, subject):
            yield

    @contextmanager
    def release(self, release_id: UUID) -> Iterator[None]:
        """Count one call to a release. Raises ModuleBusy."""
        if self._releases[release_id] >= self._limits.calls_per_release:
            metrics.full_releases.inc()
            raise ModuleBusy(limit=self._limits.calls_per_release)
        with _counted(self._releases, release_id):
            yield

    def also(self, release_id: UUID) -> AbstractContextManager[None]:
        """Count what goes on of a call that was counted, whatever the limit."""
        return _counted(self._releases, release_id)

    def of_release(self, release_id: UUID) -> int:
        return self._releases[release_id]


@contextmanager
def _counted(counter: Counter[K], key: K) -> Iterator[None]:
    counter[key] += 1
    try:
        yield
    finally:
        counter[key] -= 1
        if not counter[key]:
            del counter[key]
