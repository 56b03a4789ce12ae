"""The module's program, where the certifier starts it itself: only then can it be stopped, killed and robbed."""

import asyncio
import os
import shlex
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

STOP_TIME = 10.0  #: seconds a module has to stop in order


class ModuleProgram:
    """One command, told by TORV_ variables where Torv is and where to listen (torv_sdk/README.md lists them)."""

    def __init__(self, command: str, url: str, folder: Path, told: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._argv, self._data, self._log = shlex.split(command), folder / "data", folder / "module.log"
        listening = {"TORV_MODULE_HOST": parts.hostname or "127.0.0.1", "TORV_MODULE_PORT": str(parts.port or 80)}
        mine = {name: value for name, value in os.environ.items() if not name.startswith("TORV_")}
        if contracts := os.environ.get("TORV_CONTRACTS"):
            mine["TORV_CONTRACTS"] = contracts
        self._environment = {**mine, **told, **listening, "TORV_MODULE_DATA": str(self._data)}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it. Raises OSError if there is no such program."""
        self._data.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._argv, env=self._environment, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    async def stop(self) -> None:
        """Ask it to stop, and kill it and all it started if it does not."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_TIME)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def kill(self) -> None:
        """Kill it and all it started, as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    def lose_store(self) -> None:
        """Delete everything it has stored; it must be stopped."""
        shutil.rmtree(self._data, ignore_errors=True)

    def last_lines(self) -> str:
        """The end of what it wrote, for whoever must find out why it does not answer."""
        return self._log.read_text(errors="replace")[-2000:] if self._log.exists() else ""
