"""`python -m bench persons`: what reading, looking up, searching and importing cost with many persons.

The first of them come through the real import, which is measured; the rest are put into the tables by SQL.
"""

import asyncio
import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp

from bench import reporting
from bench.cpr_import import Cost, cost_of
from bench.crowd import COMMON, fill
from bench.crowd import sql as own
from bench.field import CITIZENS, Aim, Field, request
from bench.measuring import measure_lines
from bench.models import Result
from bench.usage import cpu_seconds, memory_mb
from torv import operating
from torv.base.db import Database
from torv.base.settings import read_settings
from torv.demo.office import ANNA
from torv.demo.stage import clear, set_stage
from torv.interfaces.cpr import write_extract
from torv.kernel.persons.words import NAME, what_is_meant

CONNECTIONS = (1, 8)
SAMPLE = 500  #: persons who are read and looked up
SEED = 2026  #: of the made-up persons that are imported
PAGE = 100  #: rows
READ, READ_BY_USER, LOOK_UP = "read one (module)", "read one (user)", "look up by CPR number (user)"
LIST, SEARCH = "page of 100 by name (user)", "name search, typing errors (user)"
#: line -> CPU ms of the API processes that it may cost
TARGETS = {READ: 1.0, READ_BY_USER: 1.0, LOOK_UP: 1.2, LIST: 5.0}
SEARCH_P50, IMPORT, MEMORY = 20.0, 5_000, 200  #: ms; persons a second; MB
#: 20 names as a hurried hand types them; the last ones few people bear
MISTYPED = (
    "Mete Nielsn", "Sørnsen", "Jørgnsen Lars", "Kirstn Hansen", "Rasmusen", "Christensn Anna", "Pter Madsen",
    "Kristenssen", "Vestergard", "Ostergård", "Hanne Mølgard", "Torbn Krogh", "Fredriksen Ib", "Lauritsen Emma",
    "Bjerregard", "Ørnehlt", "Klitholm", "Nørrelnd", "Strandbrg", "Ravnskov Ella",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Everything."""

    persons: int
    imported: int
    names_found: int  #: of the mistyped ones: find somebody
    cost: Cost  #: of the import
    results: list[Result]
    memory: list[float]  #: MB of each API process


async def bench_persons(
    *, persons: int, imported: int, rounds: int, seconds: float, report: Callable[[str], None]
) -> Measured:
    """Measure in an installation of its own, which is thrown away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="torv-bench-"))
    settings = replace(read_settings(), port=0, processes=2, state_dir=folder, database_url="")
    try:
        async with (
            set_stage(settings, folder, citizens=CITIZENS, report=report) as stage,
            aiohttp.ClientSession() as http,
        ):
            field = Field(stage, http)
            cost = await _import(field, imported, report)
            lines, there, found = await _prepare(field, persons - imported - CITIZENS, report)
            results = await measure_lines(
                field, lines, connections=CONNECTIONS, rounds=rounds, seconds=seconds, report=report
            )
            memory = [memory_mb(pid) for pid in field.pids(*field.api)]
            return Measured(
                persons=there, imported=imported, names_found=found, cost=cost, results=results, memory=memory
            )
    finally:
        clear(folder)


async def _import(field: Field, persons: int, report: Callable[[str], None]) -> Cost:
    path = field.stage.folder / "many.txt"
    report("Writing an extract")
    await asyncio.to_thread(write_extract, path, persons=persons, seed=SEED)
    report(f"Importing {persons} persons")

    async def bring_in() -> None:
        await operating.take_in_cpr(field.stage.dsn, path, lambda *_: None)

    before = cpu_seconds(field.postmaster)
    cost = await cost_of("import", persons, bring_in)
    await asyncio.sleep(0.5)  # the CPU time of a connection that has ended counts when the postmaster has seen it end
    spent = cpu_seconds(field.postmaster) - before
    return replace(cost, database_cpu_s_per_1000=round(spent / persons * 1000, 3))


