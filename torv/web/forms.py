"""Forms: what a browser sends, read strictly, and where it is sent on."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from torv.base.errors import MalformedRequest
from torv.base.http import Answer
from torv.web.rendering import HEADERS, HTML

FORM: Final = "application/x-www-form-urlencoded"
FIELD_LIMIT = 20  #: fields in a form


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form. Raises MalformedRequest if it is no form, or a field stands twice."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise MalformedRequest(reason="not a form")
    try:
        body = (await request.body()).decode()
        fields = parse_qsl(body, keep_blank_values=True, max_num_fields=FIELD_LIMIT, errors="strict")
    except ValueError:
        raise MalformedRequest(reason="the form cannot be read") from None
    if len(dict(fields)) != len(fields):
        raise MalformedRequest(reason="a field stands twice")
    return dict(fields)


def go_to(address: str, cookies: dict[str, str] | None = None) -> Answer:
    """Send the browser to another page with a GET, whatever it came with."""
    headers = {**HEADERS, "location": address}
    return Answer(body=b"", status=303, headers=headers, media_type=HTML, cookies=cookies or {})
