"""The application: an API process with everything it has running."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NoReturn

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from torv import web
from torv.base import background, clock, logs, metrics
from torv.base.db import Database
from torv.base.errors import StateUnconfirmed, TorvError
from torv.base.feed import Listener
from torv.base.front import Front
from torv.base.http import Engine, install_problems
from torv.base.server import serve
from torv.base.settings import Settings
from torv.base.signing import Keys, load_keys
from torv.base.trail import Trail
from torv.ecosystem import agreements, audit, gateway, modules, moves, partners
from torv.ecosystem.gateway import Gateway, ModuleClient
from torv.kernel import identity, persons, records
from torv.wiring import Wiring

SLICES = (persons, identity, records, partners, agreements, modules, audit, moves, web)
READY_TIME = 10.0  #: seconds to confirm the state at start


def create_app(settings: Settings, dsn: str) -> Front:
    """The application over a migrated database."""
    app = FastAPI(
        title="Torv", version="0.1.0", description="The municipality's shared kernel and ecosystem.",
        docs_url=None, redoc_url=None, lifespan=lambda app: _running(app, settings, load_keys(settings.keys_dir), dsn),
        redirect_slashes=False,
    )  # fmt: skip
    install_problems(app, web.page_for)
    for each in SLICES:
        app.include_router(each.routes.router)
    app.add_route(gateway.PATH, gateway.carry_request, methods=gateway.METHODS, include_in_schema=False)
    app.add_route("/health/live", _live, include_in_schema=False)
    app.add_route("/health/ready", _ready, include_in_schema=False)
    app.add_route("/metrics", _metrics, include_in_schema=False)
    return Front(app, body_limit=settings.body_limit, language=settings.language)


@asynccontextmanager
async def _running(app: FastAPI, settings: Settings, keys: Keys, dsn: str) -> AsyncIterator[None]:
    database = await Database.open(dsn, settings.pool_size)
    wiring, trail, listener = Wiring(settings, keys, database), Trail(database), Listener(database)
    lease, client = wiring.make_lease("api"), ModuleClient(keys, settings.issuer)
    engine = Engine(
        settings=settings, keys=keys, database=database, trail=trail, lease=lease, listener=listener, decider=wiring
    )
    app.state.engine = engine
    app.state.gateway = Gateway(engine, client, lambda: wiring.directory, wiring.may_provide)
    steps: list[Callable[[], Awaitable[Any]]] = [trail.run, lease.run, listener.run, background.watch_loop]
    tasks = [asyncio.create_task(background.forever(step)) for step in steps]
    await _confirmed(engine)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()
        await database.close()


async def _confirmed(engine: Engine) -> None:
    deadline = clock.ticks() + READY_TIME
    while clock.ticks() < deadline:
        try:
            return engine.lease.check()
        except StateUnconfirmed:
            await asyncio.sleep(0.01)
    raise StateUnconfirmed


async def _live(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    engine: Engine = request.app.state.engine
    try:
        engine.lease.check()
        engine.trail.check()
    except TorvError as error:
        return JSONResponse({"status": "unavailable", "code": error.code}, 503)
    return JSONResponse({"status": "ok", "generation": engine.lease.generation})


async def _metrics(_: Request) -> Response:
    return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")


def run(settings: Settings, dsn: str, listening: socket.socket) -> NoReturn:
    """Serve as one API process until SIGTERM, and end the process."""
    logs.configure(settings.log_level)
    asyncio.run(serve(create_app(settings, dsn), listening))
    logging.shutdown()
    os._exit(0)  # the server's threads may outlive the loop and abort an interpreter that is being taken down