async def _prepare(field: Field, missing: int, report: Callable[[str], None]) -> tuple[dict[str, Aim], int, int]:
    """Fill up; gives what is asked, how many persons there are, and how many mistyped names find somebody."""
    async with Database.opened(field.stage.dsn, 2) as database:
        report(f"Filling up with {missing} persons")
        await fill(database, missing)
        async with database.reading() as tx:
            chosen = await tx.all(dict, own.sample_persons, size=SAMPLE)
            there = await tx.value(own.count_persons)
            meant = [await what_is_meant(tx, name, NAME, sees_hidden=True) for name in MISTYPED]
            found = sum([await tx.value(own.is_known, name=each) for each in meant])
    return _lines(field, chosen, await field.authorized("borgerblik"), await field.signed_in(ANNA)), there, found


def _lines(field: Field, chosen: list[dict[str, Any]], module: dict[str, str], user: dict[str, str]) -> dict[str, Aim]:
    def posts(path: str, bodies: list[dict[str, str]]) -> list[str]:
        return [request(field.url, "POST", path, user, json.dumps(body)) for body in bodies]

    reads = {
        who: [request(field.url, "GET", f"/api/v1/persons/{each['id']}", who_headers) for each in chosen]
        for who, who_headers in ((READ, module), (READ_BY_USER, user))
    }
    families = list(COMMON)[:10]
    random.Random(1).shuffle(families)  # noqa: S311 an order, no secret
    requests = reads | {
        LOOK_UP: posts("/api/v1/persons/lookup", [{"cpr": each["cpr"]} for each in chosen]),
        LIST: posts(f"/api/v1/persons/search?limit={PAGE}", [{"name": name} for name in families]),
        SEARCH: posts("/api/v1/persons/search", [{"name": name} for name in MISTYPED]),
    }
    return {line: Aim(url=field.url, requests=asked, programs=field.api) for line, asked in requests.items()}


def report_of(measured: Measured, facts: dict[str, Any]) -> str:
    """The numbers beside the targets, as Markdown."""
    rows = "\n".join(_compared(measured))
    cost = measured.cost
    about = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())
    return (
        f"| what | target | measured | met |\n| --- | ---: | ---: | --- |\n{rows}\n\n"
        f"{reporting.table(measured.results)}\n\n"
        f"- {measured.persons:,} persons; {measured.imported:,} came through the real import, the rest by SQL.\n"
        f"- Of the {len(MISTYPED)} mistyped names {measured.names_found} find somebody.\n"
        f"- Import, CPU per 1,000 persons: Python {cost.cpu_s_per_1000:.2f} s, "
        f"PostgreSQL {cost.database_cpu_s_per_1000:.2f} s.\n"
        f"- Measured with: {about}.\n"
    )


def _compared(measured: Measured) -> list[str]:
    by_line = {(each.line, each.connections): each for each in measured.results}
    rows = [
        _row(f"{line}, app CPU ms", target, by_line[line, CONNECTIONS[-1]].app_ms or 0.0, 2)
        for line, target in TARGETS.items()
    ]
    search = by_line[SEARCH, 1]
    rows.append(_row("name search p50 ms, 1 connection", SEARCH_P50, search.p50_ms, 1))
    rows.append(_row("memory of an API process MB", MEMORY, max(measured.memory), 0))
    rate = measured.cost.persons_per_second
    met = "yes" if rate >= IMPORT else "no"
    return [*rows, f"| import persons/s | >= {IMPORT:,} | {rate:,.0f} | {met} |"]


def _row(what: str, target: float, value: float, digits: int) -> str:
    return f"| {what} | <= {target:g} | {value:.{digits}f} | {'yes' if value <= target else 'no'} |"


def document(measured: Measured, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything, as JSON takes it."""
    return {"machine": facts, **asdict(measured)}
