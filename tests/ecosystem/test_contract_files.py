"""A contract's files: what cannot be used is refused by file, place and reason, in both languages."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.tree import ROOT
from tests.ecosystem.aids import ADDRESSED, CONTRACT, LOAN, OPENAPI, files, write_folder
from torv.app import make_application
from torv.base.settings import Settings
from torv.ecosystem.modules import ContractInvalid, read_contract, read_folder, shipped_contracts
from torv.ecosystem.modules.contract_checks import SERVICES

KINDS, TIMELINE = ("yaml", "json"), {"instant": "/lent_on", "text": "/what"}


def faults(contents: dict[str, str]) -> list[tuple[str, str, str]]:
    with pytest.raises(ContractInvalid) as refused:
        read_contract(contents)
    assert all(each["reason_da"] not in ("", each["reason"]) for each in refused.value.facts["faults"])
    return [(each["file"], each["place"], each["reason"]) for each in refused.value.facts["faults"]]


def changed(old: str, new: str) -> dict[str, str]:
    assert old in CONTRACT
    return files(CONTRACT.replace(old, new, 1))


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    contract = read_contract(read_folder(write_folder(tmp_path, files())))
    assert (contract.capability, contract.major, contract.version) == ("aids", 1, "1.0.0")
    assert [each.id for each in contract.operations] == ["lend", "list_loans"]
    [loan] = contract.records
    assert (loan.name, loan.schema, loan.timeline) == ("loan", LOAN, {"instant": "/lent_on", "text": "/what"})


def test_the_hash_is_over_the_content_and_not_over_how_it_is_written() -> None:
    spaced = files(CONTRACT.replace("{da: Hjælpemidler, en: Aids}", "{en: Aids,   da: 'Hjælpemidler'}"))
    assert read_contract(spaced).hash == read_contract(files()).hash
    assert read_contract(changed("en: Aids", "en: Aid")).hash != read_contract(files()).hash


def test_what_is_shipped_can_be_used() -> None:
    assert {("notes", 1)} <= {(each.capability, each.major) for each in shipped_contracts()}


@pytest.mark.parametrize(
    ("old", "new", "place", "reason"),
    [
        ("title:", "titel: x\ntitle:", "", "unknown: titel"),
        ("version: 1.0.0\n", "", "", "version is missing"),
        ("version: 1.0.0", "version: 1.0", "/version", "has the wrong type"),
        ("version: 1.0.0", "version: 2.0.0", "/version", "does not begin with the major version"),
        ("version: 1.0.0", "version: 1.0.0-rc1", "/version", "is not spelled as it must be"),
        ("version: 1.0.0", "version: 2026-01-01", "/version", "is not spelled as it must be"),
        ("major: 1", "major: 0", "/major", "is too small"),
        ("capability: aids", "capability: ../aids", "/capability", "is not spelled as it must be"),
        ("capability: aids", "capability: records", "/capability", "is one of Torv's own services"),
        ("id: list_loans", "id: lend", "/operations/1/id", "stands twice"),
        ("method: GET", "method: FETCH", "/operations/1/method", "is not one of the possible values"),
        ("method: GET, path: /loans, safe: true", "method: GET, path: /loans, safe: false", "/operations/1/safe",
         "is not the value it must be"),
        ("path: /loans", "path: loans", "/operations/0/path", "is not spelled as it must be"),
        ("path: /loans", "path: '/loans/{id}-{nr}'", "/operations/0/path", "is not spelled as it must be"),
        ("path: /loans", "path: /torv/export", "/operations/0/path", "/torv belongs to Torv"),
        ("schema: records/loan.json", "schema: ../loan.json", "/records/0/schema", "is not spelled as it must be"),
        ("text: /what", "text: /whom", "/records/0/projections/timeline/text", "leads to no text in the schema"),
        ("text: /what", "text: what", "/records/0/projections/timeline/text", "is not spelled as it must be"),
        ("{instant: /lent_on, text: /what}", "{instant: /lent_on}", "/records/0/projections/timeline",
         "text is missing"),
        ("records.follow]", "records]", "/kernel/needs/1", "is not spelled as it must be"),
    ],
)  # fmt: skip
def test_a_fault_in_contract_yaml_is_named(old: str, new: str, place: str, reason: str) -> None:
    assert faults(changed(old, new)) == [("contract.yaml", place, reason)]


def test_no_capability_can_have_the_name_of_a_service_of_ours(tmp_path: Path) -> None:
    application = make_application(Settings(state_dir=tmp_path), dsn="")
    rules = [getattr(getattr(route, "endpoint", None), "rule", None) for route in application.routes]
    services = {rule.demand.service for rule in rules if rule is not None and rule.demand is not None}
    assert {"records", "persons", "moves"} <= services <= SERVICES


@pytest.mark.parametrize(
    ("one", "other", "can_be_told_apart"),
    [
        ("/loans/{loan_id}", "/loans/latest", False),
        ("/loans/{loan_id}", "/{kind}/latest", False),
        ("/loans/{loan_id}", "/loans/{number}", False),
        ("/items/{loan_id}", "/items", True),
        ("/loans/{loan_id}", "/returns/{loan_id}", True),
        ("/loans/{loan_id}/end", "/loans/{loan_id}/begin", True),
    ],
)
def test_no_two_operations_may_mean_the_same_call(one: str, other: str, can_be_told_apart: bool) -> None:
    two = f"""  - {{id: one, method: GET, path: "{one}", safe: true, category: aids}}
  - {{id: other, method: GET, path: "{other}", safe: true, category: aids}}
