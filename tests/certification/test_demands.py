"""A municipal profile tried on real modules: each demand that is not met is named, and nothing else."""

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.certification.certified import free_url, in_the_project, order_for
from tests.ecosystem import noting
from tests.ecosystem.demanding import PROFILE, contract, profile
from torv_sdk.certifying import Order, Outcome, certify, judge, place, program_of_torv
from torv_sdk.certifying.demands import parts_at
from torv_sdk.certifying.report import Report
from torv_sdk.cli import main
from torv_sdk.profiles import Profile

__all__ = ["in_the_project"]
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("in_the_project")]
MORE = """\
operations:
  - {id: sign_note, da: Et notat kan underskrives, en: A note can be signed, method: POST, path: /signatures,
     safe: false, category: notes}
"""
#: each demand is met by the authored release, but for those whose names say otherwise
KEPT_AND_SHOWN = """\
  - id: same_key_same_note
    da: Samme nøgle giver samme notat
    en: The same key gives the same note
    steps:
      - call: write_note
        key: one
        body: {person_id: "{person}", text: Kun en gang.}
        expect: {status: 201}
        keep: {note: /id, who: /author}
      - call: write_note
        key: one
        body: {person_id: "{person}", text: Kun en gang.}
        expect: {status: 201, answer: {type: object, properties: {text: {const: Kun en gang.}}}}
      - call: write_note
        body: {person_id: "{person}", text: "Efter {note} af {who}"}
        expect: {status: 201}
  - id: expects_another_status
    da: Forventer en anden status
    en: Expects another status
    steps:
      - {call: list_notes, query: {person_id: "{person}"}, expect: {status: 403}}
  - id: expects_another_answer
    da: Forventer et andet svar
    en: Expects another answer
    steps:
      - call: list_notes
        query: {person_id: "{person}"}
        expect: {status: 200, answer: {type: object, properties: {notes: {type: array, maxItems: 0}}}}
  - id: keeps_what_is_not_there
    da: Gemmer noget, der ikke findes
    en: Keeps what is not there
    steps:
      - {call: list_notes, query: {person_id: "{person}"}, expect: {status: 200}, keep: {note: /nowhere}}
"""


def order(words: str, text: str, *, torv: str | None) -> Order:
    start = shlex.join([sys.executable, noting.__file__, *words.split()])
    return Order(url=free_url(), contract=contract(), start=start, torv=torv, profile=profile(text))


def outcomes(report: Report) -> dict[str, Outcome]:
    return {each.demand.id: each.outcome for each in report.demands}


async def test_each_demand_is_met_or_named(tmp_path: Path) -> None:
    """Both releases before one Torv, because one takes its time to start."""
    text = PROFILE + KEPT_AND_SHOWN + MORE
    first = order("authored", text, torv=program_of_torv())
    async with place(first) as here:
        report = await judge(first, here)
        old = await judge(replace(first, start=order("", text, torv=None).start), here)
    failing = {"sign_note", "expects_another_status", "expects_another_answer", "keeps_what_is_not_there"}
    assert {name for name, outcome in outcomes(report).items() if outcome is Outcome.FAILED} == failing
    assert {name for name, outcome in outcomes(report).items() if outcome is Outcome.PASSED} == {
        "author_shown", "author_recorded", "author_from_caller", "same_key_same_note",
    }  # fmt: skip
    assert not report.is_reached
    named = {"author_shown", "author_recorded", "author_from_caller", "same_key_same_note"}
    assert {name for name, outcome in outcomes(old).items() if outcome is Outcome.FAILED} == failing | named
    assert all(each.found for each in old.demands)
    assert "✗ author_shown         Et notat viser, hvem der skrev det\n    list_notes answered" in old.told("da")


async def test_without_a_torv_what_writes_is_not_tried_and_the_level_not_reached() -> None:
    report = await certify(order("authored", PROFILE, torv=None))
    assert outcomes(report) == dict.fromkeys(("author_from_caller", "author_shown", "author_recorded"), Outcome.SKIPPED)
    assert report.level is not None
    assert not report.is_reached


async def test_an_operation_that_is_there_refuses_strangers() -> None:
    """Asked of a module that has the operation: its own, as if the profile had demanded it."""
    report = await certify(order("authored", PROFILE + MORE, torv=None))
    found = next(each for each in report.demands if each.demand.id == "sign_note")
    assert (found.outcome, found.found) == (Outcome.FAILED, "POST /signatures answered 404 to a stranger")


def test_a_profile_is_read_from_json_as_torv_gives_it(tmp_path: Path) -> None:
    file = tmp_path / "demanded.json"
    file.write_text(json.dumps(profile().content), encoding="utf-8")
    assert Profile.read(file, contract()).requirement_set == profile().requirement_set


@pytest.mark.parametrize(
    "text",
    ["a: &x 1\nb: *x", PROFILE + "format: torv-requirements/1\n", "a: [", "x" * 200_001, "- 1", "when: 2026-01-01"],
)
def test_a_file_that_means_two_things_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "profile.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="profile"):
        Profile.read(file, contract())


def test_what_cannot_be_sent_is_said_before_anything_is_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started = order_for("nothing")
    assert main(["certify", started.url, "--contract", "notes", "--send", "http://127.0.0.1:9"]) == 1
    assert "--send needs --key, --release and --release-version" in capsys.readouterr().err
    file = tmp_path / "profile.yaml"
    file.write_text(yaml.safe_dump({"format": "torv-requirements/1"}), encoding="utf-8")
    assert main(["certify", started.url, "--contract", "notes", "--profile", str(file)]) == 1
    assert "profile: the file" in capsys.readouterr().err


def test_places_in_an_answer() -> None:
    answer = {"notes": [{"a/b": 1}, {"a/b": 2}, {}], "n": {"0": "zero"}}
    assert list(parts_at(answer, "/notes/*/a~1b")) == [1, 2]
    assert list(parts_at(answer, "/n/0")) == ["zero"]
    assert list(parts_at(answer, "")) == [answer]
    assert list(parts_at(answer, "/nowhere/*")) == []
