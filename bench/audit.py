"""`python -m bench audit`: what logging a read costs, and how fast the log of many entries proves itself."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from bench.ground import ground
from bench.models import percentiles
from bench.statements import sql as own
from bench.usage import cpu_seconds
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database, Tx
from torv.base.feed import sequence
from torv.base.ids import new_id
from torv.base.keyring import HeadKeys
from torv.base.signing import load_keys
from torv.base.trail import Entry, Trail
from torv.ecosystem.audit import STREAM, prove_consistency, prove_inclusion, sign_head, verify_log

READERS = 32  #: who wait for an entry at the same time
SECONDS = 6.0
PROOFS = 300
LOT = 50_000  #: entries put in by one statement
#: what -> target
CPU, SEALED, PROOF, VERIFIED = 0.3, 3_000, 5.0, 100_000

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """CPU ms an entry."""

    app: float
    database: float

    @property
    def total(self) -> float:
        return self.app + self.database


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Everything."""

    entries: int
    written_per_second: float
    writing: Cost  #: until an entry is durable, with 32 waiting at a time
    sealing: Cost  #: its position and its leaf, in the worker
    sealed_per_second: float
    inclusion_ms: tuple[float, float]  #: p50, p99
    consistency_ms: tuple[float, float]
    verified_per_second: float
    verifying: Cost


async def bench_audit(*, entries: int, report: Report) -> Measured:
    """Measure on a ground of its own."""
    async with ground() as own_ground:
        keys = load_keys(own_ground.folder).heads
        return await _Bench(own_ground.database, keys, own_ground.postmaster, report).run(entries)


class _Bench:
    """One installation's log under measurement."""

    def __init__(self, database: Database, keys: HeadKeys, postmaster: int, report: Report) -> None:
        self._database, self._postmaster, self._report = database, postmaster, report
        self._keys = keys

    async def run(self, entries: int) -> Measured:
        self._report(f"Writing with {READERS} waiting at a time")
        await self._write(1.0)  # warm
        mark = self._mark()
        written = await self._write(SECONDS)
        writing = self._cost(mark, written)
        await self._seal()
        self._report(f"Putting in {entries} entries")
        for start in range(0, entries, LOT):
            async with self._database.transaction() as tx:
                await tx.run(own.fill_trail, count=min(LOT, entries - start))
        self._report("Sealing them")
        mark, began = self._mark(), time.perf_counter()
        sealed = await self._seal()
        sealing, sealed_per_second = self._cost(mark, sealed), sealed / (time.perf_counter() - began)
        self._report("Proving")
        async with self._database.transaction() as tx:
            inclusion, consistency = await self._prove(tx, (await sign_head(tx, self._keys)).size)
            tx.notes.clear()
        self._report("Verifying")
        mark, began = self._mark(), time.perf_counter()
        verdict = await verify_log(self._database, self._keys)
        took = time.perf_counter() - began
        assert verdict.holds, verdict.flaws
        return Measured(
            entries=verdict.size, written_per_second=written / SECONDS, writing=writing, sealing=sealing,
            sealed_per_second=sealed_per_second, inclusion_ms=inclusion, consistency_ms=consistency,
            verified_per_second=verdict.size / took, verifying=self._cost(mark, verdict.size),
        )  # fmt: skip

    def _mark(self) -> tuple[float, float]:
        return time.process_time(), cpu_seconds(self._postmaster)

    def _cost(self, mark: tuple[float, float], count: int) -> Cost:
        app, database = (end - start for start, end in zip(mark, self._mark(), strict=True))
        return Cost(app=app / count * 1000, database=database / count * 1000)

    async def _write(self, seconds: float) -> int:
        trail = Trail(self._database)
        batcher = asyncio.create_task(trail.run())
        ends, counts = time.perf_counter() + seconds, [0] * READERS

        async def read(number: int) -> None:
            while time.perf_counter() < ends:
                await trail.write([_entry()])
                counts[number] += 1

        await asyncio.gather(*(read(number) for number in range(READERS)))
        batcher.cancel()
        await asyncio.gather(batcher, return_exceptions=True)
        return sum(counts)

    async def _seal(self) -> int:
        total = 0
        async with self._database.line() as line:
            while count := await sequence(line, STREAM):
                total += count
        return total

    async def _prove(self, tx: Tx, size: int) -> tuple[tuple[float, float], tuple[float, float]]:
        """The p50 and p99 of both kinds of proof, in ms."""
        chosen = random.Random(2026)  # noqa: S311 a choice, no secret
        access, inclusion, consistency = _permit(), list[float](), list[float]()
        for _ in range(PROOFS):
            began = time.perf_counter()
            await prove_inclusion(tx, access, position=chosen.randint(1, size))
            between = time.perf_counter()
            await prove_consistency(tx, access, earlier=chosen.randint(1, size), later=size)
            inclusion.append((between - began) * 1000)
            consistency.append((time.perf_counter() - between) * 1000)
        return percentiles(inclusion), percentiles(consistency)


def _permit() -> Access:
    caller = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="bench")
    return Access(caller=caller, service="audit", operation="read_heads", category="head", request_id=new_id())


def _entry() -> Entry:
    return Entry(
        kind="read", operation="persons.read", subjects=[new_id()], request_id=new_id(), user_id=UUID(int=1),
        category="person", purpose="role:Sagsbehandler",
    )  # fmt: skip


def report_of(measured: Measured, facts: dict[str, Any]) -> str:
    """The numbers beside the targets, as Markdown."""
    lines = "\n".join([
        _at_most(f"CPU ms of logging a read, {READERS} waiting", CPU, measured.writing.total + measured.sealing.total),
        _at_least("entries sealed a second", SEALED, measured.sealed_per_second),
        _at_most("proof of inclusion, p50 ms", PROOF, measured.inclusion_ms[0]),
        _at_most("proof of consistency, p50 ms", PROOF, measured.consistency_ms[0]),
        _at_least("entries verified a second", VERIFIED, measured.verified_per_second),
    ])  # fmt: skip
    costs = "\n".join(
        f"- {what}, CPU ms an entry: Python {cost.app:.3f}, PostgreSQL {cost.database:.3f}."
        for what, cost in (
            ("Writing", measured.writing), ("Sealing", measured.sealing), ("Verifying", measured.verifying),
        )
    )  # fmt: skip
    about = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    return (
        f"| what | target | measured | met |\n| --- | ---: | ---: | --- |\n{lines}\n\n{costs}\n"
        f"- {measured.entries:,} entries; {measured.written_per_second:,.0f} a second were written; p99 of the proofs "
        f"{measured.inclusion_ms[1]:.2f} and {measured.consistency_ms[1]:.2f} ms.\n- Measured with: {about}.\n"
    )


def _at_most(what: str, target: float, value: float) -> str:
    return f"| {what} | <= {target:g} | {value:.3f} | {'yes' if value <= target else 'no'} |"


def _at_least(what: str, target: int, value: float) -> str:
    return f"| {what} | >= {target:,} | {value:,.0f} | {'yes' if value >= target else 'no'} |"


def document(measured: Measured, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, as JSON takes it."""
    return {"machine": facts, **asdict(measured)}
