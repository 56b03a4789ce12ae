"""Bronze without any Torv: the suite finds each mistake, and only that one."""

import json
from dataclasses import replace

import pytest

from tests.certification.certified import ROOT, broken_in, free_url, in_the_project, order_for
from torv_sdk.certifying import RULES, Broken, Level, certify, judge, place
from torv_sdk.certifying import certifying as running
from torv_sdk.certifying import stand as stand_of_a_module
from torv_sdk.cli import main

__all__ = ["in_the_project"]
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("in_the_project")]
BRONZE = [each.id for each in RULES if each.level is Level.BRONZE]


async def test_a_module_without_a_mistake_reaches_bronze() -> None:
    report = await certify(order_for("nothing"))
    assert broken_in(report) == []
    assert report.level is Level.BRONZE
    assert [each.rule.id for each in report.verdicts] == BRONZE


@pytest.mark.parametrize("rule", BRONZE)
async def test_a_module_that_breaks_one_rule_fails_that_rule_alone(rule: str) -> None:
    report = await certify(order_for(rule))
    assert broken_in(report) == [rule]
    assert report.level is None
    assert next(each.found for each in report.verdicts if each.rule.id == rule)


def test_every_rule_stands_in_the_reference_as_the_suite_has_it() -> None:
    page = (ROOT / "docs" / "reference" / "certification.md").read_text(encoding="utf-8")
    shown = [
        f"#### {each.id}\n- Dansk: {each.danish}\n- English: {each.english}\n- What to do: {each.advice}\n"
        for each in RULES
    ]
    assert [text for text in shown if text not in page] == []
    assert page.count("#### ") == len(RULES) == len({each.id for each in RULES})


async def test_a_module_that_runs_already_is_certified_at_its_address(tmp_path) -> None:
    """The certifier answers at the address the module knows as Torv's."""
    url, torv = free_url(), free_url()
    order = replace(order_for("nothing", url=url), port=int(torv.rpartition(":")[2]))
    async with place(order) as here, running._stand(order, here, tmp_path) as stand:
        await stand.become_ready()
        report = await judge(replace(order, start=None), here)
    assert broken_in(report) == []
    assert report.release == stand.client_id


async def test_a_module_that_never_answers_is_no_report(monkeypatch) -> None:
    monkeypatch.setattr(stand_of_a_module, "READY_TIME", 0.3)
    with pytest.raises(Broken, match="does not answer"):
        await certify(replace(order_for("nothing"), start=None))


def test_the_command_ends_with_1_when_a_rule_is_broken_and_says_what_to_do(tmp_path, capsys) -> None:
    order = order_for("body_refused")
    assert order.start is not None
    out = tmp_path / "report.json"
    assert main(["certify", order.url, "--contract", "notes", "--start", order.start, "--out", str(out)]) == 1
    told = capsys.readouterr().out
    assert "✗ body_refused         Indhold, der ikke følger kontrakten, afvises.\n    write_note answered 503" in told
    assert "-> Check every field" in told
    assert told.endswith("Niveau: intet\n")
    written = json.loads(out.read_text("utf-8"))
    assert (written["signature"], written["report"]["level"]) == (None, None)
