"""The threat model names tests that exist, and no attack is tested that it does not tell of."""

import ast
import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "explanation" / "threat-model.md"
PARTS = ("Asset", "Attacker", "Way", "Controls", "Tests", "Remains")


def functions_in(folder: Path) -> set[str]:
    """The names of all tests below a folder."""
    nodes = (node for file in folder.rglob("test_*.py") for node in ast.parse(file.read_text(encoding="utf-8")).body)
    functions = (node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {name for name in functions if name.startswith("test_")}


def named() -> set[str]:
    """The names of tests on the page."""
    return set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))


def test_every_test_that_the_page_names_exists() -> None:
    assert len(named()) > 80
    assert named() - functions_in(TESTS) == set()


def test_every_attack_that_is_tested_stands_on_the_page() -> None:
    own = {node for node in functions_in(Path(__file__).parent) if node not in globals()}
    assert len(own) > 60
    assert own - named() == set()


def test_every_scenario_says_all_there_is_to_say() -> None:
    _, *scenarios = re.split(r"^## (?=[0-9])", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert [int(each.partition(".")[0]) for each in scenarios] == list(range(1, len(scenarios) + 1))
    assert len(scenarios) >= 10
    for each in scenarios:
        assert re.findall(r"^- \*\*(\w+)\*\*: ", each, re.MULTILINE) == list(PARTS)
