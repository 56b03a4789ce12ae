"""Requirements: a profile is put to partners, its day is set, and everybody can see which release meets what."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from asyncpg import Connection

from tests.cast import ANNA, BO, KVIK, PARTS, Cast, content_of, enter_agreement
from tests.ecosystem.demanding import PROFILE, profile, report, signed
from tests.served import Api, Reply
from torv.base import clock
from torv.base.db import Database
from torv.base.signing import Keys
from torv_sdk.canonical import canonical

PLACE = "/api/v1/requirements"
SET = profile().requirement_set
PROMISE = """\
service_levels:
  - id: answers_quickly
    da: Svarer inden 300 ms
    en: Answers within 300 ms
    metric: response_ms
    target: 300
    percentile: 95
  - {id: is_there, da: Er der, en: Is there, metric: availability, target: 99.9}
"""


async def propose(api: Api, text: str = PROFILE, **more: Any) -> dict[str, Any]:
    reply = await api.post(f"{PLACE}/proposals", {"profile": text, **more}, by=ANNA)
    assert reply.status == 201, reply.body
    return dict(reply.json)


async def certify(api: Api, cast: Cast, module: str, **more: Any) -> Reply:
    content = signed(report(cast, module, **more), cast.partner_keys[module])
    reply = await api.post(f"/api/v1/releases/{cast.releases[module]}/certifications", content)
    assert reply.status == 201, reply.body
    return reply


async def matrix(api: Api, by: str = ANNA) -> dict[tuple[str, str], tuple[str, list[str]]]:
    """(set, module) -> state, and the demands that are not met."""
    reply = await api.get(f"{PLACE}/matrix?capability=notes", by=by)
    assert reply.status == 200, reply.body
    items = reply.json["items"]
    return {
        (each["requirement_set"], each["module_name"]): (each["state"], [judged["id"] for judged in each["unmet"]])
        for each in items
    }


# ---- the way of a demand ---------------------------------------------------------------------------------------------
async def test_a_profile_is_put_to_those_who_could_provide_the_capability(api: Api, cast: Cast) -> None:
    made = await propose(api, from_day="2026-09-01")
    assert made["requirement_set"]["hash"] == SET
    assert made["requirement_set"]["from_day"] == "2026-09-01"
    assert made["sent_to"] == ["Kvik Systemer A/S", "Nordlys Omsorg ApS"]  # Borgerblik uses notes and provides none
    everything = ["certification_level", "author_shown", "author_recorded", "author_from_caller"]
    standing = {each["module_name"]: each for each in made["positions"]}
    assert {name: each["state"] for name, each in standing.items()} == dict.fromkeys(standing, "not_tried")
    assert [each["id"] for each in standing["nordnote"]["unmet"]] == everything
    again = await propose(api, from_day="2026-09-01")
    assert again["requirement_set"] == made["requirement_set"]
    assert len((await api.get(f"{PLACE}/proposals", by=ANNA)).json["items"]) == 2
    [listed] = (await api.get(PLACE, by=ANNA)).json["items"]
    assert listed == made["requirement_set"] == (await api.get(f"{PLACE}/{SET}", by=ANNA)).json


async def test_checking_a_profile_keeps_nothing(api: Api, cast: Cast) -> None:
    reply = await api.post(f"{PLACE}/check", {"profile": PROFILE}, by=ANNA)
    assert (reply.status, reply.json["hash"], reply.json["is_known"]) == (200, SET, False)
    assert {each["module_name"] for each in reply.json["positions"]} == {"nordnote", "kviknote"}
    assert (await api.get(PLACE, by=ANNA)).json["items"] == []


async def test_the_matrix_names_the_demands_that_a_release_does_not_meet(api: Api, cast: Cast) -> None:
    await propose(api)
    await certify(api, cast, "nordnote", failing=("author_shown", "author_from_caller"))
    await certify(api, cast, "kviknote")
    assert await matrix(api) == {
        (SET, "nordnote"): ("failed", ["author_shown", "author_from_caller"]), (SET, "kviknote"): ("certified", []),
    }  # fmt: skip


async def test_the_newest_certification_counts_not_the_one_that_came_last(api: Api, cast: Cast) -> None:
    """Whoever hands an old report in again changes nothing."""
    await propose(api)
    early = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    await certify(api, cast, "kviknote", failing=("author_shown",))
    await certify(api, cast, "kviknote", began_at=early)
    assert (await matrix(api))[SET, "kviknote"] == ("failed", ["author_shown"])


async def test_a_certification_runs_out_earlier_where_the_profile_says_so(api: Api, cast: Cast) -> None:
    await propose(api)
    began = (datetime.now(UTC) - timedelta(days=200)).isoformat()
    await certify(api, cast, "kviknote", began_at=began)
    assert (await matrix(api))[SET, "kviknote"] == ("expired", [])


async def test_what_is_known_of_the_same_demand_is_shown_for_a_new_set_too(api: Api, cast: Cast) -> None:
    await certify(api, cast, "kviknote", failing=("author_shown",))
    longer = PROFILE + "service_levels: []\n"
    assert profile(longer).requirement_set != SET
    made = await propose(api, longer)
    standing = {each["module_name"]: each for each in made["positions"]}
    assert standing["kviknote"]["state"] == "failed"
    assert [(each["id"], each["outcome"]) for each in standing["kviknote"]["unmet"]] == [("author_shown", "failed")]


async def test_a_report_for_the_contract_alone_meets_no_profile(api: Api, cast: Cast) -> None:
    await propose(api)
    await certify(api, cast, "kviknote", text=None)
    state, unmet = (await matrix(api))[SET, "kviknote"]
    assert (state, unmet) == ("not_tried", ["author_shown", "author_recorded", "author_from_caller"])


async def test_the_level_is_a_demand_like_the_others(api: Api, cast: Cast) -> None:
    text = PROFILE.replace("level: bronze", "level: silver")
    await propose(api, text)
    await certify(api, cast, "kviknote", text=text)
    assert (await matrix(api))[profile(text).requirement_set, "kviknote"] == ("failed", ["certification_level"])


async def test_a_day_is_set_changed_and_taken_back(api: Api, cast: Cast, outsider: Connection) -> None:
    await propose(api, from_day="2026-09-01")
    for day in ("2027-01-01", None, None):
        reply = await api.ask("PUT", f"{PLACE}/{SET}/day", {"from_day": day}, by=ANNA)
        assert (reply.status, reply.json["from_day"]) == (200, day)
    assert await outsider.fetchval("select count(*) from requirements.days") == 3
    assert (await api.ask("PUT", f"{PLACE}/{'0' * 64}/day", {"from_day": None}, by=ANNA)).status == 404
    refused = await api.ask("PUT", f"{PLACE}/{SET}/day", {"from_day": "2926-09-01"}, by=ANNA)
    assert refused.code == (422, "invalid_input")
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await outsider.execute("update requirements.sets set capability = 'aids'")


async def test_every_list_comes_by_pages(api: Api, cast: Cast) -> None:
    for number in range(3):
        await propose(api, PROFILE.replace("Fjordbys krav", f"Krav {number}"))
    for place, total in ((PLACE, 3), (f"{PLACE}/matrix", 6), (f"{PLACE}/proposals", 6)):
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await api.get(f"{place}?limit=2{cursor and f'&cursor={cursor}'}", by=ANNA)).json
            found += [str(each) for each in page["items"]]
            cursor = page["next"]
        assert len(found) == len(set(found)) == total


# ---- who sees what ---------------------------------------------------------------------------------------------------
@pytest.fixture
async def readers(api: Api, cast: Cast, database: Database, keys: Keys) -> None:
    """Both suppliers may check profiles and propose them, as far as their agreements go."""
    async with database.transaction() as tx:
        for part in (each for each in PARTS if each.module in ("nordnote", "kviknote")):
            content = content_of(part)
            grant = content["grants"][0] | {
                "id": "9-requirements", "service": "requirements", "operations": ["examine", "propose"],
                "categories": ["contract"],
            }  # fmt: skip
            await enter_agreement(tx, cast, content | {"grants": [grant]}, keys)


@pytest.mark.usefixtures("readers")
async def test_a_supplier_sees_its_own_and_nothing_of_a_competitor(api: Api, cast: Cast) -> None:
    await propose(api)
    await certify(api, cast, "nordnote", failing=("author_shown",))
    await certify(api, cast, "kviknote")
    async with asyncio.timeout(20):
        while (await api.post(f"{PLACE}/check", {"profile": PROFILE}, by="kviknote")).status != 200:
            await asyncio.sleep(0.05)
    [mine] = (await api.get(f"{PLACE}/proposals", by="kviknote")).json["items"]
    assert (mine["partner_name"], mine["profile"]["title"]["da"]) == ("Kvik Systemer A/S", "Fjordbys krav til notater")
    assert await matrix(api, by="kviknote") == {(SET, "kviknote"): ("certified", [])}
    checked = (await api.post(f"{PLACE}/check", {"profile": PROFILE}, by="kviknote")).json
    assert [each["module_name"] for each in checked["positions"]] == ["kviknote"]
    theirs = f"/api/v1/releases/{cast.releases['nordnote']}/certifications"
    assert (await api.get(theirs, by="kviknote")).json["items"] == []
    own = f"/api/v1/releases/{cast.releases['kviknote']}/certifications"
    assert len((await api.get(own, by="kviknote")).json["items"]) == 1
    refused = await api.post(f"{PLACE}/proposals", {"profile": PROFILE}, by="kviknote")
    assert refused.code == (403, "denied")  # a supplier demands nothing, whatever its agreement says


async def test_without_a_grant_a_program_reads_what_is_its_own_alone(api: Api, cast: Cast) -> None:
    own = (f"{PLACE}/matrix", f"{PLACE}/proposals", f"/api/v1/releases/{cast.releases['kviknote']}/certifications")
    for path in own:
        assert (await api.get(path, by="kviknote")).json["items"] == []
    for path in (PLACE, f"{PLACE}/{SET}"):
        assert (await api.get(path, by="kviknote")).code == (403, "denied")
    for path in (*own, PLACE, f"{PLACE}/{SET}"):
        assert (await api.get(path)).code == (401, "not_identified")


# ---- what an agreement promises --------------------------------------------------------------------------------------
async def _propose_agreement(api: Api, **changes: Any) -> Reply:
    return await api.post("/api/v1/agreements", canonical(content_of(KVIK, **changes)), by=ANNA)


async def test_an_agreement_names_a_set_that_exists(api: Api, cast: Cast) -> None:
    refused = await _propose_agreement(api, requirement_set=SET)
    assert refused.code == (422, "agreement_invalid")
    assert "den kravprofil findes ikke" in refused.json["title"]
    draft = (await api.post("/api/v1/agreements/drafts", content_of(KVIK, requirement_set=SET), by=ANNA)).json
    assert (draft["findings"][0]["level"], draft["findings"][0]["place"]) == ("missing", "requirement_set")
    await propose(api)
    assert (await _propose_agreement(api, requirement_set=SET)).status == 201


async def test_an_agreement_promises_the_service_levels_of_its_set(api: Api, cast: Cast) -> None:
    await propose(api, PROFILE + PROMISE)
    hashed = profile(PROFILE + PROMISE).requirement_set
    quick = {"metric": "response_ms", "service": "notes", "target": 200, "percentile": 95}
    refused = await _propose_agreement(api, requirement_set=hashed, service_levels=[quick])
    assert refused.code == (422, "agreement_invalid")
    assert "is_there" in refused.json["title"]
    only_mondays, only_one = {"hours": {"weekdays": [1]}}, {"operations": ["list_notes"]}
    less = ({"target": 301}, {"percentile": 90}, {"service": "aids"}, only_mondays, only_one)
    for slow in (quick | each for each in less):
        there = {"metric": "availability", "service": "notes", "target": 99.9}
        refused = await _propose_agreement(api, requirement_set=hashed, service_levels=[slow, there])
        assert "answers_quickly" in refused.json["title"]
    assert (await _propose_agreement(api, requirement_set=hashed, service_levels=[quick, there])).status == 201


async def test_an_agreement_promises_only_what_it_is_granted_to_provide(api: Api, cast: Cast) -> None:
    await propose(api)
    content = content_of(KVIK)
    without = [grant for grant in content["grants"] if grant["service"] != "notes"]
    refused = await _propose_agreement(api, requirement_set=SET, grants=without)
    assert refused.code == (422, "agreement_invalid")
    assert "ingen tilladelse til at levere notes v1" in refused.json["title"]


# ---- moves -----------------------------------------------------------------------------------------------------------
async def _end_of_preflight(api: Api, cast: Cast, outsider: Connection) -> Any:
    """Move notes to Kviknote (which is nowhere) until it has come past preflight, or was given up; gives its step."""
    new = {"capability": "notes", "to_release": str(cast.releases["kviknote"])}
    planned = (await api.post("/api/v1/moves", new, by=ANNA)).json["id"]
    step = "select state, detail from moves.steps where move_id::text = $1 and state in ('hydrating', 'aborted')"
    async with asyncio.timeout(20):
        while (found := await outsider.fetchrow(step, planned)) is None:
            await asyncio.sleep(0.02)
    if found["state"] == "hydrating":
        assert (await api.post(f"/api/v1/moves/{planned}/abort", by=ANNA)).status == 200
    return found["state"], json.loads(found["detail"])


async def test_nobody_is_moved_to_who_does_not_meet_what_is_demanded_today(
    api: Api, cast: Cast, outsider: Connection, worker: None
) -> None:
    tomorrow, today = (clock.today() + timedelta(days=1)).isoformat(), clock.today().isoformat()
    await propose(api, from_day=tomorrow)
    assert (await _end_of_preflight(api, cast, outsider))[0] == "hydrating"  # it is not demanded yet
    await propose(api, from_day=today)
    state, detail = await _end_of_preflight(api, cast, outsider)
    [unmet] = detail["unmet"]
    assert (state, detail["reason"]) == ("aborted", "requirements_not_met")
    assert (unmet["requirement_set"], unmet["state"]) == (SET, "not_tried")
    await certify(api, cast, "kviknote", failing=("author_shown",))
    _, detail = await _end_of_preflight(api, cast, outsider)
    assert (detail["unmet"][0]["state"], detail["unmet"][0]["demands"]) == ("failed", ["author_shown"])
    await certify(api, cast, "kviknote", began_at=datetime.now(UTC).isoformat())
    assert (await _end_of_preflight(api, cast, outsider))[0] == "hydrating"


async def test_what_the_agreement_names_is_demanded_without_a_day_too(
    api: Api, cast: Cast, outsider: Connection, worker: None, database: Database, keys: Keys
) -> None:
    await propose(api)
    async with database.transaction() as tx:
        await enter_agreement(tx, cast, content_of(KVIK, requirement_set=SET), keys)
    _, detail = await _end_of_preflight(api, cast, outsider)
    assert [each["requirement_set"] for each in detail["unmet"]] == [SET]


async def test_the_old_release_keeps_running_when_more_is_demanded(api: Api, cast: Cast) -> None:
    await propose(api, from_day=clock.today().isoformat())
    [bound] = (await api.get("/api/v1/bindings", by=BO)).json["items"]
    assert (bound["module_name"], bound["epoch"]) == ("nordnote", 1)
    assert (await matrix(api))[SET, "nordnote"][0] == "not_tried"
