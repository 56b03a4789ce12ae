"""Torv as people meet it: a browser without script, which keeps cookies and says where it comes from."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, CookieJar
from yarl import URL


@asynccontextmanager
async def browse(url: str | URL) -> AsyncIterator[ClientSession]:
    """A browser that asks for pages in Danish; nobody is signed in."""
    address = URL(url)
    headers = {"accept": "text/html,*/*;q=0.8", "accept-language": "da", "origin": str(address.origin())}
    async with ClientSession(address, headers=headers, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


@asynccontextmanager
async def signed_in(url: str | URL, login: str, password: str) -> AsyncIterator[ClientSession]:
    """Somebody's browser, after they have signed in."""
    async with browse(url) as browser:
        async with browser.post("/login", data={"login": login, "password": password}) as page:
            assert page.status == 200
        yield browser
