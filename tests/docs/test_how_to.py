"""The how-to of agreements is true: its commands are run in an installation of their own, and print what it shows."""

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.architecture.tree import ROOT
from tests.kill.scene import Scene, opened
from torv.demo.office import ANNA, BO, PASSWORDS

pytestmark = pytest.mark.anyio
PAGE = ROOT / "docs" / "how-to" / "agreements.md"
MARK = "@@ block"  #: stands before what each block prints
LONGEST = 300  #: seconds all commands may take
_BLOCK = re.compile(r"^```bash\n(?P<commands>.*?)^```$(?:\n```text\n(?P<shown>.*?)^```$)?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Commands, and what the page says that they print; None where it shows nothing."""

    commands: str
    shown: str | None


def blocks_of(page: str) -> list[Block]:
    return [Block(commands=each["commands"], shown=each["shown"]) for each in _BLOCK.finditer(page)]


async def test_every_command_of_the_page_prints_what_it_shows(tmp_path: Path) -> None:
    blocks, folder = blocks_of(PAGE.read_text(encoding="utf-8")), tmp_path / "supplier"
    folder.mkdir()
    async with opened(tmp_path / "torv") as scene:
        printed = await run(blocks, scene, folder)
    assert len(printed) == len(blocks) > 15
    wrong = [
        f"{block.commands}\nshown:\n{block.shown}\nis:\n{said}"
        for block, said in zip(blocks, printed, strict=True)
        if block.shown is not None and not re.fullmatch(pattern_of(block.shown), said)
    ]
    assert not wrong, "\n\n".join(wrong)


async def run(blocks: list[Block], scene: Scene, folder: Path) -> list[str]:
    """Run all in one shell that stops at the first failure; gives what each block printed."""
    script = "set -e -o pipefail\n" + "".join(f"echo '{MARK}'\n{block.commands}" for block in blocks)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")} | {
        "T": scene.stage.settings.issuer, "DEMO": str(scene.stage.folder), "PYTHONPATH": str(ROOT),
        "TORV_STATE_DIR": str(scene.stage.settings.state_dir),
        "ANNA_PASSWORD": PASSWORDS[ANNA], "BO_PASSWORD": PASSWORDS[BO],
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    shell = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, complaints = await asyncio.wait_for(shell.communicate(), LONGEST)
    except TimeoutError:
        shell.kill()
        raise
    assert shell.returncode == 0, out.decode()[-2000:] + complaints.decode()
    return [part.removeprefix("\n") for part in out.decode().split(MARK)[1:]]


def pattern_of(shown: str) -> str:
    """What is shown, where `…` stands for what differs from time to time."""
    return re.escape(shown).replace(re.escape("…"), "[^\n]+")


def test_a_page_with_a_false_line_would_be_found_out() -> None:
    page = "```bash\necho a\n```\n```text\nb …\n```\n\n```bash\ntrue\n```\n"
    first, second = blocks_of(page)
    assert (first.commands, first.shown, second.shown) == ("echo a\n", "b …\n", None)
    assert not re.fullmatch(pattern_of("b …\n"), "a x\n")
    assert re.fullmatch(pattern_of("b …\n"), "b x\n")
