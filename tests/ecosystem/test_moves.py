"""Moves: a supplier is switched while calls go on; whatever goes wrong before the flip leaves all as it was."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import ANNA, BO, Cast
from tests.ecosystem.supplier import Supplier, supplier
from tests.served import Api, Reply, run_worker
from torv.base import signing
from torv.base.errors import WrongState
from torv.base.ids import new_id
from torv.base.settings import Settings
from torv.base.signing import Keys
from torv.ecosystem.moves import MoveState
from torv.ecosystem.moves.possession import ranges
from torv.ecosystem.moves.rules import BEFORE_FLIP, check_step, is_shadowed_enough

MOVES, NOTES = "/api/v1/moves", "/c/notes/v1/notes"
INSERT = """insert into moves.moves (id, capability, from_release, to_release, state, shadowing_at, frozen_at)
            values ($1, 'notes', $2, $3, $4, now(), now())"""


@pytest.fixture
async def suppliers(dsn: str, outsider: Connection, cast: Cast) -> AsyncIterator[dict[str, Supplier]]:
    """Nordnote and Kviknote at their addresses."""
    async with supplier("nordnote", dsn) as nordnote, supplier("kviknote", dsn) as kviknote:
        for each in (nordnote, kviknote):
            release = cast.releases[each.name]
            await outsider.execute("update modules.releases set url = $1 where id = $2", each.url, release)
        await outsider.execute("update base.generation set number = number + 1")
        yield {"nordnote": nordnote, "kviknote": kviknote}


async def plan(api: Api, cast: Cast, to: str = "kviknote", key: str = "plan") -> Reply:
    new = {"capability": "notes", "to_release": str(cast.releases[to])}
    return await api.post(MOVES, new, by=ANNA, Idempotency_Key=key)


async def act(api: Api, move: Any, verb: str, by: str = ANNA) -> Reply:
    return await api.post(f"{MOVES}/{move}/{verb}", by=by)


async def state_of(outsider: Connection, move: Any) -> str:
    return str(await outsider.fetchval("select state from moves.moves where id = $1", move))


async def reach(outsider: Connection, move: Any, *goals: str, seconds: float = 20) -> str:
    """Wait until the move has reached one of these states; gives which."""
    async with asyncio.timeout(seconds):
        while (state := await state_of(outsider, move)) not in goals:
            assert state not in ("aborted", "final", "rolled_back"), await last_step(outsider, move)
            await asyncio.sleep(0.01)
    return state


async def last_step(outsider: Connection, move: Any) -> dict[str, Any]:
    text = await outsider.fetchval("select detail from moves.steps where move_id = $1 order by seq desc limit 1", move)
    return dict(json.loads(text))


async def reading(api: Api, until: asyncio.Event) -> list[Reply]:
    """Somebody who reads notes all the time."""
    replies = []
    while not until.is_set():
        replies.append(await api.get(NOTES, by="borgerblik"))
        await asyncio.sleep(0.01)
    return replies


async def in_service(api: Api) -> str:
    [binding] = (await api.get("/api/v1/bindings", by=ANNA)).json["items"]
    return str(binding["module_name"])


async def move_to(api: Api, outsider: Connection, cast: Cast, to: str, key: str) -> tuple[str, list[Reply]]:
    """Move while somebody reads; gives the move and what the reader was answered."""
    done, move = asyncio.Event(), (await plan(api, cast, to, key)).json["id"]
    readers = asyncio.create_task(reading(api, done))
    await reach(outsider, move, "watching")
    done.set()
    return str(move), await readers


# ---- the states ------------------------------------------------------------------------------------------------------
S = MoveState
FORWARD = (S.PLANNED, S.PREFLIGHT, S.HYDRATING, S.SHADOWING, S.FREEZING, S.MOVED, S.WATCHING, S.FINAL)


def follows(before: MoveState, after: MoveState) -> bool:
    try:
        check_step(before, after)
    except WrongState:
        return False
    return True


def test_each_state_follows_the_one_before_and_none_is_skipped_on_the_way_there() -> None:
    for number, before in enumerate(FORWARD[:-1]):
        assert follows(before, FORWARD[number + 1])
        ahead = [after for after in FORWARD[number + 2 :] if follows(before, after)]
        # a move back has no shadowing, and ends when it has moved
        assert ahead == {S.HYDRATING: [S.FREEZING], S.MOVED: [S.FINAL]}.get(before, [])


def test_before_the_flip_every_state_can_be_aborted_and_after_it_none() -> None:
    assert {state for state in MoveState if follows(state, S.ABORTED)} == BEFORE_FLIP


def test_what_has_ended_stays_so() -> None:
    ended = (S.FINAL, S.ROLLED_BACK, S.ABORTED)
    assert not any(follows(before, after) for before in ended for after in MoveState)


def test_the_only_way_back_is_out_of_an_interrupted_freeze() -> None:
    order = {state: number for number, state in enumerate(FORWARD)}
    back = [(a, b) for a in FORWARD for b in FORWARD if order[b] <= order[a] and follows(a, b)]
    assert back == [(S.FREEZING, S.HYDRATING)]


@pytest.mark.parametrize(
    ("seconds", "compared", "enough"), [(0.9, 100, False), (1.0, 19, False), (1.0, 20, True), (10.0, 0, True)]
)
def test_a_shadow_ends_after_enough_comparisons_or_ten_seconds(seconds: float, compared: int, enough: bool) -> None:
    assert is_shadowed_enough(seconds, compared) is enough


@pytest.mark.parametrize(
    ("numbers", "text"), [([], ""), ([3], "3"), ([3, 4, 5, 9], "3-5,9"), ([0, 2, 4095], "0,2,4095")]
)
def test_buckets_are_asked_for_in_spans(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


# ---- planning --------------------------------------------------------------------------------------------------------
async def test_a_move_is_planned_once(api: Api, cast: Cast) -> None:
    first = await plan(api, cast)
    assert (first.status, first.json["state"]) == (201, "planned")
    assert (first.json["from_name"], first.json["to_name"]) == ("nordnote 1.0.0", "kviknote 1.0.0")
    assert (await plan(api, cast, key="2")).code == (409, "move_under_way")


async def test_there_must_be_something_to_move_and_somewhere_else_to_move_it(shared_api: Api, cast: Cast) -> None:
    assert (await plan(shared_api, cast, "nordnote", key="same")).code == (409, "wrong_state")
    for capability, release, code in (
        ("magic", cast.releases["kviknote"], (404, "capability_not_bound")),
        ("notes", cast.alma.id, (404, "not_found")),
    ):
        reply = await shared_api.post(MOVES, {"capability": capability, "to_release": str(release)}, by=ANNA)
        assert reply.code == code


async def test_programs_move_nothing(shared_api: Api, cast: Cast) -> None:
    new = {"capability": "notes", "to_release": str(cast.releases["kviknote"])}
    assert (await shared_api.post(MOVES, new, by="kviknote")).code == (403, "denied")


async def test_a_planned_move_can_be_aborted_once_and_another_planned(api: Api, cast: Cast) -> None:
    move = (await plan(api, cast)).json["id"]
    aborted = await act(api, move, "abort")
    assert (aborted.status, aborted.json["state"]) == (200, "aborted")
    assert aborted.json["steps"][-1]["detail"] == {"reason": "asked"}
    assert (await act(api, move, "abort", by=BO)).code == (409, "wrong_state")
    assert (await plan(api, cast, key="2")).status == 201


async def test_a_move_that_has_not_happened_is_neither_rolled_back_nor_final(api: Api, cast: Cast) -> None:
    move = (await plan(api, cast)).json["id"]
    for verb in ("rollback", "finalise"):
        assert (await act(api, move, verb)).code == (409, "wrong_state")
    assert (await api.get(f"{MOVES}/{move}/receipt", by=ANNA)).code == (404, "not_found")


async def test_while_the_predecessor_stands_by_no_other_move_is_planned(
    api: Api, cast: Cast, outsider: Connection
) -> None:
    move = await _watched(outsider, cast)
    assert (await plan(api, cast, "nordnote")).code == (409, "move_under_way")
    assert (await act(api, move, "abort")).code == (409, "wrong_state")


async def test_a_move_that_is_being_taken_back_cannot_be_made_final(api: Api, cast: Cast, outsider: Connection) -> None:
    """Else the predecessor would lose its agreement at the moment it comes back into service."""
    move = await _watched(outsider, cast)
    assert (await act(api, move, "rollback")).status == 201
    assert (await act(api, move, "finalise")).code == (409, "move_under_way")
    assert (await act(api, move, "rollback", by=BO)).code == (409, "move_under_way")


async def _watched(outsider: Connection, cast: Cast) -> Any:
    """A move to Kviknote whose predecessor stands by, as the worker leaves it."""
    move = new_id()
    await outsider.execute(INSERT, move, cast.releases["nordnote"], cast.releases["kviknote"], "watching")
    await outsider.execute("update modules.bindings set release_id = $1", cast.releases["kviknote"])
    return move


# ---- there, back, and for good ---------------------------------------------------------------------------------------
async def test_a_supplier_is_switched_back_and_switched_for_good_while_somebody_reads(
    suppliers: dict[str, Supplier], api: Api, worker: None, outsider: Connection, cast: Cast, keys: Keys
) -> None:
    for number in range(5):
        await api.post(api.RECORDS, api.note(f"{number}"), by="nordnote", Idempotency_Key=f"{number}")
    first, replies = await move_to(api, outsider, cast, "kviknote", "there")
    assert {reply.status for reply in replies} == {200}
    assert await in_service(api) == "kviknote"
    late = await api.post(api.RECORDS, api.note(), by="nordnote", Idempotency_Key="late")
    assert late.code == (409, "binding_moved")

    back = (await act(api, first, "rollback")).json["id"]
    assert await reach(outsider, back, "final") == "final"
    assert (await in_service(api), await state_of(outsider, first)) == ("nordnote", "rolled_back")

    last, _ = await move_to(api, outsider, cast, "kviknote", "again")
    final = await act(api, last, "finalise")
    assert final.json["state"] == "final"
    await _check_receipt(api, last, keys, final.json)
    agreement = await api.get(f"/api/v1/agreements/{cast.agreements['nordnote']}", by=ANNA)
    assert agreement.json["state"] == "exit"
    assert (await act(api, last, "finalise", by=BO)).code == (409, "wrong_state")
    assert (await act(api, last, "rollback")).code == (409, "wrong_state")


async def _check_receipt(api: Api, move: str, keys: Keys, view: dict[str, Any]) -> None:
    seal = await api.get(f"{MOVES}/{move}/receipt", by=ANNA)
    receipt = signing.verify(seal.body.decode(), keys.signing)
    assert (receipt["move"], receipt["cut_calls"], receipt["hold_ms"]) == (move, [], view["hold_ms"])
    assert receipt["hold_ms"] < 3_000  # the promise of a second is measured by the story, on a machine of its own
    assert [step["state"] for step in receipt["steps"]] == [state.value for state in FORWARD]


async def test_a_call_that_does_not_end_is_cut_and_listed_and_a_safe_one_is_asked_again_of_the_successor(
    suppliers: dict[str, Supplier], api: Api, worker: None, outsider: Connection, cast: Cast, keys: Keys
) -> None:
    nordnote, done = suppliers["nordnote"], asyncio.Event()
    nordnote.pause = 30
    await api.token("borgerblik")
    read = asyncio.create_task(api.get(NOTES, by="borgerblik"))
    written = asyncio.create_task(api.write_note(key="1"))
    async with asyncio.timeout(5):
        while len(nordnote.asked) < 2:
            await asyncio.sleep(0.01)
    nordnote.pause = 0
    move = (await plan(api, cast)).json["id"]
    readers = asyncio.create_task(reading(api, done))
    await reach(outsider, move, "watching")
    done.set()
    assert (await read).status == 200
    cut = await written
    assert cut.code == (503, "outcome_unknown")
    assert {reply.status for reply in await readers} == {200}
    await act(api, move, "finalise")
    receipt = signing.verify((await api.get(f"{MOVES}/{move}/receipt", by=ANNA)).body.decode(), keys.signing)
    call = await outsider.fetchval(
        "select call_id from base.trail where result = 'outcome_unknown' and kind = 'outcome'"
    )
    assert receipt["cut_calls"] == [str(call)]
    again = await api.write_note(key="1")  # the same key, to the successor
    assert (again.status, suppliers["kviknote"].asked[-1]) == (200, "POST")


# ---- what ends a move before the flip --------------------------------------------------------------------------------
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


# ---- a worker that is killed -----------------------------------------------------------------------------------------
async def test_a_freeze_that_was_interrupted_is_lifted_and_the_move_completes(
    suppliers: dict[str, Supplier], api: Api, outsider: Connection, cast: Cast, settings: Settings, dsn: str
) -> None:
    """What a worker leaves that is killed in the middle of a freeze: the state, and a raised fence."""
    done, move = asyncio.Event(), new_id()
    await outsider.execute(INSERT, move, cast.releases["nordnote"], cast.releases["kviknote"], "freezing")
    await outsider.execute("insert into base.fences (key) values ('notes')")
    await asyncio.sleep(0.5)
    held = asyncio.create_task(api.get(NOTES, by="borgerblik"))
    await asyncio.sleep(0.3)
    assert not held.done()
    async with run_worker(settings, dsn):
        assert (await held).status == 200
        readers = asyncio.create_task(reading(api, done))
        await reach(outsider, move, "watching")
        done.set()
        assert {reply.status for reply in await readers} == {200}
    thawed = await outsider.fetchval("select detail from moves.steps where move_id = $1 order by seq limit 1", move)
    assert json.loads(thawed) == {"reason": "freeze_interrupted"}
    assert await in_service(api) == "kviknote"
