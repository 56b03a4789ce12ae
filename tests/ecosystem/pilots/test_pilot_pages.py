"""Pages of a module in a pilot: each district's supplier shows its own, to whoever may see them there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.ecosystem.districts import Districts, enter_districts
from tests.ecosystem.visiting import html, visit
from tests.ecosystem.wiretap import Wiretap, tapping
from tests.served import Api
from torv.base.db import Database
from torv.base.ids import new_id
from torv.ecosystem.modules import move_binding, split_binding

FORM = b"torv_key=k1&text=Alt+vel"
CLARA, SECRET = "clara.dahl", "det er en god dag i dag"


@pytest.fixture
async def units(database: Database, cast: Cast) -> Districts:
    """Kviknote serves Nord, Nordnote the rest."""
    units = await enter_districts(database, cast)
    async with database.transaction() as tx:
        await split_binding(tx, "notes", units.nord)
        await move_binding(tx, "notes", cast.releases["kviknote"], unit_id=units.nord)
    return units


@pytest.fixture
async def taps(units: Districts, api: Api, outsider: Connection, cast: Cast) -> AsyncIterator[dict[str, Wiretap]]:
    """What the two suppliers are asked, when Torv has learned where they are."""
    async with AsyncExitStack() as stack:
        taps = {
            name: await stack.enter_async_context(tapping(outsider, cast, name)) for name in ("nordnote", "kviknote")
        }
        for name, tap in taps.items():
            tap.answer = html(f"<p>{name}</p>".encode())
        generation = await outsider.fetchval("select number from base.generation")
        async with asyncio.timeout(10):
            while await outsider.fetchval("select min(generation) from base.leases where kind = 'api'") < generation:
                await asyncio.sleep(0.02)
        yield taps


async def as_clara(api: Api, *units: object) -> str:
    """Clara, who may see persons, and notes in these units alone; her cookie."""
    base = "/api/v1/identity"
    new = {"login": CLARA, "name": "Clara Dahl", "password": SECRET}
    user = (await api.post(f"{base}/users", new, by=ANNA)).json["id"]
    persons = {"persons": ["read", "search", "list_relations"]}
    for name, permits, categories, limits in (
        ("Læser", persons, ["person"], {}),
        ("Skriver", {"notes": ["*"]}, ["notes"], {"units": [str(each) for each in units]}),
    ):
        role = {"name": name, "permits": permits, "categories": categories}
        role_id = (await api.post(f"{base}/roles", role, by=ANNA)).json["id"]
        given = await api.post(f"{base}/users/{user}/assignments", {"role_id": role_id, **limits}, by=ANNA)
        assert given.status == 201, given.body
    session = await api.post(f"{base}/sessions", {"login": CLARA, "password": SECRET})
    return f"torv_session={session.json['token']}; torv_language=da"


async def test_who_works_in_no_one_unit_has_the_pages_of_each_supplier(
    taps: dict[str, Wiretap], api: Api, cast: Cast, units: Districts
) -> None:
    page = (await visit(api, f"/persons/{cast.bjorn.id}")).body.decode()
    of_nord = f"/m/notes/u{units.nord}/"
    assert f'<a href="/m/notes/?person_id={cast.bjorn.id}">Notater om borgere</a>' in page
    assert f'<a href="{of_nord}?person_id={cast.bjorn.id}">Notater om borgere (Distrikt Nord)</a>' in page
    begun = await visit(api, of_nord)
    assert begun.status == 303
    there = begun.headers["location"]
    assert there.startswith(f"{of_nord}e")
    assert there.endswith("/citizen")
    reply = await visit(api, there)
    assert (reply.status, reply.body) == (200, b"<p>kviknote</p>")
    base = there.removesuffix("/citizen")
    assert f"form-action {api.url}{base}/;" in reply.headers["content-security-policy"]
    [[_, *fields]] = taps["kviknote"].heads()
    told = dict(each.split(b": ", 1) for each in fields)
    assert (told[b"Torv-Page-Base"], told[b"Torv-Unit"]) == (base.encode(), str(units.nord).encode())
    assert (await visit(api, there, FORM)).status == 200
    assert (len(taps["kviknote"].received), taps["nordnote"].received) == (2, [])
    assert (await visit(api, "/m/notes/e1/citizen")).body == b"<p>nordnote</p>"


async def test_below_a_district_its_supplier_shows_the_pages_and_beside_it_the_municipalitys(
    taps: dict[str, Wiretap], api: Api, units: Districts
) -> None:
    for unit, name in ((units.school, b"kviknote"), (units.syd, b"nordnote"), (units.town, b"nordnote")):
        there = (await visit(api, f"/m/notes/u{unit}/")).headers["location"]
        assert (await visit(api, there)).body == b"<p>%b</p>" % name


async def test_who_has_a_role_in_some_units_has_the_pages_of_those_alone(
    taps: dict[str, Wiretap], api: Api, cast: Cast, units: Districts
) -> None:
    clara = await as_clara(api, units.school, units.syd)
    page = (await visit(api, f"/persons/{cast.bjorn.id}", Cookie=clara)).body.decode()
    assert f'<a href="/m/notes/u{units.school}/?person_id={cast.bjorn.id}">Notater om borgere (Nordskolen)</a>' in page
    assert f'<a href="/m/notes/u{units.syd}/?person_id={cast.bjorn.id}">Notater om borgere (Distrikt Syd)</a>' in page
    assert page.count('href="/m/notes/') == 2
    there = (await visit(api, f"/m/notes/u{units.school}/", Cookie=clara)).headers["location"]
    assert (await visit(api, there, Cookie=clara)).body == b"<p>kviknote</p>"
    for start in ("", f"u{units.nord}/", f"u{units.town}/", f"u{new_id()}/"):
        refused = await visit(api, f"/m/notes/{start}", Accept="*/*", Cookie=clara)
        assert (refused.code, refused.json["check"]) == ((403, "denied"), "unit"), start
    assert (await visit(api, "/m/notes/uNord/")).status == 404


async def test_a_page_of_a_districts_former_supplier_leads_to_the_district(
    taps: dict[str, Wiretap], api: Api, units: Districts
) -> None:
    start = f"/m/notes/u{units.nord}/"
    reply = await visit(api, f"{start}e999/citizen", FORM)
    assert reply.status == 409
    assert f'href="{start}"' in reply.body.decode()
    assert taps["kviknote"].received == []
