"""The HTTP server: one Granian worker inside our own event loop, on a socket that somebody else may have opened.

A worker that dies takes no port with it: the socket belongs to the supervisor, and the next worker goes on with it.
"""

import asyncio
import signal
import socket
from typing import Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

BACKLOG = 1024


class _Server(Server):
    def __init__(self, app: Any, listening: socket.socket) -> None:
        super().__init__(
            app, interface=Interfaces.ASGI, http=HTTPModes.http1, websockets=False, log_enabled=False, backlog=BACKLOG
        )
        self._listening = listening

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder(self._listening.detach(), False, BACKLOG)  # type: ignore[call-arg]  # its stub is wrong
        self._ssp, self._shd = None, holder


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises OSError when the address is taken."""
    listening = socket.create_server((host, port), backlog=BACKLOG)
    listening.set_inheritable(True)
    return listening


def make_server(app: Any, listening: socket.socket) -> Server:
    """A server that takes over a socket that listens: its `serve` answers until its `stop` is called."""
    listening.setblocking(False)
    return _Server(app, listening)


async def serve(app: Any, listening: socket.socket) -> None:
    """Answer until SIGTERM or SIGINT, then finish what is in flight."""
    server = make_server(app, listening)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.stop)
    await server.serve()
