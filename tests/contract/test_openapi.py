"""The description of the API: valid, complete, and true of what is answered."""

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.cast import ANNA
from tests.served import Api
from torv.app import create_app
from torv.base.settings import Settings

METHODS = ("get", "put", "post", "delete", "patch")


@pytest.fixture(scope="module")
async def document(shared_api: Api) -> dict[str, Any]:
    reply = await shared_api.get("/openapi.json")
    assert reply.status == 200
    return dict(reply.json)


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", each[method])
        for path, each in document["paths"].items()
        for method in METHODS
        if method in each
    ]


async def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert set(document) >= {"openapi", "info", "paths", "components"}
    assert all(path.startswith("/") for path in document["paths"])
    assert set(document["info"]) >= {"title", "version"}


async def test_every_schema_is_one_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.Draft202012Validator({**schema, "components": document["components"]})
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(document)))
    assert references <= set(document["components"]["schemas"])
    assert references


async def test_every_operation_says_what_it_does_and_has_a_name_of_its_own(document: dict[str, Any]) -> None:
    described = operations(document)
    assert len(described) > 20
    assert [name for name, each in described if not each.get("summary") or not each.get("description")] == []
    assert [name for name, each in described if not each["description"].rstrip().endswith(".")] == []
    ids = [each["operationId"] for _, each in described]
    assert len(set(ids)) == len(ids)


async def test_every_parameter_in_a_path_is_declared(document: dict[str, Any]) -> None:
    for path, each in document["paths"].items():
        named = set(re.findall(r"\{(\w+)\}", path))
        for method in METHODS:
            declared = {p["name"] for p in each.get(method, {}).get("parameters", []) if p["in"] == "path"}
            assert method not in each or declared == named, path


async def test_every_list_is_paged_in_the_same_words(document: dict[str, Any]) -> None:
    lists = []
    for path, methods in document["paths"].items():
        for operation in methods.values():
            asked = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"}
            if "cursor" in asked:
                lists.append(path)
                assert ("limit" in asked, "size" in asked) == (True, False), path
    assert len(lists) > 20


async def test_no_personal_number_can_stand_in_an_address(document: dict[str, Any]) -> None:
    parameters = [p["name"] for _, each in operations(document) for p in each.get("parameters", [])]
    assert [name for name in parameters if "cpr" in name.lower()] == []


async def test_what_is_described_answers_and_asks_who_you_are(shared_api: Api, document: dict[str, Any]) -> None:
    """Every operation but the open ones refuses a stranger before it looks at anything else."""
    open_to_all = set()
    for name, _ in operations(document):
        method, _, path = name.partition(" ")
        address = re.sub(r"\{\w+\}", "0198c0de-0000-7000-8000-000000000001", path)
        reply = await shared_api.ask(method, address, b"not json" if method != "GET" else None)
        assert reply.status < 500, name
        if reply.status != 401 or reply.json["code"] != "not_identified":
            open_to_all.add(name)
    assert open_to_all == {
        "POST /oauth/token", "GET /.well-known/jwks.json", "POST /api/v1/identity/sessions",
        "GET /asyncapi.json",
        "POST /api/v1/releases/{release_id}/certifications",
        "POST /api/v1/partners/enrolments", "POST /api/v1/registrations", "GET /api/v1/contracts/{capability}/v{major}",
        "GET /.well-known/torv-audit-keys.json", "GET /api/v1/requirements/interfaces/{capability}/v{major}",
    }  # fmt: skip


async def test_the_status_of_success_is_the_one_described(shared_api: Api, document: dict[str, Any]) -> None:
    described = document["paths"]["/api/v1/partners"]["post"]["responses"]
    reply = await shared_api.post("/api/v1/partners", {"cvr": "25313763", "name": "Ny ApS"}, by=ANNA)
    assert str(reply.status) in described


async def test_an_example_answer_follows_its_schema(shared_api: Api, document: dict[str, Any]) -> None:
    for path in ("/api/v1/bindings", "/api/v1/partners"):
        content = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        schema = {**content, "components": document["components"]}
        answer = (await shared_api.get(path, by=ANNA)).json
        assert answer
        assert jsonschema_rs.Draft202012Validator(schema).is_valid(answer)


def test_the_description_needs_no_database(tmp_path: Path) -> None:
    assert create_app(Settings(state_dir=tmp_path), "postgresql://nowhere/nothing") is not None
