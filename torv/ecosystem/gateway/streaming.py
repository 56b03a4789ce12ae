"""Streaming: a large answer is passed on as it comes, while the call counts as in flight and is decided on again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Protocol
from uuid import UUID

from structlog import get_logger

from torv.base import clock
from torv.base.access import Access, Caller, Demand
from torv.base.errors import TorvError
from torv.base.http import Engine
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing

log = get_logger("torv.gateway")

AHEAD = 4  #: parts that wait for a caller who reads slowly
RECHECK = 0.5  #: seconds between two decisions while an answer is under way

Note = Callable[[str, int], Awaitable[None]]


class Carrier(Protocol):
    """Whoever carries the call: the gateway."""

    engine: Engine

    def decide(self, caller: Caller, demand: Demand, request_id: UUID, unit_id: UUID | None) -> Access: ...
    def key_of(self, outgoing: Outgoing) -> str: ...


class AnswerCut(Exception):
    """An answer that had begun was cut: its connection is, too, so that nobody takes it for a whole one."""


class Stream:
    """One answer under way. `run` takes it from the module; whoever answers the caller reads `parts`."""

    def __init__(
        self, carrier: Carrier, outgoing: Outgoing, answer: ModuleAnswer, note: Note, *, seconds: int,
        counted: AbstractContextManager[None],
    ) -> None:  # fmt: skip
        assert answer.rest is not None
        self._carrier, self._outgoing, self._note, self._seconds = carrier, outgoing, note, seconds
        self._first, self._rest, self._counted = answer.body, answer.rest, counted
        self._parts: asyncio.Queue[bytes | TorvError] = asyncio.Queue(AHEAD)
        self._sent, self._looked_at = 0, clock.ticks()
        self.is_admitted = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        """In flight until it ends: a move waits for it or cuts it, and an agreement that ends does."""
        outgoing, reason = self._outgoing, None
        try:
            with self._counted:
                key = partial(self._carrier.key_of, outgoing)
                async with self._carrier.engine.lease.admitted(key, follows_admitted=True):
                    self.is_admitted.set()
                    async with asyncio.timeout(self._seconds):
                        await self._pass_on()
        except TorvError as error:
            reason = error.code
        except TimeoutError:
            reason = "module_timeout"
        except asyncio.CancelledError:
            reason = "caller_gone"
        except Exception:
            log.exception("stream_failed", call_id=str(outgoing.call_id))
            reason = TorvError.code
        finally:
            self.is_admitted.set()
            self._rest.close()
        await self._end(reason)

    async def _pass_on(self) -> None:
        await self._put(self._first)
        async for part in self._rest.parts():
            if clock.ticks() - self._looked_at > RECHECK:
                access, self._looked_at = self._outgoing.access, clock.ticks()
                request_id = access.request_id or self._outgoing.call_id
                self._carrier.decide(access.caller, self._outgoing.demand, request_id, self._outgoing.unit_id)
            await self._put(part)
        await self._parts.put(b"")

    async def _put(self, part: bytes) -> None:
        await self._parts.put(part)
        self._sent += len(part)

    async def _end(self, reason: str | None) -> None:
        if reason is None:
            return
        while not self._parts.empty():  # what was cut need not be read to its end
            self._parts.get_nowait()
        self._parts.put_nowait(TorvError(reason=reason))
        await self._note(reason, self._sent)

    async def parts(self) -> AsyncIterator[bytes]:
        """The parts. Raises AnswerCut."""
        try:
            while part := await self._parts.get():
                if isinstance(part, TorvError):
                    raise AnswerCut(part.facts["reason"])
                yield part
        finally:
            self.close()

    def close(self) -> None:
        """The caller wants no more of it."""
        self._task.cancel()


async def stream(
    carrier: Carrier, outgoing: Outgoing, answer: ModuleAnswer, note: Note, *, seconds: int,
    counted: AbstractContextManager[None],
) -> ModuleAnswer:  # fmt: skip
    """The same answer, passed on by a task of its own from now on; to be asked while the call is still admitted."""
    under_way = Stream(carrier, outgoing, answer, note, seconds=seconds, counted=counted)
    await under_way.is_admitted.wait()
    return replace(answer, body=b"", rest=under_way)
