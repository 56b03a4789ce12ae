"""Processes: programs that we start, restart when they die, and stop in order; none outlives the one who started it."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from structlog import get_logger

log = get_logger("torv.processes")

STOP_TIME = 15.0  #: seconds a program has to stop, then it is killed
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A program to be kept running."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)  #: on top of a bare one
    descriptors: Sequence[int] = ()  #: handed over open
    log: Path | None = None  #: where its stderr goes; None: to ours


class Supervisor:
    """Keeps programs running until told to stop."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}

    async def start(self, program: Program) -> None:
        """Start a program and keep it running."""
        self._running[program.name] = await _spawn(program)
        self._keepers[program.name] = asyncio.create_task(self._keep(program))

    def pid(self, name: str) -> int:
        """The process id of a program now."""
        return self._running[name].pid

    def is_dead(self, name: str) -> bool:
        """Whether a program is not running just now."""
        return self._running[name].returncode is not None

    async def stop(self, name: str) -> None:
        """Stop one program in order and keep it stopped."""
        self._keepers.pop(name).cancel()
        await _end(self._running.pop(name))

    async def stop_all(self) -> None:
        """Stop everything, in the reverse of the order in which it was started."""
        for name in reversed(list(self._running)):
            await self.stop(name)

    async def _keep(self, program: Program) -> None:
        pause = 0.1
        while True:
            process, since = self._running[program.name], asyncio.get_running_loop().time()
            status = await process.wait()
            lived = asyncio.get_running_loop().time() - since
            pause = 0.1 if lived > 10 else min(pause * 2, 10.0)
            log.warning("program_ended", program=program.name, status=status, again_in=pause)
            await asyncio.sleep(pause)
            self._running[program.name] = await _spawn(program)


async def _spawn(program: Program) -> asyncio.subprocess.Process:
    errors = program.log.open("ab") if program.log else None
    try:
        return await asyncio.create_subprocess_exec(
            *program.argv, env={**bare_environment(), **program.environment}, pass_fds=tuple(program.descriptors),
            stdin=asyncio.subprocess.DEVNULL, stdout=errors, stderr=errors, start_new_session=True,
            preexec_fn=_die_with_parent,
        )  # fmt: skip
    finally:
        if errors is not None:
            errors.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOP_TIME)
    except TimeoutError:
        process.kill()
        await process.wait()


def bare_environment() -> dict[str, str]:
    """What every program may know of our environment: no setting or secret reaches one that was not given it."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def python(*arguments: str) -> list[str]:
    """The command that runs this Python."""
    return [sys.executable, *arguments]


_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
