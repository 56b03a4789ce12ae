"""Events: published once by whoever holds the capability, taken by long poll, decided at the instant of delivery."""

import asyncio
import json
import time
from typing import Any
from uuid import UUID

import asyncpg
import jsonschema_rs
import pytest

from tests.cast import ANNA, BO, KVIK, Cast
from tests.ecosystem.demanding import PROFILE
from tests.ecosystem.following import WRITTEN, permit_events, subscribe, subscription, tell, until
from tests.served import Api
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.ecosystem.events import forget_old_events

pytestmark = pytest.mark.anyio
TAKE = "/api/v1/events?capability=notes"


@pytest.fixture
async def market(api: Api, worker: None, database: Database, cast: Cast, keys: Keys) -> Api:
    """Torv with a worker, and an agreement by which Nordnote may publish and follow events."""
    await permit_events(database, cast, keys)
    await until(lambda: _may(api), "the agreement is not in force")
    return api


async def _may(api: Api) -> bool:
    return (await api.get("/api/v1/subscriptions", by="nordnote")).status == 200


async def take(api: Api, *, by: str = "nordnote", **query: Any) -> Any:
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    return await api.get(TAKE + asked, by=by)


async def told(api: Api, count: int) -> list[dict[str, Any]]:
    """What Nordnote is told, when it is so much."""
    page: Any = None
    for _ in range(300):
        page = (await take(api, after=0)).json
        if len(page["events"]) >= count:
            break
        await asyncio.sleep(0.05)
    assert len(page["events"]) == count
    return list(page["events"])


async def test_an_event_is_published_once_and_told_as_a_cloud_event(market: Api) -> None:
    await subscribe(market, mode="pull")
    subject = new_id()
    first, again = await tell(market, 1, subject=subject), await tell(market, 1, subject=subject)
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json
    (event,) = await told(market, 1)
    assert event["data"] == {"note_id": str(subject), "version": 1}
    assert {name: event[name] for name in ("specversion", "id", "type", "source", "subject", "sequence")} == {
        "specversion": "1.0", "id": first.json["id"], "type": WRITTEN, "source": "urn:torv:notes",
        "subject": str(subject), "sequence": "1",
    }  # fmt: skip
    other = await market.post(
        "/api/v1/events", {"capability": "notes", "type": "note.written", "subject": str(subject),
                           "data": {"note_id": str(subject), "version": 2}}, by="nordnote",
        Idempotency_Key=f"{subject}/1",
    )  # fmt: skip
    assert other.code == (409, "idempotency_key_reused")


async def test_events_about_one_subject_are_numbered_in_their_order(market: Api) -> None:
    await subscribe(market, mode="pull")
    one, other = new_id(), new_id()
    for number in range(1, 4):
        await tell(market, number, subject=one)
        await tell(market, number, subject=other)
    events = await told(market, 6)
    for subject in (one, other):
        mine = [each for each in events if each["subject"] == str(subject)]
        assert [(each["sequence"], each["data"]["version"]) for each in mine] == [("1", 1), ("2", 2), ("3", 3)]
    assert [each["position"] for each in events] == sorted(each["position"] for each in events)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "note.lost"}, "event_type_unknown"),
        ({"data": {"note_id": "no uuid", "version": 1}}, "event_invalid"),
        ({"data": {"version": 1}}, "event_invalid"),
        ({"person_id": "01a207ae-7d40-7c9c-a48e-1b9e9aad0822"}, "person_unknown"),
        ({"kle": "27.15%"}, "event_invalid"),
        ({"sensitivity": 4}, "event_invalid"),
        ({"time": "2999-01-01T00:00:00Z"}, "event_invalid"),
    ],
    ids=str,
)
async def test_what_the_contract_does_not_know_is_refused(market: Api, change: dict[str, Any], code: str) -> None:
    assert (await tell(market, 1, **change)).code == (422, code)


async def test_whoever_does_not_hold_the_capability_publishes_nothing_and_takes_nothing(
    market: Api, database: Database, cast: Cast, keys: Keys, outsider: asyncpg.Connection
) -> None:
    await subscribe(market, mode="pull")
    await permit_events(database, cast, keys, KVIK)
    await until(lambda: _kvik_may(market), "the agreement is not in force")
    assert (await tell(market, 1, by="kviknote")).code == (409, "binding_moved")
    assert await outsider.fetchval("select count(*) from events.late") == 1
    assert await outsider.fetchval("select count(*) from events.events where capability = 'notes'") == 0
    assert (await take(market, by="kviknote")).code == (403, "not_receiver")
    assert (await tell(market, 1, by=ANNA)).code == (403, "denied")
    assert (await take(market, by=ANNA)).code == (403, "denied")


