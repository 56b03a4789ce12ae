"""`python -m bench`: measure, print a table, keep JSON. Parts: persons, audit, decisions, events (`--help`)."""

import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console

from bench import audit as log
from bench import decisions as deciding
from bench import events as telling
from bench import levels as measuring_levels
from bench import persons as many
from bench import pgbench, reporting
from bench.explain import explain as explain_lists
from bench.field import CITIZENS, Field
from bench.measuring import measure, measure_one_process
from bench.models import Result
from bench.usage import memory_mb
from torv.base import logs
from torv.base.settings import read_settings
from torv.demo.stage import clear, set_stage

console = Console(stderr=True)
app = typer.Typer(add_completion=False)

Page = Annotated[Path | None, typer.Option(help="A Markdown page to bring up to date between its marks.")]
Rounds = Annotated[int, typer.Option(help="Rounds of each line; the median is given.")]
Seconds = Annotated[float, typer.Option(help="Length of a round.")]


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    rounds: Rounds = 3,
    seconds: Seconds = 2.5,
    json_file: Annotated[Path, typer.Option("--json", help="Where the numbers are kept.")] = Path(".torv/bench.json"),
    page: Page = None,
) -> None:
    """Measure Torv in an installation of its own, which is thrown away afterwards."""
    logs.configure("error")
    if context.invoked_subcommand is not None:
        return
    facts = reporting.machine()
    results, memory = asyncio.run(_bench(rounds, seconds))
    _keep(json_file, reporting.document(results, memory, facts))
    _show(reporting.measured(results, memory, facts), page, "measured")


@app.command()
def persons(
    persons: Annotated[int, typer.Option(help="How many there are in the end.")] = 100_000,
    imported: Annotated[int, typer.Option(help="How many of them come through the real import.")] = 20_000,
    rounds: Rounds = 3,
    seconds: Seconds = 2.5,
    json_file: Annotated[Path, typer.Option("--json", help="Where the numbers are kept.")] = Path(
        ".torv/bench-persons.json"
    ),
    page: Page = None,
) -> None:
    """Measure reading, looking up, searching and importing with many persons."""
    facts = reporting.machine()
    measured = asyncio.run(
        many.bench_persons(persons=persons, imported=imported, rounds=rounds, seconds=seconds, report=console.print)
    )
    _keep(json_file, many.document(measured, facts))
    _show(many.report_of(measured, facts), page, "persons")


@app.command()
def audit(
    entries: Annotated[int, typer.Option(help="How many the log has in the end.")] = 1_000_000,
    json_file: Annotated[Path, typer.Option("--json", help="Where the numbers are kept.")] = Path(
        ".torv/bench-audit.json"
    ),
    page: Page = None,
) -> None:
    """Measure what the log costs, and how fast it proves and verifies itself."""
    facts = reporting.machine()
    measured = asyncio.run(log.bench_audit(entries=entries, report=console.print))
    _keep(json_file, log.document(measured, facts))
    _show(log.report_of(measured, facts), page, "audit")


@app.command()
def decisions(
    agreements: Annotated[int, typer.Option(help="How many there are.")] = 5_000,
    json_file: Annotated[Path, typer.Option("--json", help="Where the numbers are kept.")] = Path(
        ".torv/bench-decisions.json"
    ),
    page: Page = None,
) -> None:
    """Measure how fast decisions are, and how soon a change of an agreement holds everywhere."""
    facts = reporting.machine()
    measured = asyncio.run(deciding.bench_decisions(agreements=agreements, report=console.print))
    _keep(json_file, deciding.document(measured, facts))
    _show(deciding.report_of(measured, facts), page, "decisions")


@app.command()
def events(
    json_file: Annotated[Path, typer.Option("--json", help="Where the numbers are kept.")] = Path(
        ".torv/bench-events.json"
    ),
    page: Page = None,
) -> None:
    """Measure how many events a second reach a receiver, and how long one takes from its commit."""
    facts = reporting.machine()
    measured = asyncio.run(telling.bench_events(report=console.print))
    _keep(json_file, telling.document(measured, facts))
    _show(telling.report_of(measured, facts), page, "events")


@app.command()
def levels(
    calls: Annotated[int, typer.Option(help="How many the month has.")] = 1_000_000,
    json_file: Annotated[Path, typer.Option("--json", help="Where the numbers are kept.")] = Path(
        ".torv/bench-levels.json"
    ),
    page: Page = None,
) -> None:
    """Measure what it costs to gather a month of calls from the log, and to reckon its statement."""
    facts = reporting.machine()
    measured = asyncio.run(measuring_levels.bench_levels(calls=calls, report=console.print))
    _keep(json_file, measuring_levels.document(measured, facts))
    _show(measuring_levels.report_of(measured, facts), page, "levels")


@app.command()
def explain(
    persons: Annotated[int, typer.Option(help="How many there are.")] = 1_000_000,
    page: Annotated[Path, typer.Option(help="The page that is written.")] = Path("bench/explain-persons.md"),
) -> None:
    """Write how PostgreSQL finds the rows of every list of persons."""
    page.write_text(asyncio.run(explain_lists(persons, console.print)), encoding="utf-8")


def _keep(file: Path, content: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def _show(text: str, page: Path | None, part: str) -> None:
    print(text)
    if page is not None:
        page.write_text(reporting.renewed(page.read_text(encoding="utf-8"), text, part), encoding="utf-8")


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
                memory = [memory_mb(pid) for pid in field.pids(*field.api)]
                one = await measure_one_process(field, rounds=rounds, seconds=seconds, report=status.update)
                return [*results, one], memory
    finally:
        clear(folder)


if __name__ == "__main__":
    app()
