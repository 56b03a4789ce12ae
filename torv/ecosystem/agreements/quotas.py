"""Quotas: a limit is counted across all processes and never exceeded.

A process takes a block of what is left in the window, in a transaction of its own, and hands it out by itself: the row
is touched once a block, not once a call. What a process has taken and does not use is lost for that window: a limit may
be reached a little early, never late.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

from torv.base import clock
from torv.base.access import Limit
from torv.base.db import Database, Tx
from torv.base.errors import Overloaded, QuotaExceeded
from torv.ecosystem.agreements.storing import sql

BLOCKS = 20  #: a process takes this part of a limit at a time
PATIENCE = 1.5  #: seconds a request waits for a block, its turn included
KINDS_DA = {"calls": "kald", "persons": "visninger af personer"}


@dataclass(slots=True)
class _Block:
    """What a process has left in a window."""

    begins: datetime
    left: int = 0
    is_empty: bool = False  #: nothing is left in the window, for anybody


class Quotas:
    """What one process may still hand out; each block is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._blocks: dict[Limit, _Block] = {}
        self._turns: defaultdict[Limit, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._one_at_a_time = asyncio.Lock()

    async def spend(self, limits: tuple[Limit, ...], kind: str, amount: int = 1) -> None:
        """Use up an amount of every limit of this kind. Raises QuotaExceeded, Overloaded, or of the database."""
        try:
            async with asyncio.timeout(PATIENCE):
                for limit in limits:
                    if limit.kind == kind and amount > 0:
                        await self._spend(limit, amount)
        except TimeoutError:
            raise Overloaded from None

    async def _spend(self, limit: Limit, amount: int) -> None:
        async with self._turns[limit]:
            block = self._present(limit)
            while block.left < amount and not block.is_empty:
                await self._take(limit, block, amount - block.left)
            if block.left < amount:
                raise QuotaExceeded(
                    check="quota", amount=limit.amount, kind=limit.kind, kind_da=KINDS_DA[limit.kind],
                    seconds=limit.seconds, retry_after=_rest(limit, block),
                )  # fmt: skip
            block.left -= amount

    def _present(self, limit: Limit) -> _Block:
        """The block of the present window; a new one when the window has changed."""
        now = clock.now().timestamp()
        begins = datetime.fromtimestamp(now - now % limit.seconds, UTC)
        block = self._blocks.get(limit)
        if block is None or block.begins != begins:
            if len(self._blocks) > 10_000:
                self._blocks.clear()
            block = self._blocks[limit] = _Block(begins)
        return block

    async def _take(self, limit: Limit, block: _Block, needed: int) -> None:
        wanted = max(needed, limit.amount // BLOCKS, 1)
        taken = await self._ask(limit, block.begins, wanted)
        if taken is None:
            block.is_empty = True
            return
        before = taken - wanted
        block.left += min(wanted, limit.amount - before)
        block.is_empty = taken >= limit.amount

    async def _ask(self, limit: Limit, begins: datetime, wanted: int) -> int | None:
        values = {"key": limit.key, "kind": limit.kind, "seconds": limit.seconds, "begins": begins}
        async with self._one_at_a_time, self._database.transaction() as tx:
            taken: int | None = await tx.value(sql.take_quota, wanted=wanted, amount=limit.amount, **values)
            return taken


def _rest(limit: Limit, block: _Block) -> int:
    """Seconds until the window ends."""
    return max(1, int(block.begins.timestamp() + limit.seconds - clock.now().timestamp()) + 1)


async def forget_quotas(tx: Tx) -> None:
    """Forget the windows that have been over for two days."""
    await tx.run(sql.forget_quotas)
