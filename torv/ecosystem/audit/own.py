"""A partner's own entries: those that name one of its programs as the caller, each with what proves it.

What it gets is what it sent and was told: ids, codes and instants. An entry that also names whoever answered it, when
that was another partner, is proved to be there, and its record stays here.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import NotFound
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.audit import tree
from torv.ecosystem.audit.bundles import Exported, first_line, key_of, line_of
from torv.ecosystem.audit.errors import NotYetSealed
from torv.ecosystem.audit.keeping import read_subtrees
from torv.ecosystem.audit.models import OwnBundle, OwnEntry, Sealed, StoredHead, StoredOwn
from torv.ecosystem.audit.proving import around
from torv.ecosystem.audit.rotating import list_successions
from torv.ecosystem.audit.service import LATEST
from torv.ecosystem.audit.succession import Trust

sql = load(__file__)


async def list_own_entries(
    tx: Tx, access: Access, *, wanted: Wanted, since: datetime | None = None, request: UUID | None = None
) -> list[OwnEntry]:
    """What the programs of the caller's partner did, newest first, without the persons it was about."""
    before, seq = wanted.after or [LATEST.isoformat(), 0]
    found = await tx.all(
        OwnEntry, sql.own_entries, releases=await _releases(tx, access), since=since, request=request,
        before=datetime.fromisoformat(before), seq=seq, size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", detail={"entries": len(found[: wanted.size])})
    return found


async def bundle_own_entry(tx: Tx, access: Access, entry: UUID) -> OwnBundle:
    """A bundle with one entry of the caller's partner, under the newest head.

    Raises NotFound, for another's entry just as for none, or NotYetSealed.
    """
    releases = await _releases(tx, access)
    since, until = around(entry)
    found = await tx.maybe(StoredOwn, sql.own_entry, id=entry, releases=releases, since=since, until=until)
    if found is None:
        raise NotFound
    note(tx, access, "read", [] if found.is_withheld else found.subjects, detail={"entry": str(entry)})
    head = await tx.maybe(StoredHead, sql.newest_head)
    if head is None or found.position is None or found.position > head.size:
        raise NotYetSealed
    return OwnBundle(lines=await _lines(tx, found, head))


async def _lines(tx: Tx, found: StoredOwn, head: StoredHead) -> list[str]:
    position, spans = found.position or 0, tree.inclusion_spans((found.position or 0) - 1, head.size)
    known, said = await read_subtrees(tx, spans), await list_successions(tx)
    path = [tree.hash_of(span, known) for span in spans]
    [sealed] = await tx.all(Sealed, sql.sealed, first=position, last=position)
    log, key = await tx.value(sql.log_id), key_of(head.jws, Trust(each.key for each in said))
    opening = first_line(log=log, head=head.jws, key=key, said=said, first=position, last=position)
    if found.is_withheld or sealed.salt is None:
        return [opening, line_of(Exported(position=position, path=path, leaf=sealed.hash))]
    return [opening, line_of(Exported(position=position, path=path, record=sealed.record, salt=sealed.salt))]


async def _releases(tx: Tx, access: Access) -> Sequence[UUID]:
    """The releases of the caller's partner; none for people, who have searching and exporting."""
    releases: Sequence[UUID] = await tx.value(sql.releases_of_partner, partner=access.party)
    return releases
