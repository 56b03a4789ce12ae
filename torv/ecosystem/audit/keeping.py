"""Keeping the tree: each entry gets its leaf in the transaction that gives it its position, and heads are signed.

A leaf commits to SHA-256(salt || record), so it tells nothing of the entry, and nothing at all once the salt is gone.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from torv.base import clock, signing
from torv.base.db import Database, Tx
from torv.base.feed import BATCH, TRAIL
from torv.base.keyring import HeadKeys
from torv.base.sql import load
from torv.ecosystem.audit.bundles import HEAD_FORMAT, SALT, commit
from torv.ecosystem.audit.models import StoredHead
from torv.ecosystem.audit.rotating import key_in_force
from torv.ecosystem.audit.tree import BITS, Edge, Span, Subtree, edge_spans, subtrees, top

sql = load(__file__)

HEAD_EVERY = 10.0  #: seconds, while there is something new
HEAD_AT_LEAST = timedelta(hours=1)  #: also when there is nothing new
LOOK_EVERY = 1.0  #: seconds


async def _number(tx: Tx, last: int, size: int) -> int:
    count = await TRAIL.number(tx, last, size)
    edge = await read_edge(tx, int(await tx.value(sql.tree_size)))
    while edge.size < last + count:  # one step, unless leaves are missing from before there was a tree
        until = min(last + count, edge.size + BATCH)
        records: list[str] = await tx.value(sql.records_after, after=edge.size, until=until)
        if len(records) != until - edge.size:
            raise LookupError(f"an entry between {edge.size + 1} and {until} is not there")
        await _grow(tx, edge, records)
    return count


#: in place of the feed's own: never an entry with a position and no leaf
STREAM = replace(TRAIL, number=_number)


async def _grow(tx: Tx, edge: Edge, records: Sequence[str]) -> None:
    random = os.urandom(SALT * len(records))
    salts = [random[start : start + SALT] for start in range(0, len(random), SALT)]
    hashes = [commit(salt, record) for salt, record in zip(salts, records, strict=True)]
    await tx.run(sql.insert_leaves, first=edge.size + 1, salts=salts, hashes=hashes)
    kept = edge.append(hashes)
    if kept:
        levels, indexes = [level for level, _ in kept], [index for _, index in kept]
        await tx.run(sql.insert_nodes, levels=levels, indexes=indexes, hashes=list(kept.values()))


# ---- reading what is kept --------------------------------------------------------------------------------------------
async def read_edge(tx: Tx, size: int) -> Edge:
    """The right edge of the tree as it was with so many leaves. Raises LookupError if it has not got as many."""
    spans = [(BITS * row, first, last) for row, (first, last) in enumerate(edge_spans(size))]
    return Edge(size, await _kept(tx, spans))


async def read_subtrees(tx: Tx, spans: Sequence[Span]) -> dict[Subtree, bytes]:
    """The hashes of all subtrees that the spans are made of. Raises LookupError if the tree has not got them."""
    wanted = list(dict.fromkeys(each for span in spans for each in subtrees(span)))
    read = []
    for level, index in wanted:
        above = level % BITS  # over the nearest level that is kept
        read.append((level - above, index << above, (index + 1) << above))
    return dict(zip(wanted, map(top, await _kept(tx, read)), strict=True))


async def _kept(tx: Tx, spans: Sequence[tuple[int, int, int]]) -> list[list[bytes]]:
    """The kept hashes of (level, from index, up to index). Raises LookupError if one is missing."""
    levels, firsts, lasts = ([span[part] for span in spans] for part in range(3))
    rows = await tx.all(dict[str, Any], sql.kept_hashes, levels=levels, firsts=firsts, lasts=lasts)
    found = [list(row["hashes"] or ()) for row in rows]
    if [len(each) for each in found] != [last - first for _, first, last in spans]:
        raise LookupError("the tree lacks leaves or subtrees")
    return found


# ---- heads -----------------------------------------------------------------------------------------------------------
async def sign_heads(database: Database, keys: HeadKeys) -> None:
    """Sign a head within ten seconds of anything new, and one an hour in any case, until cancelled."""
    while True:
        async with database.transaction() as tx:
            newest = await tx.maybe(StoredHead, sql.newest_head)
            size = int(await tx.value(sql.tree_size))
            if newest is None or size != newest.size or clock.now() - newest.at >= HEAD_AT_LEAST:
                await sign_head(tx, keys)
                pause = HEAD_EVERY - 2 * LOOK_EVERY
            else:
                pause = LOOK_EVERY
        await asyncio.sleep(pause)


async def sign_head(tx: Tx, keys: HeadKeys) -> StoredHead:
    """Sign the tree as it is, with the key in force. Raises HeadKeyMissing."""
    key, since = await key_in_force(tx, keys)
    size = int(await tx.value(sql.tree_size))
    root, at = (await read_edge(tx, size)).root(), max(clock.now(), since)
    breaks = int(await tx.value(sql.count_breaks))
    jws = signing.sign(head_payload(await tx.value(sql.log_id), size, root, at.isoformat(), breaks), key)
    return await tx.one(StoredHead, sql.insert_head, size=size, root=root, at=at, breaks=breaks, jws=jws)


def head_payload(log: UUID, size: int, root: bytes, at: str, breaks: int) -> dict[str, Any]:
    """What is signed of a head."""
    return {"at": at, "breaks": breaks, "format": HEAD_FORMAT, "log": str(log), "root": root.hex(), "size": size}
