"""The front door of every process: one strict reading of the request, an id, limits, metrics and a log line.

Servers differ in what they refuse, normalise or let through; so whatever could be read in two ways is refused here,
and the decision is taken on the path as it was sent.
"""

import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.requests import HTTPConnection
from structlog import get_logger

from torv.base import clock, metrics, problems
from torv.base.errors import MalformedRequest, TooLarge, TorvError
from torv.base.ids import new_id
from torv.base.settings import Settings

log = get_logger("torv.request")
_threshold = logging.getLogger("torv.request")  # asked first: a structured logger is put together at every call

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: what two programs may read differently in a path: encoded dots, slashes and controls, dot segments, empty segments
_AMBIGUOUS = re.compile(rb"%(2e|2f|5c|0|1|7f|25)|\\|//|/\.{1,2}(/|$)|[^\x21-\x7e]|[;#]", re.IGNORECASE)
_MANY_ALLOWED = frozenset({b"accept", b"accept-language", b"accept-encoding", b"cookie", b"via", b"forwarded"})


class Front:
    """Wraps the application. `large` are the beginnings of paths whose own readers know how much they take."""

    def __init__(self, app: App, settings: Settings, *, large: tuple[str, ...] = ()) -> None:
        self._app, self._settings, self._large = app, settings, large

    def _body_limit(self, scope: Scope) -> int:
        settings, is_large = self._settings, scope["path"].startswith(self._large) if self._large else False
        return max(settings.body_limit, settings.stream_limit) if is_large else settings.body_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = clock.ticks(), 0
        request_id = new_id()
        state = scope["state"] = {**scope.get("state", {}), "request_id": request_id}

        async def answer(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", str(request_id).encode())]
            await send(message)

        try:
            check_shape(scope, lines=self._settings.header_lines, size=self._settings.header_bytes)
            await self._app(scope, _limited(scope, receive, self._body_limit(scope)), answer)
        except TorvError as error:
            if status:
                raise  # an answer that has begun cannot be taken back, only cut
            await self._refuse(error, scope, receive, answer)
        except Exception:
            log.exception("request_failed", request_id=str(request_id), operation=state.get("operation"))
            if status:
                raise  # the server cuts the connection, so that nobody takes it for a whole answer
            await self._refuse(TorvError(), scope, receive, answer)
        finally:
            _account(state.get("operation", "none"), status, clock.ticks() - started, request_id)

    async def _refuse(self, error: TorvError, scope: Scope, receive: Receive, send: Send) -> None:
        language = problems.language_of(HTTPConnection(scope), self._settings.language)
        metrics.refusals_of_strangers.labels(error.code).inc()
        await problems.response(error, language, scope["state"]["request_id"])(scope, receive, send)


def check_shape(scope: Scope, *, lines: int = 100, size: int = 32_768) -> None:
    """Raises MalformedRequest for a path or header that two programs might read differently."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    if not path.startswith(b"/") or _AMBIGUOUS.search(path):
        raise MalformedRequest(reason="the path is not in its plain form")
    names = [name for name, _ in scope["headers"]]
    if len(names) > lines:
        raise MalformedRequest(reason="too many headers")
    if sum(len(name) + len(value) + 4 for name, value in scope["headers"]) > size:
        raise MalformedRequest(reason="the headers are too large")
    if len(set(names)) != len(names):
        twins = [name for name, count in Counter(names).items() if count > 1 and name not in _MANY_ALLOWED]
        if twins:
            raise MalformedRequest(reason="a header stands twice")
    if b"_" in b" ".join(names):
        raise MalformedRequest(reason="a header name has an underscore")
    if b"content-length" in names and b"transfer-encoding" in names:
        raise MalformedRequest(reason="both Content-Length and Transfer-Encoding")
    if any(name == b"transfer-encoding" and value != b"chunked" for name, value in scope["headers"]):
        raise MalformedRequest(reason="a Transfer-Encoding other than chunked")


def _limited(scope: Scope, receive: Receive, limit: int) -> Receive:
    """A `receive` that raises TooLarge when the body passes the limit, whatever its headers say."""
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not declared.isdigit():
        raise MalformedRequest(reason="Content-Length is not a number")
    if int(declared) > limit:
        raise TooLarge(limit=limit)
    seen = 0

    async def limited() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise TooLarge(limit=limit)
        return message

    return limited


def _account(operation: str, status: int, seconds: float, request_id: object) -> None:
    answered, took = metrics.of_answers(operation, status)
    answered.inc()
    took.observe(seconds)
    level = logging.WARNING if status >= 500 else logging.DEBUG  # 0: the client hung up
    if _threshold.isEnabledFor(level):
        facts = {"operation": operation, "status": status, "ms": round(seconds * 1000, 1)}
        log.log(level, "request", request_id=str(request_id), **facts)