records:"""
    contents = changed("records:", two)
    if can_be_told_apart:
        assert len(read_contract(contents).operations) == 4
    else:
        assert faults(contents) == [("contract.yaml", "/operations/3/path", f"cannot be told from {one}")]


BOMB = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n"


@pytest.mark.parametrize(
    "text",
    [BOMB, CONTRACT + "major: 1\n", "a: [", "!!python/object/apply:os.getcwd []", "[" * 5_000, "1: x", "a: \x00"],
    ids=["aliases", "twins", "broken", "objects", "deep", "numbers", "nul"],
)
def test_only_plain_yaml_is_read(text: str) -> None:
    [(file, _, reason)] = faults(files(text))
    assert (file, reason) == ("contract.yaml", "is not plain YAML (no aliases, no name twice)")


@pytest.mark.parametrize(
    ("loan", "place", "reason"),
    [
        ({"$ref": "https://example.org/loan.json", "type": "object"}, "/$ref", "leads out of the file"),
        ({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}, "/properties/a/$ref",
         "leads out of the file"),
        ({"type": "object", "allOf": [{"$dynamicRef": "other.json#x"}]}, "/allOf/0/$dynamicRef",
         "leads out of the file"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object"}, "/$schema",
         "must be https://json-schema.org/draft/2020-12/schema"),
        ({"type": "array"}, "/type", "must be object"),
    ],
)  # fmt: skip
def test_a_schema_stands_on_its_own(loan: Any, place: str, reason: str) -> None:
    assert faults(files(loan=loan)) == [("records/loan.json", place, reason)]


@pytest.mark.parametrize(
    "loan",
    [
        {"type": "object", "required": "what"},
        {"type": "object", "properties": {"what": {"type": "words"}}},
        {"type": "object", "properties": {"what": {"pattern": "("}}},
        {"type": "object", "properties": {"what": {"$ref": "#/$defs/nothing"}}},
    ],
)
def test_a_schema_is_json_schema(loan: Any) -> None:
    [(file, _, reason)] = faults(files(loan=loan))
    assert (file, reason[:32]) == ("records/loan.json", "is not JSON Schema 2020-12 (http")


@pytest.mark.parametrize(
    ("text", "reason"), [("[]", "is not a JSON object"), ('{"a": 1, "a": 2}', "is not a JSON object")]
)
def test_a_schema_is_unambiguous_json(text: str, reason: str) -> None:
    assert faults({**files(), "records/loan.json": text}) == [("records/loan.json", "", reason)]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert faults({"contract.yaml": CONTRACT}) == [("records/loan.json", "", "is missing")]
    assert faults({}) == [("contract.yaml", "", "is missing")]
    with pytest.raises(ContractInvalid, match=r"contract\.yaml cannot be read"):
        read_folder(tmp_path)


def test_sizes_are_bounded(tmp_path: Path) -> None:
    large = {**files(), "records/loan.json": " " * 200_001}
    assert faults(large) == [("records/loan.json", "", "is larger than 200000 characters")]
    with pytest.raises(ContractInvalid, match="is larger"):
        read_folder(write_folder(tmp_path, large))
    many = {**files(), **{f"records/{number}.json": "{}" for number in range(200)}}
    assert faults(many) == [("*", "", "has more than 201 files")]


def test_the_how_to_shows_a_contract_that_can_be_used() -> None:
    page = (ROOT / "docs" / "how-to" / "add-a-capability.md").read_text(encoding="utf-8")
    [contract], [loan] = (re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL) for kind in KINDS)
    shown = read_contract({"contract.yaml": contract, "records/loan.json": loan})
    assert (shown.capability, [each.timeline for each in shown.records]) == ("aids", [TIMELINE])
    message = "/records/0/projections/timeline/text: fører ikke til en tekst i skemaet"
    assert message in page
    [fault] = faults({"contract.yaml": contract.replace("text: /what", "text: /whom"), "records/loan.json": loan})
    assert f"{fault[1]}: " == message[: len(fault[1]) + 2]


def test_an_event_that_could_carry_free_text_is_refused() -> None:
    told = CONTRACT.replace("kernel:", "events:\n  - {type: loan.ended, schema: events/loan_ended.json}\nkernel:")
    code = {"type": "string", "pattern": "^[a-z]+$"}
    for text, is_good in ((code, True), ({"type": "string"}, False), ({"type": ["string", "null"]}, False)):
        schema = {"type": "object", "properties": {"why": text}}
        found = {**files(told), "events/loan_ended.json": json.dumps(schema)}
        if is_good:
            read_contract(found)
            continue
        with pytest.raises(ContractInvalid, match="/events/0/schema/properties/why could be free text"):
            read_contract(found)


# ---- the description of the operations -------------------------------------------------------------------------------
def test_a_description_of_the_operations_comes_along() -> None:
    contract = read_contract(files(ADDRESSED) | {"openapi.yaml": OPENAPI})
    assert contract.openapi is not None
    assert set(contract.openapi["paths"]) == {"/loans", "/loans/{loan_id}", "/persons/{person_id}/loans"}
    assert contract.hash == read_contract(files(ADDRESSED)).hash


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("openapi: 2.0\npaths: {}\n", "openapi.yaml is not OpenAPI 3"),
        ("just a word", "openapi.yaml is not OpenAPI 3"),
        ("openapi: 3.1.0\npaths: {}\n", "openapi.yaml /paths/~1loans/post is missing"),
        ("openapi: 3.1.0\npaths: &all {}\nagain: *all\n", "openapi.yaml line 3 is not plain YAML"),
        ("openapi: 3.1.0\npaths: {/loans: {post: {x: .nan}, get: {}}}\n", "openapi.yaml is not OpenAPI 3"),
    ],
)
def test_a_description_that_lacks_an_operation_is_refused(text: str, told: str) -> None:
    with pytest.raises(ContractInvalid) as refused:
        read_contract(files() | {"openapi.yaml": text})
    assert told in refused.value.facts["reason"]
