"""The kernel client over real HTTP: what it sends, what it tries again, and what it never doubles."""

import asyncio
import json
import time
from urllib.parse import parse_qs

import pytest
from joserfc.jwk import ECKey

from tests.sdk.loopback import loopback
from torv_sdk import KernelClient, KernelRefusal
from torv_sdk.records import Records, follow
from torv_sdk.tokens import Caller

KEY = ECKey.generate_key("P-256", auto_kid=False)
RECORDS = "/api/v1/records"
FEED = "/api/v1/records/feed"
RECORD = {
    "id": "0198c0de-0000-7000-8000-0000000000b2",
    "type": "note",
    "version": 1,
    "person_id": "0198c0de-0000-7000-8000-00000000a11c",
    "body": {"text": "hello"},
    "at": "2026-03-01T09:30:00Z",
}


class Log:
    """A store that only writes down what it is told."""

    def __init__(self):
        self.told = []
        self.at = 0

    def position(self):
        return self.at

    async def apply(self, records, position):
        self.told += [str(record.id) for record in records]
        self.at = position

    async def put(self, record):
        self.told.append(str(record.id))

    def latest(self, record_type, buckets):
        return []


@pytest.fixture
async def torv():
    async with loopback() as server:
        yield server


@pytest.fixture
async def kernel(torv):
    async with KernelClient(torv.url, "release-1", KEY) as client:
        yield client


def writer(kernel, store, key="key-1"):
    return Records(kernel, "notes", store, key=key, trace={"Torv-Call": "call-1"})


async def write(kernel, store):
    return await writer(kernel, store).write("note", person_id=None, body={"text": "hello"})


async def test_a_token_on_a_users_behalf_is_its_own_and_fetched_once_for_each_call(torv, kernel):
    torv.answer(RECORDS, 200, {})
    torv.answer("/oauth/token", 200, {"access_token": "for-one", "token_type": "Bearer", "expires_in": 60})
    one, other = (Caller(f"user:{name}", "call", time.time() + 60, f"{name}.token") for name in ("one", "other"))
    for whom in (None, one, one, other, None):
        await kernel.get(RECORDS, on_behalf_of=whom)
    forms = [parse_qs(form.decode()) for _, form in torv.seen("/oauth/token")]
    assert [form.get("subject_token") for form in forms] == [None, ["one.token"], ["other.token"]]
    shown = [headers["Authorization"] for headers, _ in torv.seen(RECORDS)]
    assert shown == ["Bearer first", "Bearer for-one", "Bearer for-one", "Bearer for-one", "Bearer first"]


async def test_a_token_is_fetched_once_with_a_signed_assertion(torv, kernel):
    torv.answer(RECORDS, 200, {})
    await asyncio.gather(*(kernel.get(RECORDS) for _ in range(5)))
    ((_, form),) = torv.seen("/oauth/token")
    assert {name: value[0] for name, value in parse_qs(form.decode()).items()}.keys() == {
        "grant_type",
        "client_assertion_type",
        "client_assertion",
    }
    assert {headers["Authorization"] for headers, _ in torv.seen(RECORDS)} == {"Bearer first"}


async def test_a_token_is_renewed_when_most_of_its_life_is_over(torv, kernel, monkeypatch):
    torv.answer("/oauth/token", 200, {"access_token": "second", "expires_in": 300})
    torv.answer(RECORDS, 200, {})
    await kernel.get(RECORDS)
    later = time.monotonic() + 241
    monkeypatch.setattr("torv_sdk.client.time.monotonic", lambda: later)
    await kernel.get(RECORDS)
    assert [headers["Authorization"] for headers, _ in torv.seen(RECORDS)] == ["Bearer first", "Bearer second"]


async def test_an_expired_token_is_renewed_once_and_no_more(torv, kernel):
    torv.answer("/oauth/token", 200, {"access_token": "second", "expires_in": 300})
    torv.answer(RECORDS, 401, {"code": "token_expired"})
    with pytest.raises(KernelRefusal):
        await kernel.get(RECORDS)
    assert [headers["Authorization"] for headers, _ in torv.seen(RECORDS)] == ["Bearer first", "Bearer second"]


async def test_a_write_carries_key_and_call_and_reaches_the_store_after_the_kernel(torv, kernel):
    torv.answer(RECORDS, 201, RECORD)
    store = Log()
    record = await write(kernel, store)
    ((headers, body),) = torv.seen(RECORDS)
    assert (headers["Idempotency-Key"], headers["Torv-Call"]) == ("key-1", "call-1")
    expected = {"capability": "notes", "type": "note", "expected_version": 0, "person_id": None}
    assert json.loads(body) == {**expected, "body": {"text": "hello"}}
    assert store.told == [str(record.id)] == [RECORD["id"]]


