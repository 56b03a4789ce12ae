"""`python -m bench events`: how many events a second reach a receiver, and how long one takes from its commit."""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from aiohttp import web

from bench.models import percentiles
from bench.statements import sql as own
from torv.base.db import Database
from torv.base.settings import read_settings
from torv.demo.office import Office
from torv.demo.stage import Stage, clear, set_stage
from torv.demo.town import Part, content_of, enter_partner, key_file, sign_by_all
from torv.ecosystem.agreements import Line, Why
from torv_sdk import KernelClient, verify
from torv_sdk.keys import read_key

CAPABILITY, TYPE = "signals", "signals.meter.read"
BACKLOG, LOT = 30_000, 100  #: events that wait at first, and how many are committed at a time
RATE, SECONDS, BEAT = 500, 20.0, 0.02  #: events a second, for how long, and seconds between two commits
PATIENCE = 120.0
#: what -> target
THROUGHPUT, P99 = 1_500, 1.0
CONTRACT = f"""\
format: torv-contract/1
capability: {CAPABILITY}
major: 1
version: 1.0.0
title: {{da: Målinger, en: Meters}}
operations:
  - {{id: list_meters, method: GET, path: /meters, safe: true, category: meters}}
records: []
events:
  - {{type: meter.read, schema: events/meter_read.json, category: meters}}
"""
SCHEMA = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"]}
_WHY = Why(activity="maaling", legal_basis=["Varmeforsyningsloven"], text="Måling af forbrug")
PART = Part(
    cvr="21447552", partner="Målere ApS", module="maaler", why=_WHY,
    lines=(
        Line(service=CAPABILITY, operations=["provide"], categories=["meters"]),
        Line(service="events", operations=["receive", "subscribe", "read"], categories=["meters"]),
    ),
)  # fmt: skip

Report = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Everything."""

    events: int
    per_second: float  #: from the first commit until the last of a backlog was received
    rate: float  #: events a second that were committed while the time was taken
    p50_s: float  #: from commit to receiver
    p99_s: float
    worst_s: float
    lost: int
    out_of_order: int


class Receiver:
    """Takes what is pushed, as a module does: verified, parsed, and noted with the instant."""

    def __init__(self) -> None:
        self.secrets: list[str] = []
        self.seen: dict[tuple[str, int], float] = {}  #: subject and number -> seconds on our clock
        self.last: dict[str, int] = {}
        self.out_of_order = 0

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        verify(request.headers, body, self.secrets, now=time.time())
        for each in json.loads(body):
            subject, number = each["subject"], int(each["sequence"])
            if (subject, number) not in self.seen:
                self.seen[subject, number] = time.perf_counter()
                self.out_of_order += number != self.last.get(subject, 0) + 1
                self.last[subject] = number
        return web.Response(status=204)


async def bench_events(*, report: Report) -> Measured:
    """Measure in an installation of its own, which is thrown away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="torv-bench-"))
    settings = replace(read_settings(), port=0, processes=2, state_dir=folder, database_url="")
    try:
        async with set_stage(settings, folder, citizens=10, report=report) as stage, _receiver() as (receiver, url):
            report("Entering a partner")
            await _enter(stage, receiver, url)
            async with Database.opened(stage.dsn, 2) as database:
                return await _measure(database, receiver, report)
    finally:
        clear(folder)
        shutil.rmtree(folder, ignore_errors=True)


async def _measure(database: Database, receiver: Receiver, report: Report) -> Measured:
    report("Warming up")
    await _commit(database, "warm", 500)
    await _received(receiver, 500)
    report(f"A backlog of {BACKLOG} events")
    began, before = time.perf_counter(), len(receiver.seen)
    for number in range(0, BACKLOG, LOT):
        await _commit(database, f"subject-{number // LOT % 50}", LOT)
    await _received(receiver, before + BACKLOG)
    took = max(receiver.seen.values()) - began
    report(f"{RATE} events a second")
    waits, rate = await _steadily(database, receiver)
    p50, p99 = percentiles(waits)
    total = 500 + BACKLOG + len(waits)
    return Measured(
        events=total, per_second=BACKLOG / took, rate=rate, p50_s=p50, p99_s=p99, worst_s=max(waits),
        lost=total - len(receiver.seen), out_of_order=receiver.out_of_order,
    )  # fmt: skip


