"""A contract whose addresses have variable parts: what is made from it is whole, and is certified by them too."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.certification.certified import ROOT, free_url
from tests.ecosystem.aids import ADDRESSED, BODILESS, LOAN, OPENAPI, OPENAPI_BODILESS, files, write_folder
from torv_sdk.certifying import Level, Order, Outcome, certify, judge, place, program_of_torv, silver
from torv_sdk.cli import main
from torv_sdk.contracts import Contract
from torv_sdk.creation import make_module
from torv_sdk.profiles import Profile

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


CASES = """\
format: torv-requirements/1
capability: aids
major: 1
contract: 1.0.0
title: {da: Lån ender, en: Loans end}
cases:
  - id: retried
    da: En ændring, der prøves igen, er den samme
    en: A change that is tried again is the same
    steps:
      - {call: lend, body: {person_id: "{person}", what: Rollator}, expect: {status: 201}, keep: {loan: /id}}
      - {call: change_loan, path: {loan_id: "{loan}"}, body: {state: returned}, key: change, expect: {status: 200}}
      - call: change_loan
        path: {loan_id: "{loan}"}
        body: {state: returned}
        key: change
        expect: {status: 200, answer: {properties: {version: {const: 2}}}}
      - {call: end_loan, path: {loan_id: "{loan}"}, key: end, expect: {status: 200, answer: {required: [end]}}}
      - call: end_loan
        path: {loan_id: "{loan}"}
        key: end
        expect: {status: 200, answer: {properties: {version: {const: 3}, end: {const: true}}}}
      - {call: change_loan, path: {loan_id: "{loan}"}, body: {state: lent}, expect: {status: 200}}
      - {call: change_loan, path: {loan_id: "{loan}"}, body: {state: returned}, key: change, expect: {status: 409}}
  - id: removed
    da: Et lån, der er fjernet, findes ikke mere
    en: A loan that was removed is found no more
    steps:
      - {call: lend, body: {person_id: "{person}", what: Kørestol}, expect: {status: 201}, keep: {loan: /id}}
      - {call: remove_loan, path: {loan_id: "{loan}"}, key: remove, expect: {status: 204}}
      - {call: remove_loan, path: {loan_id: "{loan}"}, key: remove, expect: {status: 204}}
      - {call: read_loan, path: {loan_id: "{loan}"}, expect: {status: 404}}
      - {call: change_loan, path: {loan_id: "{loan}"}, body: {state: lent}, expect: {status: 404}}
  - id: from_address
    da: Det sædvanlige lånes ud uden indhold i kaldet
    en: What is usual is lent without a body
    steps:
      - {call: lend_usual, path: {person_id: "{person}"}, expect: {status: 201, answer: {required: [id, version]}}}
"""


async def test_what_is_made_answers_operations_without_a_body_and_replays_a_change(
    contract: Contract, tmp_path: Path
) -> None:
    contents = files(BODILESS, LOAN | {"required": []}) | {"openapi.yaml": OPENAPI_BODILESS}
    contract = Contract(write_folder(tmp_path / "contracts" / "aids" / "v1", contents))
    program = make_module("lender", contract, tmp_path) / "lender.py"
    assert "not_written_yet" not in program.read_text("utf-8")
    order = Order(url=free_url(), contract=contract, level=Level.BRONZE, start=f"{sys.executable} -m lender",
                  torv=program_of_torv(), profile=Profile(yaml.safe_load(CASES), contract))  # fmt: skip
    async with place(order) as here:
        report = await judge(order, here)
    assert [(each.demand.id, each.outcome.value, each.found) for each in report.demands] == [
        ("retried", "passed", ""), ("removed", "passed", ""), ("from_address", "passed", ""),
    ]  # fmt: skip


async def test_a_record_that_may_say_no_more_is_left_to_whoever_writes_the_module(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORV_CONTRACTS", str(tmp_path / "contracts"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    contents = files(BODILESS, LOAN | {"additionalProperties": False}) | {"openapi.yaml": OPENAPI_BODILESS}
    contract = Contract(write_folder(tmp_path / "contracts" / "aids" / "v1", contents))
    assert main(["new", "lender", "--contract", str(contract.folder), "--into", str(tmp_path)]) == 0
    text = (tmp_path / "lender" / "lender.py").read_text("utf-8")
    assert text.count("not_written_yet") == 2  # neither ending nor removing can be said of such a record
    assert "Still to be written: end_loan, remove_loan." in capsys.readouterr().out
    start = f"{sys.executable} {tmp_path / 'lender' / 'lender.py'}"
    report = await certify(Order(url=free_url(), contract=contract, level=Level.BRONZE, start=start))
    assert [(each.rule.id, each.found) for each in report.verdicts if each.outcome is not Outcome.PASSED] == [
        ("operations_there", "end_loan (POST /loans/{loan_id}/end) answered 501 (not_written_yet)")
    ]
