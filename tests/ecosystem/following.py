"""Following events: agreements that permit it, subscriptions, and a receiver that can be good, ill or absent."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
from aiohttp import web

from tests.cast import ANNA, NORDLYS, PROVIDER, Cast, Grant, Part, content_of, enter_agreement
from tests.served import Api, Reply, serve_program
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv_sdk.events import verify

MANAGING = ("receive", "publish", "subscribe", "read", "rotate", "replay", "redeliver")
EVENTS: Grant = ("events", MANAGING, ("notes", "person"))
WRITTEN = "notes.note.written"
PATH = "/torv/events"


class Receiver:
    """A module's end of pushed events. `answer` decides on each batch; what it took is kept in the order it came."""

    def __init__(self) -> None:
        self.url = ""
        self.secrets: list[str] = []
        self.taken: list[dict[str, Any]] = []
        self.messages: list[tuple[str, int]] = []  #: webhook-id, status
        self.pause = 0.0  #: seconds for each event
        self.answer: Callable[[list[dict[str, Any]]], int] = lambda _: 200

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        message = verify(request.headers, body, self.secrets, now=time.time())
        events = json.loads(body)
        status = self.answer(events)
        await asyncio.sleep(self.pause * len(events))
        self.messages.append((message, status))
        if status == 0:
            assert request.transport is not None
            request.transport.abort()
        if status < 300 and status:
            self.taken += events
        return web.Response(status=status or 500)

    @property
    def ids(self) -> list[str]:
        return [each["id"] for each in self.taken]

    def about(self, subject: Any) -> list[int]:
        """The numbers of the events about a subject, each once, in the order in which they first came."""
        found = [int(each["sequence"]) for each in self.taken if each["subject"] == str(subject)]
        return list(dict.fromkeys(found))


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    """The program on a free port, until the block ends."""
    server, application = Receiver(), web.Application()
    application.router.add_post(PATH, server.handle)
    async with serve_program(application) as server.url:
        yield server


async def permit_events(database: Database, cast: Cast, keys: Keys, part: Part = NORDLYS, **changes: Any) -> UUID:
    """An agreement that lets a partner's module publish and follow events; gives its id."""
    new = Part(cvr=part.cvr, name=part.name, module=part.module, grants=(*PROVIDER, EVENTS))
    async with database.transaction() as tx:
        return await enter_agreement(tx, cast, content_of(new, **changes), keys)


async def place_at(outsider: asyncpg.Connection, cast: Cast, module: str, url: str) -> None:
    """Let a module's release be where a receiver is."""
    await outsider.execute("update modules.releases set url = $1 where id = $2", url, cast.releases[module])
    await outsider.execute("update base.generation set number = number + 1")


async def subscribe(api: Api, *, mode: str = "push", by: str = ANNA, **more: Any) -> dict[str, Any]:
    """Notes follow what is told about notes, from the beginning."""
    content = {"capability": "notes", "types": [WRITTEN], "mode": mode, "start": "beginning", **more}
    reply = await api.post("/api/v1/subscriptions", content, by=by)
    assert reply.status == 201, reply.body
    return dict(reply.json)


async def secrets_of(api: Api, by: str = "nordnote") -> list[str]:
    reply = await api.get("/api/v1/subscriptions/secrets?capability=notes", by=by)
    assert reply.status == 200, reply.body
    return list(reply.json["secrets"])


async def tell(api: Api, number: int, *, subject: UUID | None = None, by: str = "nordnote", **more: Any) -> Reply:
    """Publish that a note was written."""
    about = subject or new_id()
    content = {
        "capability": "notes", "type": "note.written", "subject": str(about),
        "data": {"note_id": str(about), "version": number}, **more,
    }  # fmt: skip
    return await api.post("/api/v1/events", content, by=by, Idempotency_Key=f"{about}/{number}")


async def subscription(api: Api, by: str = ANNA) -> dict[str, Any]:
    """The subscription of notes as it is now."""
    reply = await api.get("/api/v1/subscriptions", by=by)
    assert reply.status == 200, reply.body
    items = reply.json["items"]
    return next(dict(each) for each in items if each["capability"] == "notes")


async def until(holds: Callable[[], Any], what: str, seconds: float = 30) -> None:
    """Wait until something holds; gives up late, as machines may be slow."""
    deadline = time.monotonic() + seconds
    while True:
        found = holds()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < deadline, what
        await asyncio.sleep(0.02)
