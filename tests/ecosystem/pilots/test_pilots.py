"""Pilots: a binding for a district and what lies below it, beside that of the whole municipality."""

import asyncio
import json
from contextlib import nullcontext
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, BO, BORGERBLIK, KVIK, Cast
from tests.ecosystem.districts import Districts, agree_for, enter_districts, enter_unit, key, unit_of
from tests.ecosystem.moving import act, last_step, reach
from tests.ecosystem.supplier import Supplier
from tests.served import Api, Reply
from torv.base import clock, lease, signing
from torv.base.db import Database
from torv.base.errors import StateUnconfirmed
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.ecosystem.modules import Directory, move_binding, split_binding
from torv.kernel.organisation import Tree, UnitAnchored, load_tree, move_unit
from torv.kernel.records import split_holding

MOVES, NOTES = "/api/v1/moves", "/c/notes/v1/notes"


@pytest.fixture
async def units(database: Database, cast: Cast) -> Districts:
    return await enter_districts(database, cast)


@pytest.fixture
async def informed(api: Api, outsider: Connection, units: Districts) -> Api:
    """Torv, when it has learned the units."""
    generation = await outsider.fetchval("select number from base.generation")
    async with asyncio.timeout(10):
        while await outsider.fetchval("select min(generation) from base.leases where kind = 'api'") < generation:
            await asyncio.sleep(0.02)
    return api


async def plan(api: Api, cast: Cast, unit: UUID | None, to: str = "kviknote", by: str = ANNA) -> Reply:
    new = {"capability": "notes", "to_release": str(cast.releases[to])} | ({"unit_id": str(unit)} if unit else {})
    return await api.post(MOVES, new, by=by, Idempotency_Key=str(new_id()))


async def reading(api: Api, unit: UUID, until: asyncio.Event) -> list[int]:
    """Somebody who reads a district's notes all the time; gives how it was answered."""
    found = []
    while not until.is_set():
        found.append((await api.get(NOTES, by="borgerblik", Torv_Unit=str(unit))).status)
        await asyncio.sleep(0.01)
    return found


async def pilot(api: Api, outsider: Connection, cast: Cast, unit: UUID, to: str = "kviknote") -> str:
    """Move a district while somebody reads there; gives the move."""
    done, planned = asyncio.Event(), await plan(api, cast, unit, to)
    assert planned.status == 201, planned.json
    readers = asyncio.create_task(reading(api, unit, done))
    await reach(outsider, planned.json["id"], "watching", seconds=40)
    done.set()
    assert set(await readers) == {200}
    return str(planned.json["id"])


async def write(api: Api, by: str, unit: UUID | None, **more: Any) -> Reply:
    headers = {"Torv_Unit": str(unit)} if unit else {}
    return await api.post(api.RECORDS, api.note(**more), by=by, Idempotency_Key=str(new_id()), **headers)


async def bindings(api: Api) -> dict[str | None, str]:
    items = (await api.get("/api/v1/bindings", by=ANNA)).json["items"]
    return {unit_of(each): each["module_name"] for each in items}


# ---- the nearest binding above ---------------------------------------------------------------------------------------
async def test_the_kernel_and_the_gateway_go_by_the_same_binding(
    database: Database, cast: Cast, units: Districts
) -> None:
    """Also where one lies within another, and where a unit has been closed."""
    team = await enter_unit(database, cast, "Hold A", units.school)
    every = [units.town, units.nord, units.school, units.syd, team]
    for bound in ([], [units.nord], [units.nord, team], [units.nord, team, units.town]):
        async with database.transaction() as tx:
            for each in bound:
                await split_holding(tx, "notes", each)
            tree = await load_tree(tx, Tree())
        found = await looked_up(database, every)
        routes = {each: object() for each in ["notes", *(key(each) for each in bound)]}
        directory = Directory(releases={}, routes=routes, operations={}, tree=tree)  # type: ignore[arg-type]  # keys alone
        assert {each: routes[found[each]] for each in every} == {each: directory.route("notes", each) for each in every}


