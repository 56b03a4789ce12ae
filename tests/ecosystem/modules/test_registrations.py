"""Releases that partners register by their own key, what they state of themselves, and what follows from it."""

import asyncio
import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from asyncpg import Connection
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from tests.cast import ANNA, KVIK, NORDLYS, NOWHERE, Cast
from tests.ecosystem.aids import files
from tests.served import Api, Reply
from torv.base import signing
from torv.cli import commands
from torv.ecosystem.modules.component_versions import search_name_of, sort_key_of
from torv_sdk.canonical import canonical
from torv_sdk.cli import main
from torv_sdk.keys import sign_manifest
from torv_sdk.manifests import read_manifest, send
from torv_sdk.problems import KernelRefusal
from torv_sdk.tokens import assertion

REGISTRATIONS, INVENTORY = "/api/v1/registrations", "/api/v1/inventory"
KEY = ECKey.generate_key("P-256")
MANIFEST: dict[str, Any] = {
    "format": "torv-module/1",
    "module": "nordnote",
    "version": "2.0.0",
    "provides": [{"capability": "notes", "major": 1, "since": "1.0.0"}],
    "software": {"components": [
        {"name": "aiohttp", "version": "3.9.5", "license": "Apache-2.0", "purl": "pkg:pypi/aiohttp@3.9.5"},
        {"name": "Foo_Bar", "version": "1.0rc1"},
    ]},
    "hosting": [
        {"country": "DK", "provider": "Nordlys Omsorg ApS", "role": "operation", "place": "Viborg", "data": ["notes"]},
        {"country": "SE", "provider": "Molnet AB", "role": "backup", "data": ["notes"]},
        {"country": "IE", "provider": "Help Ltd", "role": "support", "data": []},
    ],
    "contacts": {
        "operations": {"name": "Vagten", "email": "drift@nordlys.example"},
        "security": {"name": "Sikkerhed", "email": "sikkerhed@nordlys.example"},
    },
    "address": "http://127.0.0.1:9",
    "key": KEY.as_dict(private=False),
}  # fmt: skip


def manifest(**changes: Any) -> dict[str, Any]:
    return deepcopy(MANIFEST) | changes


async def register(api: Api, cast: Cast, content: dict[str, Any], *, by: str = "nordnote", **more: Any) -> Reply:
    """Send a manifest with the statement of its partner, as `torv-sdk register` does."""
    signer = {"nordnote": NORDLYS, "kviknote": KVIK}[by].cvr
    jws = sign_manifest(content, key=cast.partner_keys[by], signer=signer, audience=api.url)
    return await api.post(REGISTRATIONS, {"manifest": content, "jws": jws, **more})


# ---- by the partner's own key ----------------------------------------------------------------------------------------
async def test_a_partner_registers_a_release_and_nobody_of_the_municipality_takes_part(
    api: Api, cast: Cast, outsider: Connection
) -> None:
    reply = await register(api, cast, manifest())
    assert reply.status == 201, reply.body
    release = reply.json
    assert (release["module_id"], release["version"]) == (str(cast.modules["nordnote"]), "2.0.0")
    assert (release["state"], release["in_service"], release["majors"]) == ("registered", [], {"notes": [1]})
    assert release["manifest_hash"] == sha256(canonical(manifest())).hexdigest()
    answer = await api.post(
        "/oauth/token", urlencode(assertion(KEY, release["id"], api.url)).encode(),
        Content_Type="application/x-www-form-urlencoded",
    )  # fmt: skip
    assert answer.status == 200
    entry = await outsider.fetchrow("select * from base.trail where operation = 'modules.register_by_partner'")
    assert entry is not None
    assert entry["kind"] == "write"


async def test_torv_sdk_register_sends_what_the_files_beside_the_manifest_say(
    api: Api, cast: Cast, tmp_path: Path
) -> None:
    content = manifest(software={"lock": "requirements.lock"})
    (tmp_path / "manifest.yaml").write_text(json.dumps(content), "utf-8")
    (tmp_path / "requirements.lock").write_text("aiohttp==3.14.5 \\\n    --hash=sha256:00\n", "utf-8")
    key = cast.partner_keys["nordnote"]
    answer = await send(read_manifest(tmp_path / "manifest.yaml"), api.url, key, NORDLYS.cvr)
    read = (await api.get(f"/api/v1/releases/{answer['id']}", by=ANNA)).json
    assert read["manifest"]["software"]["components"][0]["purl"] == "pkg:pypi/aiohttp@3.14.5"
    with pytest.raises(KernelRefusal) as refused:
        await send(content | {"software": {}}, api.url, key, NORDLYS.cvr)
    assert refused.value.code == "release_differs"


