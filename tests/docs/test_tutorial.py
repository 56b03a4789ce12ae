"""The tutorial is true: from an empty folder its commands make a module, certify it, connect it and call it."""

from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.docs.pages import check_page

pytestmark = pytest.mark.anyio


async def test_every_command_of_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    page = ROOT / "docs" / "tutorials" / "write-a-module-in-an-hour.md"
    assert await check_page(page, tmp_path, TORV_PORT="0") == 15
