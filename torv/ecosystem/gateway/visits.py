"""The door for people: `/m/{capability}/...`, pages of a module for whoever is signed in.

Where pages stand names the epoch of the binding: `/m/notes/e3/citizen`. A page that was opened before a move therefore
says of itself that it belongs to the supplier who had the capability then, and so do its forms and cookies.
"""

import re
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from torv.base.access import Caller, CallerKind, Demand
from torv.base.errors import (
    CapabilityNotBound,
    Denied,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    StateUnconfirmed,
    TorvError,
)
from torv.base.ids import new_id
from torv.ecosystem.gateway.api import (
    body_of_request,
    count_hops,
    decide,
    identify,
    language_of,
    read_query,
    response_of,
)
from torv.ecosystem.gateway.bodies import Body
from torv.ecosystem.gateway.carrying import Gateway
from torv.ecosystem.gateway.faults import say_whose_fault
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing, PageStart, PageVisit
from torv.ecosystem.gateway.rules import own_key

PAGES = "/m/{capability}/{path:path}"
PAGE_METHODS = ["GET", "POST"]
KEY_FIELD = "torv_key"  #: of a form: sent twice, it counts once
FORM = "application/x-www-form-urlencoded"
COOKIE = "torv_m_"  #: before the module's own names
AT_MODULE = "/torv/pages"  #: where a module has its pages, apart from its operations
_UNIT = re.compile(r"u([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")
_PLACE = re.compile(r"e([0-9]{1,9})((?:/[A-Za-z0-9][A-Za-z0-9._~-]*)*)")
_VALUE = re.compile(r"[A-Za-z0-9._~+/=-]{1,1000}")


async def visit_page(request: Request) -> Response:
    """Show a page of the module that provides the capability, or take a form to it."""
    gateway: Gateway = request.app.state.gateway
    request.state.operation = "gateway.visit"
    try:
        return await _visit(request, gateway)
    except TorvError as error:
        await say_whose_fault(error, request, gateway)
        raise


def pages_about_persons(request: Request, caller: Caller) -> list[PageStart]:
    """Where pages about a person begin that this caller may see now; where several units have their own, each of them.

    Who works in one unit goes by that. Others have the municipality's, and those of each unit that has a supplier of
    its own or that their roles are limited to.
    """
    gateway: Gateway = request.app.state.gateway
    routes = gateway.directory().routes.values()
    return [
        start
        for capability in sorted({each.capability for each in routes})
        for start in _starts(capability, caller, [each.unit_id for each in routes if each.capability == capability])
        if _may_begin(request, gateway, caller, start)
    ]


def _starts(capability: str, caller: Caller, bound: list[UUID | None]) -> list[PageStart]:
    if caller.unit_id is not None:
        return [PageStart(capability=capability, unit_id=None)]
    limits = sorted(unit for right in caller.rights for units in right.scope.units for unit in units)
    units = dict.fromkeys([None, *sorted(each for each in bound if each is not None), *limits])
    return [PageStart(capability=capability, unit_id=each) for each in units]


def _may_begin(request: Request, gateway: Gateway, caller: Caller, start: PageStart) -> bool:
    directory, unit_id = gateway.directory(), start.unit_id or caller.unit_id
    route = directory.route(start.capability, unit_id)
    launched = None if route is None else directory.launch(route)
    if launched is None or launched[1].about != "person":
        return False
    operation = directory.named(start.capability, launched[0], launched[1].reads)
    demand = Demand(
        service=start.capability, operation=operation.id, category=operation.category, major=launched[0],
        keeps_units=True,
    )  # fmt: skip
    try:
        gateway.decide(caller, demand, request.state.request_id, unit_id)
    except (Denied, StateUnconfirmed):
        return False
    return True


def page_start(request: Request) -> PageStart:
    """Where the pages begin that a page belongs to."""
    return _read_place(request)[0]


def _read_place(request: Request) -> tuple[PageStart, str]:
    """Where a page's pages begin, and what of its address comes after that."""
    path = request.scope["raw_path"].decode("ascii").split("/", 3)[3]
    named = _UNIT.match(path)
    start = PageStart(capability=request.path_params["capability"], unit_id=UUID(named[1]) if named else None)
    return start, path[named.end() :] if named else path


