"""The demo is killed -9: nothing that it started outlives it, and a second start goes on where the first ended."""

import asyncio
import os
import socket
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tests.kill.scene import Scene
from torv.base import embedded
from torv.base.processes import Supervisor
from torv.base.settings import Settings
from torv.demo import town
from torv.demo.stage import Stage, clear

READY, GONE = 90.0, 30.0  #: seconds
STARTED = 6  #: two API processes, the worker, two modules, PostgreSQL (and its own)


async def test_the_demo_leaves_nothing_behind_and_goes_on(tmp_path: Path) -> None:
    port = free_port()
    try:
        async with demo(tmp_path, port) as first, AsyncExitStack() as later:
            scene = Scene(stage=stage_of(tmp_path, port))
            async with scene.traffic():
                family = descendants(first.pid)
                first.kill()
                await until(lambda: not alive(family), GONE)  # nobody is there to kill them
                second = await later.enter_async_context(demo(tmp_path, port))
                await scene.reach(await scene.plan("kviknote"), "watching")
            heirs = descendants(second.pid)
        assert min(len(family), len(heirs)) >= STARTED
        assert second.returncode == 0
        assert not alive(heirs)
    finally:
        clear(tmp_path / "demo")


@asynccontextmanager
async def demo(folder: Path, port: int) -> AsyncIterator[Process]:
    """`torv demo`, when it is ready; ended as by Ctrl-C when the block ends, unless it is dead by then."""
    environment = {**os.environ, "TORV_STATE_DIR": str(folder), "TORV_PORT": str(port)}
    told = folder / f"told-{time.monotonic_ns()}"
    with told.open("wb") as out:
        command = (sys.executable, "-m", "torv.cli", "demo")
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=out, stderr=out)
    try:
        await until(lambda: b"Ctrl-C" in told.read_bytes() or process.returncode is not None, READY)
        assert process.returncode is None, told.read_text(encoding="utf-8")
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), GONE)


def stage_of(folder: Path, port: int) -> Stage:
    """The stage that a demo has set, seen from outside."""
    set_in = folder / "demo"
    settings = replace(Settings(), port=port, state_dir=set_in / "state", private_modules=True)
    return Stage(
        settings=settings, dsn=embedded.place(settings.state_dir).dsn(), folder=set_in, supervisor=Supervisor(),
        town=town.load(set_in / "town.json"), urls={},
    )  # fmt: skip


async def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait until something holds. Fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.05)


def free_port() -> int:
    """A port with the two that the demo's modules take free as well."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as found:
            port: int = found.getsockname()[1]
        try:
            for other in (port + 11, port + 22):
                socket.create_server(("127.0.0.1", other)).close()
        except (OSError, OverflowError):
            continue
        return port


def processes() -> dict[int, tuple[int, str]]:
    """Every process that runs: its parent, and when it was started (in the kernel's own unit)."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                state, parent, *more = (folder / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if state != "Z":
                found[int(folder.name)] = (int(parent), more[17])
    return found


def descendants(pid: int) -> dict[int, str]:
    """The processes below one, each with its start, so that a number used again is not taken for it."""
    running, family = processes(), {pid: ""}
    while more := {each: start for each, (parent, start) in running.items() if parent in family and each not in family}:
        family |= more
    return {each: start for each, start in family.items() if each != pid}


def alive(family: dict[int, str]) -> list[int]:
    """Those of a family that still run."""
    running = processes()
    return [pid for pid, start in family.items() if pid in running and running[pid][1] == start]
