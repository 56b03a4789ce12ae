"""The lease: what this process is allowed to believe about agreements, bindings and fences.

Every 250 ms one statement renews the row and returns the generation and the fences, and reports the calls in flight
under the fences known until then, and the modules that are left alone. A process that cannot renew stops deciding after
a second, by its own clock.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from torv.base import clock, metrics
from torv.base.db import Database, Line, Tx, sql
from torv.base.errors import MoveTakesTooLong, OutcomeUnknown, StateUnconfirmed, TorvError
from torv.base.ids import new_id

RENEWAL = 0.25  #: seconds between renewals
TRUST = 1.0  #: seconds a confirmed state may be believed
HOLD = 5.0  #: seconds a call waits at a fence


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmed:
    """What the renewal statement returns."""

    generation: int
    fences: list[str]
    forced: list[str]  #: fences behind which calls in flight are cut


@dataclass(frozen=True, eq=False, slots=True)
class _Admitted:
    """A call in flight. Its key is asked for again and again: it changes when a binding is split or dissolved."""

    key: Callable[[], str]
    cut: asyncio.Timeout


class Lease:
    """The lease of one process. `learn` is called with a connection whenever the generation has changed."""

    def __init__(self, database: Database, kind: str, learn: Callable[[Tx], Awaitable[None]]) -> None:
        self.process: UUID = new_id()
        self.generation = 0
        self._database, self._kind, self._learn = database, kind, learn
        self._fences: frozenset[str] = frozenset()
        self._in_flight: set[_Admitted] = set()
        self.resting: Callable[[], Sequence[UUID]] = lambda: ()  #: what is left alone here, told to all
        self._confirmed_at = float("-inf")
        self._wake, self._lowered = asyncio.Event(), asyncio.Condition()

    def check(self) -> None:
        """Raises StateUnconfirmed if the state was last confirmed more than a second ago."""
        if clock.ticks() - self._confirmed_at > TRUST:
            raise StateUnconfirmed

    async def confirmed(self, within: float) -> None:
        """Wait until the state is confirmed. Raises StateUnconfirmed if it is not after so many seconds."""
        try:
            async with asyncio.timeout(within), self._lowered:
                await self._lowered.wait_for(lambda: clock.ticks() - self._confirmed_at <= TRUST)
        except TimeoutError:
            raise StateUnconfirmed from None

    @asynccontextmanager
    async def admitted(self, key: Callable[[], str], *, follows_admitted: bool = False) -> AsyncIterator[None]:
        """Wait until no fence stands before the key, then count as in flight until the block ends.

        `key` tells the key by what this process has learned: a call that was admitted under the key of a whole
        municipality counts for its district as soon as that has a binding of its own, and so does one that waits.
        A call that belongs to the chain of an admitted call passes the fence. Raises MoveTakesTooLong after 5 s, and
        OutcomeUnknown when the block is cut because the move would not wait for it any longer.
        """
        if not follows_admitted and self._fences and key() in self._fences:
            await self._wait_at_fence(key)
        self.check()
        admitted = _Admitted(key, cut := asyncio.timeout(None))
        self._in_flight.add(admitted)
        try:
            async with cut:
                yield
        except TimeoutError:
            if not cut.expired():
                raise
            raise OutcomeUnknown from None
        finally:
            self._in_flight.discard(admitted)
            if self._fences and key() in self._fences:
                self._wake.set()  # the move waits for this

    async def _wait_at_fence(self, key: Callable[[], str]) -> None:
        metrics.held_calls.inc()
        try:
            async with asyncio.timeout(HOLD), self._lowered:
                await self._lowered.wait_for(lambda: key() not in self._fences)
        except TimeoutError:
            raise MoveTakesTooLong from None
        finally:
            metrics.held_calls.dec()

    async def run(self) -> None:
        """Renew until cancelled; a lost connection is opened again by whoever repeats this step."""
        async with self._database.line() as line:
            await line.listen("torv_state", lambda _: self._wake.set())
            try:
                while True:
                    await self._renew(line)
                    await self._sleep()
            except asyncio.CancelledError:
                with suppress(TorvError, TimeoutError):  # the database may be gone: that must not keep us running
                    async with asyncio.timeout(TRUST):
                        await line.run(sql.end_lease, process=self.process)
                raise

    async def _sleep(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(RENEWAL):  # wait_for (3.11) loses a cancellation that comes with the wake
                await self._wake.wait()
        self._wake.clear()

    async def _renew(self, line: Line) -> None:
        asked_at = clock.ticks()  # the answer is at least as old as the question
        state = (
            await line.all(
                Confirmed, sql.renew_lease, process=self.process, kind=self._kind, generation=self.generation,
                fences=sorted(self._fences), in_flight=Counter(each.key() for each in self._in_flight),
                resting=list(self.resting()),
            )
        )[0]  # fmt: skip
        if state.generation != self.generation:
            await self._learn(line)
            self.generation = state.generation
        fences = frozenset(state.fences)
        if fences - self._fences:
            self._wake.set()  # confirm a new fence at once, not in 250 ms
        self._fences, self._confirmed_at = fences, asked_at
        for each in [each for each in self._in_flight if each.key() in state.forced] if state.forced else ():
            each.cut.reschedule(asyncio.get_running_loop().time())
        metrics.lease_age.set(clock.ticks() - asked_at)
        async with self._lowered:
            self._lowered.notify_all()


async def raise_generation(tx: Tx) -> None:
    """Make every process read agreements and bindings anew within a second: a part of the change itself."""
    await tx.value(sql.raise_generation)
    await tx.value(sql.notify_state)


async def raise_fence(tx: Tx, key: str) -> None:
    """Hold new calls of `key` in every process; `is_quiet` tells when all have confirmed."""
    await tx.run(sql.raise_fence, key=key)
    await tx.value(sql.notify_state)


async def force_fence(tx: Tx, key: str) -> None:
    """Cut the calls of `key` that are still in flight."""
    await tx.run(sql.force_fence, key=key)
    await tx.value(sql.notify_state)


async def lower_fence(tx: Tx, key: str) -> None:
    """Let waiting calls of `key` go on."""
    await tx.run(sql.lower_fence, key=key)
    await tx.value(sql.notify_state)


async def is_quiet(tx: Tx, key: str) -> bool:
    """Whether every living process honours the fence of `key` and carries no call of it."""
    return bool(await tx.value(sql.unconfirmed_leases, key=key) == 0)
