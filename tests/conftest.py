"""The databases of the tests: one fast cluster and one true one a session, started when first asked for."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from torv.base import embedded
from torv.base.embedded import Server


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests and fixtures run on asyncio alone, and may live as long as the session."""
    return "asyncio"


@pytest.fixture(scope="session")
def fast_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL that waits for no disk: for tests that ask what is true, not what survives."""
    yield from _run(tmp_path_factory.mktemp("fast"), durable=False)


@pytest.fixture(scope="session")
def true_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A PostgreSQL with the settings of production: for tests that kill things, and for stories."""
    yield from _run(tmp_path_factory.mktemp("true"), durable=True)


@pytest.fixture
def dsn_of_empty_database(fast_cluster: Server) -> Iterator[str]:
    """Address of a database of the test's own on the fast cluster, dropped afterwards."""
    name = f"empty_{uuid4().hex}"
    execute(fast_cluster, f"create database {name}")
    yield fast_cluster.dsn(name)
    execute(fast_cluster, f"drop database {name} with (force)")


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
