"""The application: an API process with everything it has running."""

import asyncio
import gc
import logging
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NoReturn

import uvloop
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from torv import web
from torv.base import background, logs, metrics
from torv.base.db import Database
from torv.base.errors import TorvError
from torv.base.feed import Listener
from torv.base.front import Front
from torv.base.http import Engine, install_problems
from torv.base.pages import Cursors
from torv.base.server import serve
from torv.base.settings import Settings
from torv.base.signing import Keys, load_keys
from torv.base.trail import Trail, check_clock
from torv.ecosystem import (
    agreements,
    audit,
    events,
    gateway,
    modules,
    moves,
    partners,
    requirements,
    service_levels,
)
from torv.ecosystem.gateway import Gateway, ModuleClient
from torv.kernel import classification, identity, organisation, persons, records
from torv.openapi import describe
from torv.wiring import Wiring

SLICES = (
    persons, classification, organisation, identity, records, partners, agreements, modules, events, audit, gateway,
    service_levels, requirements, moves,
)  # fmt: skip
READY_TIME = 10.0  #: seconds to confirm the state at start


def create_app(settings: Settings, dsn: str) -> Front:
    """The application over a migrated database, as a server serves it."""
    return Front(make_application(settings, dsn), settings, large=gateway.LARGE)


def make_application(settings: Settings, dsn: str) -> FastAPI:
    """The application without its front: all routes, and what it needs while it runs."""
    app = FastAPI(
        title="Torv", version="0.1.0", description="The municipality's shared kernel and ecosystem.",
        docs_url=None, redoc_url=None, lifespan=lambda app: _running(app, settings, load_keys(settings.keys_dir), dsn),
        redirect_slashes=False, telemetry={"tracing": False, "metrics": False, "logs": False},  # Torv has its own
    )  # fmt: skip
    install_problems(app, web.page_for)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # as the framework's own manual has it
    app.add_route(gateway.PATH, gateway.carry_request, methods=gateway.METHODS, include_in_schema=False)
    app.add_route(gateway.PAGES, gateway.visit_page, methods=gateway.PAGE_METHODS, include_in_schema=False)
    for routes in (*(each.routes for each in SLICES), *web.ROUTES):
        app.router.routes.extend(routes.router.routes)  # included as routers, they would be searched twice
    app.add_route("/health/live", _live, include_in_schema=False)
    app.add_route("/health/ready", _ready, include_in_schema=False)
    app.add_route("/metrics", _metrics, include_in_schema=False)
    return app


@asynccontextmanager
async def _running(app: FastAPI, settings: Settings, keys: Keys, dsn: str) -> AsyncIterator[None]:
    if not settings.trust_clock:
        await check_clock(dsn)
    database = await Database.open(dsn, settings.pool_size)
    wiring, trail, listener = Wiring(settings, keys, database), Trail(database), Listener(database)
    lease, client = wiring.make_lease("api"), _client(keys, settings)
    engine = Engine(
        settings=settings, keys=keys, cursors=Cursors(keys.cursor_secret), database=database, trail=trail, lease=lease,
        listener=listener, decider=wiring,
    )  # fmt: skip
    app.state.engine = engine
    app.state.gateway = Gateway(engine, client, lambda: wiring.directory, wiring.may_provide, wiring.promised)
    steps = [background.forever(step) for step in (trail.run, lease.run, listener.run, background.watch_loop)]
    steps.append(background.forever(events.watch_subscriptions, database))
    tasks = [asyncio.create_task(step) for step in steps]
    await lease.confirmed(READY_TIME)
    gc.collect()
    gc.freeze()  # what is there now stays: looking through it again and again would hold the loop
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await app.state.gateway.close()
        await client.close()
        await database.close()


def _client(keys: Keys, settings: Settings) -> ModuleClient:
    return ModuleClient(keys, settings.issuer, private=settings.private_modules, limits=gateway.limits_of(settings))


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
    uvloop.run(_run(settings, dsn, listening))
    raise AssertionError  # `_run` ends the process


async def _run(settings: Settings, dsn: str, listening: socket.socket) -> NoReturn:
    """End from within the loop: a signal that comes twice would kill a process whose loop is being closed.

    And the server's threads may outlive the loop and abort an interpreter that is being taken down.
    """
    await serve(create_app(settings, dsn), listening)
    await asyncio.get_running_loop().shutdown_default_executor()
    logging.shutdown()
    os._exit(0)
