"""Routes: identify, decide, open the transaction, call the verb, commit, log, and only then build the answer.

FastAPI parses and documents; the order of the steps is ours. (Its own dependencies with `yield` would answer 200
before a commit that then fails.)
"""

import asyncio
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast, get_origin
from uuid import UUID

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from torv.base import errors, idempotency, metrics, problems
from torv.base.access import Access, Caller, Decider, Demand
from torv.base.db import Database, Tx
from torv.base.feed import Listener
from torv.base.lease import Lease
from torv.base.pages import Cursors, Page, Wanted
from torv.base.settings import Settings
from torv.base.signing import Keys, strict_json
from torv.base.trail import Entry, Trail, note

T = TypeVar("T")
SESSION_COOKIE = "torv_session"


def session_cookie(settings: Settings) -> str:
    """The name of the session's cookie; by https one that no other host and no plain connection can set."""
    return f"__Host-{SESSION_COOKIE}" if settings.issuer.startswith("https:") else SESSION_COOKIE


@dataclass(frozen=True, kw_only=True, slots=True)
class Engine:
    """What a process has running; hung on `app.state.engine`."""

    settings: Settings
    keys: Keys
    cursors: Cursors
    database: Database
    trail: Trail
    lease: Lease
    listener: Listener
    decider: Decider


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """What a route does, declared where it is declared."""

    demand: Demand | None  #: None: open to everybody, and no personal data behind it
    writes: bool
    name: str
    status: int = 200  #: of an answer that says nothing else
    keeps_own_time: bool = False  #: the verb opens its own readings, because it waits in between
    keeps_own_keys: bool = False  #: the verb makes repeated writes one by itself
    to_json: Callable[[Any], bytes] = to_json  #: of what the verb gives


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a verb says when it says more than a value."""

    body: Any = None  #: a value to become JSON, or bytes as they are
    status: int = 0  #: 0 is what the route declares
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"
    cookies: dict[str, str] = field(default_factory=dict)  #: name -> value; empty removes it


@dataclass(kw_only=True, slots=True)
class Call:
    """One request, as a verb sees it."""

    request: Request
    engine: Engine
    rule: Rule
    open_tx: Tx | None
    permit: Access | None

    @property
    def tx(self) -> Tx:
        assert self.open_tx is not None, "this route keeps its own time: use reading()"
        return self.open_tx

    @property
    def access(self) -> Access:
        assert self.permit is not None, "this route is open: there is no access"
        return self.permit

    @property
    def request_id(self) -> UUID:
        return cast(UUID, self.request.state.request_id)

    def page(self, size: int, cursor: str | None, **filters: Any) -> Wanted:
        """What page of a list is asked for. Raises CursorInvalid."""
        return self.engine.cursors.open(self.access, size, cursor, filters)

    def paged(self, rows: Sequence[T], wanted: Wanted, key: Callable[[T], list[Any]]) -> Page[T]:
        """The page of the rows that a verb gave; `key` is what the list is sorted by, ending in something unique."""
        return self.engine.cursors.page(rows, wanted, key)

    async def renew_permit(self) -> None:
        """Identify and decide again, for a verb that has waited. Raises NotIdentified, Denied or StateUnconfirmed."""
        self.permit = await decide(self.request, self.rule)

    def permit_for(self, operation: str) -> Access:
        """The caller's permit, by its grants or roles, for another operation of the same service. Raises Denied."""
        assert self.rule.demand is not None
        demand = replace(self.rule.demand, operation=operation, is_own=False)
        return self.engine.decider.decide(self.access.caller, demand, self.request_id)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """A reading of its own, logged before the block is left."""
        async with self.engine.database.reading() as tx:
            yield tx
        if tx.notes:
            await _spend_persons(self, tx)
            await self.engine.trail.write(tx.notes)

    def writing(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction of its own."""
        return self.engine.database.transaction()

    def expected_version(self) -> int:
        """The version an update changes, from If-Match. Raises VersionRequired or MalformedRequest."""
        stated = self.request.headers.get("if-match")
        if stated is None:
            raise errors.VersionRequired
        version = re.fullmatch(r'"?([0-9]{1,9})"?', stated)
        if version is None:
            raise errors.MalformedRequest(reason="If-Match is not a version")
        return int(version[1])

    def idempotency_key(self) -> str:
        """Raises IdempotencyKeyRequired."""
        key = self.request.headers.get("idempotency-key", "")
        if not 0 < len(key) <= 200:
            raise errors.IdempotencyKeyRequired
        return key


Verb = Callable[..., Coroutine[Any, Any, Any]]


class _Route(APIRoute):
    """Identifies and decides before anything of the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        rule: Rule = self.endpoint.rule  # type: ignore[attr-defined]  # set by Routes below

        async def decided(request: Request) -> Response:
            request.state.operation = rule.name
            if rule.demand is not None:
                await decide(request, rule)
            return await handle(_StrictRequest(request.scope, request.receive))

        return decided


class _StrictRequest(Request):
    """A request whose JSON has one meaning only."""

    async def json(self) -> Any:
        return strict_json(await self.body())


async def decide(request: Request, rule: Rule) -> Access:
    """Identify the caller and get the permit. Raises NotIdentified, Denied, CrossSiteRefused or StateUnconfirmed."""
    assert rule.demand is not None
    engine: Engine = request.app.state.engine
    caller = await engine.decider.identify(request.headers)
    if caller is None:
        raise errors.NotIdentified
    request.state.caller = caller
    if rule.writes and "authorization" not in request.headers:
        refuse_cross_site(request, engine.settings.issuer)
    access = engine.decider.decide(caller, rule.demand, request.state.request_id)
    request.state.access = access
    return access


def refuse_cross_site(request: Request, own: str) -> None:
    """A write that rests on a cookie must come from our own pages. Raises CrossSiteRefused."""
    if request.headers.get("sec-fetch-site") == "same-origin" or request.headers.get("origin") == own:
        return
    raise errors.CrossSiteRefused


class Routes:
    """The routes of one slice. Each says what it demands; verbs take a `Call` first."""

    def __init__(self, prefix: str, service: str) -> None:
        self.router = APIRouter(prefix=prefix, tags=[service], route_class=_Route)
        self._service = service

    def reads(
        self, path: str, operation: str, category: str | None, *, keeps_own_time: bool = False, own: bool = False,
        **more: Any,
    ) -> Callable[[Verb], Verb]:  # fmt: skip
        """A route that changes nothing; its log entries are durable before the answer leaves.

        With `own`, a partner's program needs no grant for it: the verb shows it nothing but its partner's own.
        """
        demand = Demand(service=self._service, operation=operation, category=category, is_own=own)
        return self._add(path, {"demand": demand, "writes": False, "keeps_own_time": keeps_own_time}, **more)

    def writes(
        self, path: str, operation: str, category: str | None, *, keeps_own_keys: bool = False, own: bool = False,
        **more: Any,
    ) -> Callable[[Verb], Verb]:  # fmt: skip
        """A route that changes something, in one transaction with its log entries; `own` as in `reads`."""
        demand = Demand(service=self._service, operation=operation, category=category, is_write=True, is_own=own)
        rule = {"demand": demand, "writes": True, "keeps_own_keys": keeps_own_keys}
        return self._add(path, rule, **{"method": "POST", **more})

    def open(self, path: str, *, method: str = "GET", **more: Any) -> Callable[[Verb], Verb]:
        """A route that anybody may use; it opens its own readings and transactions, if it needs any."""
        return self._add(
            path, {"demand": None, "writes": method != "GET", "keeps_own_time": True}, method=method, **more
        )

    def _add(self, path: str, of: dict[str, Any], *, method: str = "GET", **more: Any) -> Callable[[Verb], Verb]:
        def add(verb: Verb) -> Verb:
            rule = Rule(name=f"{self._service}.{verb.__name__}", status=more.get("status_code", 200), **of)
            self.router.add_api_route(path, _endpoint(verb, rule), methods=[method], name=verb.__name__, **more)
            return verb

        return add


def _endpoint(verb: Verb, rule: Rule) -> Verb:
    signature = inspect.signature(verb, eval_str=True)
    _, *parameters = signature.parameters.values()
    if get_origin(returns := signature.return_annotation) is Page:
        rule = replace(rule, to_json=TypeAdapter(returns).serializer.to_json)  # knows its rows: twice as fast
    request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)

    async def endpoint(request: Request, **values: Any) -> Response:
        return await perform(request, rule, lambda call: verb(call, **values))

    shown = Any if inspect.isclass(returns) and issubclass(returns, Answer) else returns
    endpoint.__signature__ = signature.replace(parameters=[request, *parameters], return_annotation=shown)  # type: ignore[attr-defined]
    endpoint.__doc__, endpoint.__name__, endpoint.rule = verb.__doc__, verb.__name__, rule  # type: ignore[attr-defined]
    return endpoint


