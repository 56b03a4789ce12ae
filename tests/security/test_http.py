"""Group E: HTTP that two programs might read differently. Sent as raw bytes, to a module that keeps its own.

Each case has one of three outcomes: the server refuses it, it is normalised (then the module gets exactly the request
we build, and nothing of what was sent), or the gateway refuses it with a problem document.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.conftest import ServeApi
from tests.ecosystem.wiretap import Wiretap, json_answer, tapping
from tests.served import Api

NOTES = "/c/notes/v1/notes"
GET = f"GET {NOTES} HTTP/1.1"
BY_SERVER, NORMALISED, BY_GATEWAY = "by server", "normalised", "by gateway"
CHUNKS = b"2\r\n{}\r\n0\r\n\r\n"
#: every header line the module may get with a call, and nothing else
TOLD = {
    b"Host", b"Authorization", b"Torv-Major", b"Torv-Call", b"X-Request-Id", b"Accept-Language", b"Content-Type",
    b"Content-Length", b"Idempotency-Key",
}  # fmt: skip


@pytest.fixture
async def tap(outsider: Connection, cast: Cast) -> AsyncIterator[Wiretap]:
    async with tapping(outsider, cast, "nordnote") as tap:
        yield tap


async def exchange(api: Api, raw: bytes, *, seconds: float = 5) -> bytes:
    """Send bytes, and take what comes until the first answer is there or the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
    received = bytearray()
    try:
        writer.write(raw)
        async with asyncio.timeout(seconds):
            while not (b"\r\n\r\n" in received and is_whole(received)) and (part := await reader.read(65_536)):
                received += part
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return bytes(received)


