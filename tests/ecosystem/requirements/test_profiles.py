"""Profiles: a file is read with suspicion, refused by line and reason, and may only add to its contract."""

import pytest
import yaml

from tests.ecosystem.demanding import PROFILE
from torv.base.errors import InvalidInput
from torv.ecosystem.modules import read_contract, read_folder
from torv.ecosystem.requirements import ProfileInvalid
from torv.ecosystem.requirements.profiles import LARGEST, check_adds_only, read_profile
from torv.ecosystem.requirements.rules import demands_of, hash_of_set
from torv_sdk.contracts import Contract
from torv_sdk.profiles import Profile

NOTES = read_contract(read_folder(Contract.of("notes", 1).folder))
OPERATION = "operations:\n  - {id: %s, da: a, en: a, method: %s, path: %s, safe: %s, category: %s}\n"
FIELD = "  - {id: more, da: a, en: a, %s}\n"


def refusal(text: str) -> ProfileInvalid:
    with pytest.raises(ProfileInvalid) as caught:
        _read(text)
    return caught.value


def _read(text: str) -> None:
    profile, lines = read_profile(text)
    check_adds_only(NOTES, profile, lines)


def line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def test_a_profile_that_only_adds_is_taken() -> None:
    profile, lines = read_profile(PROFILE)
    check_adds_only(NOTES, profile, lines)
    assert profile["title"]["da"] == "Fjordbys krav til notater"
    assert lines.of(["fields", 1, "id"]) == line_of(PROFILE, "id: author_recorded")


@pytest.mark.parametrize(
    ("before", "after", "line", "why"),
    [
        ("capability: notes", "capabilty: notes", 2, "unknown word 'capabilty'"),
        ("    answer: list_notes", "    anwser: list_notes", 11, "unknown word 'anwser'"),
        ("        body:", "        bdy:", 26, "unknown word 'bdy'"),
        ("schema: {type: string", "schema: {$ref: 'https://elsewhere.example/schema'", 14, "unknown word '$ref'"),
        ("schema: {type: string", "schema: {pattern: '(a+)+$'", 14, "unknown word 'pattern'"),
        ("schema: {type: string", "schema: {$id: 'urn:x'", 14, "unknown word '$id'"),
        ("major: 1", "major: one", 3, "major is not as it must be"),
        ("format: torv-requirements/1", "format: torv-requirements/2", 1, "format is not as it must be"),
        ("level: bronze", "level: platinum", 6, "certification/level is not as it must be"),
        ("status: 200", "status: 500", 31, "expect/status is not as it must be"),
        ("    record: note\n", "    record: note\n    answer: list_notes\n", 15, "fields/1 is not as it must be"),
        ("title: {da: Fjordbys krav til notater, ", "title: {", 5, "title: da is missing"),
    ],
)
def test_what_does_not_follow_the_form_is_refused_with_its_line(before: str, after: str, line: int, why: str) -> None:
    assert before in PROFILE
    faults = refusal(PROFILE.replace(before, after, 1)).facts["faults"]
    assert [each["line"] for each in faults if why in each["reason"]] == [line]


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{", "a: &x 1\nb: *x", "format: a\nformat: b", "1: 2", "? [a]\n: b", "a: .nan", "a: .inf",
        f"a: {10**400}", f"a: {2**60}", "a: !!python/object:os.system x", "a: 'half \\ud800'\nb: \"\\ud800\"",
        "a: " + "[" * 40 + "]" * 40, "a: " + "[" * 4000, "x" * (LARGEST + 1), "\x00",
    ],
)  # fmt: skip
def test_what_is_no_plain_yaml_is_refused(text: str) -> None:
    assert refusal(text).code == "profile_invalid"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PROFILE + OPERATION % ("write_note", "POST", "/other", "false", "notes"), "the contract has it already"),
        (PROFILE + OPERATION % ("sign", "POST", "/notes", "false", "notes"), "cannot be told from another"),
        (PROFILE + OPERATION % ("state", "GET", "/torv/state", "true", "notes"), "/torv belongs to Torv"),
        (PROFILE + OPERATION % ("sign", "POST", "/signatures", "false", "cpr"), "a category the contract lacks"),
        (PROFILE.replace("cases:\n", FIELD % "record: note, name: text, schema: {type: integer}" + "cases:\n"),
         "the contract says what it is"),
        (PROFILE.replace("record: note", "record: loan"), "no such record type"),
        (PROFILE.replace("answer: list_notes", "answer: list_loans"), "no such operation"),
        (PROFILE.replace("call: list_notes", "call: list_loans"), "no such operation"),
        (PROFILE.replace("id: author_recorded", "id: author_shown"), "author_shown stands twice"),
        (PROFILE.replace("id: author_recorded", "id: certification_level"), "certification_level stands twice"),
        (PROFILE.replace('query: {person_id: "{person}"}', 'query: {person_id: "{nobody}"}'), "keeps {nobody}"),
        (PROFILE.replace("query:", "body: {a: 1}\n        query:"), "a GET has no body"),
        (PROFILE.replace("query:", 'path: {id: "1"}\n        query:'), "must give the parameters of /notes"),
    ],
)  # fmt: skip
def test_a_profile_that_contradicts_its_contract_or_itself_is_refused(text: str, why: str) -> None:
    refused = refusal(text)
    assert why in refused.message("en")
    assert refused.facts["faults"][0]["line"] > 1
    assert not isinstance(refused, InvalidInput)


# ---- the same as a certifier sees it, with openapi.yaml at hand ------------------------------------------------------
def told(text: str) -> str:
    with pytest.raises(ValueError, match="profile: ") as caught:
        Profile(yaml.safe_load(text), Contract.of("notes", 1))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (PROFILE.replace("contract: 1.", "contract: 7."), "adds to version 7."),
        (PROFILE.replace("capability: notes", "capability: aids"), "it is about aids v1"),
        (PROFILE.replace("name: author\n    schema", "name: text\n    schema"), "the contract says what text is"),
        (PROFILE.replace("status: 201", "status: 202"), "the contract knows no answer 202 of write_note"),
        (PROFILE.replace('{person_id: "{person}", text: Ringede om torsdag.}', "{text: uden person}"),
         "what the contract forbids is taken"),
        (PROFILE.replace('body: {person_id: "{person}", text: Ringede om torsdag.}',
                         "body: {person_id: 0198c0de-0000-7000-8000-00000000a11c, text: x}")
         .replace("expect: {status: 201, answer: {type: object, required: [id, author]}}", "expect: {status: 422}")
         .replace("        keep: {note: /id}\n", ""), "expects a refusal of what the contract allows"),
        (PROFILE.replace("schema: {type: string", "schema: {$ref: 'https://elsewhere.example'"), "schema"),
    ],
)  # fmt: skip
def test_the_certifier_refuses_a_profile_that_contradicts_the_contract(text: str, why: str) -> None:
    assert why in told(text)


def test_both_sides_give_a_set_the_same_name() -> None:
    profile, _ = read_profile(PROFILE)
    mine = Profile(profile, Contract.of("notes", 1))
    assert mine.requirement_set == hash_of_set(NOTES.hash, profile)
    hashes = {each.id: each.hash for each in demands_of(profile)}
    assert all(hashes[each.id] == each.hash for each in mine.demands)
    assert len(mine.demands) == 3
