"""Contracts while Torv runs: added by those who may, in force at once, refused where they break a promise."""

import asyncio
from typing import Any

import pytest
from asyncpg import Connection
from typer.testing import CliRunner

from tests.cast import ANNA, Cast
from tests.ecosystem.aids import ADDRESSED, CONTRACT, LOAN, OPENAPI, files, write_folder
from tests.served import Api, Reply
from torv.base.db import Database
from torv.cli import commands
from torv.ecosystem.modules import add_contract, add_shipped_contract, read_contract, shipped_contracts

CONTRACTS = "/api/v1/contracts"


def version(number: str, contract: str = CONTRACT, loan: Any = LOAN) -> dict[str, str]:
    return files(contract.replace("version: 1.0.0", f"version: {number}"), loan)


async def add(api: Api, contents: dict[str, str], by: str = ANNA) -> Reply:
    return await api.post(CONTRACTS, {"files": contents}, by=by)


async def test_a_contract_is_added_once_and_again_and_listed(api: Api, outsider: Connection) -> None:
    first, again = await add(api, files()), await add(api, files())
    assert (first.status, again.json) == (201, first.json)
    assert {**first.json, "added_at": None} == {
        "capability": "aids", "major": 1, "version": "1.0.0", "title": "Hjælpemidler",
        "hash": read_contract(files()).hash, "added_at": None,
    }  # fmt: skip
    listed = (await api.get(f"{CONTRACTS}?limit=1", by=ANNA)).json
    rest = (await api.get(f"{CONTRACTS}?limit=200&cursor={listed['next']}", by=ANNA)).json
    assert listed["items"] == [first.json]
    assert "notes" in [each["capability"] for each in rest["items"]]
    entry = await outsider.fetchrow("select kind, operation from base.trail where detail->>'capability' = 'aids'")
    assert (entry["kind"], entry["operation"]) == ("write", "modules.add_contract")


async def test_every_process_knows_a_new_contract_within_a_second(api: Api) -> None:
    """The operation is there: what is missing now is a module, and not the contract."""
    assert (await api.get("/c/aids/v1/loans", by=ANNA)).code == (404, "not_found")
    await add(api, files())
    async with asyncio.timeout(1):
        while (await api.get("/c/aids/v1/loans", by=ANNA)).code != (404, "capability_not_bound"):
            await asyncio.sleep(0.02)


async def test_a_module_adds_no_contract(shared_api: Api) -> None:
    assert (await add(shared_api, files(), by="nordnote")).code == (403, "denied")


async def test_a_contract_that_cannot_be_used_changes_nothing(shared_api: Api) -> None:
    reply = await add(shared_api, {**files(), "records/loan.json": "{}"})
    assert reply.code == (422, "contract_invalid")
    assert reply.json["faults"][0]["file"] == "records/loan.json"
    assert reply.json["title"].startswith("Kontrakten kan ikke bruges: records/loan.json /type skal være object")


async def test_a_newer_version_that_grows_comes_into_force(api: Api, outsider: Connection) -> None:
    await add(api, files())
    grown = {**LOAN, "properties": {**LOAN["properties"], "colour": {"type": "string"}}}
    assert (await add(api, version("1.1.0", loan=grown))).status == 201
    kept = await outsider.fetch("select version from modules.contract_versions where capability = 'aids' order by 1")
    assert [row["version"] for row in kept] == ["1.0.0", "1.1.0"]
    schema = await outsider.fetchval("select schema from records.types where capability = 'aids'")
    assert "colour" in schema


@pytest.mark.parametrize("number", ["1.0.0", "1.0.1", "0.9.9"])
async def test_other_content_needs_a_higher_version(api: Api, number: str) -> None:
    await add(api, version("1.0.1"))
    contents = version(number, CONTRACT.replace("en: Aids", "en: Loans"))
    contents["contract.yaml"] = contents["contract.yaml"].replace("version: 0.9.9", "version: 1.0.0")
    reply = await add(api, contents)
    assert reply.code == (409, "contract_version_wrong")
    assert "1.0.1" in reply.json["title"]


async def test_a_version_that_breaks_is_refused_with_every_break_named(api: Api, outsider: Connection) -> None:
    await add(api, files())
    broken = {**LOAN, "required": ["what", "state"], "additionalProperties": False}
    contract = CONTRACT.replace("  - {id: list_loans, method: GET, path: /loans, safe: true, category: aids}\n", "")
    reply = await add(api, version("1.1.0", contract, broken))
    assert reply.code == (409, "contract_breaks")
    assert [each["place"] for each in reply.json["faults"]] == [
        "/operations/list_loans",
        "/records/loan/schema/required/state",
        "/records/loan/schema/additionalProperties",
    ]
    assert await outsider.fetchval("select version from modules.contracts where capability = 'aids'") == "1.0.0"


