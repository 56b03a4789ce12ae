"""Pages whose commands are run: what they say stands in ```bash, and what that prints in ```text behind it."""

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.tree import ROOT
from tests.kill.scene import Scene
from torv.demo.office import ANNA, BO, PASSWORDS

MARK = "@@ block"  #: stands before what each block prints
LONGEST = 400  #: seconds all commands of a page may take
_BLOCK = re.compile(r"^```bash\n(?P<commands>.*?)^```$(?:\n```text\n(?P<shown>.*?)^```$)?", re.MULTILINE | re.DOTALL)
_STRICT = "set -e -o pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n"  #: nothing outlives the shell


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Commands, and what the page says that they print; None where it shows nothing."""

    commands: str
    shown: str | None


def blocks_of(page: Path) -> list[Block]:
    """What is to be run, in order."""
    text = page.read_text(encoding="utf-8")
    return [Block(commands=each["commands"], shown=each["shown"]) for each in _BLOCK.finditer(text)]


async def check_page(page: Path, folder: Path, **variables: str) -> int:
    """Run a page's commands in a folder; fails where one fails or prints something else. Gives how many there are."""
    blocks = blocks_of(page)
    printed = await _run(blocks, folder, variables)
    assert len(printed) == len(blocks)
    wrong = [
        f"{block.commands}\nshown:\n{block.shown}\nis:\n{said}"
        for block, said in zip(blocks, printed, strict=True)
        if block.shown is not None and not re.fullmatch(_pattern_of(block.shown), said)
    ]
    assert not wrong, "\n\n".join(wrong)
    return len(blocks)


def variables_of(scene: Scene) -> dict[str, str]:
    """What a reader has at hand who has started Torv: its address, its folders and the two passwords."""
    return {
        "T": scene.stage.settings.issuer, "DEMO": str(scene.stage.folder),
        "TORV_STATE_DIR": str(scene.stage.settings.state_dir),
        "ANNA_PASSWORD": PASSWORDS[ANNA], "BO_PASSWORD": PASSWORDS[BO],
    }  # fmt: skip


async def _run(blocks: list[Block], folder: Path, variables: dict[str, str]) -> list[str]:
    """Run all in one shell that stops at the first failure; gives what each block printed."""
    script = _STRICT + "".join(f"echo '{MARK}'\n{block.commands}" for block in blocks)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")} | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    shell = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=folder, env=environment | variables, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        out, complaints = await asyncio.wait_for(shell.communicate(), LONGEST)
    except TimeoutError:
        shell.terminate()
        raise
    assert shell.returncode == 0, out.decode()[-2000:] + complaints.decode()[-2000:]
    return [part.removeprefix("\n") for part in out.decode().split(MARK)[1:]]


def _pattern_of(shown: str) -> str:
    """What is shown, where `…` stands for what differs from time to time."""
    return re.escape(shown).replace(re.escape("…"), "[^\n]+")
