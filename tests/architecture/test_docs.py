"""The reference is complete: what the code can say, ask for or hand out is explained in docs/reference."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType

import pytest

from torv import ecosystem, interfaces, kernel
from torv.base.errors import TorvError
from torv.base.settings import Settings
from torv.ecosystem.moves import Reason

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"


def every_error() -> list[type[TorvError]]:
    """Every class of the tree, wherever in Torv it stands."""
    found, to_visit = [], [TorvError]
    list(slices())  # so that all are known
    while to_visit:
        found.append(to_visit.pop())
        to_visit += found[-1].__subclasses__()
    return found


def sections(text: str) -> dict[str, str]:
    """Code -> what stands below its heading."""
    parts = re.split(r"^### (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def slices() -> Iterator[ModuleType]:
    for floor in (kernel, ecosystem, interfaces):
        for found in pkgutil.iter_modules(floor.__path__, f"{floor.__name__}."):
            yield importlib.import_module(found.name)


def exported_values() -> list[str]:
    exported = {name: getattr(part, name) for part in slices() for name in part.__all__}
    return sorted(name for name, each in exported.items() if isinstance(each, type) and is_dataclass(each))


@pytest.mark.parametrize("error", every_error(), ids=lambda each: each.code)
def test_an_error_is_explained_in_both_languages(error: type[TorvError]) -> None:
    section = sections((REFERENCE / "errors.md").read_text(encoding="utf-8"))[error.code]
    assert f"`{error.__name__}`, status {error.status}" in section
    assert f"- Dansk: {error.danish}\n" in section
    assert f"- English: {(error.__doc__ or '').strip()}\n" in section
    assert re.search(r"^- What to do: \S.{10,}", section, re.MULTILINE)


def test_no_two_errors_share_a_code_and_no_explained_error_is_gone() -> None:
    codes = [each.code for each in every_error()]
    assert sorted(codes) == sorted(sections((REFERENCE / "errors.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda each: each.name)
def test_a_setting_is_explained_as_the_code_has_it(setting) -> None:
    shown = "empty" if setting.default == "" else f"`{setting.default}`"
    row = f"| `TORV_{setting.name.upper()}` | {shown} | {setting.metadata['meaning']}"
    assert row in (REFERENCE / "settings.md").read_text(encoding="utf-8")


def test_no_explained_setting_is_gone() -> None:
    listed = re.findall(r"^\| `TORV_(\w+)`", (REFERENCE / "settings.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert listed == [each.name.upper() for each in fields(Settings)]


def test_every_value_a_slice_hands_out_stands_in_the_glossary() -> None:
    words = re.findall(r"^\| `(\w+)` \|", (REFERENCE / "glossary.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert exported_values() == sorted(words)


@pytest.mark.parametrize("reason", Reason)
def test_why_a_move_may_end_is_explained(reason: Reason) -> None:
    assert f"`{reason}`" in (ROOT / "docs" / "how-to" / "switch-a-supplier.md").read_text(encoding="utf-8")
