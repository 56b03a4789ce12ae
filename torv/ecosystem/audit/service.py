"""The verbs of audit that search the trail. Whoever looks at the log stands in the log."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.audit.models import AuditEntry, AuditFilter, Look

sql = load(__file__)

LATEST = datetime(9999, 1, 1, tzinfo=UTC)
_HIGHEST = UUID(int=2**128 - 1)
LOOKS_OF = timedelta(days=365)  #: how far back the looks at a citizen go, if nothing else is asked


async def search_entries(tx: Tx, access: Access, *, search: AuditFilter, wanted: Wanted) -> list[AuditEntry]:
    """The entries that match, the newest first. The search becomes an entry itself, without words anybody wrote."""
    before, seq = wanted.after or [LATEST, 0]
    releases = await _releases(tx, search)
    found = await tx.all(
        AuditEntry, sql.entries, person=search.person, user=search.user, releases=releases,
        agreement=search.agreement, purpose=search.purpose, request=search.request, since=search.since,
        until=search.until, before=_instant(before), seq=seq, size=wanted.fetch,
    )  # fmt: skip
    subjects = [search.person] if search.person else []
    note(tx, access, "read", subjects, detail={"entries": min(len(found), wanted.size), **_stated(search)})
    return found


async def list_looks(
    tx: Tx, access: Access, person_id: UUID, *, wanted: Wanted, since: datetime | None = None
) -> list[Look]:
    """Who has had to do with a citizen's data and why, by day, the newest first; reading this is such a look too."""
    before, who = wanted.after or [LATEST, _HIGHEST]
    looks = await tx.all(
        Look, sql.looks, person=person_id, since=since or clock.now() - LOOKS_OF, before=_instant(before),
        who=UUID(str(who)), size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", [person_id], detail={"looks": min(len(looks), wanted.size)})
    return looks


async def _releases(tx: Tx, search: AuditFilter) -> list[UUID] | None:
    """The releases an entry may be of; None if any, or none at all."""
    if search.module is None:
        return [search.release] if search.release else None
    releases: list[UUID] = await tx.value(sql.releases_of, module=search.module)
    return releases if search.release is None else [each for each in releases if each == search.release]


def _instant(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _stated(search: AuditFilter) -> dict[str, Any]:
    """What was searched for; of a purpose only that it was, because it is text that somebody wrote."""
    stated = {name: str(value) for name, value in asdict(search).items() if value is not None and name != "person"}
    return stated | ({"purpose": True} if search.purpose else {})
