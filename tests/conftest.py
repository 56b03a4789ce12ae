"""What tests stand on: clusters of PostgreSQL, a database of their own with the cast in it, and Torv on a port."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from aiohttp import ClientSession

from tests.browsing import signed_in
from tests.cast import ANNA, PASSWORDS, Cast, enter_cast, enter_users
from tests.served import Api, run_worker, serve
from torv.base import embedded
from torv.base.db import Database
from torv.base.embedded import Server
from torv.base.migrate import migrate
from torv.base.settings import Settings
from torv.base.signing import Keys, load_keys
from torv.kernel.identity import User
from torv.wiring import add_shipped_contracts, schema_folders

ServeApi = Callable[..., AbstractAsyncContextManager[Api]]
CopyDatabase = Callable[[str], AbstractAsyncContextManager[str]]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests and fixtures run on asyncio alone, and may live as long as the session."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """One event loop for the whole session, as a process of Torv has one."""
    yield  # noqa: PT022 the loop lives as long as this fixture


# ---- clusters and databases ------------------------------------------------------------------------------------------
@pytest.fixture(scope="session")
def fast_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL that waits for no disk: for tests that ask what is true, not what survives."""
    yield from _run(tmp_path_factory.mktemp("fast"), durable=False)


@pytest.fixture(scope="session")
def true_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL with the settings of production: for tests that kill things, and for stories."""
    yield from _run(tmp_path_factory.mktemp("true"), durable=True)


@pytest.fixture(scope="session")
async def copy_database(fast_cluster: Server) -> AsyncIterator[CopyDatabase]:
    """Copies a database of the fast cluster for as long as a block lasts; gives the address of the copy."""
    administrator = await asyncpg.connect(fast_cluster.dsn())

    @asynccontextmanager
    async def copy(template: str) -> AsyncIterator[str]:
        name = f"test_{uuid4().hex}"
        await administrator.execute(f"create database {name} template {template}")
        yield fast_cluster.dsn(name)
        await _drop(administrator, name)

    yield copy
    await administrator.close()


async def _drop(administrator: asyncpg.Connection, name: str) -> None:
    """Drop a database and whoever is in it; its own vacuuming, which we may not end, is over in a moment."""
    async with asyncio.timeout(10):
        while True:
            try:
                await administrator.execute(f"drop database {name} with (force)")
            except asyncpg.InsufficientPrivilegeError:
                await asyncio.sleep(0.1)
            else:
                return


@pytest.fixture
async def dsn_of_empty_database(copy_database: CopyDatabase) -> AsyncIterator[str]:
    """Address of a database of the test's own on the fast cluster, dropped afterwards."""
    async with copy_database("template1") as address:
        yield address


@dataclass(frozen=True, kw_only=True, slots=True)
class Template:
    """A database that is copied for each test, and who is in it."""

    name: str
    users: dict[str, User]
    cast: Cast | None = None


@pytest.fixture(scope="session")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Torv keeps its keys."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def keys(state_dir: Path) -> Keys:
    """The municipality's own keys."""
    return load_keys(Settings(state_dir=state_dir).keys_dir)


@pytest.fixture(scope="session")
async def tables(fast_cluster: Server) -> Template:
    """Tables with nothing in them."""
    execute(fast_cluster, "create database tables")
    async with Database.opened(fast_cluster.dsn("tables"), 1) as database:
        await migrate(database, schema_folders())
    return Template(name="tables", users={})


@pytest.fixture(scope="session")
async def town_without_partners(fast_cluster: Server, tables: Template) -> Template:
    """Tables, the shipped contracts, and two users."""
    execute(fast_cluster, f"create database bare template {tables.name}")
    async with Database.opened(fast_cluster.dsn("bare"), 1) as database:
        await add_shipped_contracts(database)
        users = await enter_users(database)
    return Template(name="bare", users=users)


