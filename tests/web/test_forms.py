"""What browsers send and get: forms are read strictly, and strangers are shown the way to the login page."""

import pytest
from starlette.requests import Request

from torv.base.errors import Denied, MalformedRequest, NotIdentified, TokenExpired, TorvError
from torv.web.forms import read_form
from torv.web.pages import page_for

FORM = "application/x-www-form-urlencoded"


def request(method: str = "GET", path: str = "/", body: bytes = b"", **headers: str) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    lines = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": lines}
    return Request(scope, receive)


async def test_a_form_is_read_with_danish_letters_and_empty_fields() -> None:
    sent = request("POST", body=b"login=s%C3%B8ren+%C3%A5&password=", content_type=f"{FORM}; charset=utf-8")
    assert await read_form(sent) == {"login": "søren å", "password": ""}


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"login=a&login=b", FORM),
        (b"login=%ff", FORM),
        (b"\xff=a", FORM),
        (b"&".join(b"f%d=1" % n for n in range(50)), FORM),
        (b"login=a", "application/json"),
        (b"login=a", "multipart/form-data; boundary=x"),
    ],
)
async def test_a_form_that_can_be_read_in_two_ways_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(MalformedRequest):
        await read_form(request("POST", body=body, content_type=content_type))


@pytest.mark.parametrize("error", [NotIdentified(), TokenExpired()], ids=lambda error: error.code)
def test_a_stranger_at_a_page_is_sent_to_the_login_page(error: TorvError) -> None:
    answer = page_for(error, request(accept="text/html,*/*;q=0.8"))
    assert answer is not None
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (NotIdentified(), request(accept="application/json")),
        (NotIdentified(), request(path="/api/v1/bindings", accept="text/html")),
        (NotIdentified(), request(path="/c/notes/v1/notes", accept="text/html")),
        (NotIdentified(), request("POST", accept="text/html")),
        (Denied(), request("POST", accept="text/html")),
        (Denied(), request(accept="application/json")),
    ],
)
def test_programs_and_forms_get_the_problem_document(error: TorvError, asked: Request) -> None:
    assert page_for(error, asked) is None
