"""Pushed events: signed, in order, at least once, whatever happens to the receiver, the worker or the agreement."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.cast import ANNA, KVIK, NORDLYS, PROVIDER, Cast, Part, content_of, enter_agreement
from tests.ecosystem.following import (
    EVENTS,
    Receiver,
    permit_events,
    place_at,
    receiver,
    secrets_of,
    subscribe,
    subscription,
    tell,
    until,
)
from tests.served import Api, run_worker
from torv.base import clock
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.settings import Settings
from torv.base.signing import Keys
from torv.ecosystem.events import hand_over_events
from torv.ecosystem.modules import move_binding

pytestmark = pytest.mark.anyio


@pytest.fixture
async def agreement(database: Database, cast: Cast, keys: Keys) -> UUID:
    """The agreement by which Nordnote may publish and follow events."""
    return await permit_events(database, cast, keys)


@pytest.fixture
async def nordnote(api: Api, agreement: UUID, outsider: asyncpg.Connection, cast: Cast) -> AsyncIterator[Receiver]:
    """Nordnote takes what is told about notes; no worker sends yet."""
    async with receiver() as server:
        await place_at(outsider, cast, "nordnote", server.url)
        await until(lambda: _may(api), "the agreement is not in force")
        await subscribe(api)
        server.secrets = await secrets_of(api)
        yield server


async def _may(api: Api) -> bool:
    return (await api.get("/api/v1/subscriptions", by="nordnote")).status == 200


async def publish(api: Api, count: int, *, subjects: int = 1) -> list[UUID]:
    """So many events about each of so many subjects, taking turns; gives the subjects."""
    about = [new_id() for _ in range(subjects)]
    for number in range(1, count + 1):
        for each in about:
            assert (await tell(api, number, subject=each)).status == 201
    return about


async def test_events_are_pushed_signed_in_order_and_in_batches(api: Api, nordnote: Receiver, worker: None) -> None:
    subjects = await publish(api, 4, subjects=3)
    await until(lambda: len(nordnote.taken) == 12, "not everything came")
    assert [nordnote.about(each) for each in subjects] == [[1, 2, 3, 4]] * 3
    assert len(set(nordnote.ids)) == 12
    shown = await subscription(api)
    assert (shown["lag_events"], shown["alert"]) == (0, "ok")


async def test_a_receiver_that_is_down_for_ten_minutes_loses_nothing(
    api: Api, nordnote: Receiver, worker: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time runs sixty times as fast for whoever asks when to try again."""
    began = clock.now()
    real = clock.now
    monkeypatch.setattr("torv.ecosystem.events.delivering.clock.now", lambda: began + (real() - began) * 60)
    nordnote.answer = lambda _: 0
    subjects = await publish(api, 5, subjects=4)
    await until(lambda: real() - began > timedelta(seconds=10), "time does not pass", 60)
    assert nordnote.taken == []
    assert 3 <= len(nordnote.messages) < 60  # asked again, with growing pauses: no storm
    failing = await subscription(api)
    assert (failing["alert"], failing["breaker"] in ("open", "half_open")) == ("failing", True)
    nordnote.answer = lambda _: 200
    await until(lambda: len(set(nordnote.ids)) == 20, "something was lost", 60)
    assert [nordnote.about(each) for each in subjects] == [[1, 2, 3, 4, 5]] * 4


async def test_one_event_that_is_refused_holds_back_its_own_subject_only(
    api: Api, nordnote: Receiver, worker: None, outsider: asyncpg.Connection
) -> None:
    bad = new_id()
    nordnote.answer = lambda events: 400 if any(each["subject"] == str(bad) for each in events) else 200
    await tell(api, 1, subject=bad)
    others = await publish(api, 3, subjects=2)
    await tell(api, 2, subject=bad)
    await until(lambda: len(set(nordnote.ids)) == 6, "the others wait")
    assert [nordnote.about(each) for each in others] == [[1, 2, 3]] * 2
    query = "select count(*) from events.parked where dead_at is null"
    await until(lambda: _is(outsider, query, 2), "both are laid aside")
    nordnote.answer = lambda _: 200
    await outsider.execute("update events.parked set next_at = now()")
    await until(lambda: nordnote.about(bad) == [1, 2], "they do not come again")
    await until(lambda: _is(outsider, query, 0), "one is still laid aside")


