"""The command `torv`."""

import asyncio
import signal
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from torv import app as api
from torv import running, worker
from torv.base import logs
from torv.base.errors import TorvError
from torv.base.migrate import MigrationChanged
from torv.base.processes import Supervisor
from torv.base.server import listen
from torv.base.settings import SettingInvalid, Settings, read_settings
from torv.demo import show, tell_story

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Torv: the municipality's shared kernel and ecosystem."
)
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
    ran = _run(_migrate(read_settings()))
    console.print(f"{len(ran)} migrations ran." if ran else "The database is up to date.")


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
    _run(_add_user(read_settings(), login, name, password))
    console.print(f"{login} can sign in now.")


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


async def _migrate(settings: Settings) -> list[str]:
    async with running.database_of(settings) as dsn:
        return await running.prepare(dsn)


async def _add_user(settings: Settings, login: str, name: str, password: str) -> None:
    async with running.database_of(settings) as dsn:
        await running.add_user(dsn, login=login, name=name, password=password)


async def _until_stopped() -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()


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
