"""Events go by the binding of their unit: a pilot's supplier gets its district's, and nobody else's."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.ecosystem.districts import Districts, enter_districts, key
from tests.ecosystem.events.test_event_modules import worker_process
from tests.ecosystem.following import WRITTEN, Receiver, tell, until
from tests.ecosystem.moving import act, reach
from tests.ecosystem.pilots.test_pilots import pilot, plan
from tests.ecosystem.taking import both_programs
from tests.served import Api
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.settings import Settings
from torv.base.signing import Keys
from torv.ecosystem.events import hand_over_events, split_events
from torv.ecosystem.modules import move_binding, split_binding

pytestmark = pytest.mark.anyio
TAKE, ACKNOWLEDGE = "/api/v1/events?capability=notes", "/api/v1/events/acknowledgements"


@pytest.fixture
async def units(database: Database, cast: Cast) -> Districts:
    return await enter_districts(database, cast)


@pytest.fixture
async def programs(
    api: Api, units: Districts, dsn: str, database: Database, cast: Cast, keys: Keys, outsider: Connection
) -> AsyncIterator[dict[str, Receiver]]:
    """Nordnote, in service, and Kviknote, who are pushed what they follow."""
    async with both_programs(api, dsn, database, cast, keys, outsider) as both:
        yield both


@pytest.fixture
async def pullers(
    api: Api, units: Districts, dsn: str, database: Database, cast: Cast, keys: Keys, outsider: Connection
) -> AsyncIterator[dict[str, Receiver]]:
    """The same, who ask for it themselves."""
    async with both_programs(api, dsn, database, cast, keys, outsider, mode="pull") as both:
        yield both


async def told(api: Api, number: int, subject: UUID, unit: UUID | None, by: str) -> None:
    more = {} if unit is None else {"unit_id": str(unit)}
    assert (await tell(api, number, subject=subject, by=by, **more)).status == 201, (number, unit, by)


async def subscriptions(api: Api, by: str = ANNA) -> dict[str, dict[str, Any]]:
    items = (await api.get("/api/v1/subscriptions", by=by)).json["items"]
    return {each["key"]: each for each in items if each["capability"] == "notes"}


async def all_told(api: Api) -> bool:
    return all(each["lag_events"] == 0 for each in (await subscriptions(api)).values())


# ---- pushed ----------------------------------------------------------------------------------------------------------
async def test_a_districts_events_go_to_its_supplier_and_back_and_nobody_else_is_told(
    api: Api, programs: dict[str, Receiver], worker: None, outsider: Connection, cast: Cast, units: Districts
) -> None:
    nordnote, kviknote = programs["nordnote"], programs["kviknote"]
    school, syd, town = new_id(), new_id(), new_id()
    for subject, unit in ((school, units.school), (syd, units.syd), (town, None)):
        await told(api, 1, subject, unit, "nordnote")
    await until(lambda: all(nordnote.about(each) == [1] for each in (school, syd, town)), "nothing comes")

    move = await pilot(api, outsider, cast, units.nord)
    assert set(await subscriptions(api)) == {"notes", key(units.nord)}
    await told(api, 2, school, units.school, "kviknote")
    await told(api, 2, syd, units.syd, "nordnote")
    await told(api, 2, town, None, "nordnote")
    await until(lambda: kviknote.about(school) == [2], "the district's supplier is told nothing")
    await until(lambda: kviknote.about(town) == [2], "what is of no unit is not told to all")
    await until(lambda: nordnote.about(syd) == nordnote.about(town) == [1, 2], "the others are told nothing")
    await until(lambda: all_told(api), "something is waited for that another binding is for")
    assert (nordnote.about(school), kviknote.about(syd)) == ([1], [])

    back = (await act(api, move, "rollback")).json["id"]
    await reach(outsider, back, "final")
    await until(lambda: nordnote.about(school) == [1, 2], "what it missed does not come")
    which = {"capability": "notes", "unit_id": str(units.nord)}
    assert (await api.post("/api/v1/moves/dissolve", which, by=ANNA)).status == 200
    assert set(await subscriptions(api)) == {"notes"}
    await told(api, 3, school, units.school, "nordnote")
    await until(lambda: nordnote.about(school) == [1, 2, 3], "it does not go on after the pilot")
    await until(lambda: all_told(api), "something is still waited for")
    assert (kviknote.about(school), kviknote.about(syd), kviknote.about(town)) == ([2], [], [2])


async def test_what_is_laid_aside_goes_with_its_unit(
    api: Api, programs: dict[str, Receiver], worker: None, outsider: Connection, cast: Cast, units: Districts
) -> None:
    nordnote, kviknote = programs["nordnote"], programs["kviknote"]
    school, syd, town = new_id(), new_id(), new_id()
    bad = {str(each) for each in (school, syd, town)}
    nordnote.answer = lambda events: 400 if any(each["subject"] in bad for each in events) else 200
    for subject, unit in ((school, units.school), (syd, units.syd), (town, None)):
        await told(api, 1, subject, unit, "nordnote")
    laid = "select s.key, p.subject from events.parked p join events.subscriptions s on s.id = p.subscription_id"
    await until(lambda: _rows(outsider, laid, {("notes", each) for each in bad}), "they are not laid aside")
    move = await pilot(api, outsider, cast, units.nord)
    await until(lambda: kviknote.about(school) == kviknote.about(town) == [1], "they do not move along")
    left = {("notes", str(syd)), ("notes", str(town))}
    await until(lambda: _rows(outsider, laid, left), "somebody else's is kept")
    assert (await act(api, move, "rollback")).status < 300
    await until(lambda: _rows(outsider, "select 1 from moves.moves where state = 'rolled_back'", {(1,)}), "no way back")
    which = {"capability": "notes", "unit_id": str(units.nord)}
    assert (await api.post("/api/v1/moves/dissolve", which, by=ANNA)).status == 200
    nordnote.answer = lambda _: 200
    await outsider.execute("update events.parked set next_at = now()")
    await outsider.execute("update events.subscriptions set retry_at = now()")
    await until(lambda: all(nordnote.about(each) == [1] for each in (syd, town)), "something was lost")
    assert kviknote.about(syd) == []


async def _rows(outsider: Connection, question: str, wanted: set[tuple[Any, ...]]) -> bool:
    return {tuple(row) for row in await outsider.fetch(question)} == wanted


async def test_a_worker_killed_while_two_suppliers_are_told_loses_nothing(
    api: Api, programs: dict[str, Receiver], dsn: str, settings: Settings, database: Database, cast: Cast,
    units: Districts, outsider: Connection,
) -> None:  # fmt: skip
    nordnote, kviknote = programs["nordnote"], programs["kviknote"]
    for each in (nordnote, kviknote):
        each.pause = 0.002  # so that there is always something on its way
    await bind_apart(database, cast, units)
    until_learnt = await outsider.fetchval("select number from base.generation")
    query = "select min(generation) >= $1 from base.leases where kind = 'api'"
    await until(lambda: outsider.fetchval(query, until_learnt), "the binding is not learnt")
    mine, theirs, every = new_id(), new_id(), new_id()
    async with worker_process(settings, dsn) as first, worker_process(settings, dsn):
        for number in range(1, 61):
            await told(api, number, mine, units.school, "kviknote")
            await told(api, number, theirs, units.syd, "nordnote")
            await told(api, number, every, None, "nordnote")
            if number == 30:
                await until(lambda: kviknote.taken and nordnote.taken, "nothing comes", 60)
                os.kill(first.pid, signal.SIGKILL)
        whole = list(range(1, 61))
        await until(lambda: kviknote.about(mine) == kviknote.about(every) == whole, "something was lost", 90)
        await until(lambda: nordnote.about(theirs) == nordnote.about(every) == whole, "something was lost", 90)
    assert (kviknote.about(theirs), nordnote.about(mine)) == ([], [])


async def bind_apart(database: Database, cast: Cast, units: Districts) -> None:
    """Kviknote provides notes in Nord, Nordnote everywhere else."""
    async with database.transaction() as tx:
        await split_binding(tx, "notes", units.nord)
        await split_events(tx, "notes", units.nord, above="notes")
        await move_binding(tx, "notes", cast.releases["kviknote"], unit_id=units.nord)
        before, after = cast.releases["nordnote"], cast.releases["kviknote"]
        await hand_over_events(tx, "notes", after, from_release=before, unit_id=units.nord)


# ---- pulled ----------------------------------------------------------------------------------------------------------
async def test_one_who_serves_several_units_asks_once_and_acknowledges_what_it_was_told(
    api: Api, pullers: dict[str, Receiver], worker: None, cast: Cast, units: Districts, outsider: Connection
) -> None:
    school, syd = new_id(), new_id()
    await told(api, 1, school, units.school, "nordnote")
    await told(api, 1, syd, units.syd, "nordnote")
    early = await page_of(api, 2)
    split = await plan(api, cast, units.nord)
    assert split.status == 201
    assert (await acknowledge(api, early)).status == 200  # of a page from before the district had its own place
    again = await page_of(api, 1)
    assert [each["subject"] for each in again["events"]] == [str(school)]
    await told(api, 2, syd, units.syd, "nordnote")
    page = await page_of(api, 2)
    without = {"capability": "notes", "position": page["position"]}
    assert (await api.post(ACKNOWLEDGE, without, by="nordnote", Idempotency_Key=str(new_id()))).code == (
        422, "invalid_input",
    )  # fmt: skip
    assert (await acknowledge(api, page)).status == 200
    assert (await page_of(api, 0))["events"] == []
    assert await all_told(api)


async def test_nobody_acknowledges_what_came_to_it_after_it_was_told(
    api: Api, pullers: dict[str, Receiver], worker: None, database: Database, cast: Cast, units: Districts
) -> None:
    """Kviknote has asked for the district; before it says so, the whole municipality is given to it."""
    await bind_apart(database, cast, units)
    syd, town = new_id(), new_id()
    await told(api, 1, syd, units.syd, "nordnote")
    await told(api, 1, town, None, "nordnote")
    page = await page_of(api, 1, by="kviknote")
    async with database.transaction() as tx:
        await move_binding(tx, "notes", cast.releases["kviknote"])
        before, after = cast.releases["nordnote"], cast.releases["kviknote"]
        await hand_over_events(tx, "notes", after, from_release=before)
    assert (await acknowledge(api, page, by="kviknote")).status == 200
    left = await page_of(api, 2, by="kviknote")
    assert [each["subject"] for each in left["events"]] == [str(syd), str(town)]


async def page_of(api: Api, count: int, by: str = "nordnote") -> Any:
    """What is waited for, when it is so much."""
    for _ in range(200):
        page = (await api.get(TAKE, by=by)).json
        if len(page["events"]) >= count:
            break
        await asyncio.sleep(0.05)
    assert len(page["events"]) == count
    return page


async def acknowledge(api: Api, page: Any, by: str = "nordnote") -> Any:
    given = {"capability": "notes", "position": page["position"], "turns": page["turns"]}
    return await api.post(ACKNOWLEDGE, given, by=by, Idempotency_Key=str(new_id()))


# ---- whose it is -----------------------------------------------------------------------------------------------------
async def test_a_districts_supplier_sees_and_changes_its_own_place_alone(
    api: Api, pullers: dict[str, Receiver], worker: None, database: Database, cast: Cast, units: Districts
) -> None:
    await bind_apart(database, cast, units)
    whole, own = (await subscriptions(api))["notes"], key(units.nord)
    assert set(seen := await subscriptions(api, by="kviknote")) == {own}
    assert (seen[own]["unit_name"], whole["unit_name"]) == ("Distrikt Nord", None)
    for way, body in (("replay", {"after": 0}), ("redelivery", None), ("rotation", None)):
        reply = await api.post(f"/api/v1/subscriptions/{whole['id']}/{way}", body, by="kviknote")
        assert reply.code == (404, "not_found"), way
    new = {"capability": "notes", "types": ["torv.unit.changed", WRITTEN], "mode": "pull"}
    assert (await api.post("/api/v1/subscriptions", new, by="kviknote")).code == (404, "not_found")
    changed = await api.post("/api/v1/subscriptions", new | {"unit_id": str(units.nord)}, by="kviknote")
    assert (changed.status, changed.json["key"], changed.json["types"]) == (201, own, sorted(new["types"]))
    assert (await subscriptions(api))["notes"]["types"] == [WRITTEN]
    nobodys = await api.post("/api/v1/subscriptions", new | {"unit_id": str(units.syd)}, by=ANNA)
    assert nobodys.status == 404 or nobodys.code[1] == "capability_not_bound"


async def test_an_event_about_a_record_belongs_to_the_records_unit(
    api: Api, pullers: dict[str, Receiver], worker: None, database: Database, cast: Cast, units: Districts
) -> None:
    """A program need not say of which unit its record is, and cannot say another; one that is not there is refused."""
    headers = {"Idempotency_Key": "a note", "Torv_Unit": str(units.school)}
    note = (await api.post(api.RECORDS, api.note(), by="nordnote", **headers)).json
    await bind_apart(database, cast, units)
    for unit in (None, units.syd):
        more = {} if unit is None else {"unit_id": str(unit)}
        late = await tell(api, 1, subject=UUID(note["id"]), by="nordnote", **more)
        assert late.code == (409, "binding_moved")
    assert (await tell(api, 1, subject=UUID(note["id"]), by="kviknote")).status == 201
    [event] = (await page_of(api, 1, by="kviknote"))["events"]
    assert event["subject"] == note["id"]
    assert (await tell(api, 1, by="nordnote", unit_id=str(new_id()))).status == 422
