"""Attacks on the life of an agreement, by their numbers in the attack list: group A. 13 stands in test_clock.py."""

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest

from tests.cast import ANNA, BO, BORGERBLIK, NORDLYS, PASSWORDS, Cast, content_of
from tests.conftest import ServeApi, execute
from tests.ecosystem.paper import FROM, NOON, NOTES, TO, agreement, ask, grant
from tests.sdk.loopback import Loopback
from tests.security.conftest import AGREEMENTS, Enter, EnterChain, Refused, check_of, granting, happen, until_learnt
from tests.served import Api
from torv.base import clock
from torv.base.access import Access
from torv.base.embedded import Server
from torv.base.ids import new_id
from torv.ecosystem.agreements import State, compile_policy
from torv.ecosystem.agreements.rules import standing_of
from torv_sdk.keys import sign_agreement

PERSONS = "/api/v1/persons"
SECOND = timedelta(seconds=1)


class Hand:
    """The hand of every clock that a decision looks at, which a test moves."""

    def __init__(self) -> None:
        self.at: datetime | None = None

    def now(self) -> datetime:
        return self.at or datetime.now(UTC)


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Hand:
    moved = Hand()
    monkeypatch.setattr(clock, "now", moved.now)
    return moved


def person(cast: Cast) -> str:
    return f"{PERSONS}/{cast.bjorn.id}"


async def until(ask_once: Callable[[], Any], wanted: Any, *, seconds: float = 1.0) -> None:
    """Until the answer is this one: within a second, as is promised of every change."""
    deadline = clock.ticks() + seconds
    while (found := await ask_once()) != wanted:
        assert clock.ticks() < deadline, found


async def status_of(api: Api, path: str, by: str) -> int:
    return (await api.get(path, by=by)).status


# ---- 1 and 2: the edges of its validity ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("off", "outcome"),
    [(-60, None), (-1, None), (-1e-6, None), (0, "expired"), (1e-6, "expired"), (1, "expired"), (60, "expired")],
)
def test_a01_an_agreement_ends_exactly_at_its_end_without_a_grace_for_clocks(off: float, outcome: str | None) -> None:
    answer = ask(compile_policy([agreement()]), at=TO + timedelta(seconds=off))
    assert (None if isinstance(answer, Access) else answer) == outcome


@pytest.mark.parametrize("off", [-86_400, -60, -1, -1e-6])
def test_a02_an_agreement_begins_exactly_at_its_beginning(off: float) -> None:
    policy = compile_policy([agreement()])
    assert ask(policy, at=FROM + timedelta(seconds=off)) == "waiting"
    assert isinstance(ask(policy, at=FROM), Access)


async def test_a01_a02_over_http_it_holds_from_its_beginning_up_to_its_end(
    hand: Hand, api: Api, cast: Cast, refused: Refused
) -> None:
    shown = (await api.get(f"{AGREEMENTS}/{cast.agreements['borgerblik']}", by=ANNA)).json
    begins, ends = (datetime.fromisoformat(shown[name]) for name in ("not_before", "not_after"))
    for at, outcome in ((begins - SECOND, "waiting"), (ends, "expired"), (ends + SECOND, "expired")):
        hand.at = at
        async with refused(api, "borgerblik", outcome):
            assert check_of(await api.get(person(cast), by="borgerblik")) == (403, "denied", outcome)
    for at in (begins, ends - timedelta(microseconds=1)):
        hand.at = at
        assert await status_of(api, person(cast), "borgerblik") == 200


