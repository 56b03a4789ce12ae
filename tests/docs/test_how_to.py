"""The how-tos are true: each page's commands are run in an installation of its own, and print what it shows."""

from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.docs.pages import check_page, variables_of
from tests.kill.scene import opened

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("page", "blocks"),
    [("agreements", 22), ("pilot-in-one-district", 5), ("requirements", 12), ("switch-a-supplier", 7)],
)
async def test_every_command_of_the_page_prints_what_it_shows(page: str, blocks: int, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    async with opened(tmp_path / "torv") as scene:
        ran = await check_page(ROOT / "docs" / "how-to" / f"{page}.md", folder, **variables_of(scene))
    assert ran == blocks  # a block whose mark is misspelt would be passed over in silence