async def _is(outsider: asyncpg.Connection, query: str, value: Any) -> bool:
    return bool(await outsider.fetchval(query) == value)


async def test_what_is_refused_for_a_day_is_a_dead_letter_until_somebody_redelivers_it(
    api: Api, nordnote: Receiver, worker: None, outsider: asyncpg.Connection
) -> None:
    nordnote.answer = lambda _: 422
    (subject,) = await publish(api, 1)
    dead = "select count(*) from events.parked where dead_at is not null"
    for _ in range(8):  # as the schedule has it: pauses from five seconds to eight hours
        await until(lambda: _is(outsider, "select count(*) from events.parked where next_at > now()", 1), "not tried")
        await outsider.execute("update events.parked set next_at = now()")
        await outsider.execute("update events.subscriptions set retry_at = now()")
    await until(lambda: _is(outsider, dead, 1), "it is not given up")
    for by in (ANNA, "nordnote"):
        (letter,) = (await api.get("/api/v1/dead-letters", by=by)).json["items"]
        assert (letter["subject"], letter["last_status"], letter["attempts"]) == (str(subject), 422, 9)
        assert "data" not in letter
    assert (await subscription(api))["dead_letters"] == 1
    assert (await api.get("/api/v1/dead-letters", by="borgerblik")).json["items"] == []
    nordnote.answer = lambda _: 200
    assert (await api.post(f"/api/v1/dead-letters/{letter['id']}/redeliver", by="nordnote")).status == 200
    await until(lambda: nordnote.about(subject) == [1], "it does not come")
    assert (await api.get("/api/v1/dead-letters", by=ANNA)).json["items"] == []


async def test_a_receiver_that_refuses_everything_is_asked_less_and_less(
    api: Api, nordnote: Receiver, worker: None
) -> None:
    nordnote.answer = lambda _: 500
    await publish(api, 1, subjects=12)
    await until(lambda: _breaker_is(api, "open", "half_open"), "the breaker stays closed")
    asked = len(nordnote.messages)
    await asyncio.sleep(2)
    assert len(nordnote.messages) - asked <= 4
    nordnote.answer = lambda _: 200
    await until(lambda: _breaker_is(api, "closed"), "the breaker stays open", 60)
    await until(lambda: _lag_is(api, 0), "something still waits")


async def _lag_is(api: Api, events: int) -> bool:
    return bool((await subscription(api))["lag_events"] == events)


async def _breaker_is(api: Api, *states: str) -> bool:
    return (await subscription(api))["breaker"] in states


async def test_a_suspended_agreement_stops_delivery_within_a_second_and_it_goes_on_where_it_stopped(
    api: Api, nordnote: Receiver, worker: None, agreement: UUID
) -> None:
    subject = new_id()
    await tell(api, 1, subject=subject)
    await until(lambda: len(nordnote.taken) == 1, "nothing comes")
    assert (await api.post(f"/api/v1/agreements/{agreement}/suspend", by=ANNA)).status == 200
    await asyncio.sleep(1.1)
    before = len(nordnote.messages)
    await _insert(api, subject, 2)
    await until(lambda: _alert_is(api, "stopped"), "nobody is told that it is stopped")
    assert (await subscription(api))["stopped_by"] == "service"  # the other agreement, which says nothing of events
    await asyncio.sleep(1)
    assert len(nordnote.messages) == before
    assert (await api.post(f"/api/v1/agreements/{agreement}/resume", by=ANNA)).status == 200
    await until(lambda: nordnote.about(subject) == [1, 2], "it does not go on")
    assert len(nordnote.taken) == 2


async def _alert_is(api: Api, alert: str) -> bool:
    return bool((await subscription(api))["alert"] == alert)


async def _insert(api: Api, subject: UUID, number: int) -> None:
    """An event told while Nordnote's agreement is suspended: by somebody else, as from the kernel."""
    connection = await asyncpg.connect(api.dsn)
    await connection.execute(
        "insert into events.events (id, type, capability, subject, category, data) values ($1, 'notes.note.written', "
        "'notes', $2, 'notes', jsonb_build_object('note_id', $2::text, 'version', $3::int))",
        new_id(), str(subject), number,
    )  # fmt: skip
    await connection.close()