# ---- 3: stopped while data flow --------------------------------------------------------------------------------------
async def test_a03_what_was_suspended_between_two_pages_gets_no_second_page(
    api: Api, cast: Cast, outsider: asyncpg.Connection, enter: Enter, refused: Refused
) -> None:
    agreement_id = await enter(content_of(granting(BORGERBLIK, ("persons", ("search",), ("person",)))))
    await until_learnt(api, outsider)
    for name in ("Ida", "Ib"):
        assert (await api.post(PERSONS, {"given_names": name, "family_name": "Aagaard"}, by=ANNA)).status == 201
    path, search = f"{PERSONS}/search?limit=1", {"name": "Aagaard"}
    first = await api.post(path, search, by="borgerblik")
    assert (first.status, len(first.json["items"])) == (200, 1)
    await happen(api, agreement_id, "suspend")
    await until_learnt(api, outsider)
    async with refused(api, "borgerblik", "operation"):  # the other agreement came furthest: it has no such operation
        reply = await api.post(f"{path}&cursor={first.json['next']}", search, by="borgerblik")
        assert reply.code == (403, "denied")
        assert "items" not in reply.json


async def test_a03_who_waits_for_records_when_the_agreement_is_ended_is_refused_and_gets_none(
    api: Api, cast: Cast, worker: None, outsider: asyncpg.Connection
) -> None:
    feed = f"{Api.RECORDS}/feed?capability=notes&after=0"
    assert (await api.get(feed, by="nordnote")).json["records"] == []
    waiting = asyncio.create_task(api.get(f"{feed}&wait=5", by="nordnote"))
    await asyncio.sleep(0.3)
    await happen(api, cast.agreements["nordnote"], "revoke")
    reply = await waiting
    assert check_of(reply) == (403, "denied", "revoked")
    assert await outsider.fetchval("select count(*) from base.trail where result = 'revoked'") == 1


# ---- 4 and 5: what was decided before --------------------------------------------------------------------------------
async def test_a04_a_token_minted_before_the_end_is_refused_after(
    api: Api, cast: Cast, outsider: asyncpg.Connection, refused: Refused
) -> None:
    token = await api.token("borgerblik")
    assert await status_of(api, person(cast), "borgerblik") == 200
    await happen(api, cast.agreements["borgerblik"], "revoke")
    await until(lambda: status_of(api, person(cast), "borgerblik"), 403)
    async with refused(api, "borgerblik", "revoked"):
        reply = await api.get(person(cast), Authorization=f"Bearer {token}")
        assert check_of(reply) == (403, "denied", "revoked")
        assert reply.json["mender"]


async def test_a05_suspended_and_resumed_holds_in_every_process_within_a_second_each_time(
    serve_api: ServeApi, cast: Cast, refused: Refused
) -> None:
    async with serve_api() as one, serve_api() as other:
        for api in (one, other):
            assert await status_of(api, person(cast), "borgerblik") == 200  # the verdict is remembered
        for verb, status in (("suspend", 403), ("resume", 200), ("suspend", 403), ("resume", 200)):
            assert (await happen(one, cast.agreements["borgerblik"], verb)).status == 200
            for api in (one, other):
                await until(partial(status_of, api, person(cast), "borgerblik"), status)
            if verb == "suspend":
                async with refused(other, "borgerblik", "suspended"):
                    assert (await other.get(person(cast), by="borgerblik")).json["check"] == "suspended"


# ---- 6: what it rests on ---------------------------------------------------------------------------------------------
async def test_a06_a_valid_agreement_under_one_that_is_not_permits_nothing(
    api: Api, cast: Cast, outsider: asyncpg.Connection, enter_chain: EnterChain, refused: Refused
) -> None:
    chain = await enter_chain()
    await until_learnt(api, outsider)
    assert await status_of(api, person(cast), "kviknote") == 200
    for verb, outcome in (("suspend", 403), ("resume", 200), ("revoke", 403)):
        assert (await happen(api, chain.parent, verb)).status == 200
        await until(lambda: status_of(api, person(cast), "kviknote"), outcome)
        if outcome == 403:
            async with refused(api, "kviknote", "parent_invalid"):
                assert check_of(await api.get(person(cast), by="kviknote")) == (403, "denied", "parent_invalid")
    own = (await api.get(f"{AGREEMENTS}/{chain.below['id']}", by=ANNA)).json
    assert own["state"] == "active"