async def _kvik_may(api: Api) -> bool:
    return (await api.get("/api/v1/subscriptions", by="kviknote")).status == 200


async def test_the_kernel_tells_what_it_does(market: Api, cast: Cast) -> None:
    kinds = ["torv.record.written", "torv.person.changed"]
    await subscribe(market, mode="pull", types=kinds)
    note = (await market.post(Api.RECORDS, market.note(), by="nordnote", Idempotency_Key="k")).json
    person = f"/api/v1/persons/{cast.bjorn.id}"
    change = await market.ask("PATCH", person, {"address": "Nygade 1, 6200 Fjordby"}, by=ANNA, If_Match='"1"')
    assert change.status == 200, change.body
    by_type: dict[str, Any] = {}
    async with asyncio.timeout(30):
        while len(by_type) < len(kinds):  # that the citizens were registered may still be told meanwhile
            events = (await take(market, after=0, wait=1)).json["events"]
            by_type = {each["type"]: each for each in events if each["data"].get("change") != "register"}
    assert by_type["torv.record.written"]["data"] == {
        "capability": "notes", "type": "note", "record_id": note["id"], "version": 1, "person_id": str(cast.bjorn.id),
    }  # fmt: skip
    assert by_type["torv.person.changed"]["data"] == {"person_id": str(cast.bjorn.id), "change": "change"}
    assert by_type["torv.person.changed"]["source"] == "urn:torv:kernel"


async def test_a_long_poll_holds_no_connection_and_wakes(serve_api: Any, database: Database, cast: Cast, keys: Keys,
                                                          worker: None) -> None:  # fmt: skip
    await permit_events(database, cast, keys)
    async with serve_api(pool_size=1) as api:
        await subscribe(api, mode="pull")
        began = time.monotonic()
        waiting = [asyncio.create_task(take(api, wait=20)) for _ in range(3)]
        await asyncio.sleep(0.5)
        assert (await tell(api, 1)).status == 201  # with the pool's only connection
        pages = await asyncio.gather(*waiting)
        assert [len(page.json["events"]) for page in pages] == [1, 1, 1]
        assert time.monotonic() - began < 15  # 20 s were asked for: the event woke them


async def test_what_was_acknowledged_does_not_come_again_and_never_goes_back(market: Api) -> None:
    await subscribe(market, mode="pull")
    for number in range(1, 4):
        await tell(market, number)
    events = await told(market, 3)
    second = events[1]["position"]
    ack = "/api/v1/events/acknowledgements"
    assert (await market.post(ack, {"capability": "notes", "position": second}, by="nordnote")).status == 200
    assert [each["id"] for each in (await take(market)).json["events"]] == [events[2]["id"]]
    back = await market.post(ack, {"capability": "notes", "position": 0}, by="nordnote")
    assert back.json["position"] == second
    far = await market.post(ack, {"capability": "notes", "position": 10**9}, by="nordnote")
    assert far.code == (422, "invalid_input")


async def test_every_batch_is_one_entry_in_the_trail(market: Api, cast: Cast, outsider: asyncpg.Connection) -> None:
    await subscribe(market, mode="pull")
    for number in range(1, 4):
        await tell(market, number, person_id=str(cast.bjorn.id))
    await told(market, 3)
    query = (
        "select subjects, detail ->> 'events' as events, grant_id from base.trail where operation = 'events.receive'"
    )
    entries = await outsider.fetch(query + " and kind = 'read' order by seq desc limit 1")
    assert [(row["subjects"], row["events"]) for row in entries] == [([cast.bjorn.id], "3")]
    assert entries[0]["grant_id"]


async def test_replay_begins_again_and_needs_exactly_one_place(market: Api) -> None:
    made = await subscribe(market, mode="pull")
    await tell(market, 1)
    (event,) = await told(market, 1)
    await market.post(
        "/api/v1/events/acknowledgements", {"capability": "notes", "position": event["position"]}, by="nordnote"
    )
    assert (await take(market)).json["events"] == []
    address = f"/api/v1/subscriptions/{made['id']}/replay"
    assert (await market.post(address, {}, by=BO)).code == (422, "invalid_input")
    assert (await market.post(address, {"after": 0, "since": "2026-01-01T00:00:00Z"}, by=BO)).status == 422
    assert (await market.post(address, {"since": event["time"]}, by=BO)).status == 200
    assert [each["id"] for each in (await take(market)).json["events"]] == [event["id"]]


