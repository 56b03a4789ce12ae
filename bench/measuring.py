"""Measuring: short rounds in turn, so that whatever else the machine does falls on every line alike."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, fields, replace
from statistics import median
from urllib.parse import urlsplit

from bench import entries, pgbench
from bench.field import Aim, Field
from bench.models import Cost, Load, Plan, Result
from bench.statements import Counter, logging_all
from torv.base.db import Database

CONNECTIONS = (8, 32)
GATEWAY, DIRECTLY, ENTRIES = "call through the gateway", "call the module directly", "a call's two entries alone"
ONE_PROCESS = "gateway, one API process"
ALONE = (GATEWAY, DIRECTLY, ENTRIES)  #: also at one connection: what the gateway adds to a call that has no company
Report = Callable[[str], None]


class Unexpected(Exception):
    """A request was not answered as it should be: what was measured is something else."""


def lines_of(field: Field) -> dict[str, Callable[[], Awaitable[Aim]]]:
    """The lines of Torv."""
    return {
        "read a person": field.read_person,
        "write a record": field.write_record,
        GATEWAY: field.call_through_gateway,
        DIRECTLY: field.call_directly,
    }


def yardsticks_of(field: Field) -> dict[str, Callable[[], Awaitable[Aim]]]:
    """The bare lines: same server, same number of processes."""
    return {
        "FastAPI, a constant": lambda: field.bare("fastapi"),
        "ASGI, a constant": lambda: field.bare("asgi"),
    }


async def measure_lines(
    field: Field, lines: dict[str, Aim], *, connections: Sequence[int], rounds: int, seconds: float, report: Report
) -> list[Result]:
    """Lines beside the bench's own: the medians of the rounds. Raises Unexpected."""
    taken: dict[tuple[str, int], list[Result]] = {}
    for number in range(rounds):
        for line, aim in lines.items():
            for count in connections:
                report(f"Round {number + 1} of {rounds}: {line}, {count} connections")
                seen, cost = await _load(field, aim, count, seconds)
                taken.setdefault((line, count), []).append(_result(line, count, seen, cost, None))
    return [_median(results) for results in taken.values()]


async def measure(field: Field, *, rounds: int, seconds: float, report: Report) -> list[Result]:
    """Every line at every number of connections: the medians of the rounds. Raises Unexpected."""
    statements = await _count_statements(field, report)
    taken: dict[tuple[str, int], list[Result]] = {}
    async with Database.opened(field.stage.dsn, 1) as database, database.reading() as tx:
        for number in range(rounds):
            for line, connections in _plan(field):
                report(f"Round {number + 1} of {rounds}: {line}, {connections} connections")
                await field.settle(tx)
                result = await _measure_line(field, line, connections, seconds, statements.get(line))
                taken.setdefault((line, connections), []).append(result)
    return [_median(results) for results in taken.values()]


async def measure_one_process(field: Field, *, rounds: int, seconds: float, report: Report) -> Result:
    """What the first API process carries through the gateway when the others have stopped. Raises Unexpected."""
    report(f"{ONE_PROCESS.capitalize()}: {max(CONNECTIONS)} connections")
    await field.keep_one_process()
    results = [await _measure_line(field, GATEWAY, max(CONNECTIONS), seconds, None) for _ in range(rounds)]
    return replace(_median(results), line=ONE_PROCESS)


def _plan(field: Field) -> list[tuple[str, int]]:
    """The lines of a round, each with its number of connections."""
    lines = (*lines_of(field), *yardsticks_of(field), *pgbench.SCRIPTS)
    return [*((line, 1) for line in ALONE), *((line, connections) for line in lines for connections in CONNECTIONS)]


async def _count_statements(field: Field, report: Report) -> dict[str, float]:
    """Line -> statements per request at one connection; with more, entries of the trail share a statement."""
    counts = {}
    async with logging_all(field) as idle:
        for line, take in lines_of(field).items():
            report(f"Statements: {line}")
            aim, counter = await take(), Counter(field, idle)
            seen, _ = await _load(field, aim, 1, 0.7)
            counts[line] = counter.count() / seen.all_requests
    return counts


async def _measure_line(field: Field, line: str, connections: int, seconds: float, statements: float | None) -> Result:
    if line in pgbench.SCRIPTS:
        before = field.cost()
        seen = await pgbench.run(field.cluster, pgbench.SCRIPTS[line], connections, seconds)
        return _result(line, connections, seen, field.cost() - before, None)
    if line == ENTRIES:
        before = field.cost()
        seen = await entries.write_alone(field.stage.dsn, seconds)
        return _result(line, connections, seen, field.cost() - before, None)
    aim = await (lines_of(field) | yardsticks_of(field))[line]()
    seen, cost = await _load(field, aim, connections, seconds)
    return _result(line, connections, seen, cost, statements)


async def _load(field: Field, aim: Aim, connections: int, seconds: float) -> tuple[Load, Cost]:
    """Run a load process; the cost is that of its measured time. Raises Unexpected."""
    address = urlsplit(aim.url)
    plan = Plan(
        host=address.hostname or "", port=address.port or 80, requests=aim.requests, expected=aim.expected,
        connections=connections, seconds=seconds,
    )  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.client", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(asdict(plan)).encode())
    process.stdin.close()
    await process.stdout.readline()  # the measured time begins
    before = field.cost(*aim.programs)
    await asyncio.sleep(seconds)
    cost = field.cost(*aim.programs) - before
    seen = Load(**json.loads(await process.stdout.readline()))
    await process.wait()
    if seen.unexpected:
        raise Unexpected(f"{aim.requests[0].split(' HTTP')[0]}: answers by status {seen.unexpected}")
    return seen, cost


def _result(line: str, connections: int, seen: Load, cost: Cost, statements: float | None) -> Result:
    is_http = line not in (*pgbench.SCRIPTS, ENTRIES)
    each = 1000 / seen.requests
    return Result(
        line=line, connections=connections, per_second=seen.requests / seen.seconds, p50_ms=seen.p50_ms,
        p99_ms=seen.p99_ms, app_ms=cost.app * each if is_http else None, database_ms=cost.database * each,
        others_ms=cost.others * each if is_http else None,
        elsewhere=100 * max(0.0, cost.elsewhere) / seen.seconds / (os.cpu_count() or 1), statements=statements,
    )  # fmt: skip


def _median(results: list[Result]) -> Result:
    """The median of each number by itself."""
    columns = {each.name: [getattr(result, each.name) for result in results] for each in fields(Result)}
    return Result(
        **{
            name: values[0] if name in ("line", "connections") or None in values else median(values)
            for name, values in columns.items()
        }
    )