async def perform(request: Request, rule: Rule, verb: Callable[[Call], Awaitable[Any]]) -> Response:
    """Call the verb in its transaction; the response is built when it is committed and logged."""
    engine: Engine = request.app.state.engine
    call = Call(request=request, engine=engine, rule=rule, open_tx=None, permit=getattr(request.state, "access", None))
    if call.permit is not None and call.permit.limits:
        await engine.decider.spend(call.permit, "calls", 1)
    if rule.keeps_own_time:
        return _response(await verb(call), rule, engine.settings)
    async with engine.database.transaction() if rule.writes else engine.database.reading() as tx:
        call.open_tx = tx
        result = await (_once(call, verb) if rule.writes else verb(call))
        if rule.demand is not None and not tx.notes:
            raise errors.TrailUnavailable  # a verb that logs nothing gives nothing
    if not rule.writes and tx.notes:
        await _spend_persons(call, tx)
        await engine.trail.write(tx.notes)
    if isinstance(result, errors.TorvError):
        raise result  # returned, not raised: a refusal that keeps what its transaction wrote
    return _response(result, rule, engine.settings)


async def _spend_persons(call: Call, tx: Tx) -> None:
    """Count the persons that a reading shows. Raises QuotaExceeded: then nothing of it is shown."""
    if call.permit is not None and call.permit.limits:
        await call.engine.decider.spend(call.permit, "persons", sum(len(entry.subjects) for entry in tx.notes))


