"""Silver and gold against a real Torv: the suite finds each mistake, and the two suppliers' modules make none."""

import shlex
import sys
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from tests.certification.certified import ROOT, broken_in, in_the_project, order_for
from torv_sdk.certifying import RULES, Level, NoTorv, Outcome, certify, judge, place, program_of_torv, silver
from torv_sdk.certifying import certifying as running

__all__ = ["in_the_project"]
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("in_the_project")]
BEYOND = [each for each in RULES if each.level is not Level.BRONZE]


@asynccontextmanager
async def a_torv(level=Level.GOLD):
    """A real Torv; one serves for several modules, one after the other at the same address."""
    order = order_for("nothing", level=level, torv=program_of_torv())
    async with place(order) as here:
        yield order, here


async def test_each_mistake_is_found_and_only_that_one(monkeypatch) -> None:
    """Each up to its own level; in one test, because a Torv takes its time to start. Bronze has a test of its own."""
    monkeypatch.setattr(silver, "LATE_TIME", 1.0)
    found = {}
    async with a_torv() as (order, here):
        for rule in BEYOND:
            monkeypatch.setattr(running, "RULES", [each for each in BEYOND if rule.level.includes(each.level)])
            report = await judge(replace(order, start=order_for(rule.id).start), here)
            found[rule.id] = broken_in(report)
    assert found == {each.id: [each.id] for each in BEYOND}


async def test_the_suppliers_modules_reach_gold() -> None:
    async with a_torv() as (order, here):
        for name in ("nordnote", "kviknote"):
            program = f"import sys; sys.path.insert(0, {str(ROOT / 'modules' / name)!r}); import {name}; {name}.main()"
            start = shlex.join([sys.executable, "-c", program])
            report = await judge(replace(order, start=start), here)
            assert broken_in(report) == []
            assert report.level is Level.GOLD


async def test_without_a_torv_silver_is_not_tried_and_not_reached() -> None:
    report = await certify(order_for("nothing", level=Level.SILVER))
    outcomes = {each.rule.id: each.outcome for each in report.verdicts}
    assert outcomes["kernel_first"] is Outcome.SKIPPED
    assert outcomes["token_missing"] is Outcome.PASSED
    assert (report.level, report.is_reached) == (Level.BRONZE, False)


async def test_silver_needs_to_know_how_the_module_is_started() -> None:
    with pytest.raises(NoTorv, match="--start"):
        await certify(replace(order_for("nothing", level=Level.SILVER), start=None))
