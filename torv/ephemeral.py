"""An ephemeral installation: database, API and worker together, for as long as somebody needs it, and then gone.

Suppliers test and certify their modules against it: it is the real Torv, with nobody in it but two users.
"""

import asyncio
import json
import secrets
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from torv import operating, running
from torv.base import embedded
from torv.base.processes import Supervisor
from torv.base.server import listen
from torv.base.settings import Settings

LOGINS = {"anna.holm": "Anna Holm", "bo.lind": "Bo Lind"}  #: two, because an agreement takes two


async def serve_ephemeral(settings: Settings, stopped: asyncio.Event) -> None:
    """Serve until `stopped`, with a database of its own that is deleted afterwards.

    When everything answers, one line of JSON on standard output says where, and who can sign in:
    `{"url": ..., "state_dir": ..., "users": [{"login": ..., "password": ...}, ...]}`. Modules may stand on loopback
    addresses. TORV_PUBLIC_URL and TORV_PORT count; the database and the folder are always its own.
    """
    with tempfile.TemporaryDirectory(prefix="torv-ephemeral-") as name:
        listening = listen(settings.host, settings.port)
        port = listening.getsockname()[1]
        here = replace(settings, state_dir=Path(name) / "state", database_url="", port=port, private_modules=True)
        here.state_dir.mkdir()
        async with _database(here) as dsn:
            users = await _users(dsn)
            supervisor = Supervisor()
            try:
                await _start(supervisor, here, dsn, listening)
                told = {"url": f"http://{here.host}:{port}", "state_dir": str(here.state_dir), "users": users}
                sys.stdout.write(json.dumps(told) + "\n")
                sys.stdout.flush()
                await stopped.wait()
            finally:
                await supervisor.stop_all()


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[str]:
    """A database with its tables, deleted afterwards; root's does not stand in the folder."""
    cluster = embedded.place(settings.state_dir.resolve())
    try:
        async with running.database_of(settings) as dsn:
            await running.prepare(dsn)
            yield dsn
    finally:
        await asyncio.to_thread(embedded.remove, cluster)
        shutil.rmtree(cluster.home, ignore_errors=True)


async def _users(dsn: str) -> list[dict[str, str]]:
    """Two administrators, with passwords that nobody else has ever had."""
    users = [{"login": login, "password": secrets.token_urlsafe(18)} for login in LOGINS]
    for user in users:
        await operating.add_user(dsn, name=LOGINS[user["login"]], **user)
    return users


async def _start(supervisor: Supervisor, settings: Settings, dsn: str, listening: socket.socket) -> None:
    for program in running.api_programs(settings, dsn, listening):
        await supervisor.start(program)
    await supervisor.start(running.worker_program(settings, dsn))
