"""The contracts are data that agree with themselves."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest
import torv_contracts
import yaml

BUNDLE = Path(__file__).parents[2] / "contracts"
CONTRACTS = sorted(path.parent for path in BUNDLE.glob("*/v*/contract.yaml"))
each_contract = pytest.mark.parametrize("folder", CONTRACTS, ids=lambda folder: f"{folder.parent.name}-{folder.name}")


def load(path):
    return yaml.safe_load(path.read_text("utf-8"))


def resolve(document, node):
    """A node with its reference followed (references are local)."""
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def openapi_operations(document):
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


@each_contract
def test_contract_and_openapi_describe_the_same_operations(folder):
    contract, document = load(folder / "contract.yaml"), load(folder / "openapi.yaml")
    described = {name: (method, path) for name, (method, path, _) in openapi_operations(document).items()}
    assert described == {entry["id"]: (entry["method"], entry["path"]) for entry in contract["operations"]}
    assert document["info"]["version"] == contract["version"]
    assert document["servers"][0]["url"] == f"/c/{contract['capability']}/v{contract['major']}"


@each_contract
def test_the_folder_is_named_after_what_it_holds(folder):
    contract = load(folder / "contract.yaml")
    assert contract["format"] == "torv-contract/1"
    assert (folder.parent.name, folder.name) == (contract["capability"], f"v{contract['major']}")
    assert contract["version"].split(".")[0] == str(contract["major"])
    assert contract["title"]["da"] != contract["title"]["en"]


@each_contract
def test_an_operation_that_changes_something_needs_an_idempotency_key(folder):
    contract, document = load(folder / "contract.yaml"), load(folder / "openapi.yaml")
    operations = openapi_operations(document)
    for entry in contract["operations"]:
        parameters = [resolve(document, node) for node in operations[entry["id"]][2].get("parameters", [])]
        keyed = [node for node in parameters if node["name"] == "Idempotency-Key" and node["required"]]
        assert bool(keyed) == (not entry["safe"])
        assert entry["safe"] == (entry["method"] == "GET")
        assert re.fullmatch(r"[a-z_]+", entry["category"])


@each_contract
def test_every_record_type_has_a_schema_that_lets_unknown_fields_survive(folder):
    for entry in load(folder / "contract.yaml")["records"]:
        schema = json.loads((folder / entry["schema"]).read_text("utf-8"))
        jsonschema_rs.meta.validate(schema)
        assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        assert schema["additionalProperties"] is True


def examples_of(document):
    """Every example with the schema it belongs to."""
    for _, _, operation in openapi_operations(document).values():
        bodies = [resolve(document, node) for node in operation["responses"].values()]
        bodies += [operation["requestBody"]] if "requestBody" in operation else []
        for content in (content for body in bodies for content in body["content"].values()):
            values = [entry["value"] for entry in content.get("examples", {}).values()]
            values += [content["example"]] if "example" in content else []
            assert values, f"{operation['operationId']} has a body without an example"
            yield from ((content["schema"], value) for value in values)


@each_contract
def test_every_body_has_an_example_that_is_valid(folder):
    document = load(folder / "openapi.yaml")
    examples = list(examples_of(document))
    assert examples
    for schema, value in examples:
        described = {**schema, "components": document["components"]}
        errors = jsonschema_rs.validator_for(described, validate_formats=True).iter_errors(value)
        assert [error.message for error in errors] == []


@each_contract
def test_every_refusal_is_a_problem_document(folder):
    document = load(folder / "openapi.yaml")
    for _, _, operation in openapi_operations(document).values():
        refusals = {code: resolve(document, node) for code, node in operation["responses"].items() if code >= "400"}
        assert {"401", "403", "503"} <= refusals.keys()
        for code, refusal in refusals.items():
            content = refusal["content"]["application/problem+json"]
            assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
            assert str(content["example"]["status"]) == code


def test_what_is_installed_is_what_stands_here():
    for folder in CONTRACTS:
        installed = torv_contracts.folder(folder.parent.name, int(folder.name.removeprefix("v")))
        for path in (path for path in folder.rglob("*") if path.is_file()):
            assert (installed / path.relative_to(folder)).read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "major"), [("notes", 99), ("nothing", 1), ("../contracts/notes", 1), ("", 1), ("a/b", 1)]
)
def test_a_contract_that_is_not_there_is_refused(name, major):
    with pytest.raises(torv_contracts.ContractUnknown):
        torv_contracts.folder(name, major)


def test_a_contract_of_a_municipality_is_found_beside_the_bundle(tmp_path, monkeypatch):
    place = tmp_path / "own" / "aids" / "v1"
    place.mkdir(parents=True)
    (place / "contract.yaml").write_text("{}")
    monkeypatch.setenv("TORV_CONTRACTS", f"{tmp_path / 'nothing'}:{tmp_path / 'own'}")
    assert torv_contracts.folder("aids", 1) == place
    assert torv_contracts.folder("notes", 1).parent.parent != tmp_path / "own"
    with pytest.raises(torv_contracts.ContractUnknown):
        torv_contracts.folder("aids", 2)
    monkeypatch.delenv("TORV_CONTRACTS")
    with pytest.raises(torv_contracts.ContractUnknown):
        torv_contracts.folder("aids", 1)


@each_contract
def test_a_contract_follows_its_schema_and_an_unknown_word_does_not(folder):
    contract = load(folder / "contract.yaml")
    follows = jsonschema_rs.Draft202012Validator(torv_contracts.contract_schema())
    assert follows.is_valid(contract)
    assert not follows.is_valid({**contract, "more": 1})
