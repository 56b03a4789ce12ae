"""Emergency access: what two people listed goes on being read when time runs out; nothing else does, and it is seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import ANNA, BO, BORGERBLIK, MUNICIPALITY, PASSWORDS, Cast, content_of, enter_agreement
from tests.ecosystem.paper import (
    FROM,
    NOON,
    SUB,
    TO,
    agreement,
    ask,
    caller,
    grant,
    link,
    sub_agreement,
    with_sub_processor,
)
from tests.served import Api, Reply
from torv.base import clock, lease
from torv.base.access import Access, Caller, Demand
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys, verify
from torv.ecosystem.agreements import Policy, compile_policy
from torv.ecosystem.agreements.emergency import EmergencyContent, EmergencyList
from torv.ecosystem.agreements.storing import Known

LISTS = "/api/v1/agreements/emergency-lists"
READ = Demand(service="notes", operation="list_notes", category="notes")
WRITE = replace(READ, operation="write_note", is_write=True)
LATE = TO + timedelta(days=1)


def listing(*agreements: Any, **changes: Any) -> dict[str, Any]:
    """An emergency list, valid for half a year around TO, of reading notes under these agreements."""
    reads = [
        {
            "agreement": str(each),
            "grant": "1-notes",
            "operations": ["list_notes", "write_note"],
            "reason": "Livsvigtigt",
        }
        for each in agreements
    ]
    return {
        "format": "torv-emergency/1", "id": str(new_id()), "municipality": MUNICIPALITY,
        "not_before": FROM.isoformat(), "not_after": (TO + timedelta(days=50)).isoformat(), "reads": reads, **changes,
    }  # fmt: skip


def policy(*known: Known, listed: Known, links: Any = (), **changes: Any) -> Policy:
    content = EmergencyContent.model_validate(listing(listed[0].id, **changes))
    return compile_policy(known, links, EmergencyList(content))


def both(**changes: Any) -> Known:
    """An agreement to read and write notes."""
    return agreement(grant(operations=["list_notes", "write_note"]), **changes)


# ---- the decision ----------------------------------------------------------------------------------------------------
def test_a_listed_read_outlives_its_agreement_and_says_so() -> None:
    known = both()
    during, after = (ask(policy(known, listed=known), READ, at=at) for at in (NOON, LATE))
    assert isinstance(during, Access)
    assert isinstance(after, Access)
    assert (during.is_emergency, after.is_emergency) == (False, True)
    assert after.categories == during.categories


@pytest.mark.parametrize("kind", ["notice", "oversight"])
def test_notice_that_has_run_out_and_overdue_oversight_are_lapses_too(kind: str) -> None:
    if kind == "notice":
        known, at = both(events=[("notice", FROM)]), NOON + timedelta(days=40)
    else:
        due = {"kind": "written", "interval_months": 12, "next_due": "2026-03-01", "on_overdue": "deny"}
        known, at = both(data_processing=with_sub_processor() | {"oversight": due}), NOON
    access = ask(policy(known, listed=known), READ, at=at)
    assert isinstance(access, Access)
    assert access.is_emergency
    assert isinstance(ask(compile_policy([known]), READ, at=at), str)


@pytest.mark.parametrize(
    ("check", "known", "at"),
    [
        ("suspended", both(events=[("suspend", FROM)]), NOON),
        ("revoked", both(events=[("revoke", NOON)]), NOON),
        ("revoked", both(events=[("revoke", NOON)]), NOON + timedelta(days=9)),
        ("exit", both(events=[("exit", NOON)]), NOON),
        ("expired", both(events=[("suspend", FROM)]), LATE),  # stopped before it ran out: stays stopped
        ("closed", both(events=[("exit", FROM), ("close", FROM)]), NOON),
        ("closed", both(), TO + timedelta(days=61)),
        ("proposed", both(signed_by=[MUNICIPALITY]), NOON),
        ("waiting", both(), FROM - timedelta(hours=1)),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_somebody_has_stopped_is_never_kept_open(check: str, known: Known, at: Any) -> None:
    long = {"not_before": (FROM - timedelta(days=9)).isoformat(), "not_after": (TO + timedelta(days=99)).isoformat()}
    assert ask(policy(known, listed=known, **long), READ, at=at) == check


def test_a_write_is_never_kept_open_even_when_its_operation_is_listed() -> None:
    known = both()
    assert ask(policy(known, listed=known), WRITE, at=LATE) == "expired"


@pytest.mark.parametrize(
    "changes",
    [
        {"reads": []},
        {"not_after": TO.isoformat()},
        {"not_before": (LATE + timedelta(hours=1)).isoformat()},
    ],
    ids=["not listed", "the list has expired", "the list does not hold yet"],
)
def test_only_a_list_in_force_keeps_open_and_only_what_it_names(changes: dict[str, Any]) -> None:
    known = both()
    assert ask(policy(known, listed=known, **changes), READ, at=LATE) == "expired"


def test_another_agreement_grant_or_operation_is_not_kept_open() -> None:
    known, other = both(), both()
    second = agreement(grant(operations=["x"]), grant(operations=["list_notes"], number=2))
    assert ask(policy(known, listed=other), READ, at=LATE) == "expired"
    assert ask(policy(known, listed=known), replace(READ, operation="other"), at=LATE) == "expired"
    assert ask(policy(second, listed=second), READ, at=LATE) == "expired"  # only its first grant is listed


def _chain(above: Known, *, links: Any = None) -> Access | str:
    below = sub_agreement(above, grant(operations=["list_notes"]))
    made = policy(above, below, listed=below, links=(link(),) if links is None else links)
    return ask(made, READ, by=caller(SUB), at=LATE)


def test_a_sub_suppliers_read_is_kept_open_when_the_supplier_too_has_only_run_out() -> None:
    terms = with_sub_processor()
    access = _chain(both(data_processing=terms))
    assert isinstance(access, Access)
    assert access.is_emergency
    assert _chain(both(data_processing=terms, events=[("suspend", FROM)])) == "expired"
    assert _chain(both(data_processing=terms, events=[("revoke", FROM)])) == "expired"
    assert _chain(both(data_processing=terms), links=(link(is_withdrawn=True),)) == "expired"
    assert _chain(both(data_processing=terms), links=()) == "expired"
    assert _chain(agreement(grant(operations=["other"]), data_processing=terms)) == "expired"


def _unconfirmed(made: Policy, demand: Demand = READ, by: Caller | None = None) -> Access | None:
    return made.decide_unconfirmed(by or caller(), "nordnote", demand, NOON, new_id())


def test_unconfirmed_a_listed_read_in_force_is_permitted_and_nothing_else() -> None:
    known = both()
    made = policy(known, listed=known)
    access = _unconfirmed(made)
    assert access is not None
    assert access.is_emergency
    assert _unconfirmed(made, WRITE) is None
    assert _unconfirmed(made, by=caller(new_id())) is None
    assert _unconfirmed(compile_policy([known])) is None
    stopped = both(events=[("suspend", FROM)])
    assert _unconfirmed(policy(stopped, listed=stopped)) is None


# ---- the list --------------------------------------------------------------------------------------------------------
def _real(agreement_id: Any, **changes: Any) -> dict[str, Any]:
    now = clock.now()
    read = {"agreement": str(agreement_id), "grant": "2-persons", "operations": ["read"], "reason": "Medicin"}
    days = {"not_before": now - timedelta(days=1), "not_after": now + timedelta(days=300)}
    return listing(reads=[read], **{name: at.isoformat() for name, at in days.items()}) | changes


async def sign_list(api: Api, content: dict[str, Any]) -> Reply:
    """Proposed by Anna, confirmed by her and Bo."""
    assert (await api.post(LISTS, content, by=ANNA)).status == 201
    path = f"{LISTS}/{content['id']}/confirmations"
    for login in (ANNA, BO):
        reply = await api.post(path, {"password": PASSWORDS[login]}, by=login)
        assert reply.status == 201
    return reply


async def test_two_different_users_must_show_their_password(api: Api, cast: Cast, outsider: Connection) -> None:
    content = _real(cast.agreements["borgerblik"])
    assert (await api.get(f"{LISTS}/newest", by=ANNA)).status == 404
    assert (await api.post(LISTS, content, by=ANNA)).json["is_signed"] is False
    path, own = f"{LISTS}/{content['id']}/confirmations", {"password": PASSWORDS[ANNA]}
    assert (await api.post(path, {"password": "forkert"}, by=BO)).code == (401, "wrong_password")
    for _ in range(2):
        assert (await api.post(path, own, by=ANNA)).json["is_signed"] is False
    assert (await api.get(f"{LISTS}/newest", by=ANNA)).status == 404
    assert (await api.post(path, {"password": PASSWORDS[BO]}, by=BO)).json["is_signed"] is True
    assert (await api.get(f"{LISTS}/newest", by=ANNA)).json["id"] == content["id"]
    assert (await api.post(LISTS, content, by=ANNA)).code == (409, "already_exists")
    assert (await api.post(path, own, by=ANNA)).json["is_signed"] is True
    assert await outsider.fetchval("select count(distinct user_id) from agreements.emergency_confirmations") == 2


async def test_the_signed_list_names_both_users_and_its_hash(
    api: Api, cast: Cast, outsider: Connection, keys: Keys
) -> None:
    reply = await sign_list(api, _real(cast.agreements["borgerblik"]))
    statement = verify(await outsider.fetchval("select jws from agreements.emergency_lists"), keys.signing)
    assert statement["hash"] == reply.json["hash"]
    assert statement["confirmed_by"] == [str(cast.users[login].id) for login in (ANNA, BO)]


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "torv-emergency/2"},
        {"municipality": "25313763"},
        {"more": 1},
        {"not_after": (clock.now() + timedelta(days=500)).isoformat()},
        {"not_after": (clock.now() - timedelta(days=500)).isoformat()},
        {"reads": [{"agreement": "x", "grant": "1", "operations": ["read"], "reason": "y"}]},
    ],
    ids=lambda each: next(iter(each)),
)
async def test_a_list_we_cannot_read_or_that_is_too_long_is_refused(shared_api: Api, changes: dict[str, Any]) -> None:
    reply = await shared_api.post(LISTS, _real(new_id(), **changes), by=ANNA)
    assert reply.code == (422, "emergency_list_invalid")


# ---- over HTTP -------------------------------------------------------------------------------------------------------
async def _lapse(database: Database, cast: Cast, keys: Keys) -> Any:
    """Replaces Borgerblik's agreement by a version that has run out already; gives its id."""
    now = clock.now()
    validity = {
        "not_before": (now - timedelta(days=30)).isoformat(),
        "not_after": (now - timedelta(days=1)).isoformat(),
    }
    before = str(cast.agreements["borgerblik"])
    content = content_of(BORGERBLIK, version=2, supersedes=before, validity=validity)
    async with database.transaction() as tx:
        return await enter_agreement(tx, cast, content, keys)


