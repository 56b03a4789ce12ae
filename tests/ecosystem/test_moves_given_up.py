"""What ends a move before the flip, or must not end it; either way no call is lost."""

import asyncio
import json
import time
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import Cast
from tests.ecosystem.moving import act, in_service, last_step, plan, reach, reading, state_of
from tests.ecosystem.supplier import Supplier
from tests.served import Api
from torv.base.ids import new_id


async def test_a_candidate_whose_agreement_does_not_permit_it_is_not_moved_to(
    suppliers: dict[str, Supplier], api: Api, worker: None, outsider: Connection, cast: Cast
) -> None:
    move = (await plan(api, cast, "borgerblik")).json["id"]
    async with asyncio.timeout(10):
        while await state_of(outsider, move) != "aborted":
            await asyncio.sleep(0.02)
    assert await last_step(outsider, move) == {"reason": "not_permitted", "check": "operation"}
    assert await in_service(api) == "nordnote"


def _forget(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in records if each["body"]["text"] != "2"]


def _change(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "body": {**each["body"], "text": "ændret"}} for each in records]


def _lose_fields(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "body": {"text": each["body"]["text"]}} for each in records]


def _invent(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*records, {"id": str(new_id()), "version": 1, "person_id": None, "body": {"text": "x"}}]


def _nonsense(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"id": "x"}]


@pytest.mark.parametrize("spoil", [_forget, _change, _lose_fields, _invent, _nonsense])
async def test_a_candidate_that_holds_other_records_than_the_kernel_is_not_moved_to(
    suppliers: dict[str, Supplier], api: Api, worker: None, outsider: Connection, cast: Cast, spoil: Any
) -> None:
    for number in range(4):
        note = api.note(body={"text": f"{number}", "unknown": [number]})
        await api.post(api.RECORDS, note, by="nordnote", Idempotency_Key=f"{number}")
    suppliers["kviknote"].spoil = spoil
    move = (await plan(api, cast)).json["id"]
    async with asyncio.timeout(10):
        while await state_of(outsider, move) != "aborted":
            await asyncio.sleep(0.02)
    assert (await last_step(outsider, move))["reason"] == "records_differ"
    assert await in_service(api) == "nordnote"
    assert await outsider.fetchval("select count(*) from base.fences") == 0


async def test_a_candidate_that_answers_otherwise_is_not_moved_to(
    suppliers: dict[str, Supplier], api: Api, worker: None, outsider: Connection, cast: Cast
) -> None:
    suppliers["kviknote"].answer = {"notes": [{"text": "Hemmelig"}]}
    done, move = asyncio.Event(), (await plan(api, cast)).json["id"]
    readers = asyncio.create_task(reading(api, done))
    async with asyncio.timeout(15):
        while await state_of(outsider, move) != "aborted":
            await asyncio.sleep(0.02)
    done.set()
    assert {reply.body for reply in await readers} == {json.dumps({"notes": []}).encode()}
    assert (await last_step(outsider, move))["reason"] == "answers_differ"
    compared = await outsider.fetchrow("select * from gateway.comparisons where not is_equal limit 1")
    assert compared["paths"] == ["/notes"]
    assert "Hemmelig" not in str(compared)


async def test_answers_that_change_all_the_time_say_nothing_of_a_candidate_that_is_a_little_behind(
    suppliers: dict[str, Supplier], api: Api, worker: None, outsider: Connection, cast: Cast
) -> None:
    """The release in service has each note at once, and the candidate when it has read the feed: always one behind."""

    def written(behind: float = 0) -> dict[str, Any]:
        return {"notes": [{"text": f"{int((time.monotonic() - behind) / 0.15)}"}]}

    suppliers["nordnote"].answer, suppliers["kviknote"].answer = written, lambda: written(0.15)
    done, move = asyncio.Event(), (await plan(api, cast)).json["id"]
    readers = asyncio.create_task(reading(api, done))
    async with asyncio.timeout(20):
        while await state_of(outsider, move) not in ("aborted", "watching"):
            await asyncio.sleep(0.02)
    done.set()
    assert {reply.status for reply in await readers} == {200}
    assert await state_of(outsider, move) == "watching"
    assert await outsider.fetchval("select count(*) from gateway.comparisons where not is_equal") == 0


async def test_a_candidate_that_is_down_is_waited_for(
    suppliers: dict[str, Supplier], api: Api, worker: None, outsider: Connection, cast: Cast
) -> None:
    url = suppliers["kviknote"].url
    point = "update modules.releases set url = $1 where id = $2"
    await outsider.execute(point, "http://127.0.0.1:9", cast.releases["kviknote"])
    move = (await plan(api, cast)).json["id"]
    await reach(outsider, move, "hydrating")
    await asyncio.sleep(0.5)
    assert await state_of(outsider, move) == "hydrating"
    await outsider.execute(point, url, cast.releases["kviknote"])
    await reach(outsider, move, "shadowing")
    assert (await act(api, move, "abort")).json["state"] == "aborted"
    assert await outsider.fetchval("select shadow_release_id from modules.bindings") is None


async def test_a_candidate_that_hangs_during_the_freeze_costs_nobody_a_call(
    suppliers: dict[str, Supplier], api: Api, worker: None, outsider: Connection, cast: Cast, dsn: str
) -> None:
    kviknote, done, last_words = suppliers["kviknote"], asyncio.Event(), api.note("sidste")

    async def on_export() -> None:
        """Something is written after the last comparison before the freeze, and then it hangs."""
        if await kviknote.look("select exists (select from base.fences)"):
            await asyncio.sleep(30)
        elif await kviknote.look("select exists (select from moves.moves where state = 'shadowing')"):
            await api.post(api.RECORDS, last_words, by="nordnote", Idempotency_Key="last")

    await api.token("nordnote")
    kviknote.on_export = on_export
    move = (await plan(api, cast)).json["id"]
    readers = asyncio.create_task(reading(api, done))
    async with asyncio.timeout(25):
        while await state_of(outsider, move) != "aborted":
            await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    done.set()
    assert (await last_step(outsider, move))["reason"] == "candidate_too_slow"
    assert {reply.status for reply in await readers} == {200}
    assert await in_service(api) == "nordnote"
