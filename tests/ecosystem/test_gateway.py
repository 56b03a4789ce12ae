"""The gateway: who may, once per key, to whoever provides; nothing of the wire goes on, in either direction."""

import asyncio
import json
import time
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, BORGERBLIK, Cast, content_of, enter_agreement
from tests.conftest import ServeApi
from tests.sdk.loopback import Loopback
from tests.served import Api, Reply
from torv.base import signing
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.marks import NONE, Mark, make_mark, read_mark
from torv.base.signing import Keys

NOTES = "/c/notes/v1/notes"


# ---- who may ---------------------------------------------------------------------------------------------------------
async def test_a_stranger_is_not_carried(shared_api: Api) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer a.b.c"}):
        assert (await shared_api.get(NOTES, **headers)).code == (401, "not_identified")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/c/notes/v1/unknown"),
        ("DELETE", NOTES),
        ("GET", "/c/notes/v2/notes"),
        ("GET", "/c/magic/v1/notes"),
        ("GET", "/c/notes/v1/"),
        ("GET", "/c/notes/v1/n%6ftes"),
        ("GET", "/c/notes/v1/notes/"),
    ],
)
async def test_what_no_contract_describes_is_not_there(shared_api: Api, method: str, path: str) -> None:
    assert (await shared_api.ask(method, path, by="borgerblik")).code == (404, "not_found")


async def test_without_a_grant_a_caller_is_told_what_is_missing_and_who_can_mend_it(shared_api: Api) -> None:
    reply = await shared_api.get(NOTES, by="kviknote")
    assert reply.code == (403, "denied")
    assert (reply.json["check"], reply.json["mender"]) == ("operation", "Parterne")
    assert reply.json["title"] == (
        "Det er der ikke givet tilladelse til: der er ingen tilladelse til handlingen. Parterne kan rette det."
    )


async def test_people_go_through_the_same_door(nordnote: Loopback, api: Api, cast: Cast) -> None:
    assert (await api.get(f"{NOTES}?person_id={cast.bjorn.id}", by=ANNA)).status == 200
    [(headers, _)] = nordnote.seen("/notes")
    claims = signing.unverified_claims(headers["Authorization"].removeprefix("Bearer "))
    assert claims["sub"] == f"user:{cast.users[ANNA].id}"


async def test_a_provider_that_is_suspended_gets_no_calls(nordnote: Loopback, api: Api, cast: Cast) -> None:
    assert (await api.get(NOTES, by="borgerblik")).status == 200
    await api.post(f"/api/v1/agreements/{cast.agreements['nordnote']}/suspend", by=ANNA)
    deadline = time.monotonic() + 1
    while (reply := await api.get(NOTES, by="borgerblik")).status == 200:
        assert time.monotonic() < deadline
    assert (reply.code, reply.json["check"]) == ((403, "denied"), "suspended")
    seen = len(nordnote.asked)
    assert (await api.write_note(key="1")).code == (403, "denied")
    assert len(nordnote.asked) == seen


async def test_a_capability_that_nobody_provides_is_not_bound(serve_api: ServeApi, outsider: Connection) -> None:
    await outsider.execute("delete from modules.bindings")
    async with serve_api() as api:
        assert (await api.get(NOTES, by="borgerblik")).code == (404, "capability_not_bound")


# ---- what goes on ----------------------------------------------------------------------------------------------------
async def test_a_request_is_built_anew(nordnote: Loopback, api: Api, cast: Cast) -> None:
    query = f"person_id={cast.bjorn.id}&limit=5&x=a%20b%26c"
    strange = {"Cookie": "a=b", "X_Forwarded_For": "1.2.3.4", "X_Custom": "x", "Torv_Call": "forged"}
    await api.get(f"{NOTES}?{query}", by="borgerblik", Accept_Language="en-GB", **strange)
    [(headers, body)] = nordnote.seen("/notes")
    passed = {name.lower() for name in headers} - {"host", "accept", "query"}
    assert passed == {"authorization", "torv-call", "torv-major", "x-request-id", "accept-language"}
    assert headers["query"] == f"person_id={cast.bjorn.id}&limit=5&x=a b%26c"  # as the server shows it, decoded
    assert (headers["Accept-Language"], body) == ("en", b"")
    assert headers["Torv-Call"] != "forged"