async def test_a_new_module_comes_with_its_first_release(api: Api, cast: Cast) -> None:
    content = manifest(module="nordvagt", provides=[])
    release = (await register(api, cast, content)).json
    read = (await api.get(f"/api/v1/modules/{release['module_id']}", by=ANNA)).json
    assert (read["name"], read["partner_name"], read["releases"]) == ("nordvagt", NORDLYS.name, 1)


async def test_the_same_manifest_again_is_the_same_release_and_another_one_needs_a_new_version(
    api: Api, cast: Cast
) -> None:
    first, second = [(await register(api, cast, manifest())).json for _ in range(2)]
    assert first["id"] == second["id"]
    assert (await register(api, cast, manifest(start="nordnote"))).code == (409, "release_differs")
    listed = (await api.get(f"/api/v1/modules/{cast.modules['nordnote']}/releases", by=ANNA)).json["items"]
    assert [each["version"] for each in listed] == ["2.0.0", "1.0.0"]


async def test_what_a_municipal_user_registered_is_not_overwritten(api: Api, cast: Cast) -> None:
    assert (await register(api, cast, manifest(version="1.0.0"))).code == (409, "release_differs")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"type": "accept"}, "signature_invalid"),
        ({"audience": "https://torv.anden-kommune.example"}, "signature_invalid"),
        ({"hash": "0" * 64}, "signature_invalid"),
        ({"signer": KVIK.cvr}, "signature_invalid"),
        ({"signer": "12345678"}, "signature_invalid"),
        ({"signer": 7}, "signature_invalid"),
        ({"more": "than expected"}, "signature_invalid"),
        ({"signed_at": (datetime.now(UTC) - timedelta(minutes=11)).isoformat()}, "statement_outdated"),
        ({"signed_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, "statement_outdated"),
        ({"signed_at": "now"}, "statement_outdated"),
        ({"signed_at": None}, "statement_outdated"),
    ],
)
async def test_a_statement_that_says_something_else_registers_nothing(
    shared_api: Api, cast: Cast, change: dict[str, Any], code: str
) -> None:
    content = manifest(version="9.0.0")
    statement = {
        "type": "register", "hash": sha256(canonical(content)).hexdigest(), "audience": shared_api.url,
        "signer": NORDLYS.cvr, "signed_at": datetime.now(UTC).isoformat(),
    }  # fmt: skip
    jws = signing.sign(statement | change, cast.partner_keys["nordnote"])
    reply = await shared_api.post(REGISTRATIONS, {"manifest": content, "jws": jws})
    assert (reply.status in (401, 403, 422), reply.json["code"]) == (True, code)


async def test_a_key_that_is_not_the_partners_registers_nothing(shared_api: Api, cast: Cast) -> None:
    content = manifest(version="9.0.0")
    for key in (cast.partner_keys["kviknote"], cast.release_keys["nordnote"], ECKey.generate_key("P-256")):
        jws = sign_manifest(content, key=key, signer=NORDLYS.cvr, audience=shared_api.url)
        reply = await shared_api.post(REGISTRATIONS, {"manifest": content, "jws": jws})
        assert reply.json["code"] == "signature_invalid"
    reply = await shared_api.post(REGISTRATIONS, {"manifest": content, "jws": "not a statement"})
    assert reply.json["code"] == "signature_invalid"