# ---- 8: races --------------------------------------------------------------------------------------------------------
async def test_a08_of_two_successors_proposed_at_once_one_wins(
    serve_api: ServeApi, cast: Cast, outsider: asyncpg.Connection
) -> None:
    before = str(cast.agreements["borgerblik"])
    async with serve_api() as one, serve_api() as other:
        await asyncio.gather(one.token(ANNA), other.token(BO))
        both = [content_of(BORGERBLIK, version=2, supersedes=before) for _ in range(2)]
        replies = await asyncio.gather(one.post(AGREEMENTS, both[0], by=ANNA), other.post(AGREEMENTS, both[1], by=BO))
    assert sorted(reply.status for reply in replies) == [201, 409]
    assert await outsider.fetchval("select count(*) from agreements.agreements where supersedes = $1", before) == 1
    assert await outsider.fetchval("select count(*) from base.trail where kind = 'refusal'") == 1


async def test_a08_two_confirmations_at_once_make_one_signature(
    serve_api: ServeApi, cast: Cast, outsider: asyncpg.Connection
) -> None:
    content = content_of(NORDLYS)
    async with serve_api() as one, serve_api() as other:
        proposed = (await one.post(AGREEMENTS, content, by=ANNA)).json["id"]
        signature = {"jws": sign_agreement(content, key=cast.partner_keys["nordnote"], signer=NORDLYS.cvr)}
        await asyncio.gather(one.token(ANNA), other.token(BO), other.token(ANNA))
        place = f"{AGREEMENTS}/{proposed}/signatures"
        signed = await asyncio.gather(one.post(place, signature, by=ANNA), other.post(place, signature, by=ANNA))
        assert sorted(reply.status for reply in signed) == [201, 409]
        place = f"{AGREEMENTS}/{proposed}/confirmations"
        replies = await asyncio.gather(
            *(api.post(place, {"password": PASSWORDS[by]}, by=by) for api, by in ((one, ANNA), (other, BO)))
        )
    assert [reply.status for reply in replies] == [201, 201]
    assert sorted(reply.json["state"] for reply in replies) == ["active", "proposed"]
    signers = "select array_agg(signer order by at) from agreements.signatures where agreement_id = $1"
    assert sorted(await outsider.fetchval(signers, proposed)) == sorted([NORDLYS.cvr, content["municipality"]])


# ---- 9 and 10: odd times ---------------------------------------------------------------------------------------------
WRONG_09: dict[str, dict[str, Any]] = {
    "reversed": {"not_before": "2027-01-01T00:00:00Z", "not_after": "2026-01-01T00:00:00Z"},
    "no time at all": {"not_before": "2026-01-01T00:00:00Z", "not_after": "2026-01-01T00:00:00Z"},
    "the same instant in two zones": {"not_before": "2026-06-01T02:00:00+02:00", "not_after": "2026-06-01T00:00:00Z"},
    "year 9999": {"not_before": "2026-01-01T00:00:00Z", "not_after": "9999-12-31T23:59:59Z"},
    "year 1": {"not_before": "0001-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z"},
    "30 February": {"not_before": "2026-02-30T00:00:00Z", "not_after": "2027-01-01T00:00:00Z"},
    "29 February of no leap year": {"not_before": "2027-02-29T00:00:00Z", "not_after": "2028-01-01T00:00:00Z"},
    "no zone": {"not_before": "2026-03-29T02:30:00", "not_after": "2027-01-01T00:00:00"},
    "no end": {"not_before": "2026-01-01T00:00:00Z"},
    "an end that is nothing": {"not_before": "2026-01-01T00:00:00Z", "not_after": None},
    "negative notice": {"not_before": "2026-01-01T00:00:00Z", "not_after": "2027-01-01T00:00:00Z", "notice_months": -1},
}


@pytest.mark.parametrize("name", WRONG_09)
async def test_a09_a_validity_that_makes_no_sense_is_refused(shared_api: Api, refused: Refused, name: str) -> None:
    async with refused(shared_api, ANNA, "agreement_invalid"):
        reply = await shared_api.post(AGREEMENTS, content_of(NORDLYS, validity=WRONG_09[name]), by=ANNA)
        assert reply.code == (422, "agreement_invalid")
        assert "validity" in reply.json["reason"]