async def _steadily(database: Database, receiver: Receiver) -> tuple[list[float], float]:
    """What each event waited from its commit until it was received, and how many a second were committed."""
    committed: dict[tuple[str, int], float] = {}
    before, began, lot, beat = len(receiver.seen), time.perf_counter(), int(RATE * BEAT), 0
    while (now := time.perf_counter()) - began < SECONDS:
        subject = f"steady-{beat}"
        await _commit(database, subject, lot)
        done = time.perf_counter()
        committed.update({(subject, number): done for number in range(1, lot + 1)})
        beat += 1
        await asyncio.sleep(max(0.0, began + beat * BEAT - time.perf_counter()))
    rate = len(committed) / (now - began)
    await _received(receiver, before + len(committed))
    return [receiver.seen[name] - at for name, at in committed.items()], rate


async def _commit(database: Database, subject: str, count: int) -> None:
    async with database.transaction() as tx:
        await tx.run(own.tell_events, subject=subject, capability=CAPABILITY, type=TYPE, count=count)


async def _received(receiver: Receiver, count: int) -> None:
    deadline = time.perf_counter() + PATIENCE
    while len(receiver.seen) < count:
        if time.perf_counter() > deadline:
            raise TimeoutError(f"{len(receiver.seen)} of {count} events came")
        await asyncio.sleep(0.01)


async def _enter(stage: Stage, receiver: Receiver, url: str) -> None:
    """A partner whose module provides a capability and follows its events."""
    issuer = stage.settings.issuer
    async with Office(issuer) as office:
        files = {"contract.yaml": CONTRACT, "events/meter_read.json": json.dumps(SCHEMA)}
        await office.post("/api/v1/contracts", {"files": files})
        release = await enter_partner(office, PART, stage.folder, url)
        content = content_of(PART)
        await office.post("/api/v1/agreements", content)
        await sign_by_all(office, content, stage.folder, PART)
        await office.post("/api/v1/bindings", {"capability": CAPABILITY, "release_id": release})
        new = {"capability": CAPABILITY, "types": [TYPE], "mode": "push"}
        await office.post("/api/v1/subscriptions", new)
    async with KernelClient(issuer, release, read_key(key_file(stage.folder, PART.module))) as kernel:
        answer = await kernel.get("/api/v1/subscriptions/secrets", {"capability": CAPABILITY})
        receiver.secrets = list(answer["secrets"])


@asynccontextmanager
async def _receiver() -> AsyncIterator[tuple[Receiver, str]]:
    receiver, application = Receiver(), web.Application(client_max_size=2**22)
    application.router.add_post("/torv/events", receiver.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield receiver, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def report_of(measured: Measured, facts: dict[str, Any]) -> str:
    """The numbers beside the targets, as Markdown."""
    lines = "\n".join([
        f"| events a second, commit to receiver | >= {THROUGHPUT:,} | {measured.per_second:,.0f} "
        f"| {'yes' if measured.per_second >= THROUGHPUT else 'no'} |",
        f"| p99 from commit to receiver at {RATE} a second, s | <= {P99:g} | {measured.p99_s:.3f} "
        f"| {'yes' if measured.p99_s <= P99 else 'no'} |",
        f"| lost | 0 | {measured.lost} | {'no' if measured.lost else 'yes'} |",
        f"| out of order within a subject | 0 | {measured.out_of_order} | {'no' if measured.out_of_order else 'yes'} |",
    ])  # fmt: skip
    about = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    return (
        f"| what | target | measured | met |\n| --- | ---: | ---: | --- |\n{lines}\n\n"
        f"- {measured.events:,} events to one subscription by push, {LOT} to a commit. While time was taken, "
        f"{measured.rate:.0f} a second were committed: p50 {measured.p50_s:.3f} s, at most {measured.worst_s:.3f} s.\n"
        f"- Measured with: {about}.\n"
    )


def document(measured: Measured, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, as JSON takes it."""
    return {"machine": facts, **asdict(measured)}
