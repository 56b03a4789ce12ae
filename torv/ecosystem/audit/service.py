"""The verb of audit: searching the trail. Whoever looks at the log stands in the log."""

from dataclasses import asdict

from torv.base.access import Access
from torv.base.db import Tx
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.audit.models import AuditEntry, AuditFilter, AuditPage

sql = load(__file__)

PAGE_LIMIT = 200  #: entries in one page
LAST_SEQ = 2**63 - 1


async def search_entries(
    tx: Tx, access: Access, wanted: AuditFilter, *, before: int | None = None, size: int = 50
) -> AuditPage:
    """The newest entries that match, at most 200, older than `before`. The search becomes an entry itself."""
    values = asdict(wanted)
    person = values.pop("person")
    values |= {"before": LAST_SEQ if before is None else before, "size": min(size, PAGE_LIMIT) + 1}
    if person is None:
        found = await tx.all(AuditEntry, sql.entries, **values)
    else:
        found = await tx.all(AuditEntry, sql.entries_about, person=person, **values)
    entries, has_more = found[: values["size"] - 1], len(found) == values["size"]
    note(tx, access, "read", [person] if person else [], detail={"entries": len(entries), **_stated(wanted)})
    return AuditPage(entries=entries, before=entries[-1].seq if has_more else None)


def _stated(wanted: AuditFilter) -> dict[str, str]:
    return {name: str(value) for name, value in asdict(wanted).items() if value is not None and name != "person"}