def is_whole(received: bytearray) -> bool:
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    stated = next((line[16:] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length: ")), None)
    return stated is not None and len(body) >= int(stated)


async def asking(api: Api, *lines: bytes, first: str = GET, host: bytes = b"Host: torv") -> bytes:
    """A call that lists notes, with more lines in its head."""
    token = (await api.token("borgerblik")).encode()
    return b"\r\n".join([first.encode(), host, b"Authorization: Bearer " + token, *lines, b"", b""])


async def writing(api: Api, *lines: bytes, body: bytes) -> bytes:
    """A call that writes a note, with more lines in its head."""
    keyed = (b"Idempotency-Key: 1", b"Content-Type: application/json", *lines)
    return await asking(api, *keyed, first=f"POST {NOTES} HTTP/1.1") + body


def outcome_of(answer: bytes, tap: Wiretap, *, method: bytes, body: bytes = b"") -> str:
    """What became of a call: the module got nothing, or one request that is ours from its first byte to its last."""
    head, _, content = answer.partition(b"\r\n\r\n")
    if tap.received:
        assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200")), answer
        [received] = tap.received
        [[line, *fields]] = tap.heads()
        assert line == method + b" /notes HTTP/1.1"
        names = [each.partition(b": ")[0] for each in fields]
        assert len(names) == len(set(names))
        assert set(names) <= TOLD
        assert received.partition(b"\r\n\r\n")[2] == body
        return NORMALISED
    if b"application/problem+json" in head:
        assert json.loads(content)["code"] == "malformed_request"
        return BY_GATEWAY
    assert answer == b"" or head.split(b" ")[1] in (b"400", b"431", b"505"), answer
    return BY_SERVER


@pytest.mark.parametrize(
    ("lines", "body", "outcome"),
    [
        ([b"Content-Length: 4", b"Transfer-Encoding: chunked"], CHUNKS, NORMALISED),
        ([b"Transfer-Encoding: chunked", b"Content-Length: 4"], CHUNKS, NORMALISED),
        ([b"Transfer-Encoding:\tchunked"], CHUNKS, NORMALISED),
        ([b"Transfer-Encoding: Chunked"], CHUNKS, BY_GATEWAY),
        ([b"Transfer-Encoding: gzip, chunked"], CHUNKS, BY_GATEWAY),
        ([b"Transfer-Encoding: xchunked"], CHUNKS, BY_SERVER),
        ([b"Transfer-Encoding: identity"], b"{}", BY_SERVER),
        ([b"Transfer-Encoding: chunked, identity"], CHUNKS, BY_SERVER),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"], CHUNKS, BY_SERVER),
        ([b"Transfer-Encoding : chunked"], CHUNKS, BY_SERVER),
        ([b"Transfer-Encoding: \x0bchunked"], CHUNKS, BY_SERVER),
        ([b"Content-Length: 2", b"Content-Length: 2"], b"{}", NORMALISED),
        ([b"Content-Length: 2", b"Content-Length: 3"], b"{} ", BY_SERVER),
        ([b"Content-Length: 2, 2"], b"{}", BY_SERVER),
        ([b"Content-Length: +2"], b"{}", BY_SERVER),
        ([b"Content-Length: -1"], b"{}", BY_SERVER),
        ([b"Content-Length: 0x2"], b"{}", BY_SERVER),
        ([b"Content-Length: 99999999999999999999999"], b"{}", BY_SERVER),
        ([b"Transfer-Encoding: chunked"], b"2;a=b\r\n{}\r\n0\r\n\r\n", NORMALISED),
        ([b"Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\nAuthorization: x\r\n\r\n", NORMALISED),
        ([b"Transfer-Encoding: chunked"], b"-2\r\n{}\r\n0\r\n\r\n", BY_GATEWAY),
        ([b"Transfer-Encoding: chunked"], b"ffffffffffffffff2\r\n{}\r\n0\r\n\r\n", BY_GATEWAY),
        ([b"Transfer-Encoding: chunked"], b"2\n{}\n0\n\n", BY_GATEWAY),
    ],
    ids=lambda each: repr(each)[:60],
)
async def test_e49_a_body_has_one_length_or_the_call_is_refused(
    tap: Wiretap, api: Api, lines: list[bytes], body: bytes, outcome: str
) -> None:
    answer = await exchange(api, await writing(api, *lines, body=body))
    assert outcome_of(answer, tap, method=b"POST", body=b"{}") == outcome


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        ([b"X-A: b\nX-B: c"], NORMALISED),
        ([b"X-A: b\rX-B: c"], BY_SERVER),
        ([b"X-A: b", b" folded"], BY_SERVER),
        ([b"X-A: b\0c"], BY_SERVER),
        ([b"X\0A: b"], BY_SERVER),
        ([b"X-A : b"], BY_SERVER),
        ([b": b"], BY_SERVER),
        ([b"XA"], BY_SERVER),
        ([b"Host: other.example"], BY_GATEWAY),
        ([b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAARAAAA"], NORMALISED),
    ],
    ids=lambda each: repr(each)[:60],
)  # fmt: skip
async def test_e49_a_head_that_can_be_read_in_two_ways_never_reaches_a_module(
    tap: Wiretap, api: Api, lines: list[bytes], outcome: str
) -> None:
    assert outcome_of(await exchange(api, await asking(api, *lines)), tap, method=b"GET") == outcome


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        (f"GET http://other.example{NOTES} HTTP/1.1", NORMALISED),
        (f"GET {NOTES} HTTP/1.0", NORMALISED),
        (f"GET {NOTES} HTTP/2.0", BY_SERVER),
        (f"GET {NOTES}", BY_SERVER),
        (f"GET\t{NOTES}\tHTTP/1.1", BY_SERVER),
        (f" GET {NOTES} HTTP/1.1", BY_SERVER),
        ("GET /c/notes/v1/x/../notes HTTP/1.1", BY_GATEWAY),
        ("GET /c/notes/v1//notes HTTP/1.1", BY_GATEWAY),
        ("GET /c/notes/v1/%2e%2e/v1/notes HTTP/1.1", BY_GATEWAY),
        ("GET /c/notes/v1/notes%2f HTTP/1.1", BY_GATEWAY),
        ("GET /c/notes/v1/notes%0d%0aX:y HTTP/1.1", BY_GATEWAY),
        ("GET /c/notes/v1/notes;a=b HTTP/1.1", BY_GATEWAY),
    ],
)
async def test_e49_a_first_line_means_one_thing(tap: Wiretap, api: Api, first: str, outcome: str) -> None:
    assert outcome_of(await exchange(api, await asking(api, first=first)), tap, method=b"GET") == outcome


async def test_e49_bare_line_feeds_and_a_missing_host_are_normalised(tap: Wiretap, api: Api) -> None:
    answer = await exchange(api, (await asking(api)).replace(b"\r\n", b"\n"))
    assert outcome_of(answer, tap, method=b"GET") == NORMALISED
    tap.received.clear()
    assert outcome_of(await exchange(api, await asking(api, host=b"X-Host: torv")), tap, method=b"GET") == NORMALISED


async def test_e49_a_request_smuggled_behind_another_is_decided_on_by_itself(tap: Wiretap, api: Api) -> None:
    smuggled = f"GET {NOTES}?smuggled=1 HTTP/1.1\r\nHost: torv\r\n\r\n".encode()
    await exchange(api, await writing(api, b"Content-Length: 4", b"Transfer-Encoding: chunked", body=CHUNKS + smuggled))
    assert [each.split(b" ")[:2] for each in tap.received] == [[b"POST", b"/notes"]]


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Bearer x", b"authorization: x", b"Idempotency-Key: 2", b"Torv-Call: x", b"Torv-Purpose: x",
        b"X_A: b",
    ],
)  # fmt: skip
async def test_e50_a_header_that_says_who_or_what_stands_once(tap: Wiretap, api: Api, line: bytes) -> None:
    twice = [line] if line.lower().startswith(b"authorization") else [line, line]
    assert outcome_of(await exchange(api, await asking(api, *twice)), tap, method=b"GET") == BY_GATEWAY


