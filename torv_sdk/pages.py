"""Pages: what people see of a module, served through Torv to whoever is signed in there. HTML and forms, no script.

Torv shows them under an address of its own and lets them do little in a browser: no script runs, nothing is loaded from
elsewhere, forms go to the same module. Links begin with `page.base`; every form holds `page.field`.
"""

import html
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from torv_sdk import calls
from torv_sdk.client import KernelClient
from torv_sdk.problems import Problem
from torv_sdk.records import Record, Records
from torv_sdk.telling import Teller
from torv_sdk.tokens import Caller

AT = "/torv/pages"  #: where Torv asks for pages
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Page:
    """A visit to a page: what a page's handler is given."""

    caller: Caller
    base: str  #: where this module's pages stand in the browser
    language: str  #: `da` or `en`
    query: Mapping[str, str]
    form: Mapping[str, str]  #: empty when the page is only looked at
    cookies: Mapping[str, str]  #: the module's own
    records: Records  #: for writing while this form is handled
    kernel: KernelClient
    key: str
    teller: Teller | None = None  #: of the module; None: nothing is told

    async def tell(self, event_type: str, record: Record, data: Mapping[str, Any]) -> bool:
        """Publish an event about a record that was written, if the agreement permits it; see `Teller`."""
        return self.teller is not None and await self.teller.tell(self.kernel, event_type, record, data)

    def link(self, path: str, **query: str) -> str:
        """The address of another page of this module, for an attribute in quotation marks."""
        return html.escape(f"{self.base}{path}" + (f"?{urlencode(query)}" if query else ""))

    @property
    def field(self) -> str:
        """What every form must hold: sent twice, it then counts once."""
        return f'<input type="hidden" name="torv_key" value="{html.escape(self.key)}">'


@dataclass(frozen=True, slots=True)
class Shown:
    """A page, or a style sheet or picture of one. Whoever makes it escapes what people wrote."""

    body: str | bytes
    status: int = 200
    media_type: str = "text/html"
    cookies: Mapping[str, str] = field(default_factory=dict)  #: kept until the browser is closed; empty: removed


@dataclass(frozen=True, slots=True)
class GoTo:
    """Another page of this module, by its path: what a form that was taken ends with."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)


PageHandler = Callable[[Page], Awaitable[Shown | GoTo]]


async def visited(request: Request, caller: Caller, records: Records, kernel: KernelClient, teller: Teller) -> Page:
    """The visit that a request from Torv is. Raises Problem for what is no form."""
    return Page(
        caller=caller, base=calls.header(request, "torv-page-base"), key=calls.header(request, "torv-page-key"),
        language=calls.header(request, "accept-language") or "da", query=calls.query(request),
        form=await _form(request), cookies=request.cookies, records=records, kernel=kernel, teller=teller,
    )  # fmt: skip


async def _form(request: Request) -> dict[str, str]:
    if request.method == "GET":
        return {}
    try:
        text = (await calls.content(request)).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError:
        raise Problem(400, "malformed_request", "The form cannot be read.") from None
    if len(dict(fields)) != len(fields):
        raise Problem(400, "malformed_request", "A field stands twice.")
    return dict(fields)


def page_response(shown: Shown | GoTo) -> Response:
    """What a handler gave, on the wire."""
    if isinstance(shown, GoTo):
        to = f"{shown.path}?{urlencode(shown.query)}" if shown.query else shown.path
        return Response("", 303, {"location": to})
    response = Response(shown.body, shown.status, media_type=shown.media_type)
    for name, value in shown.cookies.items():
        if value:
            response.set_cookie(name, value)
        else:
            response.delete_cookie(name)
    return response


def problem_page(problem: Problem) -> Response:
    """A refusal for somebody at a browser."""
    title = html.escape(str(problem.document["title"]))
    detail = html.escape(str(problem.document.get("detail", "")))
    text = f"<!DOCTYPE html><title>{title}</title><main><h1>{title}</h1><p>{detail}</p></main>"
    return Response(text, problem.status, media_type="text/html")
