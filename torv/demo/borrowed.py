"""A database that somebody lends to the demo: it is emptied only if the demo itself has filled it.

The mark is a comment on the schema `base`, made before anything else of ours is there. A database in which Torv has
tables without it may be a municipality's: the demo neither fills nor empties it.
"""

from torv.base.db import Database, Tx
from torv.base.sql import load
from torv.running import Unfit
from torv.wiring import schema_folders

sql = load(__file__)

MARK = "torv demo"
NOT_OURS = (
    "The database of TORV_DATABASE_URL has tables of Torv that the demo did not make, and is left as it is. "
    "Give the demo an empty database of its own."
)


async def has_town(dsn: str) -> bool:
    """Whether an earlier demo has filled the database. Raises Unfit if somebody else has."""
    async with Database.opened(dsn, 1) as database, database.reading() as tx:
        return await _is_marked(tx)


async def claim(dsn: str, *, is_new: bool) -> None:
    """Take the database for the demo; what an earlier demo left there is thrown away if the town is to be a new one.

    Everything or nothing: whoever is killed meanwhile leaves the database as it was. Raises Unfit.
    """
    async with Database.opened(dsn, 1) as database, database.transaction() as tx:
        if await _is_marked(tx) and not is_new:
            return
        for folder in schema_folders():
            await tx.script(f'drop schema if exists "{folder.name}" cascade')
        await tx.script(f"create schema base; comment on schema base is '{MARK}'")


async def _is_marked(tx: Tx) -> bool:
    """Raises Unfit if there are schemas of ours without the mark."""
    names = [folder.name for folder in schema_folders()]
    found = {row["name"]: row["comment"] for row in await tx.all(dict[str, str | None], sql.own_schemas, names=names)}
    if found and found.get("base") != MARK:
        raise Unfit(NOT_OURS)
    return bool(found)
