"""Service levels of a pilot: what happens in its district is its supplier's, and the log says whose a call was."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, KVIK, NORDLYS, Cast, Part, content_of
from tests.ecosystem.districts import Districts, enter_districts, key
from tests.ecosystem.measuring import PROMISE, bound, enter_with_promises, log, so_far
from tests.ecosystem.supplier import Supplier
from tests.served import Api
from torv.base import clock
from torv.base.db import Database
from torv.base.lease import raise_fence
from torv.base.signing import Keys
from torv.ecosystem.modules import dissolve_binding, move_binding, split_binding
from torv.ecosystem.service_levels import Month

NOTES, LEVELS = "/c/notes/v1/notes", "/api/v1/service-levels"


@pytest.fixture
async def units(database: Database, cast: Cast) -> Districts:
    return await enter_districts(database, cast)


@pytest.fixture
async def agreements(
    suppliers: dict[str, Supplier], units: Districts, database: Database, outsider: Connection, cast: Cast, keys: Keys
) -> dict[str, UUID]:
    """Later versions of both suppliers' agreements, which promise something; Nord is Kviknote's since two hours."""
    now, made = clock.now(), dict[str, UUID]()
    await log(database, [bound(cast.releases["nordnote"], now - timedelta(days=1))])
    for part in (NORDLYS, KVIK):
        made[part.module] = await enter_with_promises(database, outsider, cast, keys, **promising(part, cast))
    async with database.transaction() as tx:
        await split_binding(tx, "notes", units.nord)
        tx.notes[-1] = replace(tx.notes[-1], at=now - timedelta(hours=3))
        await move_binding(tx, "notes", cast.releases["kviknote"], unit_id=units.nord)
        tx.notes[-1] = replace(tx.notes[-1], at=now - timedelta(hours=2))
    return made


def promising(part: Part, cast: Cast) -> dict[str, Any]:
    earlier = str(cast.agreements[part.module])
    return content_of(part, version=2, supersedes=earlier, service_levels=[PROMISE])


async def call(api: Api, unit: UUID | None, by: str = "borgerblik") -> int:
    headers = {} if unit is None else {"Torv_Unit": str(unit)}
    return (await api.get(NOTES, by=by, **headers)).status


async def call_all(api: Api, units: Districts, kviknote: Supplier) -> None:
    """Two calls below Nord and one elsewhere are answered; of each kind one is refused before it is carried."""
    async with asyncio.timeout(20):  # until the process has learned the binding
        while not kviknote.asked:
            await call(api, units.nord)
            await asyncio.sleep(0.05)
    for district in (units.school, units.school, units.syd):
        assert await call(api, district) == 200
    for refused in (units.school, None):
        assert await call(api, refused, by="kviknote") == 403


async def test_what_happens_in_the_district_is_the_pilots(
    agreements: dict[str, UUID], suppliers: dict[str, Supplier], api: Api, database: Database, units: Districts
) -> None:  # fmt: skip
    await call_all(api, units, suppliers["kviknote"])
    kvik, nordlys = [(await so_far(database, agreements[by]))["services"][0] for by in ("kviknote", "nordnote")]
    assert kvik["outcomes"]["agreement"] == nordlys["outcomes"]["agreement"] == {"operation": 1}
    assert kvik["outcomes"]["answered"]["200"] >= 3
    [own] = kvik["units"]
    assert own["unit"] == str(units.nord)
    assert (own["minutes"], own["calls"]) == (kvik["minutes"], kvik["calls"])
    [rest] = [each for each in nordlys["units"] if each["unit"] is None]
    assert rest["calls"] == nordlys["calls"]
    assert nordlys["outcomes"]["answered"]["200"] >= 1


async def test_a_unit_is_named_to_whoever_reads_the_statement(
    agreements: dict[str, UUID], api: Api, database: Database, units: Districts
) -> None:
    await so_far(database, agreements["kviknote"])
    address = f"{LEVELS}/{agreements['kviknote']}/{Month.of(clock.now())}"
    for by in ("kviknote", ANNA):
        assert (await api.get(address, by=by)).json["units"] == [{"id": str(units.nord), "name": "Distrikt Nord"}]
        assert "  Distrikt Nord: 0 kald i " in (await api.get(f"{address}/text", by=by)).body.decode()
    assert (await api.get(address, by="nordnote")).code == (404, "not_found")


async def test_the_log_names_the_bindings_unit_and_not_the_calls(
    agreements: dict[str, UUID], suppliers: dict[str, Supplier], api: Api, outsider: Connection, units: Districts
) -> None:
    await call_all(api, units, suppliers["kviknote"])
    rows = await outsider.fetch(
        "select kind, detail ->> 'unit' as unit, count(*) as entries from base.trail "
        "where kind in ('intent', 'outcome', 'refusal') and operation like 'notes.%' group by 1, 2"
    )
    assert {(row["kind"], row["unit"]) for row in rows} == {
        (kind, unit) for kind in ("intent", "outcome", "refusal") for unit in (None, str(units.nord))
    }


async def test_a_call_that_is_held_too_long_is_shown_to_the_districts_supplier(
    agreements: dict[str, UUID], suppliers: dict[str, Supplier], api: Api, database: Database, outsider: Connection,
    units: Districts,
) -> None:  # fmt: skip
    await call_all(api, units, suppliers["kviknote"])
    async with database.transaction() as tx:
        await raise_fence(tx, key(units.nord))
    async with asyncio.timeout(10):  # until the process honours it
        while not await outsider.fetchval(
            "select bool_and(cardinality(fences) = 1) from base.leases where kind = 'api'"
        ):
            await asyncio.sleep(0.05)
    assert (await api.get(NOTES, by="borgerblik", Torv_Unit=str(units.school))).code == (503, "move_in_progress")
    kvik, nordlys = [(await so_far(database, agreements[by]))["services"][0] for by in ("kviknote", "nordnote")]
    assert kvik["outcomes"]["move"] == {"move_in_progress": 1}
    assert "move" not in nordlys["outcomes"]


async def test_a_pilots_time_ends_when_its_binding_goes_back_up(
    agreements: dict[str, UUID], database: Database, cast: Cast, units: Districts
) -> None:
    async with database.transaction() as tx:
        await move_binding(tx, "notes", cast.releases["nordnote"], unit_id=units.nord)
        tx.notes[-1] = replace(tx.notes[-1], at=clock.now() - timedelta(minutes=60))
        await dissolve_binding(tx, "notes", units.nord)
        tx.notes[-1] = replace(tx.notes[-1], at=clock.now() - timedelta(minutes=30))
    content = await so_far(database, agreements["kviknote"])
    month = Month.of(clock.now())
    whole = clock.now() - timedelta(hours=2) > month.begins  # in the first hours of a month it is less
    assert (content["services"][0]["minutes"] == 60) == whole
    assert [each["is_dissolved"] for each in content["bindings"] if "unit" in each][-1] is True