@pytest.mark.parametrize(
    ("given", "months", "ends"),
    [
        ("2027-01-31T11:00:00+00:00", 1, "2027-02-28T11:00:00+00:00"),
        ("2028-01-31T11:00:00+00:00", 1, "2028-02-29T11:00:00+00:00"),
        ("2028-02-29T11:00:00+00:00", 12, "2029-02-28T11:00:00+00:00"),
        ("2026-02-28T23:30:00+00:00", 1, "2026-03-31T22:30:00+00:00"),  # 1 March in Denmark; then summer time
        ("2026-02-28T01:30:00+00:00", 1, "2026-03-28T01:30:00+00:00"),
        ("2026-09-25T00:30:00+00:00", 1, "2026-10-25T00:30:00+00:00"),  # the night that has an hour twice
    ],
)
def test_a09_notice_ends_on_a_day_that_exists_by_denmarks_clocks(given: str, months: int, ends: str) -> None:
    validity = {"not_before": "2026-01-01T00:00:00Z", "not_after": "2030-01-01T00:00:00Z", "notice_months": months}
    noticed = agreement(validity=validity, events=[("notice", datetime.fromisoformat(given))])
    at = datetime.fromisoformat(ends)
    assert standing_of(*noticed, at - SECOND).state is State.NOTICE
    assert standing_of(*noticed, at).state is State.EXIT


async def test_a10_an_option_that_had_to_be_decided_before_is_gone(api: Api, enter: Enter, refused: Refused) -> None:
    content = content_of(BORGERBLIK)
    passed = (datetime.now(UTC) - SECOND).isoformat()
    content["validity"]["options"] = [{"extend_months": 12, "decide_by": passed}]
    agreement_id = await enter(content)
    async with refused(api, ANNA, "option_lapsed"):
        assert (await happen(api, agreement_id, "extend")).code == (409, "option_lapsed")
    end = (await api.get(f"{AGREEMENTS}/{agreement_id}", by=ANNA)).json["not_after"]
    assert datetime.fromisoformat(end) == datetime.fromisoformat(content["validity"]["not_after"])


# ---- 11: being wound up ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("verb", ["exit", "revoke"])
async def test_a11_in_exit_data_are_handed_back_and_nothing_is_written_or_read(
    api: Api, cast: Cast, outsider: asyncpg.Connection, nordnote: Loopback, refused: Refused, verb: str
) -> None:
    await happen(api, cast.agreements["nordnote"], verb)
    await until_learnt(api, outsider)
    outcome = {"exit": "exit", "revoke": "revoked"}[verb]
    async with refused(api, "nordnote", outcome):
        reply = await api.post(Api.RECORDS, api.note(), by="nordnote", Idempotency_Key="1")
        assert check_of(reply) == (403, "denied", outcome)
    async with refused(api, "nordnote", outcome):
        assert check_of(await api.get(f"{Api.RECORDS}/feed?capability=notes", by="nordnote"))[2] == outcome
    assert (await api.get("/c/notes/v1/notes", by="borgerblik")).code == (403, "denied")  # nor asked by others
    assert nordnote.asked == []


def test_a11_the_supplier_cannot_keep_the_data_by_letting_the_agreement_lapse() -> None:
    granted, export = grant(operations=["write_note", "export"]), replace(NOTES, operation="export")
    for events in ([("exit", FROM)], [("revoke", FROM)], [("suspend", FROM), ("exit", FROM)], [("notice", FROM)]):
        policy = compile_policy([agreement(granted, events=events)])
        for at in (NOON + timedelta(days=40), NOON + timedelta(days=58)):
            assert isinstance(ask(policy, export, at=at), Access), events
            assert isinstance(ask(policy, at=at), str)


