"""What the tests of certification share: orders for modules that run as programs of their own."""

import socket
import sys
from pathlib import Path

import pytest

from torv_sdk.certifying import Level, Order, Outcome
from torv_sdk.contracts import Contract

ROOT = Path(__file__).parents[2]


def free_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def order_for(program: str, *, level: Level = Level.BRONZE, url: str | None = None, torv: str | None = None) -> Order:
    """An order for what `python -c PROGRAM` or, by its name, a mistake runs."""
    contract = Contract.of("notes", 1)
    command = f"{sys.executable} -m tests.certification.broken_modules {program}"
    return Order(url=url or free_url(), contract=contract, level=level, start=command, torv=torv)


def broken_in(report) -> list[str]:
    """The rules that a report says are broken."""
    assert all(each.outcome is not Outcome.SKIPPED for each in report.verdicts)
    return [each.rule.id for each in report.verdicts if each.outcome is Outcome.FAILED]


@pytest.fixture
def in_the_project(monkeypatch) -> None:
    """Programs find the tests' modules whatever folder pytest was started in."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