async def test_a_key_that_has_ended_registers_nothing(api: Api, cast: Cast) -> None:
    kid = cast.partner_keys["nordnote"].thumbprint()
    place = f"/api/v1/partners/{cast.partners['nordnote']}/keys/{kid}/end"
    assert (await api.post(place, by=ANNA)).status == 200
    assert (await register(api, cast, manifest())).json["code"] == "signature_invalid"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"colour": "blue"}, "unknown: colour"),
        ({"hosting": []}, "/hosting"),
        ({"contacts": {"operations": {"name": "x", "email": "x@y.dk"}}}, "security is missing"),
        ({"provides": [{"capability": "notes", "major": 1}] * 2}, "/provides/1: stands twice"),
        ({"provides": [{"capability": "notes", "major": 1, "since": "2.0.0"}]}, "/provides/0/since"),
        ({"provides": [{"capability": "notes", "major": 1, "below": "1.0.0"}]}, "/provides/0/below"),
        ({"software": {"sbom": "sbom.json"}}, "/software/sbom"),
        ({"hosting": [{**MANIFEST["hosting"][0], "country": "Danmark"}]}, "/hosting/0/country"),
        ({"software": {"components": [{"name": "x\n", "version": "1"}]}}, "/software/components/0/name"),
    ],
)
async def test_a_manifest_is_read_strictly(shared_api: Api, cast: Cast, change: dict[str, Any], place: str) -> None:
    reply = await register(shared_api, cast, manifest(**change))
    assert reply.code == (422, "manifest_invalid")
    assert place in reply.json["reason"]


async def test_address_and_key_are_checked_as_ever(shared_api: Api, cast: Cast) -> None:
    assert (await register(shared_api, cast, manifest(address="http://ok@127.0.0.1"))).code[0] == 422
    private = manifest(key=KEY.as_dict(private=True))
    assert (await register(shared_api, cast, private)).code == (422, "invalid_input")
    without = manifest()
    del without["address"]
    assert (await register(shared_api, cast, without)).code == (422, "manifest_invalid")


async def test_a_partner_cannot_fill_the_house(api: Api, cast: Cast, outsider: Connection) -> None:
    await outsider.execute(
        "insert into modules.releases (id, module_id, version, url, jwk) "
        "select gen_random_uuid(), $1, '0.0.' || n, 'http://127.0.0.1:9', '{}' from generate_series(1, 50) n",
        cast.modules["nordnote"],
    )
    assert (await register(api, cast, manifest())).code == (429, "registrations_throttled")


# ---- who sees what ---------------------------------------------------------------------------------------------------
async def test_the_municipality_sees_every_module_and_a_partner_its_own(shared_api: Api, cast: Cast) -> None:
    seen = {by: (await shared_api.get("/api/v1/modules", by=by)).json["items"] for by in (ANNA, "nordnote")}
    assert {each["name"] for each in seen[ANNA]} == {"nordnote", "kviknote", "borgerblik"}
    assert {each["name"] for each in seen["nordnote"]} == {"nordnote"}
    for by, status in ((ANNA, 200), ("kviknote", 200), ("nordnote", 404)):
        for place in (f"modules/{cast.modules['kviknote']}", f"modules/{cast.modules['kviknote']}/releases",
                      f"releases/{cast.releases['kviknote']}"):  # fmt: skip
            assert (await shared_api.get(f"/api/v1/{place}", by=by)).status == status, (by, place)
    assert (await shared_api.get("/api/v1/modules")).code == (401, "not_identified")


async def test_lists_come_by_pages(api: Api, cast: Cast) -> None:
    for version in ("2.0.0", "2.1.0"):
        await register(api, cast, manifest(version=version))
    for place, count in (
        ("/api/v1/modules?", 3),
        (f"/api/v1/modules/{cast.modules['nordnote']}/releases?", 3),
        (f"{INVENTORY}?component=aiohttp&", 2),
        (f"{INVENTORY}/locations?", 6),
    ):
        found: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await api.get(f"{place}limit=2{cursor and f'&cursor={cursor}'}", by=ANNA)).json
            found += page["items"]
            cursor = page["next"]
        assert len(found) == len({str(each) for each in found}) == count, place


# ---- the inventory ---------------------------------------------------------------------------------------------------
async def test_the_inventory_finds_releases_by_component_and_version(api: Api, cast: Cast) -> None:
    newer = {"components": [{"name": "aiohttp", "version": "3.10.0", "purl": "pkg:pypi/aiohttp@3.10.0"}]}
    await register(api, cast, manifest())
    await register(api, cast, manifest(version="2.1.0", software=newer))

    async def versions(query: str, by: str = ANNA) -> list[str]:
        reply = await api.get(f"{INVENTORY}?{query}", by=by)
        return [each["version"] for each in reply.json["items"]]

    assert await versions("component=aiohttp") == ["3.9.5", "3.10.0"]
    assert await versions("component=AIOHTTP&below=3.10") == ["3.9.5"]
    assert await versions("component=pkg:pypi/aiohttp") == ["3.9.5", "3.10.0"]
    assert await versions("component=foo-bar&below=1.0") == ["1.0rc1"]
    assert await versions("component=aiohttp&below=3.9.5") == []
    assert await versions("component=aiohttp", by="kviknote") == []
    [found] = (await api.get(f"{INVENTORY}?component=foo.bar", by="nordnote")).json["items"]
    assert (found["module_name"], found["release_version"], found["in_service"]) == ("nordnote", "2.0.0", [])


