"""Statements: how many SQL statements a request costs, as the server itself logs them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.field import Field
from torv.base.db import Database
from torv.base.sql import load

sql = load(__file__)

_LOGGED = (b"LOG:  execute ", b"LOG:  statement: ")


class Counter:
    """Counts what the server logs; meanwhile it logs every statement, and Torv's worker stands still."""

    def __init__(self, field: Field, idle: float) -> None:
        self._log, self._idle = field.cluster.log, idle
        self._began, self._before = asyncio.get_running_loop().time(), self._lines()

    def _lines(self) -> int:
        text = self._log.read_bytes()
        return sum(text.count(mark) for mark in _LOGGED)

    def count(self) -> float:
        """Statements since this counter was made, less those that Torv makes in that time without being asked."""
        elapsed = asyncio.get_running_loop().time() - self._began
        return max(0.0, self._lines() - self._before - self._idle * elapsed)


@asynccontextmanager
async def logging_all(field: Field) -> AsyncIterator[float]:
    """Let the server log every statement; gives how many a second there are without a load."""
    worker = field.pids("worker")[0]
    admin = await Database.open(field.stage.dsn.replace("//torv@", "//postgres@"), 1)
    os.kill(worker, signal.SIGSTOP)  # what it does for many requests at once belongs to none of them
    try:
        async with admin.reading() as tx:
            await tx.script(sql.log_all.text)
            await tx.value(sql.reload)
            await asyncio.sleep(0.5)
            counter = Counter(field, 0.0)
            await asyncio.sleep(1.0)
            yield counter.count()
            await tx.script(sql.log_none.text)
            await tx.value(sql.reload)
    finally:
        os.kill(worker, signal.SIGCONT)
        await admin.close()
