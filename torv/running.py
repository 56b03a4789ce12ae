"""Running: the database, the tables and the programs that make up an installation on one machine."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from structlog import get_logger

from torv.base import embedded
from torv.base.db import Database, sql
from torv.base.embedded import Server
from torv.base.migrate import migrate
from torv.base.processes import Program, python
from torv.base.settings import Settings
from torv.doctor import OLDEST, unsafe_settings
from torv.wiring import add_shipped_contracts, schema_folders

LOOK_EVERY = 0.5  #: seconds between two looks at whether the embedded database lives
log = get_logger("torv.running")


class Unfit(Exception):
    """This machine, or what it is set up with, cannot run Torv; the message says why and what to do."""


@asynccontextmanager
async def database_of(settings: Settings) -> AsyncIterator[str]:
    """The address of the database: the external one, or the embedded one, started here if nobody else has.

    The embedded one is started again when it dies; whoever has it open gets errors meanwhile, and connects anew.
    """
    if settings.database_url:
        yield settings.database_url
        return
    try:
        server = await asyncio.to_thread(embedded.start, embedded.place(settings.state_dir.resolve()))
    except embedded.EmbeddedError as error:
        raise Unfit(str(error)) from error
    stopping = asyncio.Event()
    keeping = asyncio.create_task(_keep(server, stopping))
    try:
        yield server.dsn()
    finally:
        stopping.set()
        await asyncio.to_thread((await keeping).stop)


async def _keep(server: Server, stopping: asyncio.Event) -> Server:
    """Start a server of ours again whenever it has died, until told to stop; gives the one that runs then."""
    while not stopping.is_set():
        if server.has_died:
            log.warning("database_ended")
            try:
                server = await asyncio.to_thread(embedded.start, server.cluster)
            except embedded.EmbeddedError as error:  # whoever used the dead one may need a moment to let go of it
                log.warning("database_not_started", error=str(error))
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), LOOK_EVERY)
    return server


async def prepare(dsn: str) -> list[str]:
    """Bring the tables up to date and store the shipped contracts; gives the migrations that ran.

    Raises Unfit for a database that may lose what it has acknowledged, or is too old.
    """
    async with Database.opened(dsn, 2) as database:
        await check_durability(database)
        ran = await migrate(database, schema_folders())
        await add_shipped_contracts(database)
        return ran


async def check_durability(database: Database) -> None:
    """Raises Unfit when an acknowledged commit could be lost."""
    async with database.reading() as tx:
        facts = (await tx.all(dict, sql.durability))[0]
    if facts["version"] < OLDEST:
        raise Unfit("Torv needs PostgreSQL 15 or newer.")
    if off := unsafe_settings(facts):
        raise Unfit(f"The database has {off[0]} = off and could lose what Torv has acknowledged; switch it on.")


def api_programs(settings: Settings, dsn: str, listening: socket.socket) -> list[Program]:
    """The API processes: each answers on the same socket, so that one may die and nobody notices."""
    metrics_dir = settings.state_dir.resolve() / "metrics"
    shutil.rmtree(metrics_dir, ignore_errors=True)
    metrics_dir.mkdir(parents=True)
    environment = {**_environment(settings, dsn), "PROMETHEUS_MULTIPROC_DIR": str(metrics_dir)}
    command = python("-m", "torv.cli", "serve-one", str(listening.fileno()))
    descriptors = (listening.fileno(),)
    return [
        Program(name=f"api-{number}", argv=command, environment=environment, descriptors=descriptors)
        for number in range(1, settings.processes + 1)
    ]


def worker_program(settings: Settings, dsn: str) -> Program:
    """The worker."""
    return Program(name="worker", argv=python("-m", "torv.cli", "worker"), environment=_environment(settings, dsn))


def _environment(settings: Settings, dsn: str) -> dict[str, str]:
    return {**settings.environment(), "TORV_DATABASE_URL": dsn, "TORV_STATE_DIR": str(settings.state_dir.resolve())}
