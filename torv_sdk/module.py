"""A module: a program that provides one capability through its contract, in one major version or several."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import torv_contracts
import yaml
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from torv_sdk import calls, pages
from torv_sdk.calls import Answer, Call
from torv_sdk.client import KernelClient
from torv_sdk.events import Events, SeenEvents
from torv_sdk.events import Handler as EventHandler
from torv_sdk.lines import log_lines
from torv_sdk.pages import PageHandler
from torv_sdk.places import Place, Places
from torv_sdk.problems import Problem, invalid
from torv_sdk.records import Records, follow, parse_buckets
from torv_sdk.server import serve
from torv_sdk.settings import Settings
from torv_sdk.store import Store
from torv_sdk.telling import Teller
from torv_sdk.tokens import Caller, CallerTokens

Handler = Callable[[Call], Awaitable[Answer]]
Responder = Callable[[Request, Caller], Awaitable[Response]]
log = logging.getLogger(__name__)


class Module:
    """One capability, its handlers and its store; `run` is the whole program.

    Everything besides the handlers is done here: who calls, health, export, problem documents, following the feed.
    """

    def __init__(
        self,
        settings: Settings,
        capability: str,
        major: int | Sequence[int],
        store: Store,
        *,
        pulls_events: bool = False,
        profiles: Sequence[Path] = (),
    ) -> None:
        """`major` is the contract's major version, or several; calls that name none are taken to mean the first.

        `profiles`: files of the municipal profiles whose operations this release has beside the contract's.
        `pulls_events`: ask Torv for events instead of taking what it pushes, where it cannot reach us.
        """
        self._majors = (major,) if isinstance(major, int) else tuple(major)
        contracts = {each: _about(capability, each) for each in self._majors}
        self._settings, self._capability, self._store = settings, capability, store
        added = [_added(file, capability) for file in profiles]
        self._places = Places({
            each: [*contract["operations"], *(o for about, some in added if about == each for o in some)]
            for each, contract in contracts.items()
        })  # fmt: skip
        self._types = {entry["type"] for contract in contracts.values() for entry in contract["records"]}
        self._handlers: dict[tuple[int, str], Handler] = {}
        self._pages: dict[tuple[str, str], PageHandler] = {}
        self._caught_up, self._teller = asyncio.Event(), Teller(capability)
        self._events, self._pulls_events = Events(), pulls_events

    def operation(self, name: str, *, major: int | None = None) -> Callable[[Handler], Handler]:
        """Declare the handler of an operation of the contract or a profile, in one major version or all that have it.

        Raises LookupError for an unknown one.
        """
        known = [each for each in self._places.operations if each[1] == name and major in (None, each[0])]
        if not known:
            raise LookupError(f"{self._capability} has no operation {name}")

        def declare(handler: Handler) -> Handler:
            self._handlers.update(dict.fromkeys(known, handler))
            return handler

        return declare

    def event(self, event_type: str) -> Callable[[EventHandler], EventHandler]:
        """Declare the handler of a type of events, such as `torv.person.changed`; the capability must follow it.

        The handler is called once for each event, or again if it fails or the module is killed in the middle: what it
        does must bear being done twice.
        """

        def declare(handler: EventHandler) -> EventHandler:
            self._events.handlers[event_type] = handler
            return handler

        return declare

    def page(self, path: str, *, takes_form: bool = False) -> Callable[[PageHandler], PageHandler]:
        """Declare the handler of a page that people see, or of the forms that are sent to it; see `pages`."""

        def declare(handler: PageHandler) -> PageHandler:
            self._pages["POST" if takes_form else "GET", path] = handler
            return handler

        return declare

    def run(self) -> NoReturn:
        """Serve until SIGTERM or SIGINT, finish the calls in flight, and end the process."""
        log_lines()
        asyncio.run(self._run())
        raise AssertionError  # `_run` ends the process

    async def _run(self) -> NoReturn:
        """End from within the loop: a signal that comes twice would kill a process whose loop is being closed.

        And Granian's threads may outlive the loop and abort an interpreter that is being taken down.
        """
        await self._serve()
        await asyncio.get_running_loop().shutdown_default_executor()
        logging.shutdown()
        os._exit(0)

    async def _serve(self) -> None:
        me = self._settings
        async with KernelClient(me.url, me.client_id, me.key) as kernel:
            tokens = CallerTokens(me.url, me.client_id, self._capability, kernel.public_keys)
            with suppress(Problem):  # known from the start, an export can be verified even when the kernel is gone
                await tokens.refresh()
            steps = [asyncio.create_task(follow(kernel, self._capability, self._store, self._caught_up))]
            if self._events.handlers and self._pulls_events:
                steps.append(asyncio.create_task(self._events.pull(kernel, self._capability, self._seen())))
            try:
                await serve(self.app(kernel, tokens), me)
            finally:
                for step in steps:
                    step.cancel()
                await asyncio.gather(*steps, return_exceptions=True)

    def app(self, kernel: KernelClient, tokens: CallerTokens) -> Starlette:
        """The ASGI application. Raises LookupError while an operation of the contract has no handler."""
        if missing := {name for _, name in self._places.operations.keys() - self._handlers.keys()}:
            raise LookupError(f"no handler for {', '.join(sorted(missing))}")
        routes = [Route("/torv/health", self._health)]
        routes.append(Route("/torv/export/{type}", _guarded("export", "export", tokens, self._export)))
        for (method, path), name in self._places.every().items():
            routes.append(Route(path, _guarded(name, "call", tokens, self._responder(kernel)), methods=[method]))
        if self._events.handlers and not self._pulls_events:
            routes.append(Route("/torv/events", self._receiver(kernel), methods=["POST"]))
        for (method, path), handler in self._pages.items():
            show = _guarded(f"page {path}", "page", tokens, self._visitor(kernel, handler))
            routes.append(Route(pages.AT + path, show, methods=[method]))
        app = Starlette(routes=routes, exception_handlers={HTTPException: _not_here})
        app.router.redirect_slashes = False
        return app

    def _seen(self) -> SeenEvents:
        return SeenEvents(self._settings.data / "events.sqlite")

    def _receiver(self, kernel: KernelClient) -> Callable[[Request], Awaitable[Response]]:
        """Takes what Torv pushes; whatever goes wrong is told by the status, and Torv sends it again."""
        seen = self._seen()

        async def receive(request: Request) -> Response:
            try:
                body = await calls.content(request)
                await self._events.receive(kernel, self._capability, request.headers, body, seen)
            except Problem as problem:
                return calls.problem_response(problem)
            except Exception as error:
                log.error("event failed", exc_info=error)
                return calls.problem_response(Problem(500, "internal_error", "Something went wrong in the module."))
            return Response(status_code=204)

        return receive

    def _responder(self, kernel: KernelClient) -> Responder:
        async def respond(request: Request, caller: Caller) -> Response:
            major, place = self._meant(request, caller)
            if place.is_safe and not self._caught_up.is_set():  # half a store would look like lost data
                raise Problem(503, "catching_up", "The module is still reading the feed.", retry_after=1)
            key, trace = calls.header(request, "idempotency-key"), calls.header(request, "torv-call")
            if not place.is_safe and not key:
                raise Problem(
                    400, "idempotency_key_required", "A call that changes something needs an Idempotency-Key."
                )
            records = Records(
                kernel, self._capability, self._store, key=key, trace={"Torv-Call": trace} if trace else {}
            )
            content, query = await calls.content(request), calls.query(request)
            call = Call(caller, query, content, records, kernel, place.variables, major, self._teller)
            answer = await self._handlers[major, place.name](call)
            return calls.json_response(answer.body, answer.status)

        return respond

    def _visitor(self, kernel: KernelClient, handler: PageHandler) -> Responder:
        async def visit(request: Request, caller: Caller) -> Response:
            key, trace = calls.header(request, "idempotency-key"), calls.header(request, "torv-call")
            records = Records(
                kernel, self._capability, self._store, key=key, trace={"Torv-Call": trace} if trace else {}
            )
            try:
                if not self._caught_up.is_set():
                    raise Problem(503, "catching_up", "The module is still reading the feed.", retry_after=1)
                return pages.page_response(
                    await handler(await pages.visited(request, caller, records, kernel, self._teller))
                )
            except Problem as problem:
                return pages.problem_page(problem)

        return visit

    def _meant(self, request: Request, caller: Caller) -> tuple[int, Place]:
        """The operation that a call means in the major version it names. Raises Problem (404)."""
        major = self._majors[0] if caller.major is None else caller.major
        if major not in self._majors:
            raise Problem(404, "major_not_provided", "The module does not provide this version of the contract.")
        place = self._places.find(major, request.method, request.url.path)
        if place is None:
            raise Problem(404, "not_found", "This version of the contract has no such operation.")
        return major, place

    async def _health(self, _: Request) -> Response:
        state = {"status": "ok", "release": self._settings.client_id, "position": self._store.position()}
        return calls.json_response({**state, "caught_up": self._caught_up.is_set()})

    async def _export(self, request: Request, _: Caller) -> Response:
        """Our own store's records; needs nothing of the kernel."""
        if request.path_params["type"] not in self._types:
            raise Problem(404, "not_found", "The contract has no such record type.")
        try:
            buckets = parse_buckets(calls.query(request).get("bucket", ""))
        except ValueError as error:
            raise invalid(f"bucket: {error}") from None
        position, lines = self._store.position(), list[str]()
        for record in self._store.latest(request.path_params["type"], buckets):
            lines.append(calls.dump(record.exported()))
            if len(lines) % 200 == 0:
                await asyncio.sleep(0)  # others want an answer too
        return Response(f'{{"position":{position},"records":[{",".join(lines)}]}}', media_type="application/json")


