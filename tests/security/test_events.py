"""Attacks by way of events, by their numbers in the attack list."""

import asyncio
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.cast import ALMA_CPR, ANNA, BJORN_CPR, KVIK, NORDLYS, PROVIDER, Cast, content_of
from tests.ecosystem.following import EVENTS, PATH, WRITTEN, receiver, subscribe, subscription, tell, until
from tests.sdk.loopback import loopback
from tests.security.conftest import Enter, check_of, granting, happen, until_learnt
from tests.served import Api
from torv.base.ids import new_id
from torv.ecosystem.events import EventInvalid, Poster
from torv.ecosystem.events.rules import check_data

TAKE = "/api/v1/events?capability=notes"


@pytest.fixture
async def agreement(api: Api, worker: None, enter: Enter, outsider: asyncpg.Connection) -> Any:
    """The agreement by which Nordnote publishes and follows events."""
    found = await enter(content_of(granting(NORDLYS, *PROVIDER, EVENTS)))
    await until_learnt(api, outsider)
    return found


async def told(api: Api, **query: Any) -> list[dict[str, Any]]:
    asked = "".join(f"&{name}={value}" for name, value in query.items())
    reply = await api.get(f"{TAKE}{asked}", by="nordnote")
    assert reply.status == 200, reply.body
    return list(reply.json["events"])


# ---- 5: an agreement is stopped while somebody waits -----------------------------------------------------------------
async def test_a5_a_long_poll_ends_when_the_agreement_is_suspended_and_goes_on_when_it_is_resumed(
    api: Api, agreement: Any, outsider: asyncpg.Connection
) -> None:
    await subscribe(api, mode="pull")
    waiting = asyncio.create_task(api.get(f"{TAKE}&wait=20", by="nordnote"))
    await asyncio.sleep(0.3)
    assert (await happen(api, agreement, "suspend")).status == 200
    assert check_of(await asyncio.wait_for(waiting, 10))[:2] == (403, "denied")
    assert (await tell(api, 1)).status == 403
    assert (await happen(api, agreement, "resume")).status == 200
    await until_learnt(api, outsider)
    assert (await tell(api, 1)).status == 201
    assert len(await told(api, wait=20)) == 1


# ---- 14, 21: a module in another one's place -------------------------------------------------------------------------
async def test_b14_no_module_publishes_or_takes_the_events_of_a_capability_it_does_not_provide(
    api: Api, agreement: Any, enter: Enter, outsider: asyncpg.Connection
) -> None:
    await enter(content_of(granting(KVIK, *PROVIDER, EVENTS)))
    await until_learnt(api, outsider)
    await subscribe(api, mode="pull")
    assert (await tell(api, 1, by="kviknote")).code == (409, "binding_moved")
    assert (await api.get(TAKE, by="kviknote")).code == (403, "not_receiver")
    ack = {"capability": "notes", "position": 0}
    given = await api.post("/api/v1/events/acknowledgements", ack, by="kviknote")
    assert given.code == (403, "not_receiver")
    assert await outsider.fetchval("select count(*) from events.events where capability = 'notes'") == 0


async def test_b21_a_supplier_sees_and_changes_no_subscription_of_another(
    api: Api, agreement: Any, enter: Enter, outsider: asyncpg.Connection
) -> None:
    await enter(content_of(granting(KVIK, *PROVIDER, EVENTS)))
    await until_learnt(api, outsider)
    made = await subscribe(api, mode="pull")
    address = f"/api/v1/subscriptions/{made['id']}"
    assert (await api.get("/api/v1/subscriptions", by="kviknote")).json["items"] == []
    content = {"capability": "notes", "types": [WRITTEN]}
    assert (await api.post("/api/v1/subscriptions", content, by="kviknote")).code == (404, "not_found")
    for way, body in (("replay", {"after": 0}), ("redelivery", None), ("rotation", None)):
        theirs = await api.post(f"{address}/{way}", body, by="kviknote")
        nobodys = await api.post(f"/api/v1/subscriptions/{uuid4()}/{way}", body, by="kviknote")
        assert theirs.code == nobodys.code == (404, "not_found"), way


# ---- 26: the grant shrank after the subscription was made ------------------------------------------------------------
async def test_b26_a_subscriber_whose_data_shrank_is_told_only_what_is_left(
    api: Api, agreement: Any, enter: Enter, cast: Cast, outsider: asyncpg.Connection
) -> None:
    await subscribe(api, mode="pull", types=[WRITTEN, "torv.person.changed"])
    service, operations, _ = EVENTS
    await enter(content_of(granting(NORDLYS, *PROVIDER, (service, operations, ("notes",)))))
    person = f"/api/v1/persons/{cast.bjorn.id}"
    change = {"address": "Nygade 1, 6200 Fjordby"}
    assert (await api.ask("PATCH", person, change, by=ANNA, If_Match='"1"')).status == 200
    assert (await tell(api, 1)).status == 201
    await until(lambda: _both_told(api), "nothing is told")
    assert (await happen(api, agreement, "suspend")).status == 200
    await until_learnt(api, outsider)
    assert {each["type"] for each in await told(api)} == {WRITTEN}
    assert (await subscription(api, by="nordnote"))["lag_events"] == 1  # nor does a count tell more


