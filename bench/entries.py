"""The two entries of a call, written one after the other as the gateway writes intent and outcome, and nothing else."""

import asyncio
import time
from uuid import UUID

from bench.models import Load, percentiles
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.trail import Entry, Trail


async def write_alone(dsn: str, seconds: float) -> Load:
    """What two durable entries take where nobody shares their commits."""
    database = Database(dsn, 1)
    trail = Trail(database)
    batcher = asyncio.create_task(trail.run())
    try:
        await trail.write([_entry("intent", new_id())])  # warm
        latencies, began = list[float](), time.perf_counter()
        while (started := time.perf_counter()) - began < seconds:
            call = new_id()
            await trail.write([_entry("intent", call)])
            await trail.write([_entry("read", call)])
            latencies.append(time.perf_counter() - started)
        took = time.perf_counter() - began
    finally:
        batcher.cancel()
        await asyncio.gather(batcher, return_exceptions=True)
        await database.close()
    p50, p99 = percentiles(latencies)
    return Load(
        requests=len(latencies), seconds=took, p50_ms=p50 * 1000, p99_ms=p99 * 1000, all_requests=len(latencies),
        unexpected={},
    )  # fmt: skip


def _entry(kind: str, call: UUID) -> Entry:
    """The second says what an outcome says, but is none: of a call that nobody made, nothing is reckoned."""
    return Entry(
        kind=kind, operation="notes.list_notes", request_id=new_id(), release_id=call, agreement_id=call, grant_id="g1",
        category="notes", purpose="notes", call_id=call,
        detail={"status": 200, "bytes": 800, "module_us": 1_000, "hold_us": 1, "torv_us": 1_000, "release": str(call)}
        if kind == "read" else None,
    )  # fmt: skip
