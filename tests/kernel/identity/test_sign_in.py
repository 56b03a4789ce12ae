"""Signing in: one answer for every kind of failure; and a cookie is worth nothing to other sites."""

import asyncio
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import ANNA, PASSWORDS, Cast
from tests.served import Api

SESSIONS = "/api/v1/identity/sessions"


async def sign_in(api: Api, login: str, password: str) -> Any:
    return await api.post(SESSIONS, {"login": login, "password": password})


async def test_a_session_is_worth_what_its_user_may(api: Api, cast: Cast) -> None:
    reply = await sign_in(api, ANNA, PASSWORDS[ANNA])
    assert reply.status == 201
    token = reply.json["token"]
    shown = await api.get(f"/api/v1/persons/{cast.bjorn.id}", Authorization=f"Bearer {token}")
    assert (shown.status, shown.json["given_names"]) == (200, "Bjørn")


async def test_the_answer_does_not_tell_whether_the_name_or_the_password_was_wrong(api: Api) -> None:
    wrong, unknown = await asyncio.gather(
        sign_in(api, ANNA, "en helt forkert adgangskode"), sign_in(api, "nobody.here", "en helt forkert adgangskode")
    )
    for reply in (wrong, unknown):
        assert reply.code == (401, "wrong_password")
        assert "token" not in reply.json
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}


async def test_the_table_of_sessions_is_no_use_to_a_thief(api: Api, outsider: Connection) -> None:
    token = (await sign_in(api, ANNA, PASSWORDS[ANNA])).json["token"]
    stored = await outsider.fetch("select s::text as row from identity.sessions s")
    assert stored
    assert all(token not in row["row"] for row in stored)
    assert await outsider.fetchval("select count(*) from identity.users u where u::text like '%solen%'") == 0


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Sec_Fetch_Site": "cross-site"}, False),
        ({"Sec_Fetch_Site": "same-site"}, False),
        ({"Sec_Fetch_Site": "same-origin"}, True),
        ({"Origin": "ourselves"}, True),
    ],
)
async def test_a_write_that_rests_on_a_cookie_comes_from_our_own_pages(
    api: Api, headers: dict[str, str], is_ours: bool
) -> None:
    token = await api.token(ANNA)
    sent = {name: api.url if value == "ourselves" else value for name, value in headers.items()}
    new = {"given_names": "Ida", "family_name": "Holm"}
    reply = await api.post("/api/v1/persons", new, Cookie=f"torv_session={token}", **sent)
    assert (reply.status == 201) is is_ours
    assert is_ours or reply.code == (403, "cross_site_refused")


async def test_a_call_of_the_gateway_that_rests_on_a_cookie_does_too(shared_api: Api, cast: Cast) -> None:
    cookie = f"torv_session={await shared_api.token(ANNA)}"
    note = {"person_id": str(cast.bjorn.id), "text": "x"}
    reply = await shared_api.post("/c/notes/v1/notes", note, Cookie=cookie, Idempotency_Key="1")
    assert reply.code == (403, "cross_site_refused")
