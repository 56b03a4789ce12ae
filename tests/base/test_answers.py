"""Answers: what is answered is committed, and what cannot be read in one way only is refused."""

import json
from uuid import uuid4

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.served import Api


async def test_a_write_that_fails_at_commit_is_refused_and_leaves_nothing(api: Api, outsider: Connection) -> None:
    reply = await api.post(api.RECORDS, api.note(person_id=str(uuid4())), by="nordnote", Idempotency_Key="1")
    assert reply.code == (422, "person_unknown")
    assert await outsider.fetchval("select count(*) from records.versions") == 0
    assert (
        await outsider.fetchval("select count(*) from base.trail where kind = 'write' and release_id is not null") == 0
    )


async def test_what_is_answered_is_committed(api: Api, outsider: Connection, cast: Cast) -> None:
    reply = await api.post(api.RECORDS, api.note(), by="nordnote", Idempotency_Key="1")
    assert reply.status == 201
    assert str(await outsider.fetchval("select id from records.versions")) == reply.json["id"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"given_names": "A", "given_names": "B", "family_name": "C"}',
        b'{"given_names": "A", "family_name": NaN}',
        b'{"given_names": "\\ud800", "family_name": "C"}',
        b'{"given_names": "A", "family_name": "C"',
        b'{"a": ' * 40 + b"1" + b"}" * 40,
        b"[" * 100_000,
        b"\xff\xfe",
    ],
    ids=["duplicate key", "NaN", "half a character", "cut off", "deep", "very deep", "not utf-8"],
)
async def test_json_that_programs_read_differently_is_refused(api: Api, body: bytes) -> None:
    reply = await api.post("/api/v1/persons", body, by=ANNA)
    assert reply.code == (422, "invalid_input")


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
async def test_a_body_over_the_limit_is_refused_however_it_is_sent(api: Api, chunked: bool) -> None:
    body = json.dumps({"given_names": "A", "family_name": "B" * 1_100_000}).encode()
    head = f"POST /api/v1/persons HTTP/1.1\r\nHost: torv\r\nAuthorization: Bearer {await api.token(ANNA)}\r\n"
    head += "Content-Type: application/json\r\nConnection: close\r\n"
    if chunked:
        raw = f"{head}Transfer-Encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
    else:
        raw = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    answer = await api.raw(raw)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"too_large"' in answer


@pytest.mark.parametrize("value", [2**31, 2**63, 10**40, -1])
async def test_a_number_the_database_cannot_hold_is_invalid_not_an_outage(api: Api, value: int) -> None:
    reply = await api.get(f"{api.RECORDS}/feed?capability=notes&after={value}", by="nordnote")
    assert reply.status == (200 if value in (2**31,) else 422)
    reply = await api.post(api.RECORDS, api.note(expected_version=value), by="nordnote", Idempotency_Key="1")
    assert reply.status in (412, 422)


async def test_a_refusal_is_a_problem_document_in_the_readers_language(api: Api) -> None:
    danish, english = await api.get("/nowhere"), await api.get("/nowhere", Accept_Language="en")
    assert (danish.status, danish.headers["content-type"]) == (404, "application/problem+json")
    assert (danish.json["title"], english.json["title"]) == ("Det findes ikke.", "There is no such thing here.")
    assert danish.json["request_id"] == danish.headers["x-request-id"]


async def test_an_answer_is_kept_by_nobody(api: Api, cast: Cast) -> None:
    reply = await api.get(f"/api/v1/persons/{cast.bjorn.id}", by=ANNA)
    assert reply.headers["cache-control"] == "no-store"


async def test_strange_cookies_of_others_are_no_obstacle(api: Api) -> None:
    token = await api.token(ANNA)
    reply = await api.get("/api/v1/bindings", Cookie=f'a/b=1; =x; ;; torv_session={token}; q="\\')
    assert reply.status == 200
