"""Bodies of requests: read once, measured and hashed; a large one lies in a file without a name, not in memory."""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import IO

from starlette.requests import ClientDisconnect

from torv.base.errors import MalformedRequest, TooLarge
from torv.ecosystem.gateway.errors import RequestTooSlow

SMALL = 262_144  #: bytes that are kept in memory
PART = 65_536  #: bytes read from a file at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A whole request body."""

    size: int
    digest: bytes  #: SHA-256
    content: bytes  #: the body itself, or nothing where it lies in a file
    file: IO[bytes] | None = None  #: the system removes it with its last user, also after a kill

    def parts(self) -> Iterator[bytes]:
        """A body in a file, from its beginning."""
        if self.file is not None:
            self.file.seek(0)
            while part := self.file.read(PART):
                yield part

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def body_of(content: bytes) -> Body:
    """A small body."""
    return Body(size=len(content), digest=hashlib.sha256(content).digest(), content=content)


NOTHING = body_of(b"")


async def read_body(stream: AsyncIterator[bytes], *, limit: int, seconds: int) -> Body:
    """The body of a request as it comes. Raises TooLarge, RequestTooSlow, or MalformedRequest where it breaks off."""
    try:
        async with asyncio.timeout(seconds):
            return await _read(stream, limit)
    except TimeoutError:
        raise RequestTooSlow(seconds=seconds) from None
    except ClientDisconnect:
        raise MalformedRequest(reason="the body cannot be read to its end") from None


async def _read(stream: AsyncIterator[bytes], limit: int) -> Body:
    digest, size, held, file = hashlib.sha256(), 0, bytearray(), None
    try:
        async for part in stream:
            size += len(part)
            if size > limit:
                raise TooLarge(limit=limit)
            digest.update(part)
            held += part
            if len(held) > SMALL:
                file = file or tempfile.TemporaryFile()  # noqa: SIM115 its users close it
                await asyncio.to_thread(file.write, bytes(held))
                held.clear()
        if file is not None:
            await asyncio.to_thread(file.write, bytes(held))
    except BaseException:
        if file is not None:
            file.close()
        raise
    content = b"" if file is not None else bytes(held)
    return Body(size=size, digest=digest.digest(), content=content, file=file)
