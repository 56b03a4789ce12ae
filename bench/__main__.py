"""`python -m bench`: measure, print a table, keep JSON."""

import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import aiohttp
import typer
from rich.console import Console

from bench import pgbench, reporting
from bench.field import CITIZENS, Field
from bench.measuring import measure
from bench.models import Result
from bench.usage import memory_mb
from torv.base import logs
from torv.base.settings import read_settings
from torv.demo.stage import clear, set_stage

console = Console(stderr=True)


def main(
    rounds: Annotated[int, typer.Option(help="Rounds of each line; the median is given.")] = 3,
    seconds: Annotated[float, typer.Option(help="Length of a round.")] = 2.5,
    json_file: Annotated[Path, typer.Option("--json", help="Where the numbers are kept.")] = Path(".torv/bench.json"),
    page: Annotated[Path | None, typer.Option(help="A Markdown page to bring up to date between its marks.")] = None,
) -> None:
    """Measure Torv in an installation of its own, which is thrown away afterwards."""
    logs.configure("error")
    facts = reporting.machine()
    results, memory = asyncio.run(_bench(rounds, seconds))
    json_file.parent.mkdir(parents=True, exist_ok=True)
    json_file.write_text(json.dumps(reporting.document(results, memory, facts), indent=1), encoding="utf-8")
    measured = reporting.measured(results, memory, facts)
    print(measured)
    if page is not None:
        page.write_text(reporting.renewed(page.read_text(encoding="utf-8"), measured), encoding="utf-8")


async def _bench(rounds: int, seconds: float) -> tuple[list[Result], list[float]]:
    """The results, and the memory of each API process in MB."""
    folder = Path(tempfile.mkdtemp(prefix="torv-bench-"))
    settings = replace(read_settings(), port=0, processes=2, state_dir=folder, database_url="")
    try:
        with console.status("Starting") as status:
            async with (
                set_stage(settings, folder, citizens=CITIZENS, report=status.update) as stage,
                aiohttp.ClientSession() as http,
            ):
                field = Field(stage, http)
                await field.start_yardsticks()
                await field.seed()
                await pgbench.prepare(field.cluster)
                results = await measure(field, rounds=rounds, seconds=seconds, report=status.update)
                return results, [memory_mb(pid) for pid in field.pids(*field.api)]
    finally:
        clear(folder)


if __name__ == "__main__":
    typer.run(main)
