"""One call from the gateway: what a handler is given, and what it gives back."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from torv_sdk.canonical import parse
from torv_sdk.client import KernelClient
from torv_sdk.problems import KernelRefusal, Problem, invalid
from torv_sdk.records import Record, Records
from torv_sdk.telling import Teller
from torv_sdk.tokens import Caller

LARGEST_BODY = 1024 * 1024
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back: a body that can be written as JSON."""

    body: Any
    status: int = 200


@dataclass(frozen=True, slots=True)
class Call:
    """What a handler is given. Its methods raise Problem (422) for content that does not fit."""

    caller: Caller
    query: Mapping[str, str]
    content: bytes
    records: Records  #: for writing while this call is handled
    kernel: KernelClient  #: for reading more of Torv; on the user's behalf with `on_behalf_of=call.caller`
    path: Mapping[str, str] = field(default_factory=dict)  #: the address's variable parts, by their names
    major: int = 1  #: the major version of the contract that the caller means
    teller: Teller | None = None  #: of the module; None: nothing is told

    async def tell(self, event_type: str, record: Record, data: Mapping[str, Any]) -> bool:
        """Publish an event about a record that was written, if the agreement permits it; see `Teller`."""
        return self.teller is not None and await self.teller.tell(self.kernel, event_type, record, data)

    def json(self) -> dict[str, Any]:
        """The body, an object; read strictly (see `canonical.parse`)."""
        try:
            value = parse(self.content)
        except ValueError as error:
            raise Problem(400, "malformed_request", "The body is not valid JSON.", detail=str(error)) from None
        if not isinstance(value, dict):
            raise invalid("the body must be an object")
        return value

    def number(self, name: str, *, default: int, most: int) -> int:
        """A whole number from 1 to `most` in the query."""
        text = self.query.get(name, str(default))
        if not re.fullmatch(r"[0-9]{1,9}", text) or not 1 <= int(text) <= most:
            raise invalid(f"{name} must be 1 to {most}")
        return int(text)

    @staticmethod
    def uuid(name: str, value: object) -> UUID:
        """A UUID in its usual writing, from the query or the body."""
        if not isinstance(value, str) or not _UUID.fullmatch(value):
            raise invalid(f"{name} must be a UUID")
        return UUID(value)


def header(request: Request, name: str) -> str:
    """A header's value, `""` if it is missing. Two of one name are refused: each reader might believe another one."""
    values = request.headers.getlist(name)
    if len(values) > 1:
        raise Problem(400, "malformed_request", f"The header {name} occurs twice.")
    return values[0] if values else ""


def query(request: Request) -> dict[str, str]:
    """The query; a name that occurs twice is refused."""
    pairs = request.query_params.multi_items()
    if len(dict(pairs)) != len(pairs):
        raise Problem(400, "malformed_request", "A query parameter occurs twice.")
    return dict(pairs)


async def content(request: Request) -> bytes:
    """The body, however it is sent; nothing beyond the limit is kept."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST_BODY:
            raise Problem(413, "too_large", f"The body is larger than {LARGEST_BODY} bytes.")
    return bytes(received)


def dump(value: Any) -> str:
    """JSON as it goes over the wire."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def json_response(value: Any, status: int = 200) -> Response:
    if status == 204:  # RFC 9110: there is nothing in it
        return Response(status_code=status)
    return Response(dump(value), status, media_type="application/json")


def problem_response(problem: Problem) -> Response:
    """The refusal as the caller sees it. A 401 from the kernel is about us, not about the caller, who gets a 502."""
    if isinstance(problem, KernelRefusal) and problem.status == 401:
        problem = Problem(502, "module_not_identified", "Torv does not accept the module's key.")
    wait = {} if problem.retry_after is None else {"Retry-After": str(math.ceil(problem.retry_after))}
    return Response(dump(problem.document), problem.status, wait, "application/problem+json")
