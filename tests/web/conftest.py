"""Torv as browsers meet it: over a database with two users and nothing else."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, CookieJar
from yarl import URL

from tests.served import serve
from torv.base.settings import Settings


@pytest.fixture
async def address(dsn_without_partners: str, settings: Settings) -> AsyncIterator[URL]:
    """Where Torv answers."""
    async with serve(settings, dsn_without_partners) as api:
        yield URL(api.url)


@pytest.fixture
async def browser(address: URL) -> AsyncIterator[ClientSession]:
    """A browser that keeps cookies, says where it comes from and asks for pages in Danish."""
    headers = {"accept": "text/html,*/*;q=0.8", "accept-language": "da", "origin": str(address.origin())}
    async with ClientSession(address, headers=headers, cookie_jar=CookieJar(unsafe=True)) as session:
        yield session