async def _both_told(api: Api) -> bool:
    return {each["type"] for each in await told(api)} == {WRITTEN, "torv.person.changed"}


# ---- 29: limits of a grant -------------------------------------------------------------------------------------------
async def test_c29_a_limited_grant_is_told_only_of_what_says_that_it_lies_within(
    api: Api, agreement: Any, enter: Enter, outsider: asyncpg.Connection
) -> None:
    await subscribe(api, mode="pull")
    content = content_of(granting(NORDLYS, *PROVIDER, EVENTS))
    limited = next(each for each in content["grants"] if each["service"] == "events")
    limited["reach"] = {"kle": ["27.15"], "sensitivity": 2}
    within = {"kle": "27.15.12", "sensitivity": 2}
    others: list[dict[str, Any]] = [
        {}, {"kle": "27.15"}, {"sensitivity": 1}, {"kle": "27.16.12", "sensitivity": 1},
        {"kle": "27", "sensitivity": 1}, {"kle": "27.15.12", "sensitivity": 3},
    ]  # fmt: skip
    for more in (*others, within):
        assert (await tell(api, 1, **more)).status == 201, more
    await until(lambda: _count_told(api, 7), "not everything is told")
    await enter(content)
    assert (await happen(api, agreement, "suspend")).status == 200
    await until_learnt(api, outsider)
    assert len(await told(api)) == 1
    assert (await subscription(api, by="nordnote"))["lag_events"] == 1


async def _count_told(api: Api, count: int) -> bool:
    return len(await told(api)) == count


# ---- 61: addresses in what others send us ----------------------------------------------------------------------------
async def test_f61_a_receiver_cannot_send_torv_on_to_somebody_else() -> None:
    async with loopback() as inside, loopback() as outside:
        inside.answer(PATH, 200, {})
        poster = Poster(private=True)
        for status in (301, 302, 303, 307, 308):
            outside.answers[PATH].clear()
            outside.answer(PATH, status, "", Location=inside.url + PATH)
            reaction = await poster.post(outside.url + PATH, {}, b"[]")
            assert (reaction.status, reaction.is_taken) == (status, False)
        await poster.close()
        assert inside.asked == []


async def test_f61_a_name_that_leads_to_a_private_address_is_sent_nothing() -> None:
    async with receiver() as server:
        poster = Poster(private=False)
        reaction = await poster.post(server.url.replace("127.0.0.1", "localhost") + PATH, {}, b"[]")
        await poster.close()
        assert reaction.status is None
        assert server.messages == []


@pytest.mark.parametrize(
    "path",
    ["//evil.example/a", "/a/../../b", "http://evil.example/", "@evil.example/", "/a?b=c", "/%2e%2e", "/a#b", ""],
)
async def test_f61_a_subscription_names_a_path_and_no_address(api: Api, path: str) -> None:
    content = {"capability": "notes", "types": [WRITTEN], "path": path}
    assert (await api.post("/api/v1/subscriptions", content, by=ANNA)).code == (422, "invalid_input")


# ---- 69: text and numbers of persons where they do not belong --------------------------------------------------------
@pytest.mark.parametrize(
    "value",
    [
        BJORN_CPR, ALMA_CPR, f"{BJORN_CPR[:6]}-{BJORN_CPR[6:]}", f"cpr:{BJORN_CPR}", f"x{BJORN_CPR}", f"{BJORN_CPR}x",
        "7205761111", int(BJORN_CPR), int(ALMA_CPR), "Ringede i går", "a b", "a\nb", "\x1b[31m", "<b>", "æ", "a" * 101,
        float(BJORN_CPR), -int(BJORN_CPR), f"urn:uuid:01a207ae-7d40-7c9c-a48e-1b9e9aad0822:{BJORN_CPR}",
    ],
)  # fmt: skip
def test_g69_no_free_text_and_no_cpr_number_gets_into_an_event(value: Any) -> None:
    named = [{value: 1}] if isinstance(value, str) else []
    for data in ({"a": value}, {"a": [{"b": value}]}, *named):
        with pytest.raises(EventInvalid) as refused:
            check_data(data)
        assert str(value) not in str(refused.value)
    check_data(
        {"a": str(new_id()), "b": "27.15.12", "c": "2026-03-01T09:30:00Z", "d": 12, "e": None, "f": True, "g": ""}
    )


async def test_g69_over_http_a_cpr_number_is_refused_and_stands_nowhere(
    api: Api, agreement: Any, outsider: asyncpg.Connection
) -> None:
    about = str(new_id())
    content = {
        "capability": "notes", "type": "note.written", "subject": about,
        "data": {"note_id": about, "version": int(BJORN_CPR)},
    }  # fmt: skip
    reply = await api.post("/api/v1/events", content, by="nordnote", Idempotency_Key="k")
    assert reply.code == (422, "event_invalid")
    assert BJORN_CPR not in reply.body.decode()
    assert await outsider.fetchval("select count(*) from base.trail t where t::text like $1", f"%{BJORN_CPR}%") == 0
