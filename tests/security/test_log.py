"""Attacks on the log, and what is left of a permission, by their numbers in the attack list: group G.

More of 64 stands in tests/base/test_trail.py; 66, 67 and 68 stand in tests/ecosystem/audit/test_audit_*.py.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession

from tests.cast import ALMA_CPR, ANNA, BJORN_CPR, BORGERBLIK, Cast, content_of
from tests.conftest import ServeApi
from tests.ecosystem.paper import FROM, NOON, NOTES, agreement, ask, grant
from tests.sdk.loopback import Loopback
from tests.security.conftest import AGREEMENTS, Enter, Refused, granting, happen, until_learnt
from tests.served import Api
from torv.base import clock, logs
from torv.ecosystem.agreements import compile_policy

PERSONS = "/api/v1/persons"
UNUSED = f"{AGREEMENTS}/unused"


# ---- 64: nothing leaves unlogged -------------------------------------------------------------------------------------
@pytest.mark.parametrize("by", [ANNA, "borgerblik"])
async def test_g64_where_an_entry_cannot_be_written_no_data_leave(
    api: Api, cast: Cast, outsider: asyncpg.Connection, by: str
) -> None:
    path = f"{PERSONS}/{cast.bjorn.id}"
    assert (await api.get(path, by=by)).status == 200
    await outsider.execute(
        "alter table base.trail add constraint full_disk check (operation <> 'persons.read') not valid"
    )
    reply = await api.get(path, by=by)
    assert reply.code == (503, "trail_unavailable")
    assert "Bjørn".encode() not in reply.body
    await outsider.execute("alter table base.trail drop constraint full_disk")
    deadline = clock.ticks() + 5
    while (await api.get(path, by=by)).status != 200:
        assert clock.ticks() < deadline


async def test_g64_where_an_intent_cannot_be_written_no_module_is_asked(
    nordnote: Loopback, api: Api, outsider: asyncpg.Connection
) -> None:
    await until_learnt(api, outsider)
    await api.token("borgerblik")
    await outsider.execute("alter table base.trail add constraint full_disk check (kind <> 'intent') not valid")
    assert (await api.get("/c/notes/v1/notes", by="borgerblik")).code == (503, "trail_unavailable")
    assert (await api.write_note(key="1")).status in (409, 503)
    assert nordnote.asked == []
    assert await outsider.fetchval("select count(*) from gateway.calls") == 0


# ---- 69: what is written into the log --------------------------------------------------------------------------------
BREAKS = {"newline": "Alma\nBo", "return": "Alma\r\nBo", "line separator": "Alma\u2028Bo", "form feed": "Alma\fBo"}
CONTROLS = {
    "ansi": "\x1b[2J\x1b[31mrød", "bell": "a\x07b", "null": "a\x00b", "backspace": "a\bb", "zero width": "a\u200bb",
    "right to left": "\u202eslut", "escape of one byte": "\x9b31m",
}  # fmt: skip


@pytest.mark.parametrize("text", [*BREAKS.values(), *CONTROLS.values()], ids=ascii)
async def test_g69_what_would_break_or_colour_a_line_is_no_reason(
    shared_api: Api, cast: Cast, refused: Refused, text: str
) -> None:
    async with refused(shared_api, ANNA, "invalid_input"):
        agreement_id = cast.agreements["borgerblik"]
        reply = await shared_api.post(f"{AGREEMENTS}/{agreement_id}/oversight", {"reason": text}, by=ANNA)
        assert reply.code == (422, "invalid_input")


@pytest.mark.parametrize("text", CONTROLS.values(), ids=ascii)
async def test_g69_what_cannot_be_printed_is_no_name(shared_api: Api, refused: Refused, text: str) -> None:
    async with refused(shared_api, ANNA, "invalid_input"):
        reply = await shared_api.post(PERSONS, {"given_names": text, "family_name": "Holm"}, by=ANNA)
        assert reply.code == (422, "invalid_input")


@pytest.mark.parametrize("text", BREAKS.values(), ids=ascii)
async def test_g69_a_name_stands_on_one_line(api: Api, text: str) -> None:
    reply = await api.post(PERSONS, {"given_names": text, "family_name": "Holm"}, by=ANNA)
    assert (reply.status, reply.json["given_names"]) == (201, "Alma Bo")


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Iterator[Any]:
    """What the process logs, at its most talkative, as objects."""

    def logged() -> list[dict[str, Any]]:
        return [json.loads(line) for line in capfd.readouterr().err.splitlines()]

    yield logged
    logs.configure("critical")


async def test_g69_a_process_logs_one_object_a_line_and_nothing_of_what_was_sent(
    api: Api, cast: Cast, lines: Any, outsider: asyncpg.Connection
) -> None:
    await api.token(ANNA)
    before = await outsider.fetchval("select max(seq) from base.trail")
    logs.configure("debug")
    sly = "x%0a%7b%22event%22:%22alt%20er%20vel%22%7d"
    for path in (
        f"{PERSONS}/{BJORN_CPR}", f"{PERSONS}/{cast.bjorn.id}?cpr={BJORN_CPR}&{sly}", f"/{sly}", f"/c/{BJORN_CPR}/v1/x",
        f"{PERSONS}?cursor={BJORN_CPR}", f"/static/{BJORN_CPR}/x",
    ):  # fmt: skip
        await api.get(path, by=ANNA, User_Agent=f"rød {BJORN_CPR}", Referer=f"https://x.example/{BJORN_CPR}")
    await api.raw(f"GET /{BJORN_CPR} HTTP/1.1\r\nHost: torv\r\nX: \x1b[31m\r\nConnection: close\r\n\r\n".encode())
    await api.post(f"{PERSONS}/lookup", {"cpr": f"{BJORN_CPR}\n"}, by=ANNA)
    await api.post(f"{PERSONS}/lookup", {"cpr": ["x", BJORN_CPR]}, by=ANNA)
    await api.post(f"{PERSONS}/search", {"name": f"Alma {ALMA_CPR}"}, by=ANNA)
    await api.post(Api.RECORDS, api.note(f"<b>{BJORN_CPR}</b>\n\x1b[31m"), by="nordnote", Idempotency_Key="1")
    await api.post(Api.RECORDS, api.note(BJORN_CPR, type=BJORN_CPR), by="nordnote", Idempotency_Key="2")
    logged = lines()
    assert BJORN_CPR not in (await api.get("/metrics")).body.decode()
    assert len(logged) > 10  # every line was an object
    rows = await outsider.fetch("select record from audit.v_records where seq > $1", before)
    assert len(rows) > 5
    for text in [json.dumps(each, ensure_ascii=False) for each in logged] + [row["record"] for row in rows]:
        assert BJORN_CPR not in text
        assert ALMA_CPR not in text
        assert "alt er vel" not in text
        assert "\x1b" not in text


async def test_g69_markup_in_a_name_a_title_or_a_purpose_is_text_on_every_page(
    api: Api, anna: ClientSession, enter: Enter
) -> None:
    attack = "<img src=x onerror=alert(1)>"
    person = (await api.post(PERSONS, {"given_names": attack, "family_name": "Holm"}, by=ANNA)).json["id"]
    content = content_of(BORGERBLIK, title=attack)
    content["grants"][0]["purpose"]["text"] = attack
    agreement_id = await enter(content)
    shown = 0
    for path in (f"/persons/{person}", f"/persons/{person}/looks", "/agreements", f"/agreements/{agreement_id}", "/"):
        async with anna.get(path) as page:
            text = await page.text()
            assert page.status == 200, path
        assert "<img src=x" not in text, path
        shown += "&lt;img src=x" in text
    assert shown >= 3


# ---- 76: what is left of a permission --------------------------------------------------------------------------------
def test_g76_nothing_is_granted_once_closed_not_even_the_export() -> None:
    operations = ["write_note", "list_notes", "provide", "export"]
    for events in ([("exit", FROM), ("close", FROM)], [("revoke", FROM), ("close", FROM)], [("close", FROM)]):
        policy = compile_policy([agreement(grant(operations=operations), events=events)])
        for operation in operations:
            for at in (FROM - timedelta(days=1), FROM, NOON, NOON + timedelta(days=400)):
                assert ask(policy, replace(NOTES, operation=operation), at=at) == "closed"


async def test_g76_over_http_a_closed_agreement_has_nothing_left(
    api: Api, cast: Cast, outsider: asyncpg.Connection, nordnote: Loopback, refused: Refused
) -> None:
    for verb in ("exit", "close"):
        assert (await happen(api, cast.agreements["nordnote"], verb)).status == 200
    await until_learnt(api, outsider)
    feed = f"{Api.RECORDS}/feed?capability=notes"
    async with refused(api, "nordnote", "closed"):
        assert (await api.get(feed, by="nordnote")).json["check"] == "closed"
    async with refused(api, "nordnote", "closed"):
        reply = await api.post(Api.RECORDS, api.note(), by="nordnote", Idempotency_Key="1")
        assert reply.json["check"] == "closed"
    assert (await api.get("/c/notes/v1/notes", by="borgerblik")).json["check"] == "closed"
    assert nordnote.asked == []
    async with refused(api, ANNA, "agreement_state_wrong"):  # and nobody opens it again
        assert (await happen(api, cast.agreements["nordnote"], "resume")).code == (409, "agreement_state_wrong")


async def unused(api: Api, days: int) -> dict[str, str | None]:
    """The agreements that nobody has used for so many days, and when each was last."""
    found: dict[str, str | None] = {}
    cursor = ""
    while True:
        page = (await api.get(f"{UNUSED}?days={days}&limit=1{cursor}", by=ANNA)).json
        found |= {each["id"]: each["used_at"] for each in page["items"]}
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


async def used(outsider: asyncpg.Connection, agreement_id: Any, days_ago: int) -> None:
    await outsider.execute(
        """insert into base.trail (id, at, kind, operation, subjects, result, agreement_id)
           values (gen_random_uuid(), now() - make_interval(days => $2), 'read', 'x', '{}', 'permitted', $1)""",
        agreement_id, days_ago,
    )  # fmt: skip


async def test_g76_an_agreement_that_nobody_has_used_for_90_days_is_pointed_at(
    api: Api, cast: Cast, outsider: asyncpg.Connection, enter: Enter
) -> None:
    begun = (clock.now() - timedelta(days=201)).isoformat()
    old = []
    answering = granting(BORGERBLIK, ("notes", ("provide", "export"), ("notes",)))
    for part in (BORGERBLIK, BORGERBLIK, BORGERBLIK, BORGERBLIK, answering):
        content = content_of(part)
        content["validity"]["not_before"] = begun
        old.append(await enter(content))
    never, long_ago, lately, stopped, _ = old
    await used(outsider, long_ago, 120)
    await used(outsider, lately, 120)
    await used(outsider, lately, 89)
    await happen(api, stopped, "suspend")
    found = await unused(api, 90)
    assert set(found) == {str(never), str(long_ago)}  # not what is new, used, stopped, or only answers
    assert found[str(never)] is None
    assert found[str(long_ago)] is not None
    assert set(await unused(api, 202)) == set()
    assert set(await unused(api, 30)) == {str(never), str(long_ago), str(lately)}


async def test_g76_a_call_is_a_use(serve_api: ServeApi, cast: Cast) -> None:
    async with serve_api() as api:
        mine = str(cast.agreements["borgerblik"])
        assert mine in await unused(api, 1)
        assert (await api.get(f"{PERSONS}/{cast.bjorn.id}", by="borgerblik")).status == 200
        assert mine not in await unused(api, 1)


async def test_g76_the_list_is_no_business_of_suppliers(shared_api: Api, refused: Refused) -> None:
    async with refused(shared_api, "nordnote", "service"):
        assert (await shared_api.get(UNUSED, by="nordnote")).code == (403, "denied")
    for days in ("0", "-1", "4000", "x", "1e3"):
        async with refused(shared_api, ANNA, "invalid_input"):
            assert (await shared_api.get(f"{UNUSED}?days={days}", by=ANNA)).code == (422, "invalid_input")


async def test_the_watch_over_refusals_sees_an_act_and_a_missing_entry(api: Api, refused: Refused) -> None:
    """What every test here leans on: it fails where something was done, and where nobody was named."""
    with pytest.raises(AssertionError):
        async with refused(api, ANNA, "denied"):
            await api.post(PERSONS, {"given_names": "Ida", "family_name": "Holm"}, by=ANNA)
    for by, result in ((ANNA, "denied"), ("nordnote", "service"), (None, "service")):
        with pytest.raises(AssertionError):
            async with refused(api, by, result):
                await api.get(PERSONS + "/0198c0de-0000-7000-8000-000000000001", by="borgerblik")
    async with refused(api, "borgerblik", "not_found"):
        await api.get(PERSONS + "/0198c0de-0000-7000-8000-000000000001", by="borgerblik")
