"""Answers of modules: what of them goes on to a caller is a closed list; everything else is left behind or refused."""

import re
from dataclasses import replace

from pydantic_core import to_json

from torv.base.errors import InvalidInput
from torv.base.signing import strict_json
from torv.ecosystem.gateway.errors import ModuleAnswerInvalid
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing, PageVisit, SentCookie, Streamed
from torv.ecosystem.gateway.wire import Head

PROBLEM = "application/problem+json"
JSON = ("application/json", PROBLEM)
#: what a page is made of: nothing a browser would run
PAGE_TYPES = {
    "text/html": "text/html; charset=utf-8", "text/css": "text/css; charset=utf-8", "image/png": "image/png",
    "image/jpeg": "image/jpeg", "image/webp": "image/webp", "font/woff2": "font/woff2",
}  # fmt: skip
LARGEST_PROBLEM = 65_536  #: bytes
LONGEST_WAIT = 3_600  #: seconds a module may ask a caller to wait
MOST_COOKIES = 8
_COOKIE = re.compile(r"([A-Za-z0-9_-]{1,40})=([A-Za-z0-9._~+/=-]{0,1000})")
_PLAIN_PATH = re.compile(r"/(?!/)[A-Za-z0-9._~!$&'()*+,=:@/?%-]{0,1000}")


def too_large() -> ModuleAnswerInvalid:
    return ModuleAnswerInvalid(reason="it is too large", reason_da="det er for stort")


def read(head: Head, body: bytes, outgoing: Outgoing | None) -> ModuleAnswer:
    """The answer as it may go on. Raises ModuleAnswerInvalid."""
    page = outgoing.page if outgoing is not None else None
    if page is not None and (head.status < 400 or _stated_type(head) == "text/html"):
        return _page(head, body, page)
    if 300 <= head.status < 400:  # a module answers; it does not send us elsewhere
        raise _invalid("it points elsewhere", "det viser et andet sted hen")
    stated = _stated_type(head)
    if head.status >= 400:
        return _failure(head, stated, body)
    content_type = stated if stated in JSON else "application/octet-stream"  # nothing a browser would run
    return ModuleAnswer(status=head.status, content_type=content_type, body=body)


def with_rest(answer: ModuleAnswer, rest: Streamed, length: int | None) -> ModuleAnswer:
    """An answer of which more is to come."""
    return replace(answer, rest=rest, length=length)


def _failure(head: Head, stated: str, body: bytes) -> ModuleAnswer:
    """A refusal or a failure: the module's own problem document where it is one, or a bare one in its place."""
    content_type, body = stated, body if _is_small_json(stated, body) else b""
    if not body:
        content_type = PROBLEM
        body = to_json({
            "type": "urn:torv:error:module_error", "title": "The module gave an error without a usable explanation.",
            "status": head.status, "code": "module_error", "fault": "module",
        })  # fmt: skip
    return ModuleAnswer(status=head.status, content_type=content_type, body=body, retry_after=_wait(head))


def _is_small_json(stated: str, body: bytes) -> bool:
    if stated not in JSON or len(body) > LARGEST_PROBLEM:
        return False
    try:
        return isinstance(strict_json(body), dict)
    except InvalidInput:
        return False


def _wait(head: Head) -> int | None:
    """What the module says about trying again, in seconds; a day on a calendar is left out."""
    stated = head.value(b"retry-after")
    return int(stated) if re.fullmatch(r"[0-9]{1,6}", stated) and int(stated) <= LONGEST_WAIT else None


def _stated_type(head: Head) -> str:
    return head.value(b"content-type").partition(";")[0].strip().lower()


def _page(head: Head, body: bytes, page: PageVisit) -> ModuleAnswer:
    cookies = _cookies(head)
    if head.status in (302, 303):
        return ModuleAnswer(
            status=303, content_type="text/html; charset=utf-8", body=b"", location=_location(head, page),
            cookies=cookies,
        )  # fmt: skip
    content_type = PAGE_TYPES.get(_stated_type(head))
    if not (head.status == 200 or head.status >= 400) or content_type is None:
        raise _invalid("no page is made of that", "det kan ikke indgå i en side")
    return ModuleAnswer(status=head.status, content_type=content_type, body=body, cookies=cookies)


def _location(head: Head, page: PageVisit) -> str:
    """Another page of the same module: a plain path from its own root; nothing leads out of it."""
    stated = head.value(b"location")
    if not _PLAIN_PATH.fullmatch(stated) or "//" in stated or re.search(r"/\.{1,2}(/|\?|$)|%(2e|2f|5c)", stated, re.I):
        raise _invalid("it points elsewhere", "det viser et andet sted hen")
    return page.base + stated


def _cookies(head: Head) -> tuple[SentCookie, ...]:
    """The module's cookies by name and value alone; where they hold and for how long is not the module's to say."""
    stated = head.headers.get(b"set-cookie", ())
    if len(stated) > MOST_COOKIES:
        raise _invalid("it sets too many cookies", "det sætter for mange cookies")
    found = []
    for each in stated:
        pair, _, attributes = each.decode("latin-1").partition(";")
        cookie = _COOKIE.fullmatch(pair.strip())
        if cookie is None:
            raise _invalid("it sets a cookie that cannot be read", "det sætter en cookie, der ikke kan læses")
        is_removed = re.search(r"max-age=(0|-)", attributes.lower().replace(" ", "")) is not None
        found.append(SentCookie(name=cookie[1], value="" if is_removed else cookie[2]))
    return tuple(found)


def _invalid(reason: str, reason_da: str) -> ModuleAnswerInvalid:
    return ModuleAnswerInvalid(reason=reason, reason_da=reason_da)
