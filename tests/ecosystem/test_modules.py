"""Modules: registered by people, bound once, and known by what the shipped contract says."""

import asyncio
from urllib.parse import urlencode

import pytest
from joserfc.jwk import ECKey

from tests.cast import ANNA, Cast
from tests.served import Api
from torv.base import signing
from torv.ecosystem.modules import Operation, shipped_contracts
from torv_sdk.tokens import assertion

BINDINGS = "/api/v1/bindings"


async def test_a_capability_is_bound_once_and_then_moved(shared_api: Api, cast: Cast) -> None:
    new = {"capability": "notes", "release_id": str(cast.releases["kviknote"])}
    assert (await shared_api.post(BINDINGS, new, by=ANNA)).code == (409, "already_exists")
    [binding] = (await shared_api.get(BINDINGS, by=ANNA)).json["items"]
    assert (binding["module_name"], binding["partner_name"], binding["epoch"]) == ("nordnote", "Nordlys Omsorg ApS", 1)


async def test_a_capability_without_a_contract_is_not_bound(shared_api: Api, cast: Cast) -> None:
    new = {"capability": "magic", "release_id": str(cast.releases["kviknote"])}
    assert (await shared_api.post(BINDINGS, new, by=ANNA)).code == (404, "capability_not_bound")


async def test_a_version_of_a_module_is_registered_once(shared_api: Api, cast: Cast) -> None:
    new = {"version": "1.0.0", "url": "http://127.0.0.1:9", "jwk": signing.public(ECKey.generate_key("P-256"))}
    reply = await shared_api.post(f"/api/v1/modules/{cast.modules['nordnote']}/releases", new, by=ANNA)
    assert reply.code == (409, "already_exists")


async def test_a_release_with_a_private_key_is_refused(shared_api: Api, cast: Cast) -> None:
    jwk = ECKey.generate_key("P-256").as_dict(private=True)
    new = {"version": "3.0.0", "url": "http://127.0.0.1:9", "jwk": jwk}
    reply = await shared_api.post(f"/api/v1/modules/{cast.modules['nordnote']}/releases", new, by=ANNA)
    assert reply.code == (422, "invalid_input")


async def test_a_new_release_can_identify_itself_within_a_second(api: Api, cast: Cast) -> None:
    key = ECKey.generate_key("P-256")
    new = {"version": "2.0.0", "url": "http://127.0.0.1:9", "jwk": signing.public(key)}
    release = (await api.post(f"/api/v1/modules/{cast.modules['nordnote']}/releases", new, by=ANNA)).json
    assert (release["module_name"], "d" in release["jwk"]) == ("nordnote", False)
    form = urlencode(assertion(key, release["id"], api.url)).encode()
    answer = await api.post("/oauth/token", form, Content_Type="application/x-www-form-urlencoded")
    feed, token = f"{api.RECORDS}/feed?capability=notes", f"Bearer {answer.json['access_token']}"
    async with asyncio.timeout(1):
        while (await api.get(feed, Authorization=token)).status != 200:
            await asyncio.sleep(0.02)


async def test_programs_register_nothing(shared_api: Api, cast: Cast) -> None:
    new = {"partner_id": str(cast.partners["nordnote"]), "name": "more"}
    assert (await shared_api.post("/api/v1/modules", new, by="nordnote")).code == (403, "denied")


@pytest.mark.parametrize(
    ("method", "path", "is_it"),
    [
        ("GET", "/notes/7", True),
        ("GET", "/notes/a-b", True),
        ("GET", "/notes/", False),
        ("GET", "/notes/7/8", False),
        ("POST", "/notes/7", False),
        ("GET", "/notesx7", False),
        ("GET", "/x/notes/7", False),
    ],
)
def test_an_operation_is_found_by_method_and_the_whole_path(method: str, path: str, is_it: bool) -> None:
    operation = Operation(id="read_note", method="GET", path="/notes/{note_id}", safe=True, category="notes")
    assert operation.matches(method, path) is is_it


def test_a_contracts_hash_is_over_all_of_it() -> None:
    contracts = shipped_contracts()
    assert "notes" in {each.capability for each in contracts}
    assert all(len(each.hash) == 64 for each in contracts)
    assert [each.hash for each in contracts] == [each.hash for each in shipped_contracts()]
