"""The door for programs: `/c/{capability}/v{major}/...`."""

from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from torv.base import problems
from torv.base.access import Access, Demand
from torv.base.errors import IdempotencyKeyRequired, MalformedRequest, NotFound, NotIdentified
from torv.base.http import refuse_cross_site
from torv.base.ids import new_id
from torv.ecosystem.gateway.carrying import Gateway
from torv.ecosystem.gateway.models import Outgoing
from torv.ecosystem.gateway.rules import is_chained, own_key
from torv.ecosystem.modules import Operation

PATH = "/c/{capability}/v{major:int}/{path:path}"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


async def carry_request(request: Request) -> Response:
    """Carry a call to the module that provides the capability."""
    gateway: Gateway = request.app.state.gateway
    outgoing = await _read(request, gateway)
    answer = await gateway.carry(outgoing)
    headers = {"cache-control": "no-store", "x-content-type-options": "nosniff", "torv-call-id": str(outgoing.call_id)}
    return Response(answer.body, answer.status, headers, media_type=answer.content_type)


async def _read(request: Request, gateway: Gateway) -> Outgoing:
    """Parse, identify and decide, in that order of trust. Raises the refusals."""
    capability, major = request.path_params["capability"], request.path_params["major"]
    path = "/" + request.scope["raw_path"].decode("ascii").split("/", 4)[4]
    request.state.operation = "gateway.call"  # until the contract names it: what stands in an address is not for logs
    caller = await gateway.engine.decider.identify(request.headers)
    if caller is None:
        raise NotIdentified
    request.state.caller = caller
    operation = gateway.directory().operation(capability, major, request.method, path)
    if operation is None:
        raise NotFound
    request.state.operation = f"{capability}.{operation.id}"
    if not operation.safe and "authorization" not in request.headers:
        refuse_cross_site(request, gateway.engine.settings.issuer)
    demand = Demand(
        service=capability, operation=operation.id, category=operation.category, major=major,
        is_write=not operation.safe,
    )  # fmt: skip
    access = gateway.engine.decider.decide(caller, demand, request.state.request_id)
    if access.limits:
        await gateway.engine.decider.spend(access, "calls", 1)
    return await _outgoing(request, gateway, path, operation, demand, access)


async def _outgoing(
    request: Request, gateway: Gateway, path: str, operation: Operation, demand: Demand, access: Access
) -> Outgoing:
    key = request.headers.get("idempotency-key", "")
    if not operation.safe and not 0 < len(key) <= 200:
        raise IdempotencyKeyRequired
    try:
        query = (
            parse_qsl(
                request.scope["query_string"].decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                max_num_fields=50,
            )
            if request.scope["query_string"]
            else []
        )
    except ValueError:
        raise MalformedRequest(reason="the query cannot be read") from None
    engine = gateway.engine
    return Outgoing(
        call_id=new_id(), capability=access.service, operation=operation, demand=demand, path=path, query=tuple(query),
        body=await request.body(), content_type=request.headers.get("content-type", "application/json"),
        language=problems.language_of(request, engine.settings.language),
        key=None if operation.safe else own_key(access.caller, access.service, key), access=access,
        is_chained=is_chained(engine.keys, request.headers.get("torv-call")),
    )  # fmt: skip