async def test_e52_nothing_a_caller_says_of_itself_goes_on_and_what_we_say_is_ours(tap: Wiretap, api: Api) -> None:
    forged = (
        b"Forwarded: for=192.0.2.1", b"X-Forwarded-For: 192.0.2.1", b"X-Forwarded-Host: evil", b"X-Real-IP: 192.0.2.1",
        b"X-Represented-Organisation: nordlys", b"traceparent: 00-x", b"X-Request-Id: forged", b"Torv-Major: 9",
        b"Torv-Call: forged", b"Torv-Page-Base: /x", b"User-Agent: evil", b"TE: trailers", b"Via: 1.1 evil",
        b"Proxy-Authorization: x", b"Range: bytes=0-1", b"If-None-Match: *", b"Accept-Encoding: gzip", b"Cookie: a=b",
        b"X-HTTP-Method-Override: DELETE", b"Connection: close, Torv-Major",
    )  # fmt: skip
    answer = await exchange(api, await asking(api, *forged))
    assert outcome_of(answer, tap, method=b"GET") == NORMALISED
    told = dict(line.split(b": ", 1) for line in tap.heads()[0][1:])
    assert told[b"Torv-Major"] == b"1"
    assert b"forged" not in tap.received[0]
    assert b"evil" not in tap.received[0]


@pytest.mark.parametrize("count", [101, 10_000])
async def test_e54_too_many_headers_are_refused(tap: Wiretap, api: Api, count: int) -> None:
    lines = [b"X-%d: y" % number for number in range(count)]
    assert outcome_of(await exchange(api, await asking(api, *lines)), tap, method=b"GET") == BY_SERVER


async def test_e54_headers_that_are_too_large_are_refused(tap: Wiretap, api: Api) -> None:
    assert (
        outcome_of(await exchange(api, await asking(api, b"Cookie: a=" + b"x" * 40_000)), tap, method=b"GET")
        == BY_GATEWAY
    )
    assert (
        outcome_of(await exchange(api, await asking(api, b"X-A: " + b"x" * 1_000_000)), tap, method=b"GET") == BY_SERVER
    )


async def test_e54_callers_who_send_slowly_keep_nobody_from_being_answered(tap: Wiretap, serve_api: ServeApi) -> None:
    async with serve_api(body_seconds=1) as api:
        port = int(api.url.rpartition(":")[2])
        begun = await writing(api, b"Content-Length: 1000", body=b"{")
        slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(100)]
        for number, (_, writer) in enumerate(slow):
            writer.write(begun if number % 2 else begun[:40])
        assert (await api.get(NOTES, by="borgerblik")).status == 200
        answered = await asyncio.wait_for(slow[1][0].read(100), 15)
        assert answered.startswith(b"HTTP/1.1 408")
        for _, writer in slow:
            writer.close()
    assert [each.split(b" ")[0] for each in tap.received] == [b"GET"]


