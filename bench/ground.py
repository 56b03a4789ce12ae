"""The ground of a bench that needs no processes of Torv: tables in a cluster of its own."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from torv.base import embedded
from torv.base.db import Database
from torv.base.migrate import migrate
from torv.wiring import schema_folders


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    database: Database
    dsn: str
    folder: Path  #: for keys and files
    postmaster: int  #: its process id


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Tables and nobody in them, with the settings of production; thrown away when the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="torv-bench-"))
    cluster = embedded.place(folder)
    server = await asyncio.to_thread(embedded.start, cluster)
    try:
        async with Database.opened(server.dsn(), 2) as database:
            await migrate(database, schema_folders())
            postmaster = int((cluster.data / "postmaster.pid").read_text().split()[0])
            yield Ground(database=database, dsn=server.dsn(), folder=folder, postmaster=postmaster)
    finally:
        await asyncio.to_thread(server.stop)
        embedded.remove(cluster)
        shutil.rmtree(folder, ignore_errors=True)