async def test_the_inventory_knows_which_data_is_where(api: Api, cast: Cast) -> None:
    await register(api, cast, manifest())

    async def countries(query: str, by: str = ANNA) -> list[str]:
        return [each["country"] for each in (await api.get(f"{INVENTORY}/locations?{query}", by=by)).json["items"]]

    assert await countries("") == ["DK", "SE", "IE"]
    assert await countries("category=notes") == ["DK", "SE"]
    assert await countries("country=IE") == ["IE"]
    assert await countries("category=notes", by="kviknote") == []


ASCENDING = [
    "unknown", "0.9", "1.0.dev1", "1.0a1", "1.0-alpha.2", "1.0b1", "1.0rc1", "1.0", "1.0.post1", "1.0.1", "1.1.1",
    "1.1.1k", "1.1.2", "1.9", "1.10", "2", "2.0.1", "10.0", "20240101", "1:0.1",
]  # fmt: skip


def test_versions_sort_as_people_mean_them() -> None:
    keys = [sort_key_of(each) for each in ASCENDING]
    assert keys == sorted(set(keys))
    assert len({sort_key_of(each) for each in ("1.0", "1.0.0", "v1", "1.0.0+build5")}) == 1
    assert search_name_of("Foo._Bar") == search_name_of("foo-bar")


# ---- binding and moving ----------------------------------------------------------------------------------------------
async def test_a_release_is_not_bound_or_moved_to_for_a_contract_beyond_its_range(api: Api, cast: Cast) -> None:
    assert (await api.post("/api/v1/contracts", {"files": files()}, by=ANNA)).status == 201
    ahead = manifest(provides=[{"capability": "notes", "major": 1, "since": "1.99.0"}])
    release = (await register(api, cast, ahead)).json["id"]
    moved = await api.post("/api/v1/moves", {"capability": "notes", "to_release": release}, by=ANNA)
    assert moved.code == (409, "contract_outside_range")
    bound = await api.post("/api/v1/bindings", {"capability": "aids", "release_id": release}, by=ANNA)
    assert bound.code == (409, "contract_outside_range")
    fitting = manifest(version="2.1.0", provides=[{"capability": "aids", "major": 1, "below": "1.0.1"}])
    release = (await register(api, cast, fitting)).json["id"]
    bound = await api.post("/api/v1/bindings", {"capability": "aids", "release_id": release}, by=ANNA)
    assert bound.status == 201
    read = (await api.get(f"/api/v1/releases/{release}", by="nordnote")).json
    assert read["in_service"] == ["aids"]


