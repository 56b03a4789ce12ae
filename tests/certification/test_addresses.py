"""A contract whose addresses have variable parts: what is made from it is whole, and is certified by them too."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.certification.certified import ROOT, free_url
from tests.ecosystem.aids import ADDRESSED, OPENAPI, files, write_folder
from torv_sdk.certifying import Level, Order, judge, place, program_of_torv, silver
from torv_sdk.contracts import Contract
from torv_sdk.creation import make_module

pytestmark = pytest.mark.anyio
#: in which operation of the made module a mistake is made -> what the report then says
MISTAKES = {"read_loan": "read_loan answered 404", "change_loan": "change_loan answered 404"}


@pytest.fixture
def contract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Contract:
    monkeypatch.setenv("TORV_CONTRACTS", str(tmp_path / "contracts"))
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{tmp_path / 'lender'}")
    monkeypatch.setattr(silver, "LATE_TIME", 1.0)
    return Contract(write_folder(tmp_path / "contracts" / "aids" / "v1", files(ADDRESSED) | {"openapi.yaml": OPENAPI}))


def spoil(program: Path, operation: str) -> Path:
    """The same program, one operation of which finds nothing."""
    head = f"    async def {operation}(call: Call) -> Answer:\n"
    before, after = program.read_text("utf-8").split(head)
    spoiled = program.with_name(f"without_{operation}.py")
    spoiled.write_text(f'{before}{head}        raise Problem(404, "not_found", "Nothing here.")\n{after}', "utf-8")
    return spoiled


async def test_what_is_made_has_every_operation_and_a_mistake_in_one_is_found(
    contract: Contract, tmp_path: Path
) -> None:
    program = make_module("lender", contract, tmp_path) / "lender.py"
    assert "not_written_yet" not in program.read_text("utf-8")
    order = Order(url=free_url(), contract=contract, level=Level.SILVER, start=f"{sys.executable} -m lender",
                  torv=program_of_torv())  # fmt: skip
    async with place(order) as here:
        report = await judge(order, here)
        assert report.level is Level.SILVER, report.told("en")
        for operation, told in MISTAKES.items():
            start = f"{sys.executable} -m {spoil(program, operation).stem}"
            report = await judge(replace(order, start=start), here)
            assert (report.level, told in report.told("en")) == (Level.BRONZE, True), report.told("en")
