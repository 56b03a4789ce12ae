"""The installation in which things are killed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.kill.scene import Scene, opened


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """A true installation of the test's own."""
    async with opened(tmp_path / "torv") as scene:
        yield scene