async def test_e54_a_body_without_end_is_cut_off_at_its_limit(tap: Wiretap, api: Api) -> None:
    endless = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    answer = await exchange(api, await writing(api, b"Transfer-Encoding: chunked", body=endless * 40), seconds=20)
    assert tap.received == []
    assert answer == b"" or answer.startswith(b"HTTP/1.1 413"), answer[:200]


@pytest.mark.parametrize(
    "answer",
    [
        json_answer(b"x" * 100, b"Content-Encoding: gzip"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: a\nY: b\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: a\0\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 101 + b"Content-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 40_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\r\n\r\n",
        b"{}\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{}",
    ],
    ids=lambda each: repr(each)[:70],
)
async def test_e55_an_answer_that_can_be_read_in_two_ways_is_no_answer(tap: Wiretap, api: Api, answer: bytes) -> None:
    tap.answer = answer
    reply = await api.get(NOTES, by=ANNA)
    assert (reply.code, reply.json["fault"]) == ((502, "module_answer_invalid"), "module")


async def test_e55_what_follows_an_answer_is_nobodys_answer(tap: Wiretap, api: Api) -> None:
    tap.answer = json_answer(b'{"n":1}') + json_answer(b'{"forged":1}')
    assert [(await api.get(NOTES, by="borgerblik")).json for _ in range(2)] == [{"n": 1}] * 2
    assert tap.connections == 2


async def test_e55_of_an_answer_only_status_type_and_body_go_on(tap: Wiretap, api: Api) -> None:
    tap.answer = json_answer(
        b"{}", b"Set-Cookie: torv_session=x", b"Access-Control-Allow-Origin: *", b"Location: https://evil.example",
        b"Content-Security-Policy: default-src *", b"Strict-Transport-Security: max-age=0", b"Server: nordnote",
        b"Clear-Site-Data: *", b"X-Request-Id: forged", b"Torv-Call-Id: forged", b"Refresh: 0", b"Alt-Svc: h3=:443",
    )  # fmt: skip
    reply = await api.get(NOTES, by="borgerblik")
    passed = {name.lower() for name in reply.headers}
    assert passed <= {
        "content-type", "content-length", "cache-control", "x-content-type-options", "torv-call-id", "x-request-id",
        "date", "server",
    }  # fmt: skip
    assert "forged" not in (reply.headers["x-request-id"], reply.headers["torv-call-id"])
    assert reply.headers["server"] != "nordnote"


async def test_e55_a_page_of_html_in_a_failure_does_not_go_on(tap: Wiretap, api: Api) -> None:
    tap.answer = b"HTTP/1.1 500 Oops\r\nContent-Type: text/html\r\nContent-Length: 17\r\n\r\n<script>1</script>"[:-1]
    reply = await api.get(NOTES, by="borgerblik")
    assert (reply.status, reply.json["code"], reply.json["fault"]) == (500, "module_error", "module")
    assert b"script" not in reply.body


async def test_e56_no_connection_becomes_a_web_socket(tap: Wiretap, api: Api) -> None:
    upgrade = (
        b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    )  # fmt: skip
    assert outcome_of(await exchange(api, await asking(api, *upgrade)), tap, method=b"GET") == NORMALISED


async def test_e56_a_stream_that_is_kept_open_ends_with_the_agreement(tap: Wiretap, api: Api, cast: Cast) -> None:
    async def never_end(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(300):
            writer.write(b"4000\r\n" + b"x" * 16_384 + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.05)

    tap.answer = never_end
    asked = await asking(api)
    receiving = asyncio.create_task(exchange(api, asked, seconds=30))
    await asyncio.sleep(1.2)
    assert not receiving.done()
    await api.post(f"/api/v1/agreements/{cast.agreements['borgerblik']}/suspend", by=ANNA)
    received = await asyncio.wait_for(receiving, 4)
    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(b"0\r\n\r\n")