async def test_another_worker_goes_on_where_one_was_cut_off(
    api: Api, nordnote: Receiver, dsn: str, settings: Settings
) -> None:
    subjects = await publish(api, 20, subjects=3)
    gate = asyncio.Event()

    def first_batch_only(_: list[dict[str, Any]]) -> int:
        gate.set()
        return 200

    nordnote.answer = first_batch_only
    async with run_worker(settings, dsn):
        await asyncio.wait_for(gate.wait(), 30)
    async with run_worker(settings, dsn):
        await until(lambda: len(set(nordnote.ids)) == 60, "something was lost")
    assert [nordnote.about(each) for each in subjects] == [list(range(1, 21))] * 3


async def test_rotation_signs_with_both_secrets_for_a_day(api: Api, nordnote: Receiver, worker: None) -> None:
    made = await subscription(api)
    old = nordnote.secrets
    assert (await api.post(f"/api/v1/subscriptions/{made['id']}/rotation", by=ANNA)).status == 200
    new = await secrets_of(api)
    assert new[1:] == old
    assert new[0] not in old
    for secrets in (old, new[:1]):
        nordnote.secrets = secrets
        before = len(nordnote.taken)
        await tell(api, 1)
        await until(partial(_has_taken, nordnote, before + 1), "a secret does not fit")


def _has_taken(module: Receiver, count: int) -> bool:
    return len(module.taken) == count


async def test_each_release_has_secrets_of_its_own_and_nobody_else_gets_any(
    api: Api, nordnote: Receiver, database: Database, cast: Cast, keys: Keys
) -> None:
    await permit_events(database, cast, keys, KVIK)
    address = "/api/v1/subscriptions/secrets?capability=notes"
    await until(lambda: _ok(api, address), "the agreement is not in force")
    assert (await api.get(address, by="kviknote")).json["secrets"] != nordnote.secrets
    assert (await api.get(address, by="borgerblik")).status == 403
    assert (await api.get(address, by=ANNA)).code == (403, "denied")


async def _ok(api: Api, address: str) -> bool:
    return (await api.get(address, by="kviknote")).status == 200


async def test_at_the_flip_events_go_on_at_the_successor_and_come_to_nobody_else(
    api: Api, nordnote: Receiver, worker: None, database: Database, cast: Cast, keys: Keys,
    outsider: asyncpg.Connection,
) -> None:  # fmt: skip
    await permit_events(database, cast, keys, KVIK)
    bad = new_id()
    nordnote.answer = lambda events: 400 if any(each["subject"] == str(bad) for each in events) else 200
    await tell(api, 1, subject=bad)
    (subject,) = await publish(api, 3)
    await until(lambda: nordnote.about(subject) == [1, 2, 3], "nothing comes")
    async with receiver() as kviknote:
        await place_at(outsider, cast, "kviknote", kviknote.url)
        address = "/api/v1/subscriptions/secrets?capability=notes"
        await until(lambda: _ok(api, address), "the agreement is not in force")
        kviknote.secrets = await secrets_of(api, "kviknote")
        async with database.transaction() as tx:
            await move_binding(tx, "notes", cast.releases["kviknote"])
            releases = cast.releases
            await hand_over_events(tx, "notes", releases["kviknote"], from_release=releases["nordnote"])
        before = len(nordnote.messages)
        await until(lambda: _told_by_kvik(api, subject), "Kvik may not publish")
        await until(lambda: kviknote.about(subject) == [4] and kviknote.about(bad) == [1], "it does not go on")
        assert len(nordnote.messages) == before


async def _told_by_kvik(api: Api, subject: UUID) -> bool:
    return (await tell(api, 4, subject=subject, by="kviknote")).status in (200, 201)


async def test_a_replay_sends_again_with_the_same_ids(api: Api, nordnote: Receiver, worker: None) -> None:
    await publish(api, 3)
    await until(lambda: len(nordnote.taken) == 3, "nothing comes")
    made = await subscription(api)
    assert (await api.post(f"/api/v1/subscriptions/{made['id']}/replay", {"after": 0}, by=ANNA)).status == 200
    await until(lambda: len(nordnote.taken) == 6, "nothing comes again")
    assert nordnote.ids[:3] == nordnote.ids[3:]