async def test_a_partner_retires_a_release_of_its_own_that_nobody_uses(
    api: Api, cast: Cast, outsider: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    release = (await register(api, cast, manifest())).json["id"]
    (tmp_path / "key.pem").write_bytes(cast.release_keys["nordnote"].as_pem(private=True))
    identity = ["--url", api.url, "--key", str(tmp_path / "key.pem"), "--client-id", str(cast.releases["nordnote"])]

    async def retire(what: str) -> tuple[int, str]:
        status = await asyncio.to_thread(main, ["retire", what, *identity, "--json"])
        told = capsys.readouterr()
        return status, told.out + told.err

    assert (await api.post(f"/api/v1/releases/{release}/retirement", by="kviknote")).code == (404, "not_found")
    for _ in range(2):
        status, told = await retire(release)
        assert (status, json.loads(told)["state"]) == (0, "retired")
    status, told = await retire(str(cast.releases["nordnote"]))
    assert (status, told) == (
        1, "torv-sdk: Moduludgaven varetager en ydelse, bliver afprøvet eller står parat efter en flytning.\n",
    )  # fmt: skip
    assert (await retire("../x"))[0] == 1
    assert (await api.post(f"/api/v1/releases/{release}/retirement")).status == 401
    logged = "select count(*) from base.trail where detail ->> 'state' = 'retired' and grant_id is null"
    assert await outsider.fetchval(logged) == 1  # the second was the first, tried again


async def test_a_release_that_a_user_registered_gets_its_manifest_from_the_partner(api: Api, cast: Cast) -> None:
    new = {"version": "2.0.0", "url": MANIFEST["address"], "jwk": MANIFEST["key"]}
    place = f"/api/v1/modules/{cast.modules['nordnote']}/releases"
    known = (await api.post(place, new, by=ANNA)).json
    for changes in ({"address": "http://127.0.0.1:10"}, {"key": ECKey.generate_key("P-256").as_dict(private=False)}):
        assert (await register(api, cast, manifest(**changes))).code == (409, "release_differs")
    assert (await api.get(f"/api/v1/releases/{known['id']}", by=ANNA)).json["manifest"] is None
    completed = [(await register(api, cast, manifest())).json for _ in range(2)]
    assert [each["id"] for each in completed] == [known["id"]] * 2
    assert completed[0]["manifest_hash"] == sha256(canonical(manifest())).hexdigest()
    found = (await api.get(f"{INVENTORY}?component=aiohttp", by=ANNA)).json["items"]
    assert [each["release_id"] for each in found] == [known["id"]]
    other = manifest(software={"components": []})
    assert (await register(api, cast, other)).code == (409, "release_differs")


async def test_a_manifest_does_not_take_from_a_release_what_it_serves(api: Api, cast: Cast) -> None:
    key = cast.release_keys["nordnote"].as_dict(private=False)
    serving = manifest(version="1.0.0", address=NOWHERE, key=key)
    assert (await register(api, cast, serving | {"provides": []})).code == (409, "release_differs")
    reply = await register(api, cast, serving)
    assert (reply.status, reply.json["in_service"], reply.json["majors"]) == (201, ["notes"], {"notes": [1]})


async def test_a_release_is_retired_for_good_but_not_while_it_is_in_use(api: Api, cast: Cast) -> None:
    in_use = f"/api/v1/releases/{cast.releases['nordnote']}/retirement"
    assert (await api.post(in_use, by=ANNA)).code == (409, "release_in_use")
    release = (await register(api, cast, manifest())).json["id"]
    place = f"/api/v1/releases/{release}/retirement"
    assert (await api.post(place, by="kviknote")).code == (404, "not_found")
    for _ in range(2):
        assert (await api.post(place, by=ANNA)).json["state"] == "retired"
    assert (await register(api, cast, manifest())).json["state"] == "retired"
    moved = await api.post("/api/v1/moves", {"capability": "notes", "to_release": release}, by=ANNA)
    assert moved.code == (409, "release_retired")
    form = urlencode(assertion(KEY, release, api.url)).encode()
    answer = await api.post("/oauth/token", form, Content_Type="application/x-www-form-urlencoded")
    assert answer.code == (401, "invalid_client")
    assert (await api.get(f"{INVENTORY}?component=aiohttp", by=ANNA)).json["items"] == []


# ---- on the municipality's own machine -------------------------------------------------------------------------------
async def test_the_command_finds_components_and_places(
    api: Api, cast: Cast, dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outsider: Connection
) -> None:
    await register(api, cast, manifest())
    monkeypatch.setenv("TORV_DATABASE_URL", dsn)
    monkeypatch.setenv("TORV_STATE_DIR", str(tmp_path / "state"))

    async def run(*words: str) -> list[str]:
        told = await asyncio.to_thread(CliRunner().invoke, commands, ["inventory", *words])
        assert told.exit_code == 0, told.output
        return told.output.splitlines()

    found = "nordnote 2.0.0  Nordlys Omsorg ApS  aiohttp 3.9.5  Apache-2.0"
    assert await run("find", "aiohttp", "--below", "3.10") == [found]
    assert await run("find", "aiohttp", "--below", "3.9.5") == []
    place = "nordnote 2.0.0  Nordlys Omsorg ApS  DK  operation  Nordlys Omsorg ApS, Viborg  notes"
    assert await run("where", "--category", "notes", "--country", "DK") == [place]
    assert len(await run("where")) == 3
    logged = (
        "select count(*) from base.trail where operation = 'modules.read' and user_id is null and release_id is null"
    )
    assert await outsider.fetchval(logged) == 4