async def test_the_module_gets_a_token_for_itself_and_this_capability_alone(
    nordnote: Loopback, api: Api, cast: Cast, keys: Keys
) -> None:
    await api.get(NOTES, by="borgerblik")
    [(headers, _)] = nordnote.seen("/notes")
    token, me = headers["Authorization"].removeprefix("Bearer "), str(cast.releases["nordnote"])
    claims = signing.read_token(token, keys.tokens, issuer=api.url, audience=me, required=("sub", "cap", "op"))
    assert (claims["sub"], claims["cap"], claims["op"]) == (f"release:{cast.releases['borgerblik']}", "notes", "call")
    assert claims["exp"] - claims["iat"] <= 60
    caller_token = await api.token("borgerblik")
    assert caller_token not in headers.values()


async def test_an_answer_is_stripped_of_everything_but_status_type_and_body(nordnote: Loopback, api: Api) -> None:
    nordnote.answers.clear()
    nordnote.answer(
        "/notes", 200, {"notes": []}, Set_Cookie="a=b", Location="https://evil.example", Refresh="0",
        Access_Control_Allow_Origin="*", Server="nordnote", X_Custom="x", Cache_Control="public", ETag='"1"',
    )  # fmt: skip
    reply = await api.get(NOTES, by="borgerblik")
    assert (reply.status, reply.json, reply.headers["content-type"]) == (200, {"notes": []}, "application/json")
    for name in ("set-cookie", "location", "refresh", "access-control-allow-origin", "x-custom", "etag"):
        assert name not in reply.headers
    assert (reply.headers["cache-control"], reply.headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_nothing_a_browser_would_run_comes_out(nordnote: Loopback, api: Api) -> None:
    nordnote.answers.clear()
    nordnote.answer("/notes", 200, "<script>alert(1)</script>", Content_Type="text/html")
    reply = await api.get(NOTES, by="borgerblik")
    assert reply.headers["content-type"] == "application/octet-stream"


# ---- when the module does not do its part ----------------------------------------------------------------------------
async def test_a_module_that_is_down_is_a_502(api: Api) -> None:
    reply = await api.get(NOTES, by="borgerblik")
    assert reply.code == (502, "module_unavailable")
    assert (await api.write_note(key="1")).code == (502, "module_unavailable")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
async def test_a_module_that_sends_us_elsewhere_is_a_502(
    nordnote: Loopback, kviknote: Loopback, api: Api, status: int
) -> None:
    nordnote.answers.clear()
    nordnote.answer("/notes", status, "", Location=f"{kviknote.url}/notes")
    assert (await api.get(NOTES, by="borgerblik")).code == (502, "module_answer_invalid")
    assert kviknote.asked == []


async def test_a_module_that_hangs_up_is_a_502(nordnote: Loopback, api: Api) -> None:
    nordnote.answers.clear()
    nordnote.hang_up("/notes")
    assert (await api.write_note(key="1")).code == (502, "module_unavailable")


async def test_an_answer_without_end_is_a_502(nordnote: Loopback, api: Api) -> None:
    nordnote.answers.clear()
    nordnote.answer("/notes", 200, "x" * 5_000_001)
    assert (await api.get(NOTES, by="borgerblik")).code == (502, "module_answer_invalid")


async def test_a_module_that_takes_too_long_is_a_504(nordnote: Loopback, api: Api) -> None:
    nordnote.pause = 11
    read, written = await asyncio.gather(api.get(NOTES, by="borgerblik"), api.write_note(key="1"))
    assert (read.code, written.code) == ((504, "module_timeout"), (504, "module_timeout"))
    assert "10" in read.json["title"]


# ---- once per key ----------------------------------------------------------------------------------------------------
async def test_a_call_that_changes_something_needs_a_key(shared_api: Api) -> None:
    for key in ("", "x" * 201):
        assert (await shared_api.write_note(key=key)).code == (400, "idempotency_key_required")


async def test_a_retry_gives_the_same_bytes_and_asks_nobody(nordnote: Loopback, api: Api) -> None:
    nordnote.answers.clear()
    nordnote.answer("/notes", 201, {"id": "1", "é": [1.0, None]})
    nordnote.answer("/notes", 201, {"id": "2"})
    first, again = await api.write_note(key="1"), await api.write_note(key="1")
    assert (first.status, first.body) == (again.status, again.body) == (201, first.body)
    assert len(nordnote.seen("/notes")) == 1


async def test_the_key_goes_with_the_call_that_was_made_with_it(nordnote: Loopback, api: Api) -> None:
    await api.write_note("Et", key="1")
    assert (await api.write_note("Et andet", key="1")).code == (409, "idempotency_key_reused")
    assert len(nordnote.seen("/notes")) == 1


async def test_two_callers_may_use_the_same_key(nordnote: Loopback, api: Api, cast: Cast) -> None:
    for by in ("borgerblik", ANNA):
        assert (await api.write_note(key="1", by=by)).status == 200
    sent = [headers["Idempotency-Key"] for headers, _ in nordnote.seen("/notes")]
    assert len(set(sent)) == 2
    assert "1" not in sent


async def test_equal_calls_at_the_same_time_are_one_call(nordnote: Loopback, api: Api) -> None:
    nordnote.pause = 0.3
    await api.token("borgerblik")
    replies = await asyncio.gather(*(api.write_note(key="1") for _ in range(12)))
    codes = {reply.status if reply.status == 200 else reply.code for reply in replies}
    assert codes <= {200, (409, "call_in_progress")}
    assert 200 in codes
    assert len(nordnote.seen("/notes")) == 1
    assert all(reply.headers["retry-after"] == "1" for reply in replies if reply.status == 409)
    assert (await api.write_note(key="1")).status == 200


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_an_answer_that_is_not_the_last_word_is_not_kept(nordnote: Loopback, api: Api, status: int) -> None:
    nordnote.answers.clear()
    nordnote.answer("/notes", status, {"code": "not_now"})
    nordnote.answer("/notes", 201, {"id": "1"})
    assert [(await api.write_note(key="1")).status for _ in range(2)] == [status, 201]


async def test_a_call_that_failed_may_be_repeated_at_once(nordnote: Loopback, api: Api) -> None:
    nordnote.answers.clear()
    nordnote.hang_up("/notes")
    nordnote.answer("/notes", 201, {"id": "1"})
    assert [(await api.write_note(key="1")).status for _ in range(2)] == [502, 201]
    keys = [headers["Idempotency-Key"] for headers, _ in nordnote.seen("/notes")]
    assert keys[0] == keys[1]


async def test_a_call_whose_process_died_is_carried_out_by_the_next_attempt(
    nordnote: Loopback, api: Api, outsider: Connection
) -> None:
    await api.write_note(key="1")
    await outsider.execute("update gateway.calls set status = null, body = null, process = gen_random_uuid()")
    assert (await api.write_note(key="1")).status == 200
    assert len(nordnote.seen("/notes")) == 2


async def test_a_client_that_hangs_up_does_not_stop_what_was_begun(
    nordnote: Loopback, api: Api, outsider: Connection, cast: Cast
) -> None:
    nordnote.pause = 0.5
    body = json.dumps({"person_id": str(cast.bjorn.id), "text": "Alt var vel."})
    head = (
        f"POST {NOTES} HTTP/1.1\r\nHost: torv\r\nAuthorization: Bearer {await api.token('borgerblik')}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: 1\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", int(api.url.rpartition(":")[2]))
    writer.write((head + body).encode())
    await asyncio.sleep(0.2)
    writer.transport.abort()
    async with asyncio.timeout(5):
        while await outsider.fetchval("select status from gateway.calls") is None:
            await asyncio.sleep(0.02)
    assert (await api.write_note(key="1")).status == 200
    assert len(nordnote.seen("/notes")) == 1


# ---- the log ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_write", [True, False])
async def test_every_call_leaves_an_intent_and_an_outcome(
    nordnote: Loopback, api: Api, outsider: Connection, cast: Cast, is_write: bool
) -> None:
    reply = await (api.write_note(key="1") if is_write else api.get(NOTES, by="borgerblik"))
    rows = await outsider.fetch(
        "select * from base.trail where call_id = $1 order by seq", UUID(reply.headers["torv-call-id"])
    )
    assert [row["kind"] for row in rows] == ["intent", "outcome"]
    assert {row["agreement_id"] for row in rows} == {cast.agreements["borgerblik"]}
    outcome = json.loads(rows[1]["detail"])
    assert (outcome["release"], outcome["epoch"], outcome["status"]) == (str(cast.releases["nordnote"]), 1, 200)
    assert outcome["agreement"] == str(cast.agreements["nordnote"])
    assert outcome["module_us"] > 0
    assert outcome["torv_us"] > 0
    assert outcome["hold_us"] >= 0


async def test_the_intent_is_durable_before_anything_leaves_for_the_module(
    nordnote: Loopback, api: Api, outsider: Connection
) -> None:
    await api.get(NOTES, by="borgerblik")
    async with outsider.transaction():
        await outsider.execute("lock table base.trail in access exclusive mode")
        asked = asyncio.create_task(api.get(NOTES, by="borgerblik"))
        await asyncio.sleep(2.5)
        assert len(nordnote.asked) == 1
    assert (await asked).code == (503, "trail_unavailable")


async def test_a_failure_of_the_module_is_an_outcome_too(
    nordnote: Loopback, api: Api, outsider: Connection, cast: Cast
) -> None:
    nordnote.answers.clear()
    nordnote.hang_up("/notes")
    await api.get(NOTES, by="borgerblik")
    await api.write_note(key="1")
    rows = await outsider.fetch("select result, detail from base.trail where kind = 'outcome'")
    assert [row["result"] for row in rows] == ["module_unavailable"] * 2
    details = [json.loads(row["detail"]) for row in rows]
    assert {(each["release"], each["agreement"]) for each in details} == {
        (str(cast.releases["nordnote"]), str(cast.agreements["nordnote"]))
    }


# ---- chains ----------------------------------------------------------------------------------------------------------
async def test_the_mark_of_a_call_is_ours_fresh_and_nothing_else(keys: Keys) -> None:
    unit, mark = new_id(), make_mark(keys, new_id(), hops=1, unit_id=None)
    assert read_mark(keys, mark) == Mark(hops=1, unit_id=None)
    assert read_mark(keys, make_mark(keys, new_id(), hops=7, unit_id=unit)) == Mark(hops=7, unit_id=unit)
    text, _, _ = mark.rpartition(".")
    old = f"{new_id()}.1.{int(time.time()) - 60}"
    forgeries = [None, "", "x", ".", "æ.ø.å", f"{text}.0000", mark[:-1], f"{old}.{keys.call_mark(old)}", "9" * 5_000]
    assert [read_mark(keys, each) for each in forgeries] == [NONE] * len(forgeries)


async def test_what_a_call_leads_to_late_is_of_its_unit_and_no_longer_of_its_chain(keys: Keys) -> None:
    unit = new_id()
    for age, mark in ((60, Mark(hops=0, unit_id=unit)), (3_700, NONE)):
        text = f"{new_id()}.1.{int(time.time()) - age}.{unit}"
        assert read_mark(keys, f"{text}.{keys.call_mark(text)}") == mark


# ---- more than one agreement -----------------------------------------------------------------------------------------
async def test_a_second_agreement_adds_to_the_first(
    nordnote: Loopback, api: Api, database: Database, cast: Cast, keys: Keys
) -> None:
    await api.post(f"/api/v1/agreements/{cast.agreements['borgerblik']}/suspend", by=ANNA)
    replies = [await answered(api, 403)]
    async with database.transaction() as tx:
        await enter_agreement(tx, cast, content_of(BORGERBLIK), keys)
    replies.append(await answered(api, 200))
    assert [reply.status for reply in replies] == [403, 200]
    assert replies[0].json["check"] == "suspended"


async def answered(api: Api, status: int) -> Reply:
    """The first answer with this status, which comes within a second; after that, whatever comes."""
    reply = await api.get(NOTES, by="borgerblik")
    for _ in range(50):
        if reply.status == status:
            break
        await asyncio.sleep(0.02)
        reply = await api.get(NOTES, by="borgerblik")
    return reply