async def test_a_record_type_of_two_major_versions_only_grows(api: Api) -> None:
    """The records are the capability's: what version 2 writes must still be read by whoever speaks version 1."""
    await add(api, files())
    second = CONTRACT.replace("version: 1.0.0", "version: 2.0.0").replace("major: 1", "major: 2")
    narrower = {**LOAN, "required": ["what", "lent_on"]}
    refused = await add(api, files(second, narrower))
    assert refused.code == (409, "contract_breaks")
    assert [each["place"] for each in refused.json["faults"]] == ["/records/loan/schema/required/lent_on"]
    grown = {**LOAN, "properties": {**LOAN["properties"], "colour": {"type": "string"}}}
    assert (await add(api, files(second, grown))).status == 201
    assert (await add(api, version("1.1.0"))).code == (409, "contract_breaks")


async def test_what_is_shipped_never_takes_a_newer_version_back(database: Database, cast: Cast) -> None:
    [notes] = [each for each in shipped_contracts() if each.capability == "notes"]
    async with database.transaction() as tx:
        aids = read_contract(version("1.2.0"))
        await add_contract(tx, cast.user("modules.add_contract", "contract"), aids)
        await add_shipped_contract(tx, read_contract(version("1.1.0", CONTRACT.replace("en: Aids", "en: Older"))))
        await add_shipped_contract(tx, notes)
        again = await add_contract(tx, cast.user("modules.add_contract", "contract"), aids)
    assert (again.version, again.hash) == ("1.2.0", aids.hash)


async def test_the_command_checks_adds_and_lists(dsn: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORV_DATABASE_URL", dsn)
    monkeypatch.setenv("TORV_STATE_DIR", str(tmp_path / "state"))

    async def run(*words: str) -> tuple[int, str]:
        result = await asyncio.to_thread(CliRunner().invoke, commands, ["capability", *words])
        return result.exit_code, result.output

    folder = str(write_folder(tmp_path / "aids", files()))
    broken = write_folder(tmp_path / "broken", files(CONTRACT.replace("major: 1", "major: 2")))
    assert "aids v1 (1.0.0)" in (await run("check", folder))[1]
    code, told = await run("check", str(broken))
    assert (code, "contract.yaml /version: begynder ikke med hovedversionen" in told) == (1, True)
    code, told = await run("add", folder)
    assert (code, told.strip()) == (0, "Hjælpemidler gælder nu: aids v1, version 1.0.0.")
    code, told = await run("list")
    assert (code, told.splitlines()[0].split()[:3]) == (0, ["aids", "v1", "1.0.0"])


# ---- reading one -----------------------------------------------------------------------------------------------------
async def test_anybody_reads_a_contract_with_everything_in_it(api: Api) -> None:
    await add(api, files(ADDRESSED))
    place = "/api/v1/contracts/aids/v1"
    first = await api.get(place)
    expected = read_contract(files(ADDRESSED))
    assert (first.status, first.json["hash"], first.json["content"]) == (200, expected.hash, expected.content)
    assert first.json["openapi"] is None
    assert (await api.get(place, If_None_Match=first.headers["ETag"])).status == 304
    assert (await add(api, files(ADDRESSED) | {"openapi.yaml": OPENAPI})).status == 201
    second = await api.get(place, If_None_Match=first.headers["ETag"])
    assert (second.status, second.json["openapi"]["openapi"]) == (200, "3.1.0")
    other = files(ADDRESSED) | {"openapi.yaml": OPENAPI.replace("Read a loan", "Lees een lening")}
    assert (await add(api, other)).code == (409, "contract_version_wrong")
    assert (await api.get("/api/v1/contracts/aids/v2")).code == (404, "not_found")
    assert (await api.get("/api/v1/contracts/A!/v1")).code == (422, "invalid_input")


async def test_the_shipped_contract_is_read_as_it_is_shipped(shared_api: Api) -> None:
    read = (await shared_api.get("/api/v1/contracts/notes/v1")).json
    [shipped] = [each for each in shipped_contracts() if each.capability == "notes"]
    assert (read["hash"], read["openapi"]) == (shipped.hash, shipped.openapi)
    assert read["content"]["records"][0]["schema"]["type"] == "object"