async def _once(call: Call, verb: Callable[[Call], Awaitable[Any]]) -> Any:
    """Call a verb that writes; under an Idempotency-Key only the first time, and then give its answer again."""
    own_key = call.request.headers.get("idempotency-key")
    if own_key is None or call.rule.keeps_own_keys:
        return await verb(call)
    body, expected = await call.request.body(), call.request.headers.get("if-match", "")
    attempt = idempotency.attempt_of(call.access, call.idempotency_key(), str(call.request.url), body, expected)
    kept = await idempotency.claim(call.tx, attempt)
    if kept is not None:
        note(call.tx, call.access, "read", detail={"replayed": True})
        return Answer(body=kept.body, status=kept.status, headers=kept.headers)
    result = await verb(call)
    if isinstance(result, errors.TorvError):
        return result
    answer = rendered(result, call.rule)
    await idempotency.keep(call.tx, attempt, status=answer.status, headers=answer.headers, body=answer.body)
    return answer


def rendered(result: Any, rule: Rule) -> Answer:
    """A value or an Answer as an Answer with bytes, a status and all its headers."""
    answer = result if isinstance(result, Answer) else Answer(body=result)
    headers = {"cache-control": "no-store", **answer.headers}
    version = getattr(answer.body, "version", None)
    if isinstance(version, int):
        headers["etag"] = f'"{version}"'
    make = to_json if answer is result else rule.to_json
    body = answer.body if isinstance(answer.body, bytes) else make(answer.body)
    return replace(answer, body=body, status=answer.status or rule.status, headers=headers)


def _response(result: Any, rule: Rule, settings: Settings) -> Response:
    answer = rendered(result, rule)
    response = Response(answer.body, answer.status, answer.headers, media_type=answer.media_type)
    is_secure = settings.issuer.startswith("https:")  # cookies are for https alone where Torv is reached by https
    for name, value in answer.cookies.items():
        _set_cookie(response, name, value, is_secure=is_secure)
    return response


def _set_cookie(response: Response, name: str, value: str, *, is_secure: bool) -> None:
    if value:
        response.set_cookie(name, value, httponly=True, samesite="strict", path="/", secure=is_secure)
    else:
        response.delete_cookie(name, httponly=True, samesite="strict", path="/", secure=is_secure)


PageFor = Callable[[errors.TorvError, Request], Response | None]


def install_problems(app: FastAPI, page_for: PageFor) -> None:
    """Let every error leave as a problem document, and be logged when somebody identified was refused.

    `page_for` may give a person at a browser a page instead.
    """
    app.state.page_for = page_for
    app.add_exception_handler(errors.TorvError, _on_refusal)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_failure)


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.TorvError)
    await _log_refusal(request, error)
    page: Response | None = request.app.state.page_for(error, request)
    if page is not None:
        return page
    engine: Engine = request.app.state.engine
    language = problems.language_of(request, engine.settings.language)
    return problems.response(error, language, request.state.request_id)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    places = [{"at": [str(part) for part in each["loc"]], "what": each["type"]} for each in error.errors()]
    where = "; ".join(f"{'.'.join(each['at'])}: {each['what']}" for each in places[:5])
    return await _on_refusal(request, errors.InvalidInput(reason=where, places=places[:20]))


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, errors.TorvError):  # ours, met while the framework read the body
        return await _on_refusal(request, error.__cause__)
    known = {404: errors.NotFound, 405: errors.MethodNotAllowed}
    refusal = (
        known[error.status_code]() if error.status_code in known else errors.MalformedRequest(reason=str(error.detail))
    )
    return await _on_refusal(request, refusal)


async def _on_failure(request: Request, _: Exception) -> Response:
    return await _on_refusal(request, errors.TorvError())  # the failure itself is logged by the front


async def _log_refusal(request: Request, error: errors.TorvError) -> None:
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        metrics.refusals_of_strangers.labels(error.code).inc()
        return
    engine: Engine = request.app.state.engine
    carried = {"carried": True} if "call_id" in error.facts else {}  # then there is an outcome of it, too
    entry = Entry(
        kind="refusal", operation=getattr(request.state, "operation", "none"),
        result=error.facts.get("check", error.code), request_id=request.state.request_id,
        user_id=caller.person, release_id=caller.release_id,
        detail=carried or getattr(request.state, "refusal_detail", None),
    )  # fmt: skip
    await asyncio.shield(engine.trail.write_if_it_can([entry]))  # a refusal shows nothing in any case
