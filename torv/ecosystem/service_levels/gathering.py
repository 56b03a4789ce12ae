"""Gathering: what the log says of calls, bindings and notices, in small parts, each once, in the order of the log."""

from torv.base.db import Database
from torv.base.sql import load

sql = load(__file__)

#: what the log says where a binding begins, changes hands, or ends
BINDINGS = ["modules.bound", "modules.split", "modules.dissolved"]
PART = 20_000  #: positions gathered in one transaction


async def gather(database: Database) -> int:
    """Gather the next part of the log; tells how many positions. What is gathered and how far commit together."""
    async with database.reading() as tx:
        if await tx.value(sql.progress) >= await tx.value(sql.log_position):
            return 0  # nothing is locked or written where there is nothing to do
    async with database.transaction() as tx:
        after: int = await tx.value(sql.lock_progress)
        upto: int = min(after + PART, await tx.value(sql.log_position))
        if upto <= after:
            return 0
        await tx.run(sql.gather_minutes, after=after, upto=upto)
        await tx.run(sql.gather_open_calls, after=after, upto=upto)
        await tx.run(sql.close_calls, after=after, upto=upto)
        await tx.run(sql.gather_bindings, after=after, upto=upto, operations=BINDINGS)
        await tx.run(sql.gather_notices, after=after, upto=upto)
        await tx.run(sql.touch_months, after=after, upto=upto)
        await tx.run(sql.advance_progress, position=upto)
    return upto - after


async def gather_all(database: Database) -> None:
    """Gather all that the log has at this moment; what comes meanwhile is for the next time, with more of its kind."""
    while await gather(database) == PART:
        pass