async def test_a_receiver_that_is_slow_gets_less_at_a_time(
    api: Api, nordnote: Receiver, dsn: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole batch would take it longer than it is given; what is left is little enough, and all of it comes."""
    monkeypatch.setattr("torv.ecosystem.events.sending.TIMEOUT", 1.0)
    nordnote.pause = 0.05
    (subject,) = await publish(api, 60)
    async with run_worker(settings, dsn):
        await until(lambda: nordnote.about(subject) == list(range(1, 61)), "something was lost", 90)
    assert (await subscription(api))["dead_letters"] == 0


async def test_how_far_behind_a_subscription_is_stands_in_the_metrics(
    api: Api, nordnote: Receiver, worker: None, outsider: asyncpg.Connection
) -> None:
    nordnote.answer = lambda _: 0
    await publish(api, 3)
    await outsider.execute("update events.events set at = at - interval '1 hour'")
    await until(lambda: _metric_is(api, "torv_event_lag", 3), "the metric does not say so")
    assert await api.metric("torv_event_lag_seconds", capability="notes") >= 3600
    assert await api.metric("torv_event_alert", capability="notes") == 1
    nordnote.answer = lambda _: 200
    await until(lambda: _metric_is(api, "torv_event_alert", 0), "the alarm does not end", 90)
    assert await api.metric("torv_event_lag", capability="notes") == 0


async def _metric_is(api: Api, name: str, value: float) -> bool:
    return await api.metric(name, capability="notes") == value


async def test_an_event_that_fells_its_receiver_for_a_day_is_given_up_and_the_others_come(
    api: Api, nordnote: Receiver, worker: None, outsider: asyncpg.Connection
) -> None:
    bad = new_id()
    nordnote.answer = lambda events: 0 if any(each["subject"] == str(bad) for each in events) else 200
    await tell(api, 1, subject=bad)
    (other,) = await publish(api, 2)
    await until(lambda: _is(outsider, "select failures > 1 from events.subscriptions", True), "it is not tried")
    assert nordnote.taken == []
    await outsider.execute(
        "update events.subscriptions set failing_since = failing_since - interval '1 day', retry_at = now()"
    )
    await until(lambda: nordnote.about(other) == [1, 2], "the others do not come", 60)
    (letter,) = (await api.get("/api/v1/dead-letters", by=ANNA)).json["items"]
    assert (letter["subject"], letter["last_status"]) == (str(bad), None)


async def test_what_a_grant_limits_a_day_is_sent_and_the_rest_waits(
    api: Api, nordnote: Receiver, dsn: str, settings: Settings, database: Database, cast: Cast, keys: Keys,
    agreement: UUID, outsider: asyncpg.Connection,
) -> None:  # fmt: skip
    limited = content_of(Part(cvr=NORDLYS.cvr, name=NORDLYS.name, module="nordnote", grants=(*PROVIDER, EVENTS)))
    next(each for each in limited["grants"] if each["service"] == "events")["limits"] = {"person_views_per_day": 3}
    async with database.transaction() as tx:
        await enter_agreement(tx, cast, limited, keys)
    assert (await api.post(f"/api/v1/agreements/{agreement}/suspend", by=ANNA)).status == 200
    both = (cast.alma.id, cast.bjorn.id)
    await _tell_about(api, *both)
    async with run_worker(settings, dsn):
        await until(lambda: len(nordnote.taken) == 2, "nothing comes")
        await _tell_about(api, *both)
        await until(lambda: _stopped_by(outsider, "quota_exceeded"), "the limit does not hold", 60)
    assert len(nordnote.taken) == 3
    assert await outsider.fetchval("select count(*) from events.parked") == 0


async def _tell_about(api: Api, *persons: UUID) -> None:
    for each in persons:
        reply = await tell(api, 1, person_id=str(each))
        assert reply.status == 201, reply.body


async def _stopped_by(outsider: asyncpg.Connection, check: str) -> bool:
    return await _is(outsider, "select stopped_by from events.subscriptions", check)
