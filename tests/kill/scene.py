"""A true installation with traffic, in which things are killed, and the verdict afterwards."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg

from torv.base import embedded, signing
from torv.base.db import Database
from torv.base.settings import Settings
from torv.base.signing import load_keys
from torv.demo import judge
from torv.demo.ledger import Line, read_ledger
from torv.demo.office import Office
from torv.demo.stage import Stage, clear, set_stage
from torv.demo.story import export_of, traffic_on
from torv.demo.traffic import PASSING

PATIENCE = 60.0  #: seconds a caller repeats a call that was cut off
SLOWEST = 60.0  #: seconds a state may be waited for


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    stage: Stage

    def kill(self, program: str) -> None:
        """Kill -9, unless the program is dead already."""
        if not self.stage.supervisor.is_dead(program):
            self.signal(program, signal.SIGKILL)

    def signal(self, program: str, number: signal.Signals) -> None:
        os.kill(self.stage.supervisor.pid(program), number)

    async def plan(self, to: str) -> str:
        """Plan a move; gives its id."""
        new = {"capability": "notes", "to_release": self.stage.town.releases[to]}
        async with Office(self.stage.settings.issuer) as office:
            return str((await office.post("/api/v1/moves", new))["id"])

    async def state(self, move: str) -> str:
        return str(await self._value("select state from moves.moves where id = $1", move))

    async def reach(self, move: str, *states: str) -> float:
        """Wait until a move is in one of the states; gives the time (monotonic seconds)."""
        deadline = time.monotonic() + SLOWEST
        while (state := await self.state(move)) not in states:
            assert state != "aborted", await self.steps(move)
            assert time.monotonic() < deadline, f"{state} after {SLOWEST} s"
            await asyncio.sleep(0.01)
        return time.monotonic()

    async def steps(self, move: str) -> list[tuple[str, dict[str, Any]]]:
        """What happened to a move, in order."""
        async with _connected(self.stage.dsn) as connection:
            rows = await connection.fetch("select state, detail from moves.steps where move_id = $1 order by seq", move)
        return [(row["state"], json.loads(row["detail"])) for row in rows]

    async def linger(self, state: str) -> None:
        """Let the transaction that brings a move into a state take a second before it commits."""
        async with _connected(self.stage.dsn) as connection:
            await connection.execute(f"""
                create function moves.linger() returns trigger language plpgsql as
                $$ begin perform pg_sleep(1); return new; end $$;
                create trigger linger before update on moves.moves
                for each row when (new.state = '{state}' and old.state <> '{state}') execute function moves.linger();
            """)

    async def lingers(self, move: str) -> None:
        """Return while such a transaction is under way."""
        deadline = time.monotonic() + SLOWEST
        query = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'"
        async with _connected(self.stage.dsn) as connection:
            while not await connection.fetchval(query):
                assert time.monotonic() < deadline, await self.steps(move)
                await asyncio.sleep(0.01)

    async def finalise(self, move: str) -> dict[str, Any]:
        """End a move; gives its receipt, whose seal is checked."""
        async with Office(self.stage.settings.issuer) as office:
            await office.post(f"/api/v1/moves/{move}/finalise")
            seal = await office.get(f"/api/v1/moves/{move}/receipt")
        return signing.verify(seal, load_keys(self.stage.settings.keys_dir).signing)

    @asynccontextmanager
    async def traffic(self) -> AsyncIterator[None]:
        """Callers who repeat what was cut off; when they have finished, everything they were told must be true."""
        async with traffic_on(self.stage, patience=PATIENCE) as ledgers:
            await self._hear(ledgers, 20)
            yield
            await self._hear(ledgers, 20)
        await self._judge(self.lines())

    def lines(self) -> list[Line]:
        """Every answer that a caller was given."""
        return [line for ledger in sorted(self.stage.folder.glob("*.jsonl")) for line in read_ledger(ledger)]

    async def _hear(self, ledgers: list[Path], more: int) -> None:
        """Wait until every caller was answered so and so many times more."""
        goals = {ledger: answers(ledger) + more for ledger in ledgers}
        deadline = time.monotonic() + SLOWEST
        while any(answers(ledger) < goal for ledger, goal in goals.items()):
            assert time.monotonic() < deadline, "callers get no answers"
            await asyncio.sleep(0.1)

    async def _judge(self, lines: list[Line]) -> None:
        wrong = [*unanswered(lines), *(line for line in lines if line.is_stale)]
        assert not wrong, f"{len(wrong)} of {len(lines)}: {wrong[:5]}"
        told = judge.acknowledged(lines)
        async with Database.opened(self.stage.dsn, 2) as database:
            async with database.reading() as tx:
                findings = await judge.judge_kernel(tx, lines)
            for module in ("nordnote", "kviknote"):
                findings += judge.compare(module, told, await export_of(self.stage, database, module, told))
        broken = [finding for finding in findings if not finding.holds]
        assert not broken, broken

    async def _value(self, query: str, *values: Any) -> Any:
        async with _connected(self.stage.dsn) as connection:
            return await connection.fetchval(query, *values)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Scene]:
    """An installation with a true database, thrown away afterwards."""
    settings = replace(Settings(), port=0, processes=2)
    try:
        async with set_stage(settings, folder, citizens=12, report=lambda _: None) as stage:
            yield Scene(stage=stage)
    finally:
        clear(folder)


def answers(ledger: Path) -> int:
    """How many answers stand in a ledger."""
    return ledger.read_bytes().count(b"\n") if ledger.exists() else 0


def unanswered(lines: list[Line]) -> list[Line]:
    """Answers that are neither right nor ask the caller to come again; and calls never answered as they should be."""
    wrong = [line for line in lines if not is_right(line) and not is_passing(line)]
    answered = {(line.caller, line.operation, line.key) for line in lines if is_right(line)}
    return wrong + [line for line in lines if (line.caller, line.operation, line.key) not in answered]


def is_right(line: Line) -> bool:
    return (line.status, line.code) in judge.EXPECTED[line.operation]


def is_passing(line: Line) -> bool:
    """Whether the caller may simply make the call again, and knows it."""
    return line.status in PASSING and line.code != "idempotency_key_reused"


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        with suppress(OSError):
            await connection.close()


def postmaster(stage: Stage) -> int | None:
    """The process id of the installation's PostgreSQL; None while it has none."""
    pid_file = embedded.place(stage.settings.state_dir).data / "postmaster.pid"
    with suppress(FileNotFoundError, IndexError):
        return int(pid_file.read_text(encoding="utf-8").splitlines()[0])
    return None
