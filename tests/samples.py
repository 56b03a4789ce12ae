"""Public samples of other people's files. They stand beside the repository, because they are not ours to hand on."""

import os
from pathlib import Path

import pytest

SAMPLES = Path(__file__).parents[2] / "shared" / "data"


def sample(name: str) -> Path:
    """The sample's path. Without samples the test is skipped; where everything is to be run (CI), it fails."""
    path = SAMPLES / name
    if not path.exists():
        reason = f"the public sample {name} is not beside the repository"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return path
