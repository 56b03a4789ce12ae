"""Releases of a module as programs of their own."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from joserfc.jwk import ECKey

from tests.architecture.tree import ROOT
from tests.ecosystem import noting
from tests.served import Api


def shipped(name: str) -> tuple[str, ...]:
    """How a module that is a part of this repository is started."""
    return "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'modules' / name)!r}); import {name}; {name}.main()"


@asynccontextmanager
async def program(
    api: Api, release: UUID, key: ECKey, folder: Path, words: str, start: Sequence[str] = (noting.__file__,)
) -> AsyncIterator[str]:
    """A release of the module as a process of its own; gives its address."""
    name = words or "plain"
    (folder / name).mkdir()
    file, listening = folder / f"{name}.pem", socket.create_server(("127.0.0.1", 0))
    file.write_bytes(key.as_pem(private=True))
    file.chmod(0o600)
    environment = {
        "TORV_URL": api.url, "TORV_CLIENT_ID": str(release), "TORV_KEY_FILE": str(file), "PATH": os.environ["PATH"],
        "TORV_MODULE_DATA": str(folder / name), "TORV_MODULE_FD": str(listening.fileno()), "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, *start, *words.split(), env=environment, pass_fds=[listening.fileno()],
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        listening.close()
