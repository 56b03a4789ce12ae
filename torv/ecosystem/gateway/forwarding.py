"""Forwarding: a request to a module, built anew, with a token for exactly that release; and its answer, bounded."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from torv.base import clock, signing
from torv.base.errors import InvalidInput, ModuleTimeout, ModuleUnavailable
from torv.base.marks import make_mark
from torv.base.signing import Keys, strict_json
from torv.ecosystem.gateway import answers
from torv.ecosystem.gateway.bodies import NOTHING, Body
from torv.ecosystem.gateway.connections import Connection, Connections, Target, target_of
from torv.ecosystem.gateway.errors import ModuleAnswerInvalid
from torv.ecosystem.gateway.limits import Limits
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing
from torv.ecosystem.gateway.wire import Ended, Head, NotHttp, write_head
from torv.ecosystem.modules import Release

WHOLE = 262_144  #: bytes of a safe call's answer that are kept whole; a longer one is passed on as it comes
TOKEN_LIFE = 60  #: seconds; a token is used for half of that, so that it never expires on the way


class Rest:
    """What is still to come of an answer that is passed on as it comes. Must be read to its end or closed."""

    def __init__(
        self, connection: Connection, connections: Connections, target: Target, *, left: int, seconds: int
    ) -> None:
        self._connection, self._connections, self._target = connection, connections, target
        self._left, self._seconds = left, seconds

    async def parts(self) -> AsyncIterator[bytes]:
        """The parts, in order. Raises ModuleAnswerInvalid or ModuleTimeout where the answer ends before its end."""
        try:
            while part := await self._part():
                self._left -= len(part)
                if self._left < 0:
                    raise answers.too_large()
                yield part
        finally:
            self.close()

    async def _part(self) -> bytes:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._connection.part()
        except TimeoutError:
            raise ModuleTimeout(seconds=self._seconds) from None
        except NotHttp as error:
            raise _refused(error) from None

    def close(self) -> None:
        """End it; what has not been read is thrown away with its connection."""
        if self._connection.is_in_use:
            self._connections.give_back(self._connection, self._target)


class ModuleClient:
    """Talks to modules on Torv's behalf; to private addresses only if `private`."""

    def __init__(self, keys: Keys, issuer: str, *, private: bool, limits: Limits | None = None) -> None:
        self._keys, self._issuer, self._limits = keys, issuer, limits or Limits()
        self._connections = Connections(private=private, connect_seconds=self._limits.connect_seconds)
        self._tokens: dict[tuple[UUID, str, str, int | None], tuple[float, str]] = {}

    async def close(self) -> None:
        self._connections.close()

    async def forward(self, release: Release, outgoing: Outgoing, *, whole: bool = False) -> ModuleAnswer:
        """Send the call; a large answer to a safe one comes in parts, unless it is wanted `whole` and may be.

        What the contract says is streamed never comes whole. Raises ModuleUnavailable or ModuleTimeout.
        """
        page, demand = outgoing.page, outgoing.demand
        subject, use = outgoing.access.caller.subject, "call" if page is None else "page"
        headers = {
            "Authorization": self._bearer(release, subject, outgoing.capability, use, demand.major),
            "Torv-Major": str(demand.major),
            "Torv-Call": make_mark(self._keys, outgoing.call_id, hops=outgoing.hops + 1, unit_id=outgoing.unit_id),
            "X-Request-Id": str(outgoing.access.request_id),
            "Accept-Language": outgoing.language,
        }
        if outgoing.body.size:
            headers["Content-Type"] = outgoing.content_type
        if outgoing.unit_id:
            headers["Torv-Unit"] = str(outgoing.unit_id)
        if outgoing.key:
            headers["Idempotency-Key"] = outgoing.key
        if page is not None:
            headers |= page.headers()
        path = outgoing.path if page is None else page.path
        target = f"{path}?{urlencode(outgoing.query)}" if outgoing.query else path
        return await self._ask(release, outgoing.method, target, headers, outgoing.body, outgoing, whole=whole)

    async def export(self, release: Release, capability: str, record_type: str, buckets: str) -> ModuleAnswer:
        """Ask a module for the records it holds in some buckets. Raises ModuleUnavailable or ModuleTimeout."""
        headers = {"Authorization": self._bearer(release, "torv", capability, "export")}
        return await self._ask(release, "GET", f"/torv/export/{record_type}?{urlencode({'bucket': buckets})}", headers)

    async def health(self, release: Release) -> tuple[int, bytes]:
        """Status and body of what a module says of itself. Raises ModuleUnavailable or ModuleTimeout."""
        answer = await self._ask(release, "GET", "/torv/health", {})
        return answer.status, answer.body

    async def position(self, release: Release) -> int:
        """How far a module has read the feed. Raises ModuleUnavailable or ModuleTimeout."""
        answer = await self._ask(release, "GET", "/torv/health", {})
        try:
            return int(strict_json(answer.body)["position"])
        except (InvalidInput, KeyError, TypeError, ValueError):
            raise ModuleUnavailable from None

    async def _ask(
        self, release: Release, method: str, target: str, headers: dict[str, str], body: Body = NOTHING,
        outgoing: Outgoing | None = None, *, whole: bool = False,
    ) -> ModuleAnswer:  # fmt: skip
        to, limits = target_of(release.url), self._limits
        head = write_head(method, target, to.authority, headers, body.size or (None if method == "GET" else 0))
        seconds = limits.first_byte_seconds
        try:
            async with asyncio.timeout(seconds) as deadline:
                connection, answered = await self._exchange(to, head, body)
                seconds = limits.answer_seconds
                deadline.reschedule(asyncio.get_running_loop().time() + seconds)
                return await self._answer(connection, to, answered, outgoing, whole=whole)
        except TimeoutError:
            raise ModuleTimeout(seconds=seconds) from None
        except Ended as error:
            raise ModuleUnavailable from error
        except NotHttp as error:
            raise _refused(error) from None
        except OSError as error:
            raise ModuleUnavailable from error

    async def _exchange(self, to: Target, head: bytes, body: Body) -> tuple[Connection, Head]:
        """Send the request and wait for the head of the answer; once more where a kept connection had ended.

        What changes something may be sent twice as well: it bears the same key, and counts once.
        """
        for is_new in (False, True):
            connection = await self._connect(to, is_new=is_new)
            try:
                parts: Iterable[bytes] = () if body.file is None else body.parts()
                await connection.send(head, body.content, parts)
                limits = self._limits
                return connection, await connection.head(lines=limits.header_lines, size=limits.header_bytes)
            except Ended:
                connection.close()
                if is_new or not connection.is_used_again:
                    raise
            except BaseException:
                connection.close()
                raise
        raise AssertionError  # the second time returns or raises

    async def _connect(self, to: Target, *, is_new: bool) -> Connection:
        try:
            return await self._connections.take(to, is_new=is_new)
        except TimeoutError as error:
            raise ModuleUnavailable from error

    async def _answer(
        self, connection: Connection, to: Target, head: Head, outgoing: Outgoing | None, *, whole: bool
    ) -> ModuleAnswer:
        limits, is_streamed = self._limits, False
        is_declared = outgoing is not None and outgoing.operation.streams
        may_stream = outgoing is not None and outgoing.operation.safe and head.status == 200
        limit = limits.stream if is_declared and may_stream else limits.answer
        may_stream = may_stream and (is_declared or not whole)
        body = bytearray()
        try:
            if head.length is not None and head.length > limit:
                raise answers.too_large()
            while part := await connection.part():
                body += part
                if len(body) > limit:
                    raise answers.too_large()
                if may_stream and len(body) > WHOLE:
                    is_streamed = True
                    break
            answer = answers.read(head, bytes(body), outgoing)
        except BaseException:
            connection.close()
            raise
        finally:
            if not is_streamed:
                self._connections.give_back(connection, to)
        if not is_streamed:
            return answer
        left = limit - len(body)
        rest = Rest(connection, self._connections, to, left=left, seconds=limits.first_byte_seconds)
        return answers.with_rest(answer, rest, head.length)

    def _bearer(self, release: Release, subject: str, capability: str, use: str, major: int | None = None) -> str:
        name, now = (release.id, subject, f"{capability} {use}", major), clock.seconds()
        expires, token = self._tokens.get(name, (0.0, ""))
        if now > expires - TOKEN_LIFE / 2:
            claims: dict[str, Any] = {
                "iss": self._issuer, "aud": str(release.id), "sub": subject, "cap": capability, "op": use,
                "iat": int(now), "exp": int(now) + TOKEN_LIFE,
            } | ({} if major is None else {"maj": major})  # fmt: skip
            if len(self._tokens) > 10_000:
                self._tokens.clear()
            token = signing.mint(claims, self._keys.tokens)
            self._tokens[name] = (now + TOKEN_LIFE, token)
        return f"Bearer {token}"


def _refused(error: NotHttp) -> ModuleAnswerInvalid:
    return ModuleAnswerInvalid(reason=str(error), reason_da="det er ikke korrekt HTTP")