async def test_a_listed_read_of_an_expired_agreement_is_permitted_logged_and_counted(
    api: Api, database: Database, cast: Cast, keys: Keys, outsider: Connection
) -> None:
    path = f"/api/v1/persons/{cast.bjorn.id}"
    lapsed = await _lapse(database, cast, keys)
    assert (await _in_time(api, path, 403)).json["check"] == "expired"
    before = await api.metric("torv_emergency_accesses_total")
    await sign_list(api, _real(lapsed))
    assert (await _in_time(api, path, 200)).json["family_name"] == "Aagaard"
    entry = "select result, kind, agreement_id, grant_id, subjects from base.trail where result = 'emergency'"
    logged = [tuple(row) for row in await outsider.fetch(entry)]
    assert logged == [("emergency", "read", lapsed, "2-persons", [cast.bjorn.id])]
    assert await api.metric("torv_emergency_accesses_total") == before + 1
    refused = await api.write_note(key="1")
    assert (refused.code, refused.json["check"]) == ((403, "denied"), "expired")
    other = await api.get("/c/notes/v1/notes", by="borgerblik")  # a read, and not listed
    assert (other.code, other.json["check"]) == ((403, "denied"), "expired")


async def _in_time(api: Api, path: str, status: int) -> Reply:
    """Borgerblik's answer once it has this status: within a second."""
    async with asyncio.timeout(2):
        while (reply := await api.get(path, by="borgerblik")).status != status:
            await asyncio.sleep(0.02)
    return reply


