"""A module that is nothing but a socket: it keeps the bytes it gets, and answers bytes that a test chose."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from asyncpg import Connection

from tests.cast import Cast

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Wiretap:
    """Answers every request with `answer`: bytes, or a function that writes them as it likes."""

    def __init__(self) -> None:
        self.url = ""
        self.answer: bytes | Answer = json_answer(b'{"notes":[]}')
        self.received: list[bytes] = []  #: whole requests
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
                )
                self.received.append(head + await reader.readexactly(length))
                if isinstance(self.answer, bytes):
                    writer.write(self.answer)
                    await writer.drain()
                else:
                    await self.answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def heads(self) -> list[list[bytes]]:
        """The lines of each request's head, without the first one's path being decoded in any way."""
        return [each.partition(b"\r\n\r\n")[0].split(b"\r\n") for each in self.received]


def json_answer(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Type: application/json", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@asynccontextmanager
async def tapping(outsider: Connection, cast: Cast, module: str) -> AsyncIterator[Wiretap]:
    """A socket at the address of a module's release."""
    tap = Wiretap()
    server = await asyncio.start_server(tap.serve, "127.0.0.1", 0, limit=1_000_000)
    tap.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await outsider.execute("update modules.releases set url = $1 where id = $2", tap.url, cast.releases[module])
    await outsider.execute("update base.generation set number = number + 1")
    try:
        yield tap
    finally:
        server.close()
