"""Torv as browsers meet it: over a database with two users and nothing else."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from yarl import URL

from tests.browsing import browse
from tests.served import serve
from torv.base.settings import Settings


@pytest.fixture
async def address(dsn_without_partners: str, settings: Settings) -> AsyncIterator[URL]:
    """Where Torv answers."""
    async with serve(settings, dsn_without_partners) as api:
        yield URL(api.url)


@pytest.fixture
async def browser(address: URL) -> AsyncIterator[ClientSession]:
    """A browser in which nobody is signed in."""
    async with browse(address) as session:
        yield session