# ---- 12: what decides is out of reach --------------------------------------------------------------------------------
async def test_a12_without_the_database_nothing_is_permitted_and_nothing_shown(
    api: Api, cast: Cast, outsider: asyncpg.Connection, fast_cluster: Server
) -> None:
    asked = [(who, person(cast)) for who in (ANNA, "borgerblik")] + [("borgerblik", "/c/notes/v1/notes")]
    for who, _ in asked:
        await api.token(who)
    name = await outsider.fetchval("select current_database()")
    execute(fast_cluster, f"alter database {name} allow_connections false")
    await outsider.execute(
        """select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid()"""
    )
    try:
        await asyncio.sleep(1.2)  # the state may be believed for a second
        for who, path in asked:
            reply = await api.get(path, by=who)
            assert reply.status == 503, who
            assert reply.json["code"] in ("state_unconfirmed", "database_unavailable", "trail_unavailable")
            assert "Bjørn".encode() not in reply.body
        reply = await api.post(PERSONS, {"given_names": "Ida", "family_name": "Holm"}, by=ANNA)
        assert reply.status == 503
    finally:
        execute(fast_cluster, f"alter database {name} allow_connections true")
    await until(lambda: status_of(api, person(cast), "borgerblik"), 200, seconds=10)
    assert await outsider.fetchval("select count(*) from persons.persons") == 2


# ---- 13b: terms nobody knows -----------------------------------------------------------------------------------------
def _with_unknown_terms(content: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The content once for every object in it, each with a term more than we know."""
    text = json.dumps(content)
    places = [place for place, character in enumerate(text) if character == "{"]
    for place in places:
        yield text[:place][-40:], json.loads(text[: place + 1] + '"onlyOn": "mondays", ' + text[place + 1 :])


async def test_a13b_an_agreement_with_a_term_we_do_not_know_is_never_stored_wherever_it_stands(
    shared_api: Api, refused: Refused
) -> None:
    content = content_of(BORGERBLIK)
    content["grants"][0] |= {"reach": {"kle": ["27"]}, "window": {"weekdays": [1]}, "limits": {"calls_per_day": 1}}
    content["validity"]["options"] = [{"extend_months": 1, "decide_by": content["validity"]["not_before"]}]
    content["data_processing"]["transfers"] = [{"country": "US", "basis": "adequacy"}]
    spoilt = list(_with_unknown_terms(content))
    assert len(spoilt) > 12
    for where, each in spoilt:
        async with refused(shared_api, ANNA, "agreement_invalid"):
            reply = await shared_api.post(AGREEMENTS, each, by=ANNA, Idempotency_Key=str(new_id()))
            assert reply.code == (422, "agreement_invalid"), where
            assert "onlyOn" in reply.json["reason"]


@pytest.mark.parametrize(
    "changes",
    [{"format": "torv-agreement/2"}, {"format": None}, {"spec_version": "2"}, {"signers": 1}, {"version": 0}],
    ids=str,
)
async def test_a13b_an_agreement_of_a_format_to_come_is_refused(
    shared_api: Api, refused: Refused, changes: dict[str, Any]
) -> None:
    async with refused(shared_api, ANNA, "agreement_invalid"):
        reply = await shared_api.post(AGREEMENTS, content_of(NORDLYS, **changes), by=ANNA)
        assert reply.code == (422, "agreement_invalid")


@pytest.mark.parametrize("changes", [{"onlyOn": "mondays"}, {"format": "torv-agreement/2"}], ids=str)
async def test_a13b_what_a_newer_torv_has_stored_is_not_decided_by(
    serve_api: ServeApi, cast: Cast, outsider: asyncpg.Connection, changes: dict[str, Any]
) -> None:
    async with serve_api() as api:
        assert await status_of(api, person(cast), "borgerblik") == 200
        newer = content_of(BORGERBLIK) | changes
        await outsider.execute(
            """insert into agreements.agreements (id, partner_id, version, content, hash)
               values ($1, $2, 1, $3, 'x')""",
            newer["id"], cast.partners["borgerblik"], json.dumps(newer),
        )  # fmt: skip
        await outsider.execute("update base.generation set number = number + 1")
        await asyncio.sleep(1.3)
        assert (await api.get(person(cast), by="borgerblik")).code == (503, "state_unconfirmed")
