"""Connections to modules: opened to the very address that was resolved and looked at, kept open between calls."""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

from torv.base import clock
from torv.ecosystem.gateway.wire import Decoder, Ended, Head, NotHttp, read_head
from torv.ecosystem.modules import addresses_of

IDLE = 4.0  #: seconds a connection is kept unused; servers close theirs after five and more
MOST_IDLE = 64  #: connections kept unused per module
HIGH = 262_144  #: bytes that may wait to be taken before the module has to wait


@dataclass(frozen=True, slots=True)
class Target:
    """Where a module stands."""

    host: str
    port: int
    authority: str  #: as the Host header says it
    is_tls: bool


@lru_cache(maxsize=1_000)
def target_of(url: str) -> Target:
    """The target of an address that `normal_address` has checked."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    return Target(parts.hostname or "", parts.port or (443 if is_tls else 80), parts.netloc, is_tls)


class Connection(asyncio.Protocol):
    """A connection that carries one exchange at a time. Whoever reads raises NotHttp; Ended when it has ended."""

    def __init__(self) -> None:
        self._received, self._decoder = bytearray(), Decoder(0)
        self._waiting: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._is_paused = self._may_not_write = self.has_ended = False
        self.idle_since, self.is_in_use, self.is_used_again, self.keeps_open = 0.0, True, False, True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # not every loop's are instances of it

    def data_received(self, data: bytes) -> None:
        if not self.is_in_use:  # nobody asked for anything
            self.close()
            return
        self._received += data
        if len(self._received) > HIGH and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_ended = True
        self._wake()

    def pause_writing(self) -> None:
        self._may_not_write = True

    def resume_writing(self) -> None:
        self._may_not_write = False
        self._wake()

    def close(self) -> None:
        """End it at once; nothing that is still to be sent is worth waiting for."""
        self.has_ended = True
        if self._transport is not None:
            self._transport.abort()

    async def send(self, head: bytes, body: bytes, more: Iterable[bytes] = ()) -> None:
        """Send a request; the rest of its body only while the module takes it and has not answered yet."""
        assert self._transport is not None
        self._transport.write(head + body if body else head)
        for part in more:
            while self._may_not_write and not self._received and not self.has_ended:
                await self._wait()
            if self._received or self.has_ended:
                self.keeps_open = False  # the module has its answer before it has the whole request
                return
            self._transport.write(part)

    async def head(self, *, lines: int, size: int) -> Head:
        """The head of the answer."""
        while (end := self._received.find(b"\r\n\r\n")) < 0:
            if len(self._received) > size:
                raise NotHttp("its head is too large")
            await self._more()
        if end > size:
            raise NotHttp("its head is too large")
        head = read_head(bytes(self._received[: end + 4]), lines=lines)
        del self._received[: end + 4]
        self._decoder = Decoder(head.length)
        self.keeps_open = self.keeps_open and head.keeps_open
        return head

    async def part(self) -> bytes:
        """The next part of the body; empty at its end."""
        while not self._decoder.is_over:
            if part := self._decoder.take(self._received):
                self._go_on()
                return part
            if not self._decoder.is_over:
                await self._more()
        return b""

    @property
    def is_reusable(self) -> bool:
        """Whether another exchange may follow: this one is over, and nothing came behind it."""
        return self.keeps_open and not self.has_ended and self._decoder.is_over and not self._received

    def _go_on(self) -> None:
        if self._is_paused and len(self._received) <= HIGH and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()

    async def _more(self) -> None:
        if self.has_ended:
            raise Ended("the connection ended")
        self._go_on()
        await self._wait()

    async def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().create_future()
        await self._waiting

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class Connections:
    """The open connections of one process, to private addresses only if `private`."""

    def __init__(self, *, private: bool, connect_seconds: float) -> None:
        self._private, self._connect_seconds = private, connect_seconds
        self._idle: defaultdict[Target, list[Connection]] = defaultdict(list)
        self._tls: ssl.SSLContext | None = None

    async def take(self, target: Target, *, is_new: bool = False) -> Connection:
        """A connection for one exchange. Raises OSError, also where no address of the name may be connected to."""
        idle = self._idle[target]
        while idle and not is_new:
            connection = idle.pop()
            if not connection.has_ended and clock.ticks() - connection.idle_since < IDLE:
                connection.is_in_use = connection.is_used_again = True
                return connection
            connection.close()
        async with asyncio.timeout(self._connect_seconds):
            return await self._open(target)

    def give_back(self, connection: Connection, target: Target) -> None:
        """End the exchange; the connection is kept if it can be used again."""
        connection.is_in_use = False
        if not connection.is_reusable or len(self._idle[target]) >= MOST_IDLE:
            connection.close()
            return
        connection.idle_since = clock.ticks()
        self._idle[target].append(connection)

    def close(self) -> None:
        for connection in [each for idle in self._idle.values() for each in idle]:
            connection.close()
        self._idle.clear()

    async def _open(self, target: Target) -> Connection:
        """Resolve once and connect to what was resolved; a certificate must be for the name all the same."""
        loop, failure = asyncio.get_running_loop(), OSError("no address")
        for address in await addresses_of(target.host, target.port, private=self._private):
            try:
                _, connection = await loop.create_connection(
                    Connection, address, target.port, ssl=self._context() if target.is_tls else None,
                    server_hostname=target.host if target.is_tls else None,
                )  # fmt: skip
            except OSError as error:
                failure = error
            else:
                return connection
        raise failure

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls
