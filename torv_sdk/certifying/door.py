"""The door: Torv's address as the module under certification knows it, kept by the certifier.

Behind it stands a real Torv, or nothing. What the module sends goes through unchanged; the certifier can shut the door,
hold an answer back or lose one, and adds its own token key to Torv's, so that it can call the module itself.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
from aiohttp import web
from joserfc.jwk import ECKey
from yarl import URL

KEYS = "/.well-known/jwks.json"
RECORDS = "/api/v1/records"
#: headers that belong to one connection and are made anew for the next (RFC 9110, 7.6.1)
_OF_ONE_CONNECTION = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host",
                      "content-length", "content-encoding", "accept-encoding"}  # fmt: skip


class Door:
    """What stands between the module and Torv. Use `opened`."""

    def __init__(self, url: str) -> None:
        self.url = url  #: Torv's name in tokens
        self.behind: str | None = None  #: the real Torv's own address; None: nothing is there
        self.is_shut = False  #: nothing comes through, as if the network were down
        self.to_lose = 0  #: how many further answers to a write are lost after Torv has acted
        self.delay = 0.0  #: seconds each answer to a write is held back
        self.acknowledged: list[float] = []  #: when (monotonic) each write's answer was let through
        self.written = asyncio.Event()  #: set when Torv has acted on a write
        self.key = ECKey.generate_key("P-256", auto_kid=False)  #: the certifier's, good for tokens to the module

    @property
    def kid(self) -> str:
        return self.key.thumbprint()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Pass one request on, unless the door is shut."""
        if request.path == KEYS and not self.is_shut:
            return await self._token_keys()
        if self.behind is None or self.is_shut:
            return _hang_up(request)
        try:
            passed = await self._pass_on(request)
        except (aiohttp.ClientError, TimeoutError):
            return _hang_up(request)
        if request.method == "POST" and request.path == RECORDS and passed.status < 300:
            self.written.set()
            await asyncio.sleep(self.delay)
            if self.to_lose:
                self.to_lose -= 1
                return _hang_up(request)
            self.acknowledged.append(time.monotonic())
        return _hang_up(request) if self.is_shut else passed

    async def _token_keys(self) -> web.Response:
        known = []
        if self.behind:
            async with self._http.get(self.behind + KEYS) as answer:
                known = (await answer.json())["keys"]
        own = {**self.key.as_dict(private=False), "kid": self.kid, "alg": "ES256", "use": "sig"}
        return web.json_response({"keys": [own, *known]})

    async def _pass_on(self, request: web.Request) -> web.Response:
        assert self.behind is not None
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
        target, content = URL(self.behind + request.raw_path, encoded=True), await request.read()
        async with self._http.request(request.method, target, data=content, headers=headers) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_CONNECTION}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    @asynccontextmanager
    async def _passing(self) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=60)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), timeout=timeout) as self._http:
            yield


@asynccontextmanager
async def opened(host: str, port: int) -> AsyncIterator[Door]:
    """A door that listens; port 0 takes a free one. Raises OSError when the address is taken."""
    door = Door("")
    application = web.Application(client_max_size=8 * 1024 * 1024)
    application.router.add_route("*", "/{path:.*}", door.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    async with door._passing():
        try:
            await web.TCPSite(runner, host, port).start()
            door.url = f"http://{host}:{runner.addresses[0][1]}"
            yield door
        finally:
            door.is_shut = True
            with suppress(asyncio.CancelledError):
                await runner.cleanup()


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection without a word; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)
