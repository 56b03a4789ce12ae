"""`python -m bench.cpr_import`: what importing an extract costs, in a database of its own that is thrown away.

Checking and reading are measured alone, then the whole import into a PostgreSQL with the settings of production. The
database's CPU time is that of all its processes.
"""

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from bench.usage import cpu_seconds, memory_mb
from torv.base import embedded
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database
from torv.base.embedded import Server
from torv.base.ids import new_id
from torv.base.migrate import migrate
from torv.interfaces.cpr import import_extract, write_extract
from torv.interfaces.cpr.checking import check_file
from torv.interfaces.cpr.models import Extract
from torv.interfaces.cpr.parts import read_part
from torv.wiring import schema_folders

console = Console(stderr=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What a step costs."""

    step: str
    persons_per_second: float
    cpu_s_per_1000: float  #: of this process and the one that reads for it
    database_cpu_s_per_1000: float = 0.0


def main(
    persons: Annotated[int, typer.Option(help="How many people the file is about.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Which people.")] = 1,
) -> None:
    """Measure, and print JSON."""
    with tempfile.TemporaryDirectory(prefix="torv-bench-") as folder:
        path = Path(folder) / "extract.txt"
        with console.status("Writing a file"):
            write_extract(path, persons=persons, seed=seed)
            (Path(folder) / "database").mkdir()
        costs = asyncio.run(_measure(path, persons, Path(folder) / "database"))
    facts = {"persons": persons, "cores": os.cpu_count(), "memory_mb": round(memory_mb(os.getpid()))}
    print(json.dumps(facts | {"costs": [asdict(cost) for cost in costs]}, indent=1))


async def _measure(path: Path, persons: int, folder: Path) -> list[Cost]:
    extract: list[Extract] = []

    async def check() -> None:
        extract.append(check_file(path, lambda *_: None))

    async def read() -> None:
        with path.open("rb") as file:
            for part in range(len(extract[0].stretches)):
                read_part(file, extract[0], part)

    costs = [await cost_of("check", persons, check), await cost_of("read", persons, read)]
    cluster = embedded.place(folder)
    server = embedded.start(cluster)
    try:
        costs.append(await _import(server, path, persons))
    finally:
        server.stop()
        embedded.remove(cluster)
    return costs


async def _import(server: Server, path: Path, persons: int) -> Cost:
    operator = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="bench")
    access = Access(caller=operator, service="persons", operation="import", category="person", request_id=new_id())
    async with Database.opened(server.dsn(), 2) as database:
        await migrate(database, schema_folders())

        async def bring_in() -> None:
            await import_extract(database, access, path, lambda *_: None)

        return await cost_of("import (check, read, write)", persons, bring_in, _postmaster(server))


async def cost_of(step: str, persons: int, work: Callable[[], Awaitable[None]], *database: int) -> Cost:
    """What a step costs this process, and the database whose postmaster is given."""
    began, own, other = time.perf_counter(), _own_seconds(), cpu_seconds(*database)
    with console.status(step):
        await work()
    took = time.perf_counter() - began
    own, other = _own_seconds() - own, cpu_seconds(*database) - other
    return Cost(
        step=step, persons_per_second=round(persons / took), cpu_s_per_1000=round(own / persons * 1000, 3),
        database_cpu_s_per_1000=round(other / persons * 1000, 3),
    )  # fmt: skip


def _own_seconds() -> float:
    """CPU time of this process, and of those it has started that have ended."""
    return sum(os.times()[:4])


def _postmaster(server: Server) -> int:
    return int((server.cluster.data / "postmaster.pid").read_text().split()[0])


if __name__ == "__main__":
    typer.run(main)
