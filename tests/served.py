"""Torv as programs meet it: the whole application on a real server, and somebody who speaks HTTP with it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
from aiohttp import web
from yarl import URL

from tests.cast import Cast
from torv.app import create_app
from torv.base import logs
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.server import listen, make_server
from torv.base.settings import Settings
from torv.kernel.identity.sessions import begin_session, note_attempt
from torv.worker import work
from torv_sdk.tokens import assertion

TOKEN_LIFE = 200  #: seconds a token is used again; Torv's last for 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> tuple[int, str]:
        """Status and stable code of a refusal."""
        return self.status, self.json["code"]


class Api:
    """A client that can be anybody of the cast: `by` is a login or a module, None is a stranger."""

    RECORDS = "/api/v1/records"

    def __init__(self, url: str, dsn: str, cast: Cast | None, http: aiohttp.ClientSession) -> None:
        self.url, self.dsn = url, dsn
        self._cast, self._http = cast, http
        self._tokens: dict[str, tuple[float, str]] = {}  #: by whom -> since when, and what

    async def get(self, path: str, *, by: str | None = None, **headers: str) -> Reply:
        return await self.ask("GET", path, by=by, **headers)

    async def post(self, path: str, content: Any = None, *, by: str | None = None, **headers: str) -> Reply:
        return await self.ask("POST", path, content, by=by, **headers)

    async def ask(self, method: str, path: str, content: Any = None, *, by: str | None = None, **headers: str) -> Reply:
        """Send a request; content that is bytes goes as it is, everything else as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if by is not None:
            sent["Authorization"] = f"Bearer {await self.token(by)}"
        data = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        async with self._http.request(
            method, URL(self.url + path, encoded=True), data=data, headers=sent, allow_redirects=False
        ) as answer:
            return Reply(status=answer.status, headers=answer.headers.copy(), body=await answer.read())

    async def write_note(self, text: str = "Alt var vel.", *, key: str, by: str = "borgerblik", **more: Any) -> Reply:
        """Write a note about Bjørn through the gateway."""
        assert self._cast is not None
        content = {"person_id": str(self._cast.bjorn.id), "text": text, **more}
        return await self.post("/c/notes/v1/notes", content, by=by, Idempotency_Key=key)

    def note(self, text: str = "Alt var vel.", **more: Any) -> dict[str, Any]:
        """A note about Bjørn, as a module writes it into the kernel."""
        assert self._cast is not None
        person = str(self._cast.bjorn.id)
        return {"capability": "notes", "type": "note", "body": {"text": text}, "person_id": person} | more

    async def metric(self, name: str, **labels: str) -> float:
        """The value of a metric now; 0 if nothing was counted yet."""
        wanted = name + ("{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else "")
        lines = (await self.get("/metrics")).body.decode().splitlines()
        return next((float(line.rpartition(" ")[2]) for line in lines if line.rpartition(" ")[0] == wanted), 0.0)

    async def raw(self, request: bytes) -> bytes:
        """Send bytes as they are; everything that comes back within five seconds, or until the server hangs up."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self.url.rpartition(":")[2]))
        writer.write(request)
        received = bytearray()
        try:
            async with asyncio.timeout(5):
                while chunk := await reader.read(65_536):
                    received += chunk
        except (TimeoutError, ConnectionResetError):
            pass
        writer.close()
        return bytes(received)

    async def token(self, by: str) -> str:
        """A session of a user, or an access token of a program."""
        assert self._cast is not None
        since, token = self._tokens.get(by, (-TOKEN_LIFE, ""))
        if time.monotonic() - since >= TOKEN_LIFE:
            made = self._user_session(by) if by in self._cast.users else self._module_token(by)
            self._tokens[by] = time.monotonic(), (token := await made)
        return token

    async def _user_session(self, login: str) -> str:
        """Signed in without the second that checking a password takes."""
        assert self._cast is not None
        async with Database.opened(self.dsn, 1) as database, database.transaction() as tx:
            return await begin_session(tx, await note_attempt(tx, login, "tests"), request_id=new_id())

    async def _module_token(self, module: str) -> str:
        assert self._cast is not None
        form = assertion(self._cast.release_keys[module], str(self._cast.releases[module]), self.url)
        async with self._http.post(f"{self.url}/oauth/token", data=form) as answer:
            return str((await answer.json())["access_token"])


@asynccontextmanager
async def serve(settings: Settings, dsn: str, cast: Cast | None = None) -> AsyncIterator[Api]:
    """The application over a database, on a free port, until the block ends."""
    logs.configure("critical")  # what a test provokes need not be read
    listening = listen("127.0.0.1", 0)
    settings = replace(settings, port=listening.getsockname()[1])
    url = f"http://127.0.0.1:{settings.port}"  # whatever name it goes by in public
    server = make_server(create_app(settings, dsn), listening)
    serving = asyncio.create_task(server.serve())
    try:
        await _until_it_answers(url, serving)
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
            yield Api(url, dsn, cast, http)
    finally:
        server.stop()
        await serving


@asynccontextmanager
async def run_worker(settings: Settings, dsn: str) -> AsyncIterator[None]:
    """A worker over a database, until the block ends."""
    working = asyncio.create_task(work(settings, dsn))
    try:
        yield
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def _until_it_answers(url: str, serving: asyncio.Task[None]) -> None:
    async with asyncio.timeout(20), aiohttp.ClientSession() as http:
        while not serving.done():
            try:
                async with http.get(f"{url}/health/ready") as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            await asyncio.sleep(0.02)
        serving.result()


@asynccontextmanager
async def serve_program(application: web.Application) -> AsyncIterator[str]:
    """Somebody else's program on a free port, until the block ends; gives its address."""
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
