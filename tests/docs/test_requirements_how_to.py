"""The how-to of requirements is true: its commands are run in an installation of their own, and print what it shows."""

import re
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.docs.test_how_to import blocks_of, pattern_of, run
from tests.kill.scene import opened

pytestmark = pytest.mark.anyio
PAGE = ROOT / "docs" / "how-to" / "requirements.md"


async def test_every_command_of_the_page_prints_what_it_shows(tmp_path: Path) -> None:
    blocks, folder = blocks_of(PAGE.read_text(encoding="utf-8")), tmp_path / "supplier"
    folder.mkdir()
    async with opened(tmp_path / "torv") as scene:
        printed = await run(blocks, scene, folder)
    assert len(printed) == len(blocks) == 9
    wrong = [
        f"{block.commands}\nshown:\n{block.shown}\nis:\n{said}"
        for block, said in zip(blocks, printed, strict=True)
        if block.shown is not None and not re.fullmatch(pattern_of(block.shown), said)
    ]
    assert not wrong, "\n\n".join(wrong)
