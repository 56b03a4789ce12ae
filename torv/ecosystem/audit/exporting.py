"""Exporting: entries with their salts and paths under one signed head, for somebody who has no database to verify."""

from collections.abc import AsyncIterator

from torv.base.access import Access
from torv.base.db import Tx
from torv.base.keyring import HeadKeys
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.audit import tree
from torv.ecosystem.audit.bundles import Exported, first_line, line_of
from torv.ecosystem.audit.errors import PositionUnknown
from torv.ecosystem.audit.keeping import read_subtrees, sign_head
from torv.ecosystem.audit.models import Sealed
from torv.ecosystem.audit.rotating import key_in_force, list_successions

sql = load(__file__)

AT_ONCE = 256  #: entries; they share most of their paths


async def export_bundle(tx: Tx, access: Access, keys: HeadKeys, *, first: int, last: int) -> AsyncIterator[str]:
    """The lines of a bundle with the entries from one position to another, under a head signed now.

    Raises PositionUnknown. Exporting is an entry itself, which is not in the bundle.
    """
    head = await sign_head(tx, keys)
    if not 1 <= first <= last <= head.size:
        raise PositionUnknown(size=head.size)
    note(tx, access, "read", detail={"first": first, "last": last})
    key, _ = await key_in_force(tx, keys)
    log, said = await tx.value(sql.log_id), await list_successions(tx)
    yield first_line(log=log, head=head.jws, key=key, said=said, first=first, last=last)
    for start in range(first, last + 1, AT_ONCE):
        async for each in _entries(tx, start, min(start + AT_ONCE - 1, last), head.size):
            yield line_of(each)


async def _entries(tx: Tx, first: int, last: int, size: int) -> AsyncIterator[Exported]:
    paths = {position: tree.inclusion_spans(position - 1, size) for position in range(first, last + 1)}
    known = await read_subtrees(tx, list({span for path in paths.values() for span in path}))
    for each in await tx.all(Sealed, sql.sealed, first=first, last=last):
        path = [tree.hash_of(span, known) for span in paths[each.position]]
        if each.salt is None:
            yield Exported(position=each.position, path=path, leaf=each.hash)
        else:
            yield Exported(position=each.position, path=path, record=each.record, salt=each.salt)
