"""The command `torv`."""

import asyncio
import json
import os
import signal
import socket
import sys
from datetime import datetime
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.progress import Progress, TimeElapsedColumn

from torv import agreeing, auditing, capabilities, inventory, levels, operating, requiring, running, telling, worker
from torv import app as api
from torv.acting import act as _act
from torv.acting import caught as _caught
from torv.acting import console, told
from torv.acting import run as _run
from torv.base import logs
from torv.base.processes import Supervisor
from torv.base.server import listen
from torv.base.settings import Settings, read_settings
from torv.base.trail import check_clock
from torv.demo import show, tell_story
from torv.doctor import examine
from torv.ephemeral import serve_ephemeral
from torv.interfaces.cpr import Imported, Stage, write_extract
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
keys = typer.Typer(no_args_is_help=True, help="Torv's own keys.")
commands.add_typer(keys, name="keys")
commands.add_typer(auditing.commands, name="audit")
commands.add_typer(agreeing.commands, name="agreement")
commands.add_typer(capabilities.commands, name="capability")
commands.add_typer(inventory.commands, name="inventory")
commands.add_typer(requiring.commands, name="requirement")
commands.add_typer(levels.commands, name="levels")
commands.add_typer(telling.commands, name="events")


class Rotatable(StrEnum):
    TOKENS = "tokens"


@commands.command()
def serve(
    ephemeral: Annotated[
        bool, typer.Option(help="A whole installation with a database of its own, deleted when it stops.")
    ] = False,
) -> None:
    """Answer requests: as many processes as TORV_PROCESSES says, on one port, restarted when they die."""
    _run(_serve_ephemeral(read_settings()) if ephemeral else _serve(read_settings()))


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
        _caught(password_file.read_text).strip()
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
    organisation = _caught(lambda: read_document(file.read_bytes()))
    done = _act(lambda dsn: operating.take_in_organisation(dsn, organisation))
    console.print(f"{done.added} added, {done.changed} changed, {done.unchanged} unchanged.", highlight=False)


@exports.command("organisation")
def export_organisation() -> None:
    """Write all units, employees and positions, past and planned, as torv-organisation/1 to standard output."""
    organisation = _act(operating.give_out_organisation)
    sys.stdout.write(json.dumps(document_of(organisation), ensure_ascii=False, indent=1) + "\n")


@exports.command("made-up-cpr")
def export_made_up(
    file: Path,
    persons: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many persons.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed, the same persons.")] = 1,
) -> None:
    """Write an extract such as the national register's, about people who do not exist."""
    records = _caught(lambda: write_extract(file, persons=persons, seed=seed))
    console.print(f"{persons} persons in {records} records. Bring them in by: torv import cpr {file}", soft_wrap=True)


@keys.command("rotate")
def rotate_key(key: Annotated[Rotatable, typer.Argument(help="Which key.")]) -> None:
    """Put a new key in the place of one that is in use; running processes take it up within a second.

    Tokens that were made with the former key stay valid until they expire.
    """
    folder = read_settings().keys_dir
    kid = _act(lambda dsn: operating.rotate_token_key(dsn, folder))
    console.print(f"The key for {key} is {kid} now.", highlight=False)


@commands.command()
def demo(
    fresh: Annotated[bool, typer.Option(help="Throw the earlier demo away and start over.")] = False,
    story: Annotated[bool, typer.Option(help="Tell the story of a supplier switch under load, and end.")] = False,
) -> None:
    """Show Torv with a small made-up municipality."""
    settings = read_settings()
    sys.exit(_run(tell_story(settings)) if story else _run(show(settings, fresh=fresh)))


@commands.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def bench(context: typer.Context) -> None:
    """Measure Torv on this machine, in an installation of its own; see `torv bench --help`."""
    if find_spec("bench") is None:
        console.print("The measuring programs come with the source: clone the repository, and run `make bench`.")
        raise typer.Exit(1)
    os.execv(sys.executable, [sys.executable, "-m", "bench", *context.args])


async def _serve(settings: Settings) -> None:
    logs.configure(settings.log_level)
    listening = listen(settings.host, settings.port)
    async with running.database_of(settings) as dsn:
        if not settings.trust_clock:
            await check_clock(dsn)
        supervisor = Supervisor()
        for program in running.api_programs(settings, dsn, listening):
            await supervisor.start(program)
        await _until_stopped()
        await supervisor.stop_all()


async def _serve_ephemeral(settings: Settings) -> None:
    logs.configure(settings.log_level)
    await serve_ephemeral(settings, _on_stop())


async def _work(settings: Settings) -> None:
    logs.configure(settings.log_level)
    async with running.database_of(settings) as dsn:
        work = asyncio.create_task(worker.work(settings, dsn))
        stopped = asyncio.create_task(_until_stopped())
        await asyncio.wait({work, stopped}, return_when=asyncio.FIRST_COMPLETED)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def _import_cpr(dsn: str, file: Path) -> Imported:
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=console) as progress:
        bars = {Stage.CHECK: progress.add_task("Checking"), Stage.IMPORT: progress.add_task("Importing")}
        return await operating.take_in_cpr(
            dsn, file, lambda stage, done, total: progress.update(bars[stage], completed=done, total=total)
        )


async def _until_stopped() -> None:
    await _on_stop().wait()


def _on_stop() -> asyncio.Event:
    """Set from the moment somebody asks us to stop."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


def main() -> None:
    """The entry point."""
    with told():
        commands()


if __name__ == "__main__":
    main()
