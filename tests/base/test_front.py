"""The front door: a request that two programs might read differently never reaches a route."""

import pytest

from tests.served import Api

LIVE = b"GET /health/live HTTP/1.1\r\nHost: torv\r\nConnection: close\r\n"
POST = b"POST /oauth/token HTTP/1.1\r\nHost: torv\r\nContent-Type: application/json\r\n"
NEXT = b"GET /health/live HTTP/1.1\r\nHost: torv\r\nConnection: close\r\n\r\n"
BODY = b'{"login":"a","password":"b"}'


def get(target: bytes) -> bytes:
    return b"GET " + target + b" HTTP/1.1\r\nHost: torv\r\nConnection: close\r\n\r\n"


async def test_a_plain_request_is_answered(shared_api: Api) -> None:
    assert (await shared_api.raw(LIVE + b"\r\n")).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "request_",
    [
        LIVE + b"Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
        LIVE + b"Host: other\r\n\r\n",
        LIVE + b"Idempotency-Key: a\r\nIdempotency-Key: a\r\n\r\n",
        LIVE + b"Idempotency_Key: a\r\n\r\n",
        LIVE + b"X: a\r\n b\r\n\r\n",
        LIVE + b"X : a\r\n\r\n",
        LIVE + b"X: a\x00b\r\n\r\n",
        POST + b"Content-Length: 28\r\nContent-Length: 5\r\n\r\n" + BODY,
        POST + b"Content-Length: 28, 28\r\n\r\n" + BODY,
        POST + b"Content-Length: +28\r\n\r\n" + BODY,
        POST + b"Content-Length: -1\r\n\r\n" + BODY,
        POST + b"Transfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        get(b"/health/%2e%2e/health/live"),
        get(b"/health/%2E/live"),
        get(b"/health/./live"),
        get(b"/health/../health/live"),
        get(b"/health%2flive"),
        get(b"/health%5Clive"),
        get(b"/health\\live"),
        get(b"//health/live"),
        get(b"/health//live"),
        get(b"/health/live;a=b"),
        get(b"/health/live%00"),
        get(b"/health/live%0d%0aX:1"),
        get(b"/health/%252e/live"),
        get("/health/live/æ".encode()),
        b"GET health/live HTTP/1.1\r\nHost: torv\r\nConnection: close\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: torv\r\nConnection: close\r\n\r\n",
        b"GET /health/live HTTP/1.1\rHost: torv\r\n\r\n",
    ],
    ids=lambda each: each.removeprefix(LIVE).removeprefix(POST)[:60].decode("latin-1"),
)
async def test_a_request_that_can_be_read_in_two_ways_is_refused(shared_api: Api, request_: bytes) -> None:
    answer = await shared_api.raw(request_)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert answer.count(b"HTTP/1.") == 1


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["length first", "chunked first"])
async def test_after_both_length_and_chunks_nothing_more_of_the_connection_is_read(
    shared_api: Api, order: tuple[int, int]
) -> None:
    """The server itself drops the length, as RFC 9112 (6.3) asks; what others may take for a request is not one."""
    both = (b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n")
    head = POST + both[order[0]] + both[order[1]] + b"\r\n"
    answer = await shared_api.raw(head + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n" + NEXT)
    assert answer.count(b"HTTP/1.") == 1
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 "))


@pytest.mark.parametrize(
    "request_",
    [get(b"http://elsewhere.example/health/nowhere"), get(b"/health/nowhere").replace(b"\r\n", b"\n")],
    ids=["absolute form", "bare line feeds"],
)
async def test_what_the_server_brings_into_plain_form_is_decided_in_plain_form(
    shared_api: Api, request_: bytes
) -> None:
    answer = await shared_api.raw(request_)
    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 404 "))
    assert answer.count(b"HTTP/1.") == 1


async def test_every_answer_has_a_request_id_that_nobody_else_chose(shared_api: Api) -> None:
    reply = await shared_api.get("/health/live", X_Request_Id="chosen")
    assert reply.headers["x-request-id"] != "chosen"