async def _visit(request: Request, gateway: Gateway) -> Response:
    caller = await identify(request, gateway)
    if caller.kind is not CallerKind.USER:
        raise NotFound  # pages are for people; programs have operations
    (start, path), directory = _read_place(request), gateway.directory()
    unit_id = request.state.unit_id = start.unit_id or caller.unit_id
    route = directory.route(start.capability, unit_id)
    if route is None:
        raise CapabilityNotBound
    launched = directory.launch(route)
    if launched is None:
        raise NotFound
    major, launch = launched
    name = launch.reads if request.method == "GET" else launch.writes
    if name is None:
        raise MethodNotAllowed
    operation = directory.named(start.capability, major, name)
    access, demand = await decide(request, gateway, caller, start.capability, major, operation, unit_id)
    query = read_query(request)
    if not path and request.method == "GET":
        return _begin(f"{start.address}e{route.epoch}{launch.path}", query)
    place = _PLACE.fullmatch(path)
    if place is None:
        raise NotFound
    body = await body_of_request(request, gateway, operation)
    visit = PageVisit(
        base=f"{start.address}e{place[1]}", epoch=int(place[1]), path=AT_MODULE + (place[2] or "/"),
        cookies=_cookies(request), key=str(new_id()),
    )  # fmt: skip
    outgoing = Outgoing(
        call_id=new_id(), capability=start.capability, operation=operation, demand=demand, method=request.method,
        path=visit.path, query=query, body=body, content_type=FORM, hops=count_hops(request, gateway),
        language=language_of(request, gateway), access=access, page=visit, unit_id=unit_id,
        key=None if operation.safe else own_key(caller, start.capability, _key_of_form(request, body)),
    )  # fmt: skip
    return _shown(await gateway.carry(outgoing), visit, outgoing.call_id, gateway)


def _begin(place: str, query: tuple[tuple[str, str], ...]) -> Response:
    to = f"{place}?{urlencode(query)}" if query else place
    return RedirectResponse(to, 303, {"cache-control": "no-store", "referrer-policy": "same-origin"})


def _key_of_form(request: Request, body: Body) -> str:
    """What makes a form that is sent twice one form. Raises MalformedRequest for anything but a form with a key."""
    stated = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if stated != FORM or body.file is not None:
        raise MalformedRequest(reason="not a form")
    try:
        fields = parse_qsl(body.content.decode(), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise MalformedRequest(reason="the form cannot be read") from None
    keys = [value for name, value in fields if name == KEY_FIELD]
    if len(keys) != 1 or not 0 < len(keys[0]) <= 200:
        raise MalformedRequest(reason=f"the form has no {KEY_FIELD}")
    return f"page {keys[0]}"


def _cookies(request: Request) -> tuple[tuple[str, str], ...]:
    """The module's own cookies, by its own names; nobody else's, and never the session's."""
    own = ((name, value) for name, value in request.cookies.items() if name.startswith(COOKIE))
    return tuple((name.removeprefix(COOKIE), value) for name, value in own if _VALUE.fullmatch(value))


def _shown(answer: ModuleAnswer, visit: PageVisit, call_id: UUID, gateway: Gateway) -> Response:
    issuer = gateway.engine.settings.issuer
    headers = {"torv-call-id": str(call_id), **page_headers(issuer + visit.base)}
    if answer.location is not None:
        headers["location"] = answer.location
    response = response_of(answer, headers)
    for cookie in answer.cookies:
        response.set_cookie(
            COOKIE + cookie.name, cookie.value, max_age=None if cookie.value else 0, path=visit.base + "/",
            secure=issuer.startswith("https:"), httponly=True, samesite="strict",
        )  # fmt: skip
    return response


def page_headers(base: str) -> dict[str, str]:
    """What a page of a module may do in a browser: be read, and send forms to its own module. No script runs.

    The sandbox has no `allow-scripts`: neither script nor `meta refresh` works, even where the rest of the policy
    could be got round. Its own origin is kept, as the session's cookie would otherwise not come along.
    """
    own = f"{base}/"
    policy = (
        f"sandbox allow-forms allow-same-origin; default-src 'none'; style-src {own}; img-src {own}; font-src {own}; "
        f"form-action {own}; base-uri 'none'; frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy, "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
    }  # fmt: skip
