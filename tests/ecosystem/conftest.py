"""Modules as the gateway meets them: real servers that answer what a test tells them to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from asyncpg import Connection

from tests.cast import Cast
from tests.ecosystem.supplier import Supplier, supplier
from tests.sdk.loopback import Loopback, loopback


@asynccontextmanager
async def standing_in(outsider: Connection, cast: Cast, module: str) -> AsyncIterator[Loopback]:
    """A server at the address of a module's release."""
    async with loopback() as server:
        await outsider.execute("update modules.releases set url = $1 where id = $2", server.url, cast.releases[module])
        await outsider.execute("update base.generation set number = number + 1")
        yield server


@pytest.fixture
async def nordnote(outsider: Connection, cast: Cast) -> AsyncIterator[Loopback]:
    """The program that provides notes."""
    async with standing_in(outsider, cast, "nordnote") as server:
        server.answer("/notes", 200, {"notes": []})
        yield server


@pytest.fixture
async def kviknote(outsider: Connection, cast: Cast) -> AsyncIterator[Loopback]:
    """The program that would like to."""
    async with standing_in(outsider, cast, "kviknote") as server:
        server.answer("/notes", 200, {"notes": []})
        yield server


@pytest.fixture
async def suppliers(dsn: str, outsider: Connection, cast: Cast) -> AsyncIterator[dict[str, Supplier]]:
    """Nordnote and Kviknote at their addresses."""
    async with supplier("nordnote", dsn) as nordnote, supplier("kviknote", dsn) as kviknote:
        for each in (nordnote, kviknote):
            release = cast.releases[each.name]
            await outsider.execute("update modules.releases set url = $1 where id = $2", each.url, release)
        await outsider.execute("update base.generation set number = number + 1")
        yield {"nordnote": nordnote, "kviknote": kviknote}
