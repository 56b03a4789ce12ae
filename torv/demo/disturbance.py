"""Disturbance: what makes the story hard: a module that stands still, one that writes past its time, late commits."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from torv.base.db import Database
from torv.base.sql import load
from torv.demo import town
from torv.demo.stage import Stage
from torv.demo.traffic import Caller, Plan

sql = load(__file__)

HESITATION = 0.15  #: seconds the module in service stands still when the freeze begins
LONGEST = 1.5  #: seconds a write of its own is kept from committing then
AFTER = 0.2  #: seconds it comes after the move, if the move does not wait for it
CALM = 0.25  #: seconds citizens are held, and then are not, while nothing is moved
STRAGGLE = 0.1  #: seconds between two writes of a module past the gateway


async def work_with_late_commits(database: Database, persons: Sequence[str], seconds: float) -> None:
    """Now and then half of the citizens are held by a long change: notes about them commit after later ones."""
    end, half = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        await _hold(database, persons[half::2], asyncio.sleep(CALM))
        await asyncio.sleep(CALM)
        half = 1 - half


async def disturb_freeze(stage: Stage, database: Database, in_service: str, move_id: str) -> None:
    """The module stands still with calls in its hands, and a write of its own commits only when the move waits."""
    tried = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_stand_still(stage.supervisor.pid(in_service)))
        group.create_task(_hold(database, [straggled(stage)], tried.wait()))
        await _see_flip(database, move_id)
        tried.set()


async def _hold(database: Database, persons: Sequence[str], until: Awaitable[object]) -> None:
    """Keep notes about some citizens from committing, as a long change of those citizens does."""
    async with database.transaction() as tx:
        await tx.run(sql.hold_citizens, ids=list(persons))
        await until


async def _see_flip(database: Database, move_id: str) -> None:
    """Wait until the move waits for writes in progress, or until a moment after it has not."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        async with database.reading() as tx:
            if await tx.value(sql.flip_waits):
                return
            state = await tx.value(sql.move_state, id=move_id)
        if state != "freezing":
            await asyncio.sleep(AFTER)
            return
        await asyncio.sleep(0.004)


async def _stand_still(pid: int) -> None:
    """Stop a process for a moment, wherever it is."""
    os.kill(pid, signal.SIGSTOP)
    await asyncio.sleep(HESITATION)
    os.kill(pid, signal.SIGCONT)


def straggled(stage: Stage) -> str:
    """The citizen about whom stragglers write, and nobody else."""
    return stage.town.persons[-1]


@asynccontextmanager
async def straggling(stage: Stage, module: str, name: str) -> AsyncIterator[Path]:
    """The module writes directly into the kernel until the block has ended, and once more; gives its ledger."""
    ledger, stopped = stage.folder / f"{name}.jsonl", asyncio.Event()
    plan = Plan(
        url=stage.settings.issuer, name=name, client_id=stage.town.releases[module], seed=0, persons=[],
        key_file=str(town.key_file(stage.folder, module)), ledger=str(ledger),
    )  # fmt: skip
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        caller = Caller(plan, http)
        await caller.access_token()
        writing = asyncio.create_task(_straggle(caller, straggled(stage), stopped))
        try:
            yield ledger
        finally:
            stopped.set()
            await writing
        await caller.write_directly(straggled(stage))


async def _straggle(caller: Caller, person: str, stopped: asyncio.Event) -> None:
    while not stopped.is_set():
        await caller.write_directly(person)
        await asyncio.sleep(STRAGGLE)
