"""Forwarding: a request to a module, built anew, with a token for exactly that release; and its answer, bounded."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import aiohttp
from yarl import URL

from torv.base import clock, signing
from torv.base.errors import InvalidInput, ModuleTimeout, ModuleUnavailable
from torv.base.signing import Keys, strict_json
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing
from torv.ecosystem.gateway.rules import call_mark
from torv.ecosystem.modules import PublicResolver, Release

TIMEOUT = 10.0  #: seconds a module has for its whole answer
ANSWER_LIMIT = 5_000_000  #: bytes
TOKEN_LIFE = 60  #: seconds; a token is used for half of that, so that it never expires on the way


class ModuleClient:
    """Talks to modules on Torv's behalf; to private addresses only if `private`."""

    def __init__(self, keys: Keys, issuer: str, *, private: bool) -> None:
        self._keys, self._issuer, self._private = keys, issuer, private
        self._session: aiohttp.ClientSession | None = None
        self._tokens: dict[tuple[UUID, str, str, int | None], tuple[float, str]] = {}

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def forward(self, release: Release, outgoing: Outgoing) -> ModuleAnswer:
        """Send the call. Raises ModuleUnavailable or ModuleTimeout."""
        headers = {
            "Authorization": self._bearer(
                release, outgoing.access.caller.subject, outgoing.capability, "call", outgoing.demand.major
            ),
            "Torv-Major": str(outgoing.demand.major),
            "Torv-Call": call_mark(self._keys, outgoing.call_id),
            "X-Request-Id": str(outgoing.access.request_id),
            "Accept-Language": outgoing.language,
        }
        if outgoing.body:
            headers["Content-Type"] = outgoing.content_type
        if outgoing.key:
            headers["Idempotency-Key"] = outgoing.key
        url = f"{release.url}{outgoing.path}" + (f"?{urlencode(outgoing.query)}" if outgoing.query else "")
        return await self._request(outgoing.operation.method, url, headers, outgoing.body)

    async def export(self, release: Release, capability: str, record_type: str, buckets: str) -> ModuleAnswer:
        """Ask a module for the records it holds in some buckets. Raises ModuleUnavailable or ModuleTimeout."""
        headers = {"Authorization": self._bearer(release, "torv", capability, "export")}
        url = f"{release.url}/torv/export/{record_type}?{urlencode({'bucket': buckets})}"
        return await self._request("GET", url, headers, b"")

    async def position(self, release: Release) -> int:
        """How far a module has read the feed. Raises ModuleUnavailable or ModuleTimeout."""
        answer = await self._request("GET", f"{release.url}/torv/health", {}, b"")
        try:
            return int(strict_json(answer.body)["position"])
        except (InvalidInput, KeyError, TypeError, ValueError):
            raise ModuleUnavailable from None

    async def _request(self, method: str, url: str, headers: dict[str, str], body: bytes) -> ModuleAnswer:
        session = self._opened()
        try:
            async with session.request(
                method, URL(url, encoded=True), headers=headers, data=body or None, allow_redirects=False
            ) as response:
                return await _bounded(response)
        except TimeoutError:
            raise ModuleTimeout(seconds=int(TIMEOUT)) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise ModuleUnavailable from error

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT, connect=2.0), cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=200, resolver=None if self._private else PublicResolver()),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept-Encoding"),
                max_line_size=8190, max_field_size=8190,
            )  # fmt: skip
        return self._session

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


async def _bounded(response: aiohttp.ClientResponse) -> ModuleAnswer:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > ANSWER_LIMIT:
            raise ModuleUnavailable
    if 300 <= response.status < 400 or response.status < 200:
        raise ModuleUnavailable  # a module answers; it does not send us elsewhere
    return ModuleAnswer(status=response.status, content_type=_plain_type(response), body=bytes(body))


def _plain_type(response: aiohttp.ClientResponse) -> str:
    """JSON or a problem document; nothing a browser would run."""
    stated = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return stated if stated in ("application/json", "application/problem+json") else "application/octet-stream"
