"""The door for programs: `/c/{capability}/v{major}/...`."""

import re
from urllib.parse import parse_qsl
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from torv.base import problems
from torv.base.access import Access, Caller, Demand
from torv.base.errors import IdempotencyKeyRequired, MalformedRequest, NotFound, NotIdentified, TorvError
from torv.base.http import refuse_cross_site
from torv.base.ids import new_id
from torv.base.marks import read_mark, read_unit
from torv.ecosystem.gateway.bodies import NOTHING, Body, read_body
from torv.ecosystem.gateway.carrying import Gateway
from torv.ecosystem.gateway.errors import CallLoop
from torv.ecosystem.gateway.faults import say_whose_fault
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing
from torv.ecosystem.gateway.rules import MOST_HOPS, own_key
from torv.ecosystem.gateway.stamps import binding_stamp
from torv.ecosystem.modules import Operation

LARGE = ("/c/", "/m/")  #: where bodies may be larger than elsewhere
PATH = "/c/{capability}/v{major:int}/{path:path}"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+( *; *[a-z-]+=[a-z0-9._\"-]+)*", re.IGNORECASE)


async def carry_request(request: Request) -> Response:
    """Carry a call to the module that provides the capability."""
    gateway: Gateway = request.app.state.gateway
    try:
        outgoing = await _read(request, gateway)
        answer = await gateway.carry(outgoing)
    except TorvError as error:
        await say_whose_fault(error, request, gateway)
        raise
    return response_of(answer, {"torv-call-id": str(outgoing.call_id)})


def response_of(answer: ModuleAnswer, headers: dict[str, str]) -> Response:
    """The answer on the wire; one of which more is to come is sent as it comes."""
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", **headers}
    if answer.retry_after is not None:
        headers["retry-after"] = str(answer.retry_after)
    if answer.rest is None:
        return Response(answer.body, answer.status, headers, media_type=answer.content_type)
    if answer.length is not None:
        headers["content-length"] = str(answer.length)
    return StreamingResponse(answer.rest.parts(), answer.status, headers, media_type=answer.content_type)


async def _read(request: Request, gateway: Gateway) -> Outgoing:
    """Parse, identify and decide, in that order of trust. Raises the refusals."""
    capability, major = request.path_params["capability"], request.path_params["major"]
    path = "/" + request.scope["raw_path"].decode("ascii").split("/", 4)[4]
    request.state.operation = "gateway.call"  # until the contract names it: what stands in an address is not for logs
    caller = await identify(request, gateway)
    unit_id = request.state.unit_id = unit_of(request, gateway, caller)
    operation = gateway.operation(capability, major, request.method, path, unit_id)
    if operation is None:
        raise NotFound
    access, demand = await decide(request, gateway, caller, capability, major, operation, unit_id)
    key = request.headers.get("idempotency-key", "")
    if not operation.safe and not 0 < len(key) <= 200:
        raise IdempotencyKeyRequired
    return Outgoing(
        call_id=new_id(), capability=capability, operation=operation, demand=demand, method=operation.method,
        path=path, query=read_query(request), content_type=_content_type(request),
        hops=count_hops(request, gateway), language=language_of(request, gateway), access=access, unit_id=unit_id,
        key=None if operation.safe else own_key(access.caller, access.service, key),
        body=await body_of_request(request, gateway, operation),
    )  # fmt: skip


async def identify(request: Request, gateway: Gateway) -> Caller:
    """Who calls. Raises NotIdentified."""
    caller = await gateway.engine.decider.identify(request.headers)
    if caller is None:
        raise NotIdentified
    request.state.caller = caller
    return caller


def unit_of(request: Request, gateway: Gateway, caller: Caller) -> UUID | None:
    """The unit a call belongs to: the one it names, that of the call it follows from, or where its user works.

    None: the whole municipality. Raises MalformedRequest.
    """
    named = read_unit(request.headers.get("torv-unit"))
    return named or read_mark(gateway.engine.keys, request.headers.get("torv-call")).unit_id or caller.unit_id


async def decide(
    request: Request, gateway: Gateway, caller: Caller, capability: str, major: int, operation: Operation,
    unit_id: UUID | None,
) -> tuple[Access, Demand]:  # fmt: skip
    """The permit for an operation in a unit, and what was decided on. Raises Denied and its like."""
    request.state.operation = f"{capability}.{operation.id}"
    request.state.refusal_detail = binding_stamp(gateway.bound_unit(capability, unit_id))
    if not operation.safe and "authorization" not in request.headers:
        refuse_cross_site(request, gateway.engine.settings.issuer)
    demand = Demand(
        service=capability, operation=operation.id, category=operation.category, major=major,
        is_write=not operation.safe, keeps_units=True,
    )  # fmt: skip
    access = gateway.decide(caller, demand, request.state.request_id, unit_id)
    if access.limits:
        await gateway.engine.decider.spend(access, "calls", 1)
    return access, demand


async def body_of_request(request: Request, gateway: Gateway, operation: Operation) -> Body:
    """The body, as large as the contract lets the operation's be."""
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        return NOTHING  # RFC 9112, section 6.3: then there is none
    limits = gateway.limits
    limit = limits.stream if operation.streams else limits.request
    return await read_body(request.stream(), limit=limit, seconds=limits.body_seconds)


def read_query(request: Request) -> tuple[tuple[str, str], ...]:
    """Raises MalformedRequest."""
    query = request.scope["query_string"]
    try:
        read = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=50)
    except ValueError:
        if not query:
            return ()
        raise MalformedRequest(reason="the query cannot be read") from None
    return tuple(read)


def count_hops(request: Request, gateway: Gateway) -> int:
    """How many calls this one follows from. Raises CallLoop."""
    hops = read_mark(gateway.engine.keys, request.headers.get("torv-call")).hops
    if hops > MOST_HOPS:
        raise CallLoop(limit=MOST_HOPS)
    return hops


def language_of(request: Request, gateway: Gateway) -> str:
    return problems.language_of(request, gateway.engine.settings.language)


def _content_type(request: Request) -> str:
    stated = request.headers.get("content-type", "application/json")
    if len(stated) > 200 or not _TYPE.fullmatch(stated):
        raise MalformedRequest(reason="the Content-Type cannot be read")
    return stated
