"""The tutorial is true: from an empty folder its commands make a module, certify it, connect it and call it."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.docs.test_how_to import MARK, blocks_of, pattern_of

pytestmark = pytest.mark.anyio
PAGE = ROOT / "docs" / "tutorials" / "write-a-module-in-an-hour.md"
LONGEST = 400  #: seconds all commands may take


async def test_every_command_of_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    blocks = blocks_of(PAGE.read_text(encoding="utf-8"))
    said = await run("".join(f"echo '{MARK}'\n{block.commands}" for block in blocks), tmp_path)
    assert len(said) == len(blocks) > 10
    wrong = [
        f"{block.commands}\nshown:\n{block.shown}\nis:\n{printed}"
        for block, printed in zip(blocks, said, strict=True)
        if block.shown is not None and not re.fullmatch(pattern_of(block.shown), printed)
    ]
    assert not wrong, "\n\n".join(wrong)


async def run(commands: str, folder: Path) -> list[str]:
    """Run all in one shell that stops at the first failure; gives what each printed. Nothing it started outlives it."""
    script = f"set -e -o pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n{commands}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")} | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "TORV_PORT": "0",
    }  # fmt: skip
    shell = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, complaints = await asyncio.wait_for(shell.communicate(), LONGEST)
    except TimeoutError:
        shell.terminate()
        raise
    assert shell.returncode == 0, out.decode()[-2000:] + complaints.decode()[-2000:]
    return [part.removeprefix("\n") for part in out.decode().split(MARK)[1:]]