@pytest.fixture(scope="session")
async def town(fast_cluster: Server, town_without_partners: Template, keys: Keys) -> Template:
    """All of that, and the whole cast."""
    execute(fast_cluster, f"create database town template {town_without_partners.name}")
    async with Database.opened(fast_cluster.dsn("town"), 1) as database:
        cast = await enter_cast(database, town_without_partners.users, keys)
    return Template(name="town", users=cast.users, cast=cast)


@pytest.fixture(scope="session")
def cast(town: Template) -> Cast:
    assert town.cast is not None
    return town.cast


@pytest.fixture
async def dsn_of_tables(copy_database: CopyDatabase, tables: Template) -> AsyncIterator[str]:
    """Address of a database with tables and nobody in it."""
    async with copy_database(tables.name) as address:
        yield address


@pytest.fixture
async def dsn_without_partners(copy_database: CopyDatabase, town_without_partners: Template) -> AsyncIterator[str]:
    """Address of a database with two users and nobody else."""
    async with copy_database(town_without_partners.name) as address:
        yield address


@pytest.fixture
async def dsn(copy_database: CopyDatabase, town: Template) -> AsyncIterator[str]:
    """Address of a database of the test's own, with the cast in it."""
    async with copy_database(town.name) as address:
        yield address


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A pool on that database."""
    async with Database.opened(dsn, 5) as opened:
        yield opened


@pytest.fixture
async def outsider(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as somebody at a terminal has one: it can hold locks, and look at everything."""
    connection = await asyncpg.connect(dsn)
    yield connection
    connection.terminate()


# ---- Torv on a port --------------------------------------------------------------------------------------------------
@pytest.fixture
def settings(state_dir: Path) -> Settings:
    return Settings(state_dir=state_dir, private_modules=True)


@pytest.fixture
def serve_api(dsn: str, settings: Settings, cast: Cast) -> ServeApi:
    """Serves the application with settings of the test's own: `async with serve_api(pool_size=1) as api`."""

    def with_changes(**changes: object) -> AbstractAsyncContextManager[Api]:
        values = {name: getattr(settings, name) for name in Settings.__slots__} | changes
        return serve(Settings(**values), dsn, cast)

    return with_changes


@pytest.fixture
async def api(serve_api: ServeApi) -> AsyncIterator[Api]:
    """The whole application on a port of its own, over the database with the cast."""
    async with serve_api() as served:
        yield served


@pytest.fixture
async def anna(api: Api) -> AsyncIterator[ClientSession]:
    """Anna at a browser, signed in."""
    async with signed_in(api.url, ANNA, PASSWORDS[ANNA]) as browser:
        yield browser


@pytest.fixture(scope="session")
async def shared_api(fast_cluster: Server, town: Template, state_dir: Path, cast: Cast) -> AsyncIterator[Api]:
    """One Torv for all tests that only ask and leave nothing behind that another could notice."""
    execute(fast_cluster, f"create database shared template {town.name}")
    async with serve(Settings(state_dir=state_dir, private_modules=True), fast_cluster.dsn("shared"), cast) as served:
        yield served


@pytest.fixture
async def worker(dsn: str, settings: Settings) -> AsyncIterator[None]:
    """A worker: sequences the feed and drives moves."""
    async with run_worker(settings, dsn):
        yield


# ---- tools -----------------------------------------------------------------------------------------------------------
def execute(server: Server, statement: str, *, database: str = "torv") -> str:
    """Run one statement with psql, as somebody at a terminal would; gives what it prints, unadorned."""
    psql = str(server.cluster.binaries / "psql")
    command = [psql, "-XqtA", "-v", "ON_ERROR_STOP=1", "-c", statement, server.dsn(database)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _run(state: Path, *, durable: bool) -> Iterator[Server]:
    cluster = embedded.place(state)
    server = embedded.start(cluster, durable=durable)
    yield server
    server.stop()
    embedded.remove(cluster)
    shutil.rmtree(cluster.home)
