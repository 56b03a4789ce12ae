"""A real HTTP server on the loopback that answers what a test tells it to, and remembers what it was asked."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.served import serve_program


class Loopback:
    """Answers are queued per path; the last one stays. An answer of None closes the connection without a word."""

    def __init__(self) -> None:
        self.url = ""
        self.pause = 0.0  #: seconds before every answer
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: defaultdict[str, list[tuple[int, Any, dict[str, str]] | None]] = defaultdict(list)

    def answer(self, path: str, status: int, body: Any, **headers: str) -> None:
        self.answers[path].append((status, body, {name.replace("_", "-"): value for name, value in headers.items()}))

    def hang_up(self, path: str) -> None:
        self.answers[path].append(None)

    def seen(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for asked, headers, body in self.asked if asked == path]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, {**request.headers, "query": request.query_string}, await request.read()))
        await asyncio.sleep(self.pause)
        queue = self.answers[request.path]
        answer = queue.pop(0) if len(queue) > 1 else queue[0]
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        status, body, headers = answer
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=headers)
        return web.json_response(body, status=status, headers=headers)


@asynccontextmanager
async def loopback() -> AsyncIterator[Loopback]:
    server, application = Loopback(), web.Application()
    application.router.add_route("*", "/{path:.*}", server.handle)
    server.answer("/oauth/token", 200, {"access_token": "first", "token_type": "Bearer", "expires_in": 300})
    async with serve_program(application) as server.url:
        yield server
