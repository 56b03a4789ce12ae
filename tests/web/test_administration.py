"""The pages for those who administer: modules, requirement sets, service levels and drafts, by the API's decisions."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from asyncpg import Connection

from tests.browsing import signed_in
from tests.cast import ANNA, NORDLYS, PASSWORDS, Cast, content_of
from tests.ecosystem.demanding import PROFILE, report, signed
from tests.ecosystem.districts import enter_districts
from tests.ecosystem.made_up_months import answered, failed
from tests.ecosystem.measuring import give_positions, log, promised_last_month
from tests.served import Api
from torv.base import clock
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.ecosystem.modules import dissolve_binding, split_binding
from torv.ecosystem.service_levels import Month, gather_all, seal_months
from torv.kernel.identity import NewAssignment, assign_role, create_role, create_user
from torv.kernel.identity.models import RoleContent

pytestmark = pytest.mark.anyio
READER = {"login": "ulla.bak", "password": "stille-vand-i-fjorden"}


@pytest.fixture
async def anna(api: Api) -> AsyncIterator[ClientSession]:
    async with signed_in(api.url, ANNA, PASSWORDS[ANNA]) as browser:
        yield browser


async def read(browser: ClientSession, path: str, status: int = 200) -> str:
    async with browser.get(path) as page:
        text = await page.text()
        assert page.status == status, text
        return text


# ---- modules ---------------------------------------------------------------------------------------------------------
async def test_the_modules_page_says_who_provides_what_and_leads_to_each_module(
    anna: ClientSession, cast: Cast, outsider: Connection
) -> None:
    text = await read(anna, "/modules")
    assert 'aria-current="page">Moduler</a>' in text
    assert text.count("<tr") >= 4
    assert "Ingen ydelser er flyttet endnu" in text
    module = await outsider.fetchval("select module_id from modules.releases where id = $1", cast.releases["nordnote"])
    assert f'<a href="/modules/{module}">nordnote</a>' in text
    one = await read(anna, f"/modules/{module}")
    assert "Udgave 1.0.0" in one
    assert "Varetager Notater" in one
    assert "uden en beskrivelse fra leverandøren" in one
    assert "<dd>Ikke oplyst; regnes som version 1 af det, den varetager</dd>" in one


async def test_a_module_shows_what_it_is_made_of_and_what_it_is_certified_for(
    anna: ClientSession, api: Api, cast: Cast, outsider: Connection
) -> None:
    manifest = {
        "software": {"components": [{"name": "left<b>pad", "version": "1.3.0", "license": "MIT"}]},
        "hardware": {"memory_mb": 256, "processors": 1}, "needs": ["records.write"],
        "hosting": [{"country": "DK", "provider": "Nordlys Omsorg ApS", "role": "operation", "data": ["notes"]}],
        "contacts": {"operations": {"name": "Vagten", "email": "drift@nordlys.example"},
                     "security": {"name": "Sikkerhed", "email": "sikkerhed@nordlys.example"}},
    }  # fmt: skip
    release = cast.releases["nordnote"]
    await outsider.execute(
        "update modules.releases set manifest = $2, manifest_hash = 'x' where id = $1", release, json.dumps(manifest)
    )
    kept = signed(report(cast, "nordnote", text=None), cast.partner_keys["nordnote"])
    assert (await api.post(f"/api/v1/releases/{release}/certifications", kept)).status in (200, 201)
    module = await outsider.fetchval("select module_id from modules.releases where id = $1", release)
    text = await read(anna, f"/modules/{module}")
    for words in ("left&lt;b&gt;pad", "MIT", "Nordlys Omsorg ApS, DK", "drift@nordlys.example", "256 MB"):
        assert words in text
    assert "leverandøren selv" in text


async def test_a_module_that_is_not_there_is_not_found(anna: ClientSession) -> None:
    missing = f"/modules/{new_id()}"
    async with anna.get(missing, headers={"Accept": "application/json"}) as answer:
        assert (await answer.json(content_type=None))["code"] == "not_found"
    text = await read(anna, missing, status=404)  # as a browser asks
    assert "Det findes ikke." in text
    assert '<a href="/">Tilbage til oversigten</a>' in text


async def test_a_program_that_takes_pages_too_gets_a_problem_document(anna: ClientSession) -> None:
    async with anna.get(f"/api/v1/agreements/{new_id()}", headers={"Accept": "text/html"}) as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")


# ---- requirement sets ------------------------------------------------------------------------------------------------
async def test_requirement_sets_are_a_table_of_releases_and_demands_with_their_days(
    anna: ClientSession, api: Api
) -> None:
    assert "Ingen kravprofiler endnu" in await read(anna, "/requirements")
    day = (clock.today() + timedelta(days=40)).isoformat()
    sent = await api.post("/api/v1/requirements/proposals", {"profile": PROFILE, "from_day": day}, by=ANNA)
    assert sent.status == 201, sent.body
    text = await read(anna, "/requirements")
    assert "Fjordbys krav til notater" in text
    assert "Kræves fra" in text
    assert text.count("Ikke afprøvet") >= 2  # both suppliers' releases
    assert "Sendt til leverandørerne" in text
    async with anna.get("/requirements?lang=en") as page:
        assert "Demanded from" in await page.text()


async def test_requirement_sets_beyond_a_page_are_on_the_next(anna: ClientSession, api: Api) -> None:
    for number in range(9):
        text = PROFILE.replace("Fjordbys krav til notater", f"Krav nummer {number}")
        assert (await api.post("/api/v1/requirements/proposals", {"profile": text}, by=ANNA)).status == 201
    first = await read(anna, "/requirements")
    [address] = re.findall(r'href="(/requirements[?]cursor=[^"]+)" rel="next"', first)
    second = await read(anna, address)
    across = [re.findall(r'<th scope="col">(Krav nummer \d)', each) for each in (first, second)]
    assert across == [[f"Krav nummer {number}" for number in range(8)], ["Krav nummer 8"]]
    assert second.count("Ikke afprøvet") >= 2  # both suppliers' releases stand on each page
    assert "Sendt til leverandørerne" not in second
    assert 'rel="next"' not in second
    assert (await read(anna, "/requirements?cursor=made-up", status=400)).count("<h1>") == 1


# ---- service levels --------------------------------------------------------------------------------------------------
@pytest.fixture
async def sealed(database: Database, outsider: Connection, cast: Cast, keys: Keys) -> tuple[Any, Month]:
    """A month that is over and settled, in which a promise was broken."""
    agreement, month = await promised_last_month(database, outsider, cast, keys, title="Nordlys lover")
    day = month.begins + timedelta(days=3)
    calls = [answered(day, 90_000, agreement=agreement)]
    calls += [failed(day + timedelta(minutes=n), "module_timeout", agreement=agreement) for n in range(60, 180)]
    await log(database, calls)
    await gather_all(database)
    assert await seal_months(database) == 1
    return agreement, month


async def test_what_was_promised_stands_beside_what_was_measured(
    anna: ClientSession, sealed: tuple[Any, Month]
) -> None:
    agreement, month = sealed
    text = await read(anna, "/service-levels")
    assert f'<a href="/service-levels/{agreement}/{month}">Nordlys lover</a>' in text
    assert "Ikke overholdt" in text
    assert f'<a href="/service-levels/{agreement}/{Month.of(clock.now())}">' in text  # the month that is not over
    one = await read(anna, f"/service-levels/{agreement}/{month}")
    assert "Gjort op" in one
    assert "mindst 99,9 %" in one
    assert "121" in one  # calls counted
    assert "Måneden er ikke slut" in await read(anna, f"/service-levels/{agreement}/{Month.of(clock.now())}")
    await read(anna, f"/service-levels/{new_id()}/{month}", status=404)


async def test_a_module_without_a_settled_month_has_the_month_so_far(
    anna: ClientSession, database: Database, outsider: Connection, cast: Cast, keys: Keys
) -> None:
    agreement, _ = await promised_last_month(database, outsider, cast, keys, title="Nordlys lover")
    module = await outsider.fetchval("select module_id from modules.releases where id = $1", cast.releases["nordnote"])
    text = await read(anna, f"/modules/{module}")
    assert f'<a href="/service-levels/{agreement}/{Month.of(clock.now())}">Nordlys lover: Måneden indtil nu</a>' in text


async def test_the_units_that_a_service_was_bound_in_are_named(
    anna: ClientSession, sealed: tuple[Any, Month], database: Database, outsider: Connection, cast: Cast
) -> None:
    agreement, month = sealed
    assert "Distrikt Nord" not in await read(anna, "/service-levels")
    nord = (await enter_districts(database, cast)).nord
    async with database.transaction() as tx:
        await split_binding(tx, "notes", nord)
        tx.notes[-1] = replace(tx.notes[-1], at=month.begins + timedelta(days=1))
        await dissolve_binding(tx, "notes", nord)
        tx.notes[-1] = replace(tx.notes[-1], at=month.begins + timedelta(days=1, minutes=90))
    await give_positions(database)
    await gather_all(database)
    assert await seal_months(database) == 1
    module = await outsider.fetchval("select module_id from modules.releases where id = $1", cast.releases["nordnote"])
    assert "<small>Notater om borgere: Distrikt Nord, Resten af kommunen</small>" in await read(
        anna, f"/modules/{module}"
    )
    assert "<small>notes: Distrikt Nord, Resten af kommunen</small>" in await read(anna, "/service-levels")
    one = await read(anna, f"/service-levels/{agreement}/{month}")
    assert "Distrikt Nord: 0 kald, 90 minutter" in one
    assert "Resten af kommunen: 121 kald, " in one


# ---- drafts ----------------------------------------------------------------------------------------------------------
async def test_a_draft_is_reached_from_the_agreements_and_says_what_it_lacks(anna: ClientSession, api: Api) -> None:
    empty = (await api.post("/api/v1/agreements/drafts", {"title": "Et <i>udkast"}, by=ANNA)).json["id"]
    whole = content_of(NORDLYS, id=str(new_id()), title="Et helt udkast")
    full = (await api.post("/api/v1/agreements/drafts", whole, by=ANNA)).json["id"]
    text = await read(anna, "/agreements")
    assert f'<a href="/agreements/drafts/{empty}">Et &lt;i&gt;udkast</a>' in text
    lacking = await read(anna, f"/agreements/drafts/{empty}")
    assert "Skal rettes</span>" in lacking
    assert "Gyldighed</b>: mangler" in lacking
    assert "Validity</b>: is missing" in await read(anna, f"/agreements/drafts/{empty}?lang=en")
    await read(anna, "/agreements?lang=da")  # back to Danish
    assert "Hvad aftalen vil tillade" not in lacking
    assert "Hvad aftalen vil tillade" in await read(anna, f"/agreements/drafts/{full}")
    await read(anna, f"/agreements/drafts/{new_id()}", status=404)


# ---- who sees what ---------------------------------------------------------------------------------------------------
PAGES = {
    "/modules": "modules.read", "/requirements": "requirements.read", "/service-levels": "service_levels.read",
}  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_stands_in_the_log(anna: ClientSession, outsider: Connection, path: str) -> None:
    await read(anna, path)
    rows = await outsider.fetch("select * from base.trail where operation = $1 and user_id is not null", PAGES[path])
    assert {row["kind"] for row in rows} == {"read"}
    assert {row["request_id"] for row in rows} != {None}
    assert all(row["subjects"] == [] for row in rows)


async def test_whoever_may_not_read_them_by_the_api_does_not_read_them_here(
    api: Api, database: Database, cast: Cast
) -> None:
    access = cast.user("identity.create_user", "user", "role")
    async with database.transaction() as tx:
        permits = {"modules": ["read"], "moves": ["read"]}
        content = RoleContent(name="Ser oversigten", permits=permits, categories=["module", "move"])
        role = await create_role(tx, access, content=content)
        user = await create_user(tx, access, login=READER["login"], name="Ulla Bak", password=READER["password"])
        await assign_role(tx, access, user.id, new=NewAssignment(role_id=role.id))
    async with signed_in(api.url, READER["login"], READER["password"]) as ulla:
        await read(ulla, "/modules")
        for path in ("/requirements", "/service-levels", f"/agreements/drafts/{new_id()}"):
            await read(ulla, path, status=403)
    for path in PAGES:
        assert (await api.get(path)).status in (303, 401)
