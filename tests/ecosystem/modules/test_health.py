"""Whether the releases in use are well: asked again and again, kept with since when, and shown to people."""

import json
import math
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.sdk.loopback import Loopback
from tests.served import Api
from torv.base.db import Database
from torv.base.signing import Keys
from torv.ecosystem.gateway import ModuleClient
from torv.ecosystem.modules import HealthWatch, Release
from torv.ecosystem.modules.health import judge

RELEASE = UUID("0198c0de-0000-7000-8000-000000000001")
WELL = {"status": "ok", "release": str(RELEASE), "position": 5_000, "caught_up": True}
KNOWN = Release(
    id=RELEASE, module_id=RELEASE, partner_id=RELEASE, module_name="nordnote", version="1.0.0",
    url="http://127.0.0.1:9", jwk={}, majors={},
)  # fmt: skip


@pytest.mark.parametrize(
    ("status", "said", "state", "lag"),
    [
        (200, WELL, "well", 5),
        (200, WELL | {"position": 6_000}, "well", 0),
        (200, WELL | {"caught_up": False}, "behind", 5),
        (200, WELL | {"position": 4_000}, "behind", 1_005),
        (503, WELL, "unwell", 5),
        (200, WELL | {"status": "ill"}, "unwell", 5),
        (200, WELL | {"release": "somebody else"}, "unwell", 5),
        (200, WELL | {"position": "5000"}, "unwell", None),
        (200, WELL | {"position": True}, "unwell", None),
        (200, [], "unwell", None),
        (200, None, "unwell", None),
    ],
)
def test_what_a_release_says_is_judged(status: int, said: Any, state: str, lag: int | None) -> None:
    body = b"{" if said is None else json.dumps(said).encode()
    found = judge(KNOWN, status, body, 5_005)
    assert (found.state, found.lag) == (state, lag)


@pytest.fixture
async def watch(database: Database, keys: Keys) -> AsyncIterator[HealthWatch]:
    client = ModuleClient(keys, "http://torv.example", private=True)
    yield HealthWatch(database, client.health)
    await client.close()


async def test_health_is_kept_with_since_when_and_shown(
    api: Api, cast: Cast, nordnote: Loopback, watch: HealthWatch, outsider: Connection
) -> None:
    async def binding() -> Any:
        [found] = (await api.get("/api/v1/bindings", by=ANNA)).json["items"]
        return found

    async def page() -> str:
        return (await api.get("/", by=ANNA, Accept="text/html", Accept_Language="da")).body.decode()

    assert (await binding())["health"] is None
    assert "Ikke set efter endnu" in await page()
    nordnote.answer("/torv/health", 200, WELL | {"release": str(cast.releases["nordnote"]), "position": 0})
    await watch.look()
    first = (await binding())["health"]
    await watch.look()
    second = (await binding())["health"]
    assert (second["state"], second["lag"], second["since"]) == ("well", 0, first["since"])
    assert second["checked_at"] > first["checked_at"]
    assert "Kører" in await page()

    nordnote.answers["/torv/health"].clear()
    nordnote.hang_up("/torv/health")
    await watch.look()
    third = (await binding())["health"]
    assert (third["state"], third["lag"], third["since"] > second["since"]) == ("silent", None, True)
    assert "Svarer ikke" in await page()
    entries = await outsider.fetch("select detail from base.trail where operation = 'modules.health'")
    assert [json.loads(each["detail"])["state"] for each in entries] == ["well", "silent"]


async def test_who_is_tried_out_and_who_stands_by_is_asked_too(
    api: Api, cast: Cast, kviknote: Loopback, watch: HealthWatch, outsider: Connection
) -> None:
    kviknote.answer("/torv/health", 200, WELL | {"release": str(cast.releases["kviknote"]), "position": 0})
    for role, column in (("shadow", "shadow_release_id"), ("standby", "standby_release_id")):
        await outsider.execute(f"update modules.bindings set {column} = $1", cast.releases["kviknote"])
        await watch.look()
        [found] = (await api.get("/api/v1/bindings", by=ANNA)).json["items"]
        [beside] = found["beside"]
        assert (beside["role"], beside["module_name"], beside["health"]["state"]) == (role, "kviknote", "well")
        assert await api.metric("torv_module_well", module="kviknote", version="1.0.0") == 1
        await outsider.execute(f"update modules.bindings set {column} = null")
    await watch.look()
    assert await outsider.fetchval("select count(*) from modules.health") == 1
    assert math.isnan(await api.metric("torv_module_well", module="kviknote", version="1.0.0"))
    assert await api.metric("torv_module_well", module="nordnote", version="1.0.0") == 0
