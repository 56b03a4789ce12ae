"""Proofs: that the log has an entry, and that it has only grown."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import NotFound
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.audit import tree
from torv.ecosystem.audit.errors import NotYetSealed, PositionUnknown
from torv.ecosystem.audit.keeping import read_subtrees
from torv.ecosystem.audit.models import ConsistencyProof, Head, InclusionProof, StoredHead

sql = load(__file__)

_LAST = 2**63 - 1
_AROUND = timedelta(minutes=1)  #: an entry's id (UUIDv7) is made within this of its time


async def newest_head(tx: Tx, access: Access) -> Head:
    """The head that was signed last. Raises NotYetSealed in the first seconds of a log's life."""
    stored = await tx.maybe(StoredHead, sql.newest_head)
    note(tx, access, "read", detail={"heads": 0 if stored is None else 1})
    if stored is None:
        raise NotYetSealed
    return _shown(stored, await tx.value(sql.log_id))


async def list_heads(tx: Tx, access: Access, *, wanted: Wanted) -> list[Head]:
    """Heads, the newest first."""
    [before] = wanted.after or [_LAST]
    stored = await tx.all(StoredHead, sql.heads_before, before=before, size=wanted.fetch)
    note(tx, access, "read", detail={"heads": len(stored)})
    log = await tx.value(sql.log_id)
    return [_shown(each, log) for each in stored]


async def prove_inclusion(
    tx: Tx, access: Access, *, entry: UUID | None = None, position: int | None = None, size: int | None = None
) -> InclusionProof:
    """The proof that the tree of a size has an entry, by its id or position. The size is that of the newest head, if
    none is given.

    Raises NotFound, NotYetSealed or PositionUnknown.
    """
    note(tx, access, "read", detail={"proof": "inclusion"})
    if entry is not None:
        position = await _position_of(tx, entry)
    [sizes] = await tx.all(dict[str, int], sql.sizes)
    grown, size = sizes["tree"], size or sizes["head"]
    if position is None or (position > size and position <= grown):
        raise NotYetSealed
    if not 1 <= position <= size <= grown:
        raise PositionUnknown(size=grown)
    path, leaf = await _path(tx, position - 1, size)
    return InclusionProof(position=position, size=size, leaf=leaf.hex(), path=[each.hex() for each in path])


async def prove_consistency(tx: Tx, access: Access, *, earlier: int, later: int) -> ConsistencyProof:
    """The proof that the tree of `later` entries begins with that of `earlier` ones. Raises PositionUnknown."""
    note(tx, access, "read", detail={"proof": "consistency"})
    grown = int(await tx.value(sql.tree_size))
    if not 1 <= earlier <= later <= grown:
        raise PositionUnknown(size=grown)
    spans = tree.consistency_spans(earlier, later)
    known = await read_subtrees(tx, spans)
    return ConsistencyProof(earlier=earlier, later=later, path=[tree.hash_of(span, known).hex() for span in spans])


async def _path(tx: Tx, index: int, size: int) -> tuple[list[bytes], bytes]:
    """The path of a leaf, and its hash."""
    spans = tree.inclusion_spans(index, size)
    known = await read_subtrees(tx, [(index, index + 1), *spans])
    return [tree.hash_of(span, known) for span in spans], known[0, index]


async def _position_of(tx: Tx, entry: UUID) -> int | None:
    """Raises NotFound if there is no such entry; None while it has no position."""
    since, until = around(entry)
    rows = await tx.all(dict[str, int | None], sql.position_of, id=entry, since=since, until=until)
    if not rows:
        raise NotFound
    return rows[0]["position"]


def around(entry: UUID) -> tuple[datetime, datetime]:
    """Between which instants an entry with this id can be, if there is one: its index is by time."""
    made = datetime.fromtimestamp((entry.int >> 80) / 1000 % 253_402_214_400, UTC)
    return made - _AROUND, made + _AROUND


def _shown(stored: StoredHead, log: UUID) -> Head:
    return Head(
        number=stored.number, log=log, size=stored.size, root=stored.root.hex(), at=stored.at, breaks=stored.breaks,
        jws=stored.jws,
    )  # fmt: skip
