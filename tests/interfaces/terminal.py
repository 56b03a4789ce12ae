"""The command `torv` as an operator runs it."""

import re
import subprocess
import sys
from pathlib import Path


def torv(dsn: str, state_dir: Path, *arguments: str) -> tuple[int, str]:
    """Run the command as an operator does; gives its exit code and what it says, in one line."""
    environment = {
        "TORV_DATABASE_URL": dsn,
        "TORV_STATE_DIR": str(state_dir),
        "COLUMNS": "200",
        "PATH": "/usr/bin:/bin",
    }
    command = [sys.executable, "-m", "torv.cli", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr)
