"""Route of audit. A search is a POST: whose data somebody looks for does not belong in an address."""

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field
from pydantic.dataclasses import dataclass

from torv.base.http import Call, Routes
from torv.ecosystem.audit import service
from torv.ecosystem.audit.models import AuditFilter, AuditPage

routes = Routes("/api/v1/audit", "audit")

#: an instant that survives being turned into UTC
Instant = Annotated[AwareDatetime, Field(gt=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))]


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditSearch:
    person: UUID | None = None
    user: UUID | None = None
    release: UUID | None = None
    agreement: UUID | None = None
    since: Instant | None = None
    until: Instant | None = None
    before: Annotated[int, Field(ge=1, le=service.LAST_SEQ)] | None = None
    size: Annotated[int, Field(ge=1, le=service.PAGE_LIMIT)] = 50


@routes.reads("/search", "search", "trail", method="POST")
async def search_trail(call: Call, search: AuditSearch) -> AuditPage:
    """Search the trail, newest first; `before` of one page asks for the next."""
    wanted = AuditFilter(
        person=search.person, user=search.user, release=search.release, agreement=search.agreement,
        since=search.since, until=search.until,
    )  # fmt: skip
    return await service.search_entries(call.tx, call.access, wanted, before=search.before, size=search.size)
