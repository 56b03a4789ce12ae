"""The gateway's limits: nobody holds what is large, nobody waits for ever, and it is said whose fault it is."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.conftest import ServeApi
from tests.ecosystem.wiretap import Wiretap, json_answer, tapping
from tests.sdk.loopback import Loopback
from tests.served import Api
from torv.base import clock
from torv.base.ids import new_id
from torv.ecosystem.gateway.breakers import Breakers, BreakerState
from torv.ecosystem.gateway.errors import ModuleResting
from torv.ecosystem.gateway.limits import Limits

NOTES = "/c/notes/v1/notes"
LARGE = b'{"notes":["' + b"x" * 1_000_000 + b'"]}'


@pytest.fixture
async def tap(outsider: Connection, cast: Cast) -> AsyncIterator[Wiretap]:
    async with tapping(outsider, cast, "nordnote") as tap:
        yield tap


# ---- large answers ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("is_chunked", [True, False])
async def test_a_large_answer_is_passed_on_whole(tap: Wiretap, api: Api, is_chunked: bool) -> None:
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (LARGE[:7], LARGE[7:600_000], LARGE[600_000:]))
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    tap.answer = head + chunks + b"0\r\n\r\n" if is_chunked else json_answer(LARGE)
    for _ in range(2):  # the connection can be used again
        reply = await api.get(NOTES, by="borgerblik")
        assert (reply.status, reply.body, reply.headers["content-type"]) == (200, LARGE, "application/json")
    assert tap.connections == 1


async def test_a_module_that_dies_within_an_answer_cuts_the_connection_and_the_log_says_so(
    tap: Wiretap, api: Api, outsider: Connection
) -> None:
    async def die(writer: asyncio.StreamWriter) -> None:
        writer.write(json_answer(LARGE)[:700_000])
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()

    tap.answer = die
    token = await api.token("borgerblik")
    received = await api.raw(f"GET {NOTES} HTTP/1.1\r\nHost: torv\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    assert received.startswith(b"HTTP/1.1 200")
    assert b"x" * 300_000 in received
    assert len(received) < 710_000  # the length it stated is not reached: nobody takes it for whole
    assert [(each["result"], each["detail"]) for each in await outcomes(outsider, 2)][1] == (
        "answer_cut",
        "module_answer_invalid",
    )


async def test_an_answer_under_way_is_cut_when_the_agreement_ends(
    tap: Wiretap, api: Api, outsider: Connection, cast: Cast
) -> None:
    async def trickle(writer: asyncio.StreamWriter) -> None:
        writer.write(json_answer(LARGE + b" " * 3_000_000)[:500_000])
        for _ in range(100):
            writer.write(b" " * 1_000)
            await writer.drain()
            await asyncio.sleep(0.1)

    tap.answer = trickle
    token = await api.token("borgerblik")
    asked = f"GET {NOTES} HTTP/1.1\r\nHost: torv\r\nAuthorization: Bearer {token}\r\n\r\n"
    receiving = asyncio.create_task(api.raw(asked.encode()))
    await asyncio.sleep(0.5)
    await api.post(f"/api/v1/agreements/{cast.agreements['borgerblik']}/suspend", by=ANNA)
    suspended_at = clock.ticks()
    assert (await receiving).startswith(b"HTTP/1.1 200")
    assert clock.ticks() - suspended_at < 4
    assert [each["result"] for each in await outcomes(outsider, 2)] == ["permitted", "answer_cut"]


async def outcomes(outsider: Connection, count: int) -> list[dict[str, str]]:
    """The outcomes in the log, once there are so many: result, and the reason of a cut."""
    for _ in range(100):
        rows = await outsider.fetch("select result, detail from base.trail where kind = 'outcome' order by seq")
        if len(rows) >= count:
            break
        await asyncio.sleep(0.05)
    return [{"result": row["result"], "detail": json.loads(row["detail"]).get("cut", "")} for row in rows]


# ---- large requests --------------------------------------------------------------------------------------------------
async def test_a_large_request_lies_in_a_file_and_arrives_whole(tap: Wiretap, api: Api) -> None:
    tap.answer = json_answer(b"{}", status=b"201 Created")
    assert (await api.write_note("x" * 900_000, key="1")).status == 201
    [received] = tap.received
    assert json.loads(received.partition(b"\r\n\r\n")[2])["text"] == "x" * 900_000


async def test_a_request_larger_than_the_contract_lets_it_be_is_refused(tap: Wiretap, serve_api: ServeApi) -> None:
    async with serve_api(body_limit=300_000) as api:
        reply = await api.write_note("x" * 400_000, key="1")
    assert (reply.code, reply.json["fault"]) == ((413, "too_large"), "caller")
    assert tap.received == []


async def test_a_request_that_is_never_ended_is_given_up(tap: Wiretap, serve_api: ServeApi) -> None:
    async with serve_api(body_seconds=1) as api:
        head = f"POST {NOTES} HTTP/1.1\r\nHost: torv\r\nAuthorization: Bearer {await api.token('borgerblik')}\r\n"
        rest = "Idempotency-Key: 1\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        assert (await api.raw((head + rest).encode())).startswith(b"HTTP/1.1 408")
    assert tap.received == []


# ---- how many at a time ----------------------------------------------------------------------------------------------
async def test_a_caller_has_only_so_many_calls_under_way(nordnote: Loopback, serve_api: ServeApi) -> None:
    nordnote.pause = 0.5
    async with serve_api(calls_per_caller=2) as api:
        await api.token("borgerblik")
        replies = await asyncio.gather(*(api.get(NOTES, by="borgerblik") for _ in range(4)), api.get(NOTES, by=ANNA))
    assert sorted(reply.status for reply in replies[:4]) == [200, 200, 429, 429]
    refused = next(reply for reply in replies if reply.status == 429)
    assert (refused.code, refused.json["fault"], refused.headers["retry-after"]) == (
        (429, "too_many_calls"),
        "caller",
        "1",
    )
    assert replies[4].status == 200


async def test_a_release_gets_only_so_many_calls_at_a_time(nordnote: Loopback, serve_api: ServeApi) -> None:
    nordnote.pause = 0.5
    async with serve_api(calls_per_release=2) as api:
        await api.token("borgerblik")
        replies = await asyncio.gather(*(api.get(NOTES, by="borgerblik") for _ in range(4)))
    assert sorted(reply.status for reply in replies) == [200, 200, 503, 503]
    refused = next(reply for reply in replies if reply.status == 503)
    assert (refused.json["code"], refused.json["fault"]) == ("module_busy", "module")


# ---- the breaker -----------------------------------------------------------------------------------------------------
def test_a_breaker_opens_after_failures_in_a_row_and_one_call_may_try() -> None:
    breakers, release = Breakers(Limits(breaker_failures=2, breaker_seconds=0)), new_id()
    breakers.fail(release)
    breakers.succeed(release)
    breakers.fail(release)
    assert breakers.state(release)[0] is BreakerState.CLOSED
    breakers.fail(release)
    breakers.admit(release)  # the pause of no seconds is over
    with pytest.raises(ModuleResting):
        breakers.admit(release)
    breakers.leave(release)
    breakers.admit(release)
    breakers.fail(release)
    assert breakers.state(release)[0] is BreakerState.HALF_OPEN
    breakers.admit(release)
    breakers.succeed(release)
    assert breakers.state(release) == (BreakerState.CLOSED, 0, None)


async def test_every_process_tells_who_is_left_alone_and_what_is_under_way(tap: Wiretap, serve_api: ServeApi) -> None:
    """What one process knows, another one shows: the leases carry it."""
    good, tap.answer = tap.answer, b"HTTP/1.1 nonsense\r\n\r\n"
    async with serve_api(breaker_failures=2, breaker_seconds=1) as one, serve_api() as other:
        await one.get(NOTES, by="borgerblik")
        await one.get(NOTES, by="borgerblik")
        assert await shown_as(other, resting_in=1, processes=2, calls=0)
        page = await other.get("/", by=ANNA)
        assert "1 af 2 processer har opgivet modulet" in page.body.decode()
        tap.answer = good
        await asyncio.sleep(1.1)
        assert (await one.get(NOTES, by="borgerblik")).status == 200
        assert await shown_as(other, resting_in=0, processes=2, calls=0)


async def test_calls_under_way_are_counted_over_all_processes(nordnote: Loopback, serve_api: ServeApi) -> None:
    nordnote.pause = 2.0
    async with serve_api() as one, serve_api() as other:
        calls = [asyncio.create_task(each.get(NOTES, by="borgerblik")) for each in (one, one, other)]
        assert await shown_as(other, calls=3)
        assert {each.status for each in await asyncio.gather(*calls)} == {200}
        assert await shown_as(one, calls=0)


async def shown_as(api: Api, **expected: int) -> bool:
    """Whether the binding is shown so before long."""
    for _ in range(100):
        [binding] = (await api.get("/api/v1/bindings", by=ANNA)).json["items"]
        if {name: binding[name] for name in expected} == expected:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_module_that_does_not_answer_is_left_alone_and_then_tried_once(
    tap: Wiretap, serve_api: ServeApi, cast: Cast
) -> None:
    good, tap.answer = tap.answer, b"HTTP/1.1 nonsense\r\n\r\n"
    async with serve_api(breaker_failures=3, breaker_seconds=1) as api:
        codes = [(await api.get(NOTES, by="borgerblik")).json["code"] for _ in range(3)]
        assert codes == ["module_answer_invalid"] * 3
        resting = await api.get(NOTES, by=ANNA)
        assert (resting.code, resting.json["fault"]) == ((503, "module_resting"), "module")
        assert resting.json["provider"]["module"] == "nordnote"
        assert "retry-after" in resting.headers
        assert len(tap.received) == 3
        assert await api.metric("torv_open_breakers") == 1
        [shown] = (await api.get("/api/v1/gateway/releases", by=ANNA)).json["items"]
        assert (shown["capability"], shown["state"], shown["failures"]) == ("notes", "open", 3)
        tap.answer = good
        await asyncio.sleep(1.1)
        assert [(await api.get(NOTES, by="borgerblik")).status for _ in range(3)] == [200] * 3
        assert await api.metric("torv_open_breakers") == 0


async def test_a_module_that_answers_with_a_failure_is_not_left_alone(tap: Wiretap, api: Api) -> None:
    tap.answer = json_answer(b'{"code":"oops"}', status=b"500 Oops")
    assert [(await api.get(NOTES, by="borgerblik")).status for _ in range(8)] == [500] * 8


# ---- whose fault -----------------------------------------------------------------------------------------------------
async def test_every_refusal_says_whose_fault_it_is(tap: Wiretap, api: Api, cast: Cast) -> None:
    faults = {
        (await api.get(NOTES)).json["fault"], (await api.get("/c/notes/v1/x", by="borgerblik")).json["fault"],
        (await api.post(NOTES, {}, by="borgerblik")).json["fault"],
    }  # fmt: skip
    assert faults == {"caller"}
    denied = (await api.get(NOTES, by="kviknote", Accept_Language="en")).json
    assert (denied["fault"], denied["fault_title"]) == ("agreement", "The agreement or the role does not permit it.")


async def test_only_the_municipality_and_the_supplier_itself_are_told_which_module_it_was(
    tap: Wiretap, api: Api
) -> None:
    tap.answer = b"x"
    ours, theirs = await api.get(NOTES, by=ANNA), await api.get(NOTES, by="borgerblik")
    assert ours.json["provider"] == {"module": "nordnote", "release": "1.0.0", "partner": "Nordlys Omsorg ApS"}
    assert ours.json["fault_title"] == "Fejlen er modulets. Leverandøren kan hjælpe."
    assert "provider" not in theirs.json
    assert theirs.json["fault"] == "module"


@pytest.mark.parametrize("body", [b"<h1>Oops</h1>", b"", b"[]", b'{"a":1,"a":2}', b'{"x":"' + b"x" * 70_000 + b'"}'])
async def test_a_failure_that_is_no_small_object_is_replaced(tap: Wiretap, api: Api, body: bytes) -> None:
    tap.answer = json_answer(body, b"Retry-After: 7", b"X-Trace: secret", status=b"503 No")
    reply = await api.get(NOTES, by="borgerblik")
    assert (reply.status, reply.json["code"], reply.json["fault"]) == (503, "module_error", "module")
    assert (reply.headers["content-type"], reply.headers["retry-after"]) == ("application/problem+json", "7")
    assert "x-trace" not in reply.headers
