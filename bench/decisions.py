"""`python -m bench decisions`: how fast decisions are, and how soon a change of an agreement holds everywhere."""

import asyncio
import random
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from uuid import UUID

from bench.ground import ground
from bench.statements import sql as own
from torv.base import clock, lease
from torv.base.access import Caller, CallerKind, Demand
from torv.base.db import Database, Tx
from torv.base.ids import new_id
from torv.ecosystem.agreements import Line, Loaded, Parties, Policy, Why, agreement_about, load_policy
from torv.ecosystem.agreements.policy import Question

MODULE, PER_MODULE, GRANTS = "kalender", 20, 5
PARTIES = Parties(municipality="50708047", partner="00000001", partner_name="Leverandør", clauses="0" * 64)
WHY = Why(activity="hjaelp-og-stoette", legal_basis=("SEL §83",), text="Hjælp til borgere")
LOT = 500  #: agreements put in by one statement
TIMES, CHANGES, LOADS = 40, 6, 3
#: what -> target
HOT, ALL_ANEW, ONE_ANEW, PIECE, EVERYWHERE = 500_000, 1.0, 1.0, 10.0, 1.0

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Everything; rates are a second, pieces are CPU ms for which the event loop was held at a stretch."""

    agreements: int
    remembered: float
    with_access: float
    first: float
    load_all_s: float
    load_all_cpu_s: float
    load_all_piece_ms: float
    load_one_s: float
    load_one_piece_ms: float
    load_none_s: float
    everywhere_s: list[float]  #: from the commit until two processes decide by the change, slowest of both


def question(partner: UUID, operation: str) -> Question:
    return Question(partner, MODULE, "calendar", operation, "calendar")


async def bench_decisions(*, agreements: int, report: Report) -> Measured:
    """Measure on a ground of its own."""
    async with ground() as own_ground:
        return await _Bench(own_ground.database, own_ground.dsn, own_ground.folder, report).run(agreements)


class _Bench:
    """One municipality's agreements under measurement."""

    def __init__(self, database: Database, dsn: str, folder: Path, report: Report) -> None:
        self._database, self._dsn, self._folder, self._report = database, dsn, folder, report
        self._partners: list[UUID] = []
        self._agreements: list[UUID] = []

    async def run(self, count: int) -> Measured:
        self._report(f"Putting in {count} agreements")
        await self._fill(count)
        self._report("Loading")
        began, alls = time.process_time(), [await self._load(None) for _ in range(LOADS)]
        load_all_cpu = (time.process_time() - began) / LOADS
        loaded, load_all = alls[-1][0], median(seconds for _, seconds, _ in alls)
        ones = []
        for place in range(5):
            await self._change(self._agreements[place * 7], "suspend")
            loaded, *one = await self._load(loaded)
            ones.append(one)
        _, load_none, _ = await self._load(loaded)
        self._report("Deciding")
        first, remembered = self._decide(loaded.policy)
        with_access = self._decide_with_access(loaded.policy)
        self._report("Changing, with two processes that decide")
        everywhere = await self._change_everywhere()
        return Measured(
            agreements=len(loaded.policy.by_id), remembered=remembered, with_access=with_access, first=first,
            load_all_s=load_all,
            load_all_cpu_s=load_all_cpu, load_all_piece_ms=max(piece for *_, piece in alls),
            load_one_s=median(seconds for seconds, _ in ones),
            load_one_piece_ms=max(piece for _, piece in ones), load_none_s=load_none, everywhere_s=everywhere,
        )  # fmt: skip

    async def _fill(self, count: int) -> None:
        self._partners = [new_id() for _ in range(-(-count // PER_MODULE))]
        begins = (datetime.now(UTC) - timedelta(days=1)).date()
        async with self._database.transaction() as tx:
            await tx.run(own.add_organisations, ids=self._partners)
            for start in range(0, count, LOT):
                rows = [self._agreement(number, begins) for number in range(start, min(start + LOT, count))]
                await tx.run(own.add_agreements, agreements=rows)

    def _agreement(self, number: int, begins: Any) -> dict[str, Any]:
        """One of a partner's agreements about the same module: each permits an operation of its own, and all `list`."""
        place = number % PER_MODULE
        lines = [
            Line(service="calendar", operations=["list", f"do-{place}-{line}"], categories=["calendar", "person"])
            for line in range(GRANTS)
        ]
        content = agreement_about(PARTIES, MODULE, WHY, lines, begins=begins)
        self._agreements.append(UUID(content["id"]))
        partner = self._partners[number // PER_MODULE]
        return {"id": content["id"], "partner_id": str(partner), "content": content}

    async def _load(self, before: Loaded | None) -> tuple[Loaded, float, float]:
        """The policy, the seconds it took, and the longest piece of CPU time in ms."""
        async with self._database.line() as line, _watched() as pieces:
            began = time.perf_counter()
            loaded = await load_policy(line, before)
            took = time.perf_counter() - began
        return loaded, took, max(pieces) * 1000

    async def _change(self, agreement_id: UUID, kind: str) -> float:
        """When the change was committed."""
        async with self._database.transaction() as tx:
            await self._happen(tx, agreement_id, kind)
        return time.time()

    async def _happen(self, tx: Tx, agreement_id: UUID, kind: str) -> None:
        await tx.run(own.add_agreement_event, id=agreement_id, kind=kind)
        await lease.raise_generation(tx)

    def _decide(self, policy: Policy) -> tuple[float, float]:
        """Decisions a second: of questions never asked before, and of those asked before, each built anew."""
        asked = [(partner, f"do-{place}-0") for partner in self._partners for place in range(PER_MODULE)]
        random.Random(1).shuffle(asked)  # noqa: S311 an order, no secret
        now = clock.now()
        first = _rate([question(*each) for each in asked], lambda each: policy.answer(each, now))
        again = [question(UUID(bytes=partner.bytes), operation) for partner, operation in asked] * TIMES
        return first, _rate(again, lambda each: policy.answer(each, now))

    def _decide_with_access(self, policy: Policy) -> float:
        """Whole decisions a second: question, answer and permit."""
        callers = [
            Caller(kind=CallerKind.RELEASE, id=new_id(), name=MODULE, partner_id=partner, module_id=new_id())
            for partner in self._partners
        ] * (TIMES * PER_MODULE)
        demand, now, request = Demand(service="calendar", operation="list", category="calendar"), clock.now(), new_id()
        return _rate(callers, lambda each: policy.decide(each, MODULE, demand, now, request))

    async def _change_everywhere(self) -> list[float]:
        """Seconds from each of some commits until the slower of two processes decides by it."""
        command = (sys.executable, "-m", "bench.deciding", self._dsn, str(self._folder / "state"))
        pipe = asyncio.subprocess.PIPE
        processes = [await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe) for _ in range(2)]
        try:
            for each in processes:
                await _hear(each, "ready")
            return [await self._until_both_know(processes, kind) for kind in ("suspend", "resume") * (CHANGES // 2)]
        finally:
            for each in processes:
                each.kill()
                await each.wait()

    async def _until_both_know(self, processes: list[Process], kind: str) -> float:
        operation = f"do-{(len(self._agreements) - 1) % PER_MODULE}-0"
        for each in processes:
            assert each.stdin is not None
            each.stdin.write(f"{self._partners[-1]} {operation}\n".encode())
            await _hear(each, "looking")
        await asyncio.sleep(random.uniform(0.3, 0.6))  # noqa: S311 anywhere between two renewals
        committed = await self._change(self._agreements[-1], kind)
        seen = [float(await _hear(each, "knows at ")) for each in processes]
        return max(seen) - committed


async def _hear(process: Process, said: str) -> str:
    """What a process says after these words."""
    assert process.stdout is not None
    async with asyncio.timeout(20):
        line = (await process.stdout.readline()).decode().strip()
    assert line.startswith(said), line
    return line.removeprefix(said)


@asynccontextmanager
async def _watched() -> AsyncIterator[list[float]]:
    """The CPU seconds between the turns that a task of ours gets while the block lasts."""
    pieces = [0.0]

    async def watch() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0)
            pieces.append(time.thread_time() - before)

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    yield pieces
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def _rate(some: list[Any], work: Callable[[Any], Any]) -> float:
    began = time.perf_counter()
    for each in some:
        work(each)
    return len(some) / (time.perf_counter() - began)


def document(measured: Measured, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, as JSON takes it."""
    return {"machine": facts, **asdict(measured)}


def report_of(measured: Measured, facts: dict[str, Any]) -> str:
    """The same in words and a table, as Markdown."""
    piece = max(measured.load_all_piece_ms, measured.load_one_piece_ms)
    lines = [
        ("remembered decisions a second", f">= {HOT:,}", f"{measured.remembered:,.0f}", measured.remembered >= HOT),
        ("loading all of them, s", f"<= {ALL_ANEW:g}", f"{measured.load_all_s:.2f}", measured.load_all_s <= ALL_ANEW),
        ("loading one change, s", f"<= {ONE_ANEW:g}", f"{measured.load_one_s:.3f}", measured.load_one_s <= ONE_ANEW),
        ("loop held at a stretch meanwhile, ms", f"<= {PIECE:g}", f"{piece:.1f}", piece <= PIECE),
        ("a change holds in both processes, s", f"<= {EVERYWHERE:g}", f"{max(measured.everywhere_s):.3f}",
         max(measured.everywhere_s) <= EVERYWHERE),
    ]  # fmt: skip
    rows = "\n".join(f"| {what} | {target} | {got} | {'yes' if met else 'no'} |" for what, target, got, met in lines)
    about = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    return (
        f"| what | target | measured | met |\n| --- | ---: | ---: | --- |\n{rows}\n\n"
        f"- {measured.agreements:,} agreements with {GRANTS} grants each, {PER_MODULE} about the same module.\n"
        f"- First decisions a second (all {PER_MODULE} agreements looked through): {measured.first:,.0f}. Remembered, "
        f"with the question and the permit built: {measured.with_access:,.0f}.\n"
        f"- Loading all of them: {measured.load_all_cpu_s:.2f} s CPU of the process. Learning that nothing has "
        f"changed: {measured.load_none_s:.3f} s. Effect of a change, median of {len(measured.everywhere_s)}: "
        f"{median(measured.everywhere_s):.3f} s.\n- Measured with: {about}.\n"
    )
