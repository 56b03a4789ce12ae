"""The bare yardsticks: the least a request costs on the same server, without Torv.

Run as a process of its own: python -m bench.bare asgi|fastapi DESCRIPTOR
"""

import asyncio
import os
import socket
import sys
from typing import Any

from fastapi import FastAPI

from torv.base.server import serve

ANSWER = b'{"status":"ok"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def asgi(scope: Any, _: Any, send: Any) -> None:
    """An application without a framework."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": ANSWER})


def fastapi() -> FastAPI:
    """One route of the framework that returns a constant."""
    app = FastAPI()

    @app.get("/things/{number}")
    async def read_thing(number: int) -> dict[str, str]:
        return {"status": "ok"}

    return app


if __name__ == "__main__":
    chosen = asgi if sys.argv[1] == "asgi" else fastapi()
    asyncio.run(serve(chosen, socket.socket(fileno=int(sys.argv[2]))))
    os._exit(0)  # the server's threads may outlive the loop
