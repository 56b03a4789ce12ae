"""Suppliers' programs that also take events: Nordnote and Kviknote, each of which may publish and follow them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from aiohttp import web

from tests.cast import KVIK, NORDLYS, Cast
from tests.ecosystem.following import PATH, Receiver, permit_events, place_at, secrets_of, subscribe, until
from tests.ecosystem.supplier import Supplier
from tests.served import Api, serve_program
from torv.base.db import Database
from torv.base.signing import Keys


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A supplier's program that also takes events."""

    url: str
    receiver: Receiver


@asynccontextmanager
async def program(name: str, dsn: str) -> AsyncIterator[Program]:
    """The program on a free port, until the block ends."""
    supplier, receiver, application = Supplier(name, dsn), Receiver(), web.Application()
    application.router.add_get("/torv/health", supplier.health)
    application.router.add_get("/torv/export/{type}", supplier.export)
    application.router.add_post(PATH, receiver.handle)
    application.router.add_route("*", "/{path:.*}", supplier.call)
    async with serve_program(application) as url:
        yield Program(url=url, receiver=receiver)


@asynccontextmanager
async def both_programs(
    api: Api, dsn: str, database: Database, cast: Cast, keys: Keys, outsider: asyncpg.Connection, *, mode: str = "push"
) -> AsyncIterator[dict[str, Receiver]]:
    """Nordnote, in service, and Kviknote; notes follow what is told about notes."""
    for part in (NORDLYS, KVIK):
        await permit_events(database, cast, keys, part)
    async with program("nordnote", dsn) as nordnote, program("kviknote", dsn) as kviknote:
        both = {"nordnote": nordnote, "kviknote": kviknote}
        await subscribe(api, mode=mode)
        for name, each in both.items():
            await place_at(outsider, cast, name, each.url)
            await until(lambda name=name: _may(api, name), "the agreement is not in force")  # type: ignore[misc]
            each.receiver.secrets = await secrets_of(api, name)
        yield {name: each.receiver for name, each in both.items()}


async def _may(api: Api, name: str) -> bool:
    return (await api.get("/api/v1/subscriptions", by=name)).status == 200
