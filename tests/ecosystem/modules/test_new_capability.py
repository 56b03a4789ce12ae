"""A capability nobody has coded for comes in as data; it is provided, called, recorded, shown, and moved."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast, Part, content_of, enter_agreement, enter_part
from tests.ecosystem import lending, lending_twice
from tests.ecosystem.aids import ADDRESSED, CONTRACT, files, write_folder
from tests.sdk.loopback import Loopback, loopback
from tests.served import Api, Reply, run_worker, serve
from torv.base import signing
from torv.base.db import Database
from torv.base.settings import Settings
from torv.base.signing import Keys
from torv.ecosystem.modules import read_folder

ROOT = Path(__file__).parents[3]
LOANS, MOVES = "/c/aids/v1/loans", "/api/v1/moves"
GRANTS = (("records", ("write", "read", "follow"), ("aids",)), ("aids", ("provide", "export"), ("aids",)))
TRINVIS = Part(cvr="21447552", name="Trinvis Hjælp ApS", module="trinvis", grants=GRANTS)
SKRIDT = Part(cvr="36563206", name="Skridt for Skridt A/S", module="skridt", grants=GRANTS)


@pytest.fixture
async def lenders(database: Database, cast: Cast, keys: Keys) -> Cast:
    """The cast and two partners more, who agree with the municipality on lending aids."""
    own: dict[str, Any] = {
        each.name: dict(value) for each in fields(cast) if isinstance(value := getattr(cast, each.name), dict)
    }
    wider = replace(cast, **own)
    async with database.transaction() as tx:
        for part in (TRINVIS, SKRIDT):
            await enter_part(tx, wider, part)
            content = content_of(part)
            second = [grant | {"id": f"{grant['id']}-2", "major": 2} for grant in content["grants"][1:]]
            await enter_agreement(tx, wider, content | {"grants": content["grants"] + second}, keys)
    return wider


@pytest.fixture
async def api(lenders: Cast, settings: Settings, dsn: str) -> AsyncIterator[Api]:
    async with serve(settings, dsn, lenders) as served:
        yield served


# ---- the whole way ---------------------------------------------------------------------------------------------------
async def test_a_capability_nobody_coded_for_is_added_called_recorded_shown_and_moved(
    api: Api, lenders: Cast, settings: Settings, dsn: str, outsider: Connection, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path / "contracts" / "aids" / "v1", files())
    async with (
        run_worker(replace(settings, port=int(api.url.rpartition(":")[2])), dsn),
        running("trinvis", api, lenders, outsider, tmp_path) as first,
        running("skridt", api, lenders, outsider, tmp_path),
    ):
        assert (await api.post("/api/v1/contracts", {"files": read_folder(folder)}, by=ANNA)).status == 201
        new = {"capability": "aids", "release_id": str(lenders.releases["trinvis"])}
        assert (await api.post("/api/v1/bindings", new, by=ANNA)).status == 201
        rollator = await lend(api, lenders, "Rollator", "1")
        assert (await lend(api, lenders, "Rollator", "1")).body == rollator.body
        await _check_shown(api, lenders, ["Rollator"])

        await move(api, lenders, outsider)
        first.send_signal(signal.SIGKILL)  # whoever provided it before is not asked again
        await lend(api, lenders, "Badebænk", "2")
        await _check_shown(api, lenders, ["Rollator", "Badebænk"])
    written = await outsider.fetch(
        "select release_id, epoch from records.versions where capability = 'aids' order by seq"
    )
    assert [tuple(row) for row in written] == [(lenders.releases["trinvis"], 1), (lenders.releases["skridt"], 2)]


async def lend(api: Api, cast: Cast, what: str, key: str) -> Reply:
    """Anna lends Bjørn something; a module that has just started is given a moment."""
    content = {"person_id": str(cast.bjorn.id), "what": what, "lent_on": "2026-03-01", "size": {"unheard": "of"}}
    async with asyncio.timeout(20):
        while (reply := await api.post(LOANS, content, by=ANNA, Idempotency_Key=key)).status >= 404:
            await asyncio.sleep(0.05)
    assert reply.status == 201, reply.body
    return reply


async def loans(api: Api, cast: Cast) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        while (reply := await api.get(f"{LOANS}?person_id={cast.bjorn.id}", by=ANNA)).status != 200:
            await asyncio.sleep(0.05)
    return list(reply.json["loans"])


async def _check_shown(api: Api, cast: Cast, names: list[str]) -> None:
    """By the module, in the kernel's timeline, and on the citizen's page."""
    shown = await loans(api, cast)
    assert [(each["what"], each["size"]) for each in shown] == [(name, {"unheard": "of"}) for name in names]
    lines = (await api.get(f"/api/v1/records/timeline?person={cast.bjorn.id}", by=ANNA)).json["items"]
    assert [each["text"] for each in lines] == list(reversed(names))
    assert {(each["capability"], each["at"]) for each in lines} == {("aids", "2026-02-28T23:00:00Z")}
    page = (await api.get(f"/persons/{cast.bjorn.id}", by=ANNA, Accept_Language="da")).body.decode()
    assert all(f"<td>{name}</td>" in page for name in [*names, "Hjælpemidler"])
    assert "1. marts 2026" in page


async def move(api: Api, cast: Cast, outsider: Connection) -> None:
    """To the second module, while somebody reads all the time."""
    new = {"capability": "aids", "to_release": str(cast.releases["skridt"])}
    planned = (await api.post(MOVES, new, by=ANNA)).json["id"]
    async with asyncio.timeout(40):
        while True:
            state = await outsider.fetchval("select state from moves.moves where id::text = $1", planned)
            steps = await outsider.fetch("select detail from moves.steps where move_id::text = $1", planned)
            assert state != "aborted", steps
            if state in ("watching", "final"):
                return
            assert len(await loans(api, cast)) == 1


@asynccontextmanager
async def running(
    module: str, api: Api, cast: Cast, outsider: Connection, folder: Path, program: str = lending.__file__
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The module's program as a process of its own, at the address of its release."""
    key, data, listening = folder / f"{module}.pem", folder / module, socket.create_server(("127.0.0.1", 0))
    key.write_bytes(cast.release_keys[module].as_pem(private=True))
    key.chmod(0o600)
    data.mkdir()
    environment = {
        "TORV_URL": api.url, "TORV_CLIENT_ID": str(cast.releases[module]), "TORV_KEY_FILE": str(key),
        "TORV_MODULE_DATA": str(data), "TORV_MODULE_FD": str(listening.fileno()),
        "TORV_CONTRACTS": str(folder / "contracts"), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, env=environment, pass_fds=[listening.fileno()],
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    await outsider.execute("update modules.releases set url = $1 where id = $2", url, cast.releases[module])
    await outsider.execute("update base.generation set number = number + 1")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        listening.close()


# ---- two major versions ----------------------------------------------------------------------------------------------
@asynccontextmanager
async def provided(api: Api, cast: Cast, outsider: Connection, majors: dict[str, list[int]]) -> AsyncIterator[Loopback]:
    """Both major versions of aids are in force; a release that says which of them it provides is in service."""
    async with loopback() as server:
        server.answer("/loans", 200, {"loans": []})
        second = CONTRACT.replace("major: 1", "major: 2").replace("version: 1.0.0", "version: 2.0.0")
        for contract in (CONTRACT, second):
            assert (await api.post("/api/v1/contracts", {"files": files(contract)}, by=ANNA)).status == 201
        jwk = signing.public(cast.release_keys["trinvis"])
        new = {"version": "2.0.0", "url": server.url, "jwk": jwk, "majors": majors}
        release = (await api.post(f"/api/v1/modules/{cast.modules['trinvis']}/releases", new, by=ANNA)).json
        binding = {"capability": "aids", "release_id": release["id"]}
        assert (await api.post("/api/v1/bindings", binding, by=ANNA)).status == 201
        async with asyncio.timeout(2):
            while (await api.get(LOANS, by=ANNA)).status != 200:
                await asyncio.sleep(0.02)
        server.asked.clear()
        yield server


async def test_two_major_versions_are_served_at_once_and_the_module_learns_which_was_meant(
    api: Api, lenders: Cast, outsider: Connection
) -> None:
    async with provided(api, lenders, outsider, {"aids": [2, 1]}) as server:
        for major in (1, 2, 1):
            assert (await api.get(f"/c/aids/v{major}/loans", by=ANNA)).status == 200
        seen = [headers for headers, _ in server.seen("/loans")]
        claims = [signing.unverified_claims(each["Authorization"].removeprefix("Bearer ")) for each in seen]
        assert [(each["Torv-Major"], of["maj"]) for each, of in zip(seen, claims, strict=True)] == [
            ("1", 1), ("2", 2), ("1", 1),
        ]  # fmt: skip


async def test_one_program_serves_two_major_versions_and_addresses_with_variable_parts(
    api: Api, lenders: Cast, settings: Settings, dsn: str, outsider: Connection, tmp_path: Path
) -> None:
    second = ADDRESSED.replace("major: 1", "major: 2").replace("version: 1.0.0", "version: 2.0.0")
    for major, contract in enumerate((CONTRACT, second), 1):
        write_folder(tmp_path / "contracts" / "aids" / f"v{major}", files(contract))
        assert (await api.post("/api/v1/contracts", {"files": files(contract)}, by=ANNA)).status == 201
    await outsider.execute(
        "update modules.releases set majors = $1 where id = $2", '{"aids": [1, 2]}', lenders.releases["trinvis"]
    )
    binding = {"capability": "aids", "release_id": str(lenders.releases["trinvis"])}
    assert (await api.post("/api/v1/bindings", binding, by=ANNA)).status == 201
    async with (
        run_worker(replace(settings, port=int(api.url.rpartition(":")[2])), dsn),
        running("trinvis", api, lenders, outsider, tmp_path, lending_twice.__file__),
    ):
        first = (await lend(api, lenders, "Rollator", "1")).json
        assert first["by"] == 1
        assert [each["id"] for each in await loans(api, lenders)] == [first["id"]]
        newer = f"/c/aids/v2/loans/{first['id']}"
        counted = await api.get(f"/c/aids/v2/loans?person_id={lenders.bjorn.id}", by=ANNA)
        assert counted.json == {"loans": [], "count": 1}
        assert (await api.get(newer, by=ANNA)).json == first
        changed = await api.ask("PATCH", newer, {"state": "returned"}, by=ANNA, Idempotency_Key="2")
        assert (changed.json["version"], changed.json["state"]) == (2, "returned")
        [seen] = (await api.get(f"/c/aids/v2/persons/{lenders.bjorn.id}/loans", by=ANNA)).json["loans"]
        assert seen == changed.json
        assert (await api.get(f"/c/aids/v2/loans/{lenders.bjorn.id}", by=ANNA)).code == (404, "not_found")
        assert (await api.get(f"/c/aids/v1/loans/{first['id']}", by=ANNA)).code == (404, "not_found")


async def test_a_key_that_was_used_in_one_major_version_is_not_replayed_in_another(
    api: Api, lenders: Cast, outsider: Connection
) -> None:
    async with provided(api, lenders, outsider, {"aids": [1, 2]}) as server:
        assert (await api.post(LOANS, {}, by=ANNA, Idempotency_Key="1")).status == 200
        reply = await api.post("/c/aids/v2/loans", {}, by=ANNA, Idempotency_Key="1")
        assert reply.code == (409, "idempotency_key_reused")
        assert len(server.seen("/loans")) == 1


async def test_a_major_version_the_module_does_not_provide_is_refused_clearly(
    api: Api, lenders: Cast, outsider: Connection
) -> None:
    async with provided(api, lenders, outsider, {}) as server:
        refused = await api.get("/c/aids/v2/loans", by=ANNA, Accept_Language="da")
        assert refused.code == (404, "major_not_provided")
        assert refused.json["title"] == "Modulet, der varetager ydelsen, har ikke version 2 af kontrakten, kun 1."
        assert (await api.get("/c/aids/v3/loans", by=ANNA)).code == (404, "not_found")
        assert server.seen("/loans") == []
    outcome = await outsider.fetchval(
        "select count(*) from base.trail where kind = 'outcome' and result = 'major_not_provided'"
    )
    assert outcome == 1


async def test_nobody_is_moved_to_who_lacks_a_major_version_that_is_served(
    api: Api, lenders: Cast, outsider: Connection, worker: None
) -> None:
    async with provided(api, lenders, outsider, {"aids": [1, 2]}):
        detail = await _end_of_move(api, lenders.releases["skridt"], outsider, "aborted")
    assert detail == {"reason": "majors_missing", "majors": [2]}


async def test_a_capability_without_records_is_moved_too(
    api: Api, lenders: Cast, outsider: Connection, worker: None
) -> None:
    without = CONTRACT[: CONTRACT.index("records:")] + "records: []\n"
    assert (await api.post("/api/v1/contracts", {"files": {"contract.yaml": without}}, by=ANNA)).status == 201
    binding = {"capability": "aids", "release_id": str(lenders.releases["trinvis"])}
    assert (await api.post("/api/v1/bindings", binding, by=ANNA)).status == 201
    await _end_of_move(api, lenders.releases["skridt"], outsider, "watching")
    [bound] = [each for each in (await api.get("/api/v1/bindings", by=ANNA)).json["items"] if each["epoch"] == 2]
    assert bound["capability"] == "aids"


async def test_who_is_not_permitted_to_provide_a_capability_without_records_is_not_moved_to(
    api: Api, lenders: Cast, outsider: Connection, worker: None
) -> None:
    without = CONTRACT[: CONTRACT.index("records:")] + "records: []\n"
    assert (await api.post("/api/v1/contracts", {"files": {"contract.yaml": without}}, by=ANNA)).status == 201
    binding = {"capability": "aids", "release_id": str(lenders.releases["trinvis"])}
    assert (await api.post("/api/v1/bindings", binding, by=ANNA)).status == 201
    detail = await _end_of_move(api, lenders.releases["kviknote"], outsider, "aborted")
    assert detail["reason"] == "not_permitted"


async def _end_of_move(api: Api, release: Any, outsider: Connection, end: str) -> Any:
    """Plan a move and wait until it has come to this end; gives what its last step says."""
    planned = (await api.post(MOVES, {"capability": "aids", "to_release": str(release)}, by=ANNA)).json["id"]
    async with asyncio.timeout(20):
        while await outsider.fetchval("select state from moves.moves where id::text = $1", planned) != end:
            await asyncio.sleep(0.02)
    last = "select detail from moves.steps where move_id::text = $1 order by seq desc limit 1"
    return json.loads(await outsider.fetchval(last, planned))


@pytest.mark.parametrize("majors", [{"aids": []}, {"aids": [0]}, {"aids": [1000]}])
async def test_a_release_says_which_major_versions_there_can_be(api: Api, lenders: Cast, majors: Any) -> None:
    jwk = signing.public(lenders.release_keys["trinvis"])
    new = {"version": "3.0.0", "url": "http://127.0.0.1:9", "jwk": jwk, "majors": majors}
    reply = await api.post(f"/api/v1/modules/{lenders.modules['trinvis']}/releases", new, by=ANNA)
    assert reply.code == (422, "invalid_input")