def _about(capability: str, major: int) -> dict[str, Any]:
    """A contract's contract.yaml. Raises ContractUnknown."""
    text = (torv_contracts.folder(capability, major) / "contract.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def _added(file: Path, capability: str) -> tuple[int, list[dict[str, Any]]]:
    """The major version that a profile is about, and its operations. Raises ValueError for another capability's."""
    content = yaml.safe_load(file.read_text("utf-8"))
    if content["capability"] != capability:
        raise ValueError(f"{file} is about {content['capability']}, not {capability}")
    return int(content["major"]), list(content.get("operations", ()))


def _guarded(
    name: str, operation: str, tokens: CallerTokens, respond: Responder
) -> Callable[[Request], Awaitable[Response]]:
    """Who calls first, then the answer. Only answers and problem documents leave here, each with a log line."""

    async def endpoint(request: Request) -> Response:
        started = time.perf_counter()
        try:
            caller = await tokens.verify(calls.header(request, "authorization"), operation)
            response = await respond(request, caller)
        except Problem as problem:
            response = calls.problem_response(problem)
        except Exception as error:
            log.error("failed", exc_info=error, extra={"fields": {"operation": name}})
            response = calls.problem_response(Problem(500, "internal_error", "Something went wrong in the module."))
        spent = round((time.perf_counter() - started) * 1000, 1)
        request_id = request.headers.get("x-request-id", "")[:100]
        log.info(
            "call",
            extra={
                "fields": {"operation": name, "status": response.status_code, "ms": spent, "request_id": request_id}
            },
        )
        return response

    return endpoint


async def _not_here(_: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        return calls.problem_response(Problem(405, "method_not_allowed", "This address does not take that method."))
    return calls.problem_response(Problem(404, "not_found", "There is no such thing here."))
