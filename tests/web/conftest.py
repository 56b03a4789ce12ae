"""Torv as browsers meet it: the whole application on a port of its own, over a database with one user."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar
from granian.constants import Interfaces
from granian.server.embed import Server
from yarl import URL

from torv.app import create_app
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.migrate import migrate
from torv.base.settings import Settings
from torv.kernel.identity import Role, create_user
from torv.wiring import schema_folders

LOGIN, NAME, PASSWORD = "anna.holm", "Anna Holm", "solen skinner på torvet"


@pytest.fixture
async def address(dsn_of_empty_database: str, tmp_path: Path) -> AsyncIterator[URL]:
    """Where Torv answers."""
    await add_user(dsn_of_empty_database)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    app = create_app(Settings(port=port, state_dir=tmp_path), dsn_of_empty_database)
    server = Server(app, address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
    serving = asyncio.create_task(server.serve())
    await until_it_answers(port)
    yield URL(f"http://127.0.0.1:{port}")
    server.stop()
    await serving


@pytest.fixture
async def browser(address: URL) -> AsyncIterator[ClientSession]:
    """A browser that keeps cookies, says where it comes from and asks for pages in Danish."""
    headers = {"accept": "text/html,*/*;q=0.8", "accept-language": "da", "origin": str(address.origin())}
    async with ClientSession(address, headers=headers, cookie_jar=CookieJar(unsafe=True)) as session:
        yield session


async def add_user(dsn: str) -> None:
    database = await Database.open(dsn, 1)
    await migrate(database, schema_folders())
    caller = Caller(kind=CallerKind.USER, id=new_id(), name="setup")
    access = Access(caller=caller, service="identity", operation="create_user", category="user")
    async with database.transaction() as tx:
        await create_user(tx, access, login=LOGIN, name=NAME, role=Role.ADMINISTRATOR, password=PASSWORD)
    await database.close()


async def until_it_answers(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/health/ready") as answer:
                    if answer.status == 200:
                        return
            except OSError:
                pass
            await asyncio.sleep(0.05)
