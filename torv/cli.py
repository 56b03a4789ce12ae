"""The command `torv`."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from torv import app as api
from torv import operating, running, worker
from torv.base import logs
from torv.base.errors import TorvError
from torv.base.migrate import MigrationChanged
from torv.base.processes import Supervisor
from torv.base.server import listen
from torv.base.settings import SettingInvalid, Settings, read_settings
from torv.demo import show, tell_story
from torv.doctor import examine
from torv.interfaces.cpr import Imported, Stage
from torv.kernel.classification import ChangeKind
from torv.kernel.organisation import document_of, read_document

T = TypeVar("T")
CHANGES_SHOWN = 40  #: lines of an import's summary

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Torv: the municipality's shared kernel and ecosystem."
)
imports = typer.Typer(no_args_is_help=True, help="Bring data in from files.")
commands.add_typer(imports, name="import")
exports = typer.Typer(no_args_is_help=True, help="Write data out.")
commands.add_typer(exports, name="export")
console = Console(stderr=True)


@commands.command()
def serve() -> None:
    """Answer requests: as many processes as TORV_PROCESSES says, on one port, restarted when they die."""
    _run(_serve(read_settings()))


@commands.command("serve-one", hidden=True)
def serve_one(descriptor: int) -> None:
    """Answer requests as one process, on a socket that `torv serve` has opened."""
    settings = read_settings()
    api.run(settings, settings.database_url, socket.socket(fileno=descriptor))


@commands.command("worker")
def run_worker() -> None:
    """Sequence the feed, drive moves and tidy up."""
    _run(_work(read_settings()))


@commands.command()
def migrate() -> None:
    """Bring the database up to date."""
    ran = _act(running.prepare)
    console.print(f"{len(ran)} migrations ran." if ran else "The database is up to date.")


@commands.command("doctor")
def look_over() -> None:
    """Look the installation over: database, version, durability, disk, clock, keys, settings; says what to do."""
    diagnoses = _act(lambda dsn: examine(read_settings(), dsn))
    for each in diagnoses:
        console.print("✓" if each.is_well else "✗", each.what, "·", each.found, style=None if each.is_well else "red")
        if each.advice:
            console.print(" ", each.advice)
    sys.exit(0 if all(each.is_well for each in diagnoses) else 1)


@commands.command("add-user")
def add_user(
    login: str,
    name: str,
    password_file: Annotated[
        Path | None, typer.Option(help="A file with the password; otherwise you are asked.")
    ] = None,
) -> None:
    """Create an administrator."""
    password = (
        password_file.read_text().strip()
        if password_file
        else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    _act(lambda dsn: operating.add_user(dsn, login=login, name=name, password=password))
    console.print(f"{login} can sign in now.")


@imports.command("kle")
def import_kle(
    file: Path,
    published: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="When it was published, if the file does not say.")
    ] = None,
    accept_endings: Annotated[bool, typer.Option(help="Import it even if more than a tenth of the codes end.")] = False,
) -> None:
    """Import an edition of KLE (OS2KLE.txt, or XML by KL), and show what it changes."""
    day = published.date() if published else None
    done = _act(lambda dsn: operating.take_in_kle(dsn, file, published=day, accepts_endings=accept_endings))
    for change in done.changes[:CHANGES_SHOWN]:
        former = f" (was: {change.former_title})" if change.former_title else ""
        console.print(f"{change.kind:<9}{change.code:<9}{change.title}{former}", markup=False, highlight=False)
    if len(done.changes) > CHANGES_SHOWN:
        console.print(f"... and {len(done.changes) - CHANGES_SHOWN} more.")
    counts = ", ".join(f"{done.count(kind)} {kind}" for kind in ChangeKind)
    news = f"{counts}, {done.unchanged} unchanged" if done.is_new else "imported before; nothing to do"
    console.print(f"Edition {done.edition.number} ({done.edition.published}): {news}.", highlight=False)


@imports.command("cpr")
def import_cpr(file: Path) -> None:
    """Import an extract from the national register of persons; run it again if it was broken off."""
    done = _act(lambda dsn: _import_cpr(dsn, file))
    news = f"{done.added} added, {done.changed} changed, {done.unchanged} unchanged"
    console.print(
        f"{done.persons} persons: {news if done.is_new else 'imported before; nothing to do'}.", highlight=False
    )
    if done.superseded:
        console.print(f"{done.superseded} numbers have been replaced by others.", highlight=False)
    for what, counts in (("not used", done.unused), ("not known, kept as they are", done.unknown)):
        if counts:
            told = ", ".join(f"{record}: {count}" for record, count in counts.items())
            console.print(f"Records {what}: {told}.", highlight=False)


@imports.command("organisation")
def import_organisation(file: Path) -> None:
    """Import units, employees and positions from a file of the form torv-organisation/1: whole, or not at all."""
    organisation = read_document(file.read_bytes())
    done = _act(lambda dsn: operating.take_in_organisation(dsn, organisation))
    console.print(f"{done.added} added, {done.changed} changed, {done.unchanged} unchanged.", highlight=False)


@exports.command("organisation")
def export_organisation() -> None:
    """Write all units, employees and positions, past and planned, as torv-organisation/1 to standard output."""
    organisation = _act(operating.give_out_organisation)
    sys.stdout.write(json.dumps(document_of(organisation), ensure_ascii=False, indent=1) + "\n")


@commands.command()
def demo(
    fresh: Annotated[bool, typer.Option(help="Throw the earlier demo away and start over.")] = False,
    story: Annotated[bool, typer.Option(help="Tell the story of a supplier switch under load, and end.")] = False,
) -> None:
    """Show Torv with a small made-up municipality."""
    settings = read_settings()
    sys.exit(_run(tell_story(settings)) if story else _run(show(settings, fresh=fresh)))


async def _serve(settings: Settings) -> None:
    logs.configure(settings.log_level)
    listening = listen(settings.host, settings.port)
    async with running.database_of(settings) as dsn:
        supervisor = Supervisor()
        for program in running.api_programs(settings, dsn, listening):
            await supervisor.start(program)
        await _until_stopped()
        await supervisor.stop_all()


async def _work(settings: Settings) -> None:
    logs.configure(settings.log_level)
    async with running.database_of(settings) as dsn:
        work = asyncio.create_task(worker.work(settings, dsn))
        stopped = asyncio.create_task(_until_stopped())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _with_database(settings: Settings, act: Callable[[str], Awaitable[T]]) -> T:
    async with running.database_of(settings) as dsn:
        return await act(dsn)


async def _import_cpr(dsn: str, file: Path) -> Imported:
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console) as progress:
        bars = {Stage.CHECK: progress.add_task("Checking"), Stage.IMPORT: progress.add_task("Importing")}
        return await operating.take_in_cpr(
            dsn, file, lambda stage, done, total: progress.update(bars[stage], completed=done, total=total)
        )


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()


def _act(act: Callable[[str], Awaitable[T]]) -> T:
    """Run what needs the database and nothing else."""
    done: T = _run(_with_database(read_settings(), act))
    return done


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a command; what a person can mend is one sentence, without a traceback."""
    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        sys.exit(130)
    except (running.Unfit, SettingInvalid, MigrationChanged) as error:
        console.print(f"torv: {error}", style="red", markup=False)
    except TorvError as error:
        console.print(f"torv: {error.message('en')}", style="red", markup=False)
    except OSError as error:
        console.print(
            f"torv: {error.strerror}: {error.filename or 'the address to listen on'}", style="red", markup=False
        )
    sys.exit(1)


def main() -> None:
    """The entry point."""
    try:
        commands()
    except SettingInvalid as error:
        console.print(f"torv: {error}", style="red", markup=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