async def test_replay_since_an_instant_leaves_nothing_out_that_happened_then(
    market: Api, outsider: asyncpg.Connection
) -> None:
    """Events stand in the order in which they were told of: one that happened before may stand behind."""
    made = await subscribe(market, mode="pull")
    for number in (1, 2):
        await tell(market, number)
    first, second = await told(market, 2)
    await outsider.execute("update events.events set at = at - interval '1 hour' where id = $1::uuid", second["id"])
    address = f"/api/v1/subscriptions/{made['id']}/replay"
    assert (await market.post(address, {"since": first["time"]}, by=BO)).status == 200
    assert [each["id"] for each in (await take(market)).json["events"]] == [first["id"], second["id"]]


async def test_a_subscription_shows_how_far_behind_it_is_and_suppliers_see_their_own(market: Api) -> None:
    await subscribe(market, mode="pull")
    await tell(market, 1)
    await told(market, 1)
    shown = await subscription(market)
    assert (shown["lag_events"], shown["breaker"], shown["alert"]) == (1, "closed", "ok")
    assert (await subscription(market, by="nordnote"))["id"] == shown["id"]


async def test_a_subscription_to_what_nobody_tells_is_refused(market: Api) -> None:
    for types in (["torv.weather.changed"], [], ["notes.note.written"] * 2, ["Notes"]):
        content = {"capability": "notes", "types": types}
        assert (await market.post("/api/v1/subscriptions", content, by=ANNA)).status == 422, types
    for path in ("//evil", "/a/../b", "http://evil", "", "/a?b", "/torv/%2e"):
        content = {"capability": "notes", "types": [WRITTEN], "path": path}
        assert (await market.post("/api/v1/subscriptions", content, by=ANNA)).status == 422, path


async def test_the_asyncapi_document_names_every_event_and_is_public(market: Api) -> None:
    document = (await market.get("/asyncapi.json")).json
    assert document["asyncapi"] == "3.0.0"
    messages = document["components"]["messages"]
    assert {WRITTEN, "torv.record.written", "torv.binding.moved"} <= set(messages)
    references = {each["$ref"] for each in document["channels"]["events"]["messages"].values()}
    assert references == {f"#/components/messages/{name}" for name in messages}
    assert messages[WRITTEN]["payload"]["properties"]["data"]["required"] == ["note_id", "version"]


async def test_every_kernel_event_follows_its_schema(market: Api, outsider: asyncpg.Connection) -> None:
    messages = (await market.get("/asyncapi.json")).json["components"]["messages"]
    await market.post(Api.RECORDS, market.note(), by="nordnote", Idempotency_Key="k")
    unit = {"name": "Ældre", "kind": "forvaltning", "valid_from": "2026-01-01"}
    assert (await market.post("/api/v1/organisation/units", unit, by=ANNA)).status == 201
    assert (await market.post("/api/v1/requirements/proposals", {"profile": PROFILE}, by=ANNA)).status == 201
    wanted = {name for name in messages if name.startswith("torv.")}
    query = "select type, data, subject from events.events where position is not null and capability is null"
    async with asyncio.timeout(30):
        while {row["type"] for row in await outsider.fetch(query)} != wanted:
            await asyncio.sleep(0.05)
    for row in await outsider.fetch(query):
        schema = messages[row["type"]]["payload"]["properties"]["data"]
        jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(json.loads(row["data"]))
        assert UUID(row["subject"])


async def test_old_events_are_forgotten_when_everybody_was_told_and_numbers_go_on(
    market: Api, database: Database, outsider: asyncpg.Connection
) -> None:
    await subscribe(market, mode="pull")
    subject = new_id()
    for number in range(1, 4):
        await tell(market, number, subject=subject)
    events = await told(market, 3)
    await outsider.execute("update events.events set at = at - interval '91 days'")
    query = "select array_agg(sequence order by sequence) from events.events where capability = 'notes'"
    for acknowledged, left in ((0, [1, 2, 3]), (events[0]["position"], [2, 3]), (events[2]["position"], [3])):
        given = {"capability": "notes", "position": acknowledged}
        assert (await market.post("/api/v1/events/acknowledgements", given, by="nordnote")).status == 200
        async with database.transaction() as tx:
            await forget_old_events(tx)
        assert await outsider.fetchval(query) == left
    await tell(market, 4, subject=subject)
    async with asyncio.timeout(30):
        while not (page := (await take(market, wait=1)).json)["events"]:
            pass
    assert page["events"][0]["sequence"] == "4"
