"""Service levels over the real log: gathered once, the same as by hand, sealed once, and nobody else's to see."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, KVIK, NORDLYS, Cast, content_of
from tests.ecosystem.made_up_months import (
    ALL,
    KVIK_AGREEMENT,
    NORDLYS_AGREEMENT,
    MadeUp,
    failed,
    plain_of,
)
from tests.ecosystem.measuring import (
    PROMISE,
    bound,
    changed,
    enter_with_promises,
    give_positions,
    log,
    so_far,
    versions,
)
from tests.sdk.loopback import Loopback
from tests.served import Api
from torv.base import clock
from torv.base.db import Database
from torv.base.signing import Keys
from torv.base.trail import Entry
from torv.ecosystem.agreements import in_force
from torv.ecosystem.service_levels import Month, gather, gather_all, seal_months
from torv.ecosystem.service_levels.reading import reckon

LEVELS = "/api/v1/service-levels"
NOTES = "/c/notes/v1/notes"


def announced(made_up: MadeUp) -> list[Entry]:
    """The notices as the API writes them into the log."""
    return [
        Entry(
            kind="write", operation=f"service_levels.{'announce' if each.kind == 'maintenance' else 'declare'}",
            at=each.announced_at,
            detail={
                "notice": str(each.id), "agreement": str(each.agreement_id), "service": each.service, "kind": each.kind,
                "begins": each.begins.isoformat(), "ends": each.ends.isoformat(),
            },
        )
        for each in made_up.notices
    ]  # fmt: skip


@pytest.fixture
async def promised(database: Database, outsider: Connection, cast: Cast, keys: Keys) -> None:
    """Both suppliers have promised all there is to promise, since 2024."""
    for part, agreement in ((NORDLYS, NORDLYS_AGREEMENT), (KVIK, KVIK_AGREEMENT)):
        await enter_with_promises(database, outsider, cast, keys, **plain_of(part, agreement))


def without_positions(content: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in content.items() if key not in ("log", "bindings", "notices", "agreement_hash")}
    return json.loads(json.dumps(kept))  # as it reads from a file


# ---- gathered from the log -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", list(ALL))
async def test_the_database_and_the_simple_way_agree(promised: None, database: Database, cast: Cast, name: str) -> None:
    made_up = ALL[name]
    bindings = [changed(each, None if each.module is None else cast.releases[each.module]) for each in made_up.bindings]
    await log(database, [*bindings, *announced(made_up), *made_up.entries])
    await gather_all(database)
    golden = json.loads((Path(__file__).with_name("golden") / f"{name}.json").read_text("utf-8"))
    async with database.reading() as tx:
        agreement = await in_force(tx, made_up.agreement.id)
        content = await reckon(tx, agreement, made_up.month, made_up.month.ends)
    assert without_positions(content) == without_positions(golden)
    assert content["log"]["calls"] == golden["log"]["calls"]


async def test_gathering_twice_or_by_two_at_once_counts_once(database: Database, outsider: Connection) -> None:
    await log(database, ALL["february-2024"].entries)
    await asyncio.gather(gather_all(database), gather_all(database))
    assert await gather(database) == 0
    assert await outsider.fetchval("select sum(calls) from service_levels.minutes where minute < '2024-03-01'") == 4_181


# ---- sealed, and made anew when something comes late -----------------------------------------------------------------
async def test_a_month_is_sealed_once_and_the_log_says_so(
    last_month: tuple[UUID, Month], database: Database, outsider: Connection
) -> None:
    await gather_all(database)
    assert await seal_months(database) == 1
    await give_positions(database)
    await gather_all(database)
    assert await seal_months(database) == 0
    [(version, reason, sealed)] = await versions(outsider, last_month[0])
    assert (version, reason) == (1, "month_over")
    [row] = await outsider.fetch("select * from base.trail where operation = 'service_levels.sealed'")
    detail = json.loads(row["detail"])
    assert (detail["hash"], detail["month"], detail["version"]) == (sealed, str(last_month[1]), 1)
    assert detail["log"]["calls"] == 24
    assert detail["log"]["to"] - detail["log"]["from"] == 23


async def test_what_comes_late_gives_a_later_version_with_its_reason(
    last_month: tuple[UUID, Month], database: Database, outsider: Connection
) -> None:
    agreement_id, month = last_month
    await gather_all(database)
    await seal_months(database)
    late = [
        failed(month.begins + timedelta(days=2, minutes=n), "module_timeout", agreement=agreement_id) for n in (1, 2)
    ]
    await log(database, late)
    await gather_all(database)
    assert await seal_months(database) == 1
    assert await seal_months(database) == 0
    first, second = await versions(outsider, agreement_id)
    assert second[:2] == (2, "late_entries")
    assert first[2] != second[2]


async def test_the_municipality_may_take_a_time_upon_itself_afterwards(
    last_month: tuple[UUID, Month], database: Database, outsider: Connection, api: Api
) -> None:
    agreement_id, month = last_month
    hour = {
        "begins": (month.begins + timedelta(days=2)).isoformat(),
        "ends": (month.begins + timedelta(days=2, hours=1)).isoformat(),
    }
    down = [
        failed(month.begins + timedelta(days=2, minutes=n), "module_timeout", agreement=agreement_id) for n in (1, 2)
    ]
    await log(database, down)
    await gather_all(database)
    await seal_months(database)
    fault = {"agreement_id": str(agreement_id), "service": "notes", **hour}
    assert (await api.post(f"{LEVELS}/own-faults", fault, by="nordnote")).code == (403, "denied")
    assert (await api.post(f"{LEVELS}/own-faults", fault, by=ANNA)).status == 201
    await give_positions(database)
    await gather_all(database)
    assert await seal_months(database) == 1
    assert [each[:2] for each in await versions(outsider, agreement_id)] == [(1, "month_over"), (2, "notice")]
    reply = await api.get(f"{LEVELS}/{agreement_id}/{month}", by="nordnote")
    [line] = reply.json["content"]["lines"]
    assert (line["measured"], line["excluded"]) == ("100.000", {"own_fault": {"calls": 2, "minutes": 60}})
    first = await api.get(f"{LEVELS}/{agreement_id}/{month}?version=1", by="nordnote")
    assert first.json["content"]["lines"][0]["is_kept"] is True  # two minutes of a month
    assert first.json["content"]["lines"][0]["minutes"]["down"] == 2


# ---- who sees what ---------------------------------------------------------------------------------------------------
async def test_a_statement_is_for_the_municipality_and_its_own_partner(
    last_month: tuple[UUID, Month], database: Database, api: Api
) -> None:
    agreement_id, month = last_month
    await gather_all(database)
    await seal_months(database)
    address = f"{LEVELS}/{agreement_id}/{month}"
    for by in (ANNA, "nordnote"):
        listed = (await api.get(f"{LEVELS}?agreement={agreement_id}&month={month}", by=by)).json
        assert [each["agreement_id"] for each in listed["items"]] == [str(agreement_id)]
        assert (await api.get(address, by=by)).json["hash"] == listed["items"][0]["hash"]
        assert (await api.get(f"{address}/text", by=by)).body.decode().startswith("Opgørelse af service, ")
    for by in ("kviknote", "borgerblik"):
        assert (await api.get(LEVELS, by=by)).json == {"items": [], "next": None}
        assert (await api.get(f"{LEVELS}?agreement={agreement_id}", by=by)).json["items"] == []
        for asked in (address, f"{address}/text", f"{address}?version=1", f"{LEVELS}/notices?agreement={agreement_id}"):
            assert (await api.get(asked, by=by)).code == (404, "not_found")
    assert (await api.get(LEVELS)).code == (401, "not_identified")


async def test_a_rivals_cursor_opens_nothing(last_month: tuple[UUID, Month], database: Database, api: Api) -> None:
    agreement_id, month = last_month
    await gather_all(database)
    await seal_months(database)
    late = [failed(month.begins + timedelta(days=2), "module_timeout", agreement=agreement_id)]
    await log(database, late)
    await gather_all(database)
    await seal_months(database)
    page = (await api.get(f"{LEVELS}?limit=1", by="nordnote")).json
    assert page["items"][0]["version"] == 2
    rest = (await api.get(f"{LEVELS}?limit=1&cursor={page['next']}", by="nordnote")).json
    assert (rest["items"][0]["version"], rest["next"]) == (1, None)
    assert (await api.get(f"{LEVELS}?limit=1&cursor={page['next']}", by="kviknote")).code == (400, "cursor_invalid")


async def test_every_look_is_in_the_log(
    last_month: tuple[UUID, Month], api: Api, outsider: Connection, cast: Cast
) -> None:
    await api.get(f"{LEVELS}/{last_month[0]}/{last_month[1]}", by="nordnote")
    await api.get(f"{LEVELS}/{last_month[0]}/{last_month[1]}", by="kviknote")
    rows = await outsider.fetch(
        "select kind, release_id, result from base.trail where operation like 'service_levels.read%'"
    )
    assert [(row["kind"], row["release_id"], row["result"]) for row in rows] == [
        ("read", cast.releases["nordnote"], "permitted"), ("refusal", cast.releases["kviknote"], "not_found"),
    ]  # fmt: skip


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "1999-01", "oktober", "2026-1", "2026-10-01"])
async def test_what_is_no_month_is_refused(shared_api: Api, cast: Cast, month: str) -> None:
    agreement = cast.agreements["nordnote"]
    assert (await shared_api.get(f"{LEVELS}?month={month}", by=ANNA)).code == (422, "invalid_input")
    assert (await shared_api.get(f"{LEVELS}/{agreement}/{month}", by=ANNA)).code == (422, "invalid_input")


async def test_where_nothing_is_promised_there_is_no_statement(shared_api: Api, cast: Cast) -> None:
    month = Month.of(clock.now())
    reply = await shared_api.get(f"{LEVELS}/{cast.agreements['nordnote']}/{month}", by=ANNA)
    assert reply.code == (404, "not_found")


# ---- planned work ----------------------------------------------------------------------------------------------------
async def test_a_supplier_announces_its_own_planned_work_and_nobody_elses(
    last_month: tuple[UUID, Month], database: Database, api: Api
) -> None:
    begins = clock.now() + timedelta(days=3)
    work = {
        "agreement_id": str(last_month[0]), "service": "notes", "begins": begins.isoformat(),
        "ends": (begins + timedelta(hours=2)).isoformat(),
    }  # fmt: skip
    assert (await api.post(f"{LEVELS}/maintenance", work, by="kviknote")).code == (404, "not_found")
    done = await api.post(f"{LEVELS}/maintenance", work, by="nordnote")
    assert (done.status, done.json["kind"], done.json["position"]) == (201, "maintenance", None)
    for change in (
        {"service": "persons"},
        {"ends": work["begins"]},
        {"ends": (begins + timedelta(days=32)).isoformat()},
    ):
        assert (await api.post(f"{LEVELS}/maintenance", work | change, by="nordnote")).code == (422, "invalid_input")
    await give_positions(database)
    await gather_all(database)
    listed = await api.get(f"{LEVELS}/notices?agreement={last_month[0]}", by="nordnote")
    assert listed.status == 200, listed.json
    [notice] = listed.json["items"]
    assert notice["id"] == done.json["id"]
    assert notice["position"] > 0


# ---- the gateway's own stamps ----------------------------------------------------------------------------------------
@pytest.fixture
async def measured(database: Database, outsider: Connection, cast: Cast, keys: Keys) -> UUID:
    """A later version of Nordlys' agreement, which promises something; the gateway's calls are made under it."""
    promises = [PROMISE, {"metric": "response_ms", "service": "notes", "target": 100}]
    plain = content_of(NORDLYS, version=2, supersedes=str(cast.agreements["nordnote"]), service_levels=promises)
    await log(database, [bound(cast.releases["nordnote"], clock.now() - timedelta(days=1))])
    return await enter_with_promises(database, outsider, cast, keys, **plain)


async def test_what_a_module_says_of_time_counts_for_nothing(
    nordnote: Loopback, measured: UUID, database: Database, api: Api
) -> None:
    nordnote.pause = 0.3
    nordnote.answers.clear()
    nordnote.answer(
        "/notes", 200, {"notes": [], "module_us": 1, "at": "2020-01-01T00:00:00Z"},
        Date="Wed, 01 Jan 2020 00:00:00 GMT", X_Response_Time="1ms", Server_Timing="total;dur=1", Age="0",
    )  # fmt: skip
    assert (await api.get(NOTES, by="borgerblik")).status == 200
    content = await so_far(database, measured)
    [service], response = content["services"], content["lines"][1]
    assert service["outcomes"] == {"answered": {"200": 1}}
    assert service["time"]["module_us"] >= 300_000
    assert service["time"]["torv_us"] > 0
    assert response["is_kept"] is False
    assert float(response["measured"]) >= 300


async def test_whose_fault_a_call_is_stands_in_the_statement(
    nordnote: Loopback, measured: UUID, database: Database, api: Api
) -> None:
    for status in (200, 404, 500, 429):
        nordnote.answers.clear()
        nordnote.answer("/notes", status, {})
        await api.get(NOTES, by="borgerblik")
    nordnote.answers.clear()
    nordnote.hang_up("/notes")
    await api.get(NOTES, by="borgerblik")
    await api.get(NOTES, by="kviknote")
    [service] = (await so_far(database, measured))["services"]
    assert service["outcomes"] == {
        "agreement": {"operation": 1}, "answered": {"200": 1}, "caller": {"404": 1},
        "failed": {"429": 1, "500": 1, "module_unavailable": 1},
    }  # fmt: skip


async def test_a_log_without_the_citizens_gives_the_same_statement(
    nordnote: Loopback, measured: UUID, database: Database, api: Api, outsider: Connection, cast: Cast
) -> None:
    await api.get(NOTES, by="borgerblik")
    await api.write_note(key="1")
    await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="borgerblik")
    await so_far(database, measured)
    month, until = Month.of(clock.now()), clock.now()
    agreement = await read_in_force(database, measured)
    async with database.reading() as tx:
        before = await reckon(tx, agreement, month, until)
    positions = await outsider.fetchval(
        "select array_agg(position) from base.trail where $1 = any(subjects)", cast.bjorn.id
    )
    assert positions
    await outsider.execute("select base.erase_subject($1, $2)", cast.bjorn.id, positions)
    await outsider.execute("truncate service_levels.minutes, service_levels.bindings, service_levels.notices")
    await outsider.execute("update service_levels.progress set position = 0")
    await gather_all(database)
    async with database.reading() as tx:
        assert await reckon(tx, agreement, month, until) == before
    assert before["log"]["calls"] == 2


async def read_in_force(database: Database, agreement_id: UUID) -> Any:
    async with database.reading() as tx:
        return await in_force(tx, agreement_id)
