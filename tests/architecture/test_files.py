"""What is checked in names no machine and no registry, and what a reader is sent to exists."""

import inspect
import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT, name_of, of_ours
from torv.base import errors

LOCKS = [path for path in of_ours() if path.name.endswith(".lock")]
# Spelled apart, so that this file does not name what it forbids.
MACHINE_PATHS = re.compile(
    "|".join(["/" + "work/", "/" + "root/", "/" + "home/[a-z]", "/" + "tmp/[a-z]", "/" + "Users/"])
)


def test_every_error_has_its_own_code_and_a_danish_sentence() -> None:
    classes = error_classes()
    assert len({each.code for each in classes}) == len(classes) > 1
    assert [each.__name__ for each in classes if not re.fullmatch(r"[a-z]+(_[a-z]+)*", each.code)] == []
    assert [each.__name__ for each in classes if not each.danish.endswith(".") or "!" in each.danish] == []


def error_classes() -> list[type[errors.TorvError]]:
    return [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.TorvError)]


@pytest.mark.parametrize("lock", LOCKS, ids=name_of)
def test_a_lock_file_pins_by_hash_and_names_no_host(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert not re.search(r"://|--index|--find-links|--trusted|@ ", text)
    pins = re.findall(r"^[a-z0-9][^\n]*==[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z0-9]", text, re.MULTILINE)) > 0


def test_every_distribution_has_a_lock() -> None:
    assert {name_of(lock) for lock in LOCKS} >= {
        "requirements.lock",
        *(f"{name_of(path.parent)}/requirements.lock" for path in (ROOT / "modules").glob("*/pyproject.toml")),
    }


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    found = []
    for path in of_ours():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or the like
        found += [f"{name_of(path)}: {hit}" for hit in MACHINE_PATHS.findall(text)]
    assert found == []


def test_every_link_in_a_document_leads_to_a_file() -> None:
    found = []
    for page in (path for path in of_ours() if path.suffix == ".md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not target.startswith("mailto:") and not (page.parent / target).exists():
                found.append(f"{name_of(page)} -> {target}")
    assert found == []