async def test_a_refused_write_never_reaches_the_store(torv, kernel):
    torv.answer(RECORDS, 409, {"code": "binding_moved", "title": "Flyttet", "status": 409, "extra": 7})
    store = Log()
    with pytest.raises(KernelRefusal) as caught:
        await write(kernel, store)
    assert (caught.value.status, caught.value.code, caught.value.document["extra"]) == (409, "binding_moved", 7)
    assert (store.told, len(torv.seen(RECORDS))) == ([], 1)


async def test_what_passes_is_tried_again_under_the_same_key(torv, kernel):
    torv.hang_up(RECORDS)
    torv.answer(RECORDS, 503, {"code": "busy"}, Retry_After="0")
    torv.answer(RECORDS, 409, {"code": "call_in_progress"}, Retry_After="0")
    torv.answer(RECORDS, 200, RECORD)
    assert str((await write(kernel, Log())).id) == RECORD["id"]
    sent = {(headers["Idempotency-Key"], body) for headers, body in torv.seen(RECORDS)}
    assert (len(sent), len(torv.seen(RECORDS))) == (1, 4)


async def test_what_does_not_pass_is_not_tried_again(torv, kernel):
    for status, code in ((422, "record_invalid"), (403, "denied"), (503, "closed"), (500, "internal_error")):
        torv.answers[RECORDS] = []
        torv.answer(RECORDS, status, {"code": code})
        with pytest.raises(KernelRefusal) as caught:
            await write(kernel, Log())
        assert (caught.value.status, caught.value.code) == (status, code)
    assert len(torv.seen(RECORDS)) == 4


async def test_trying_again_has_an_end(torv, kernel, monkeypatch):
    monkeypatch.setattr("torv_sdk.client.PATIENCE", 0.3)
    torv.hang_up(RECORDS)
    started = time.monotonic()
    with pytest.raises(KernelRefusal) as caught:
        await write(kernel, Log())
    assert (caught.value.status, caught.value.code) == (503, "kernel_unreachable")
    assert len(torv.seen(RECORDS)) > 1
    assert time.monotonic() - started < 2


async def test_a_silent_kernel_is_given_up(torv, kernel, monkeypatch):
    monkeypatch.setattr("torv_sdk.client.ANSWER_TIME", 0.1)
    torv.answer(RECORDS, 200, {})
    torv.pause = 1
    with pytest.raises(KernelRefusal) as caught:
        await kernel.get(RECORDS, patience=0)
    assert (caught.value.status, caught.value.code) == (503, "kernel_unreachable")


async def test_a_kernel_that_is_not_there_is_a_refusal():
    async with KernelClient("http://127.0.0.1:1", "release-1", KEY) as nobody:
        with pytest.raises(KernelRefusal) as caught:
            await nobody.get(RECORDS, patience=0)
    assert caught.value.code == "kernel_unreachable"


@pytest.mark.parametrize(("status", "body", "expected"), [(502, "<html>", 502), (200, "<html>", 502), (302, {}, 502)])
async def test_an_answer_that_is_not_the_kernels_is_a_refusal(torv, kernel, status, body, expected):
    torv.answer(RECORDS, status, body, Location="http://127.0.0.1:1/")
    with pytest.raises(KernelRefusal) as caught:
        await kernel.get(RECORDS)
    assert (caught.value.status, caught.value.code) == (expected, "kernel_error")


async def test_a_second_record_of_one_call_has_a_key_of_its_own_and_always_the_same(torv, kernel):
    torv.answer(RECORDS, 201, RECORD)
    for _ in range(2):
        records = writer(kernel, Log())
        for _ in range(3):
            await records.write("note", person_id=None, body={})
    keys = [headers["Idempotency-Key"] for headers, _ in torv.seen(RECORDS)]
    assert keys[:3] == keys[3:]
    assert keys[0] == "key-1"
    assert len(set(keys)) == 3
    assert all(len(key) <= 200 for key in keys)


async def test_following_goes_on_from_the_stores_position_whatever_happens(torv, kernel):
    torv.hang_up(FEED)
    torv.answer(FEED, 200, {"records": [RECORD], "position": 7, "more": True})
    torv.answer(FEED, 500, {"code": "internal_error"})
    torv.answer(FEED, 200, {"records": [{"id": "broken"}], "position": 8, "more": False})
    torv.answer(FEED, 200, {"records": [RECORD], "position": 9, "more": False})
    store, caught_up = Log(), asyncio.Event()
    following = asyncio.create_task(follow(kernel, "notes", store, caught_up))
    await asyncio.wait_for(caught_up.wait(), 5)
    following.cancel()
    asked = [parse_qs(headers["query"]) for headers, _ in torv.seen(FEED)]
    assert [query["after"] for query in asked[:5]] == [["0"], ["0"], ["7"], ["7"], ["7"]]
    assert asked[0]["wait"] == ["0"]
    assert (store.told, store.at) == ([RECORD["id"]] * 2, 9)
