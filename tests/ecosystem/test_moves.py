"""Moves: a supplier is switched while calls go on, back, and for good; a worker may be killed."""

import asyncio
import json
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import ANNA, BO, Cast
from tests.ecosystem.moving import INSERT, MOVES, NOTES, act, in_service, move_to, plan, reach, reading, state_of
from tests.ecosystem.supplier import Supplier
from tests.served import Api, run_worker
from torv.base import signing
from torv.base.errors import WrongState
from torv.base.ids import new_id
from torv.base.settings import Settings
from torv.base.signing import Keys
from torv.ecosystem.moves import MoveState
from torv.ecosystem.moves.possession import ranges
from torv.ecosystem.moves.rules import BEFORE_FLIP, check_step, is_shadowed_enough

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
    seal = (await api.get(f"{MOVES}/{back}/receipt", by=ANNA)).body.decode()
    assert signing.verify(seal, keys.signing)["reverses"] == first

    last, _ = await move_to(api, outsider, cast, "kviknote", "again")
    final = await act(api, last, "finalise")
    assert final.json["state"] == "final"
    await _check_receipt(api, last, keys, final.json)
    agreement = await api.get(f"/api/v1/agreements/{cast.agreements['nordnote']}", by=ANNA)
    assert agreement.json["state"] == "exit"
    assert (await act(api, last, "finalise", by=BO)).code == (409, "wrong_state")
    assert (await act(api, last, "rollback")).code == (409, "wrong_state")
    await _check_list(api, last, back, first)


async def _check_list(api: Api, *moves: str) -> None:
    """The moves, the newest first, by pages of two."""
    listed = (await api.get(f"{MOVES}?capability=notes&limit=2", by=ANNA)).json
    rest = (await api.get(f"{MOVES}?capability=notes&limit=2&cursor={listed['next']}", by=ANNA)).json
    assert [each["id"] for each in listed["items"] + rest["items"]] == list(moves)
    assert [each["state"] for each in listed["items"] + rest["items"]] == ["final", "final", "rolled_back"]
    assert rest["next"] is None
    assert (await api.get(f"{MOVES}?capability=lending", by=ANNA)).json["items"] == []


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