@pytest.mark.parametrize("mutant", [None, "gateway", "kernel"])
async def test_without_the_nearest_above_a_district_would_be_served_by_nobody_of_its_own(
    mutant: str | None, suppliers: dict[str, Supplier], informed: Api, database: Database, outsider: Connection,
    cast: Cast, units: Districts, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The rule is taken out in the gateway, then in the kernel: each time what rests on it shows."""
    async with database.transaction() as tx:
        await split_binding(tx, "notes", units.nord)
        await move_binding(tx, "notes", cast.releases["kviknote"], unit_id=units.nord)
    if mutant == "gateway":
        monkeypatch.setattr(Directory, "route", lambda self, capability, _: self.routes.get(capability))
    if mutant == "kernel":
        await outsider.execute(
            "create or replace function records.key_of(asked text, unit uuid, day date) returns text language sql as "
            "'select key from records.holders where capability = asked and unit_id is null'"
        )
    async with asyncio.timeout(10):  # until the process has learned the binding
        while len((await informed.get("/api/v1/gateway/releases", by=ANNA)).json["items"]) < 2:
            await asyncio.sleep(0.05)
    answers = await who_answers(informed, suppliers, units.school)
    is_late = (await write(informed, "nordnote", units.school)).status == 409
    assert (answers == "kviknote", is_late) == (mutant != "gateway", mutant != "kernel")


async def looked_up(database: Database, units: list[UUID]) -> dict[UUID, str]:
    async with database.line() as line:
        connection = line._connection  # the function is SQL's own, and no slice has a statement that only calls it
        question = "select records.key_of('notes', $1, $2)"
        return {each: await connection.fetchval(question, each, clock.today()) for each in units}


# ---- in flight -------------------------------------------------------------------------------------------------------
async def test_a_call_that_was_let_in_before_the_split_is_waited_for_after_it(database: Database) -> None:
    """It was admitted under the key of the whole municipality; when its district is frozen, it is the district's."""
    names, learned = {"key": "notes"}, asyncio.Event()

    async def learn(_: Any) -> None:
        learned.set()

    process = lease.Lease(database, "api", learn)
    running, done = asyncio.create_task(process.run()), asyncio.Event()
    await learned.wait()

    async def call() -> None:
        async with process.admitted(lambda: names["key"]):
            await done.wait()

    async with asyncio.timeout(10):
        while True:  # until the state is confirmed
            try:
                process.check()
                break
            except StateUnconfirmed:
                await asyncio.sleep(0.01)
        calling = asyncio.create_task(call())
        await asyncio.sleep(0)
        async with database.transaction() as tx:
            await lease.raise_fence(tx, "notes@nord")
        names["key"] = "notes@nord"  # as the process learns it with the generation in which the fence is raised
        await until_confirmed(database, "notes@nord", calls=1)
        assert not await quiet(database, "notes@nord")
        done.set()
        await calling
        while not await quiet(database, "notes@nord"):
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until_confirmed(database: Database, fence: str, *, calls: int) -> None:
    """Wait until the only process has said that it honours a fence, and carries so many calls behind it."""
    question = "select fences @> array[$1::text] and (in_flight ->> $1)::int = $2 from base.leases"
    async with database.line() as line:
        while not await line._connection.fetchval(question, fence, calls):
            await asyncio.sleep(0.01)


async def quiet(database: Database, fence: str) -> bool:
    async with database.reading() as tx:
        return await lease.is_quiet(tx, fence)


# ---- a district is moved ---------------------------------------------------------------------------------------------
async def test_a_district_is_moved_and_back_while_another_notices_nothing(
    suppliers: dict[str, Supplier], informed: Api, worker: None, outsider: Connection, cast: Cast, units: Districts,
    keys: Keys,
) -> None:  # fmt: skip
    api, done = informed, asyncio.Event()
    for each in (units.nord, units.school, units.syd, None):
        assert (await write(api, "nordnote", each)).status == 201
    elsewhere = asyncio.create_task(reading(api, units.syd, done))
    move = await pilot(api, outsider, cast, units.nord)
    done.set()
    assert set(await elsewhere) == {200}
    assert await bindings(api) == {None: "nordnote", "Distrikt Nord": "kviknote"}
    for unit, name in (
        (units.nord, "kviknote"),
        (units.school, "kviknote"),
        (units.syd, "nordnote"),
        (None, "nordnote"),
    ):
        assert await who_answers(api, suppliers, unit) == name

    for by, unit, status in (
        ("nordnote", units.school, 409), ("nordnote", units.syd, 201), ("nordnote", None, 201),
        ("kviknote", units.school, 201), ("kviknote", units.syd, 409), ("kviknote", None, 201),
    ):  # fmt: skip
        assert (await write(api, by, unit)).status == status, (by, unit)
    late = (await api.get("/api/v1/records/late", by=ANNA)).json["items"]
    assert {each["unit_id"] for each in late} == {str(units.school), str(units.syd)}

    back = (await act(api, move, "rollback")).json
    assert (back["unit_id"], back["unit_name"]) == (str(units.nord), "Distrikt Nord")
    assert await reach(outsider, back["id"], "final") == "final"
    assert await bindings(api) == {None: "nordnote", "Distrikt Nord": "nordnote"}
    which = {"capability": "notes", "unit_id": str(units.nord)}
    assert (await api.post(f"{MOVES}/dissolve", which, by=ANNA)).status == 200
    assert await bindings(api) == {None: "nordnote"}
    assert (await write(api, "nordnote", units.school)).status == 201


async def who_answers(api: Api, suppliers: dict[str, Supplier], unit: UUID | None) -> str:
    before = {name: len(each.asked) for name, each in suppliers.items()}
    headers = {"Torv_Unit": str(unit)} if unit else {}
    assert (await api.get(NOTES, by="borgerblik", **headers)).status == 200
    [name] = [name for name, each in suppliers.items() if len(each.asked) > before[name]]
    return name


async def test_when_a_pilot_is_made_final_the_predecessor_goes_on_elsewhere(
    suppliers: dict[str, Supplier], informed: Api, worker: None, outsider: Connection, cast: Cast, units: Districts,
    keys: Keys,
) -> None:  # fmt: skip
    api = informed
    await write(api, "nordnote", units.nord)
    move = await pilot(api, outsider, cast, units.nord)
    assert (await act(api, move, "finalise")).json["state"] == "final"
    receipt = signing.verify((await api.get(f"{MOVES}/{move}/receipt", by=ANNA)).body.decode(), keys.signing)
    assert receipt["unit"] == {"id": str(units.nord), "name": "Distrikt Nord"}
    agreement = await api.get(f"/api/v1/agreements/{cast.agreements['nordnote']}", by=ANNA)
    assert agreement.json["state"] == "active"
    assert (await write(api, "nordnote", units.syd)).status == 201
    which = {"capability": "notes", "unit_id": str(units.nord)}
    assert (await api.post(f"{MOVES}/dissolve", which, by=ANNA)).code == (409, "wrong_state")


async def test_a_record_keeps_its_unit_whatever_unit_a_later_write_names(
    informed: Api, cast: Cast, units: Districts
) -> None:
    first = (await write(informed, "nordnote", units.nord)).json
    later = await write(informed, "nordnote", units.syd, id=first["id"], expected_version=1)
    assert (first["unit_id"], later.status, later.json["unit_id"]) == (str(units.nord), 201, str(units.nord))


# ---- what a district's supplier gets ---------------------------------------------------------------------------------
async def test_the_feed_of_a_pilots_supplier_holds_its_district_and_nothing_else(
    informed: Api, worker: None, database: Database, outsider: Connection, cast: Cast, units: Districts, keys: Keys
) -> None:
    api, written = informed, {}
    for each in (units.nord, units.school, units.syd, units.town, None):
        written[each] = (await write(api, "nordnote", each)).json["id"]
    await api.post(f"/api/v1/agreements/{cast.agreements['kviknote']}/suspend", by=ANNA)
    await agree_for(database, cast, keys, KVIK, units.nord)
    feed = "/api/v1/records/feed?capability=notes"
    async with asyncio.timeout(20):
        while (got := await api.get(f"{feed}&wait=1", by="kviknote")).status != 200 or len(got.json["records"]) < 2:
            await asyncio.sleep(0.05)
    assert {each["id"] for each in got.json["records"]} == {written[units.nord], written[units.school]}
    assert got.json["position"] == await outsider.fetchval("select position from base.streams where name = 'records'")
    assert (await api.get(f"{feed}&after={got.json['position']}", by="kviknote")).json["records"] == []
    for unit, record in written.items():
        reply = await api.get(f"/api/v1/records/{record}", by="kviknote")
        assert (reply.status == 200) is (unit in (units.nord, units.school))
    assert (await write(api, "kviknote", units.syd)).code == (403, "denied")
    assert (await write(api, "kviknote", units.nord)).code == (409, "binding_moved")


async def test_a_candidate_whose_agreement_is_for_another_district_is_not_permitted(
    suppliers: dict[str, Supplier], informed: Api, worker: None, database: Database, outsider: Connection, cast: Cast,
    units: Districts, keys: Keys,
) -> None:  # fmt: skip
    await informed.post(f"/api/v1/agreements/{cast.agreements['kviknote']}/suspend", by=ANNA)
    await agree_for(database, cast, keys, KVIK, units.syd)
    move = (await plan(informed, cast, units.nord)).json["id"]
    async with asyncio.timeout(20):
        while await outsider.fetchval("select state from moves.moves where id = $1", UUID(move)) != "aborted":
            await asyncio.sleep(0.02)
    assert await last_step(outsider, UUID(move)) == {"reason": "not_permitted", "check": "unit"}


async def test_a_pilots_supplier_must_hold_its_district_and_no_more(
    suppliers: dict[str, Supplier], informed: Api, worker: None, outsider: Connection, cast: Cast, units: Districts
) -> None:
    """It exports the whole town's records; those of the district are compared. One of them is missing."""
    lost = (await write(informed, "nordnote", units.school)).json["id"]
    await write(informed, "nordnote", units.syd)
    suppliers["kviknote"].spoil = lambda records: [each for each in records if each["id"] != lost]
    move = (await plan(informed, cast, units.nord)).json["id"]
    async with asyncio.timeout(20):
        while await outsider.fetchval("select state from moves.moves where id = $1", UUID(move)) != "aborted":
            await asyncio.sleep(0.02)
    assert (await last_step(outsider, UUID(move)))["reason"] == "records_differ"


# ---- who may name a unit ---------------------------------------------------------------------------------------------
async def test_nobody_chooses_a_supplier_by_naming_a_unit_that_is_not_theirs(
    suppliers: dict[str, Supplier], informed: Api, database: Database, outsider: Connection, cast: Cast,
    units: Districts, keys: Keys,
) -> None:  # fmt: skip
    api = informed
    await api.post(f"/api/v1/agreements/{cast.agreements['borgerblik']}/suspend", by=ANNA)
    await agree_for(database, cast, keys, BORGERBLIK, units.nord)
    async with asyncio.timeout(10):
        while (await api.get(NOTES, by="borgerblik", Torv_Unit=str(units.school))).status != 200:
            await asyncio.sleep(0.05)
    asked = len(suppliers["nordnote"].asked)
    for unit in (units.syd, units.town, new_id(), None):
        before = await outsider.fetchval("select count(*) from base.trail")
        reply = await api.get(NOTES, by="borgerblik", **({"Torv_Unit": str(unit)} if unit else {}))
        assert (reply.code, reply.json["check"]) == ((403, "denied"), "unit")
        entries = await outsider.fetch("select kind, result from base.trail order by seq offset $1", before)
        assert [tuple(each) for each in entries] == [("refusal", "unit")]
    assert len(suppliers["nordnote"].asked) == asked
    assert (await api.get(NOTES, by="borgerblik", Torv_Unit="nord")).code == (400, "malformed_request")


# ---- splits, and the tree --------------------------------------------------------------------------------------------
async def test_of_two_who_plan_a_pilot_at_once_one_does(informed: Api, cast: Cast, units: Districts) -> None:
    replies = await asyncio.gather(plan(informed, cast, units.nord), plan(informed, cast, units.nord, by=BO))
    assert sorted(each.status for each in replies) == [201, 409]
    assert await bindings(informed) == {None: "nordnote", "Distrikt Nord": "nordnote"}
    [move] = [each.json["id"] for each in replies if each.status == 201]
    which = {"capability": "notes", "unit_id": str(units.nord)}
    assert (await informed.post(f"{MOVES}/dissolve", which, by=ANNA)).code == (409, "move_under_way")
    await act(informed, move, "abort")
    at_once = [informed.post(f"{MOVES}/dissolve", which, by=by) for by in (ANNA, BO)]
    assert sorted([each.status for each in await asyncio.gather(*at_once)]) == [200, 409]
    assert await bindings(informed) == {None: "nordnote"}


async def test_while_a_district_has_a_supplier_of_its_own_no_unit_comes_in_or_leaves(
    informed: Api, database: Database, cast: Cast, units: Districts
) -> None:
    assert (await plan(informed, cast, units.nord)).status == 201
    access = cast.user("organisation.move_unit")
    for unit, parent in ((units.school, units.syd), (units.syd, units.nord), (units.nord, None)):
        with pytest.raises(UnitAnchored) if parent else nullcontext():
            async with database.transaction() as tx:
                await move_unit(tx, access, unit, expected=1, valid_from=date(2999, 1, 1), parent_id=parent)
    inside = await enter_unit(database, cast, "Hold B", units.nord)
    assert await looked_up(database, [inside]) == {inside: key(units.nord)}


async def test_digests_of_units_add_up_to_those_of_everything(
    informed: Api, worker: None, outsider: Connection, cast: Cast, units: Districts
) -> None:
    for number in range(12):
        await write(informed, "nordnote", [units.nord, units.syd, units.school, None][number % 4])
    async with asyncio.timeout(10):
        while await outsider.fetchval("select exists (select from records.versions where position is null)"):
            await asyncio.sleep(0.02)
    sums: dict[str, int] = {}
    for row in await outsider.fetch("select unit_id, total, count from records.buckets"):
        sums[str(row["unit_id"])] = (sums.get(str(row["unit_id"]), 0) + int.from_bytes(row["total"], "big")) % 2**256
    held: dict[str, int] = {}
    for row in await outsider.fetch("select unit_id, digest from records.versions"):
        held[str(row["unit_id"])] = (held.get(str(row["unit_id"]), 0) + int.from_bytes(row["digest"], "big")) % 2**256
    assert sums == held
    assert len(sums) == 4
    assert json.loads(await outsider.fetchval("select to_json(sum(count)) from records.buckets")) == 12