@asynccontextmanager
async def cut_off(outsider: Connection) -> AsyncIterator[None]:
    """No lease can be renewed while the block lasts."""
    async with outsider.transaction():
        await outsider.execute("lock table base.leases in access exclusive mode")
        await asyncio.sleep(lease.TRUST + 0.3)
        yield


async def test_unconfirmed_a_listed_read_of_a_module_goes_on_and_nothing_else(
    api: Api, cast: Cast, outsider: Connection
) -> None:
    path, notes = f"/api/v1/persons/{cast.bjorn.id}", f"{Api.RECORDS}/feed?capability=notes&after=0"
    await sign_list(api, _real(cast.agreements["borgerblik"]))
    assert (await api.get(path, by="borgerblik")).status == 200
    assert await outsider.fetchval("select count(*) from base.trail where result = 'emergency'") == 0
    for by in (ANNA, "borgerblik", "nordnote"):
        await api.token(by)
    async with cut_off(outsider):
        assert (await api.get(path, by="borgerblik")).status == 200
        for asked in (
            api.get(path, by=ANNA),
            api.get(notes, by="nordnote"),
            api.get("/c/notes/v1/notes", by="borgerblik"),
            api.write_note(key="1"),
        ):
            assert (await asked).code == (503, "state_unconfirmed")
    assert await outsider.fetchval("select count(*) from base.trail where result = 'emergency'") == 1


async def test_unconfirmed_and_without_a_trail_nothing_is_shown(api: Api, cast: Cast, outsider: Connection) -> None:
    await sign_list(api, _real(cast.agreements["borgerblik"]))
    path = f"/api/v1/persons/{cast.bjorn.id}"
    assert (await api.get(path, by="borgerblik")).status == 200
    async with cut_off(outsider):
        await outsider.execute("lock table base.trail in access exclusive mode")
        reply = await api.get(path, by="borgerblik")
        assert reply.code == (503, "trail_unavailable")
        assert b"Aagaard" not in reply.body
