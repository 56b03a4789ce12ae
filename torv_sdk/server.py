"""The HTTP server: one Granian worker inside our own event loop."""

import asyncio
import logging
import os
import signal
import socket
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from torv_sdk.settings import Settings

BACKLOG = 1024
log = logging.getLogger(__name__)


class _Server(Server):
    """Granian on a socket that listens already, whoever opened it."""

    def __init__(self, app: Any, listening: socket.socket) -> None:
        super().__init__(app, interface=Interfaces.ASGINL, http=HTTPModes.http1, websockets=False, log_enabled=False)
        self._listening = listening

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder(self._listening.fileno(), False, BACKLOG)  # type: ignore[call-arg]  # stub is wrong
        self._ssp, self._shd = None, holder


async def serve(app: Any, settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT; then finish what is in flight. Ends the process if the address is taken."""
    try:
        listening = _listen(settings)
    except OSError as error:
        raise SystemExit(f"cannot listen at {settings.host}:{settings.port}: {os.strerror(error.errno or 0)}") from None
    listening.setblocking(False)
    server = _Server(app, listening)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    log.info("listening", extra={"fields": {"address": "{}:{}".format(*listening.getsockname()[:2])}})
    await server.serve()
    log.info("stopped")


def _listen(settings: Settings) -> socket.socket:
    if settings.descriptor is not None:
        return socket.socket(fileno=settings.descriptor)
    return socket.create_server((settings.host, settings.port), backlog=BACKLOG)
