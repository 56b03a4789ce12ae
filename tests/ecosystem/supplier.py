"""A supplier's program, small and honest, that can be told to be neither: it answers from the records it holds."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import asyncpg
from aiohttp import web

from tests.served import serve_program

LATEST = """select distinct on (id) id, version, person_id, body, digest from records.versions
            where position is not null order by id, version desc"""


class Supplier:
    """Follows the kernel to the last position it has given. Its answers to callers name who it is."""

    def __init__(self, name: str, dsn: str) -> None:
        self.url, self.name, self._dsn = "", name, dsn
        self.pause = 0.0  #: seconds before it answers a caller
        self.asked: list[str] = []
        self.answer: Any = {"notes": []}  #: what it answers callers, or who is asked for it
        self.on_export: Callable[[], Awaitable[None]] | None = None  #: what happens when its records are asked for
        self.spoil: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = lambda records: records

    async def _position(self) -> int:
        return await self.look("select position from base.streams where name = 'records'") or 0

    async def look(self, question: str) -> Any:
        """One value out of the kernel's database, which a real supplier would get over the API."""
        async with self._connected() as connection:
            return await connection.fetchval(question)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self._dsn)
        try:
            yield connection
        finally:
            await connection.close()

    async def call(self, request: web.Request) -> web.Response:
        self.asked.append(request.method)
        await asyncio.sleep(self.pause)
        return web.json_response(self.answer() if callable(self.answer) else self.answer)

    async def health(self, _: web.Request) -> web.Response:
        return web.json_response({"position": await self._position()})

    async def export(self, request: web.Request) -> web.Response:
        position = await self._position()
        async with self._connected() as connection:
            held = [_exported(row) for row in await connection.fetch(LATEST)]
        wanted = _buckets(request.query["bucket"])
        records = [record for record in held if record.pop("bucket") in wanted]
        if self.on_export is not None:
            await self.on_export()
        return web.json_response({"position": position, "records": self.spoil(records)})


@asynccontextmanager
async def supplier(name: str, dsn: str) -> AsyncIterator[Supplier]:
    """The program on a free port, until the block ends."""
    server, application = Supplier(name, dsn), web.Application()
    application.router.add_get("/torv/health", server.health)
    application.router.add_get("/torv/export/{type}", server.export)
    application.router.add_route("*", "/{path:.*}", server.call)
    async with serve_program(application) as server.url:
        yield server


def _exported(row: asyncpg.Record) -> dict[str, Any]:
    person = str(row["person_id"]) if row["person_id"] else None
    content = {"id": str(row["id"]), "version": row["version"], "person_id": person, "body": json.loads(row["body"])}
    return content | {"bucket": _bucket_of(row["id"])}


def _bucket_of(record_id: Any) -> int:
    return int(sha256(record_id.bytes).hexdigest()[:3], 16)


def _buckets(text: str) -> set[int]:
    spans = (part.partition("-") for part in text.split(","))
    return {number for first, _, last in spans for number in range(int(first), int(last or first) + 1)}
