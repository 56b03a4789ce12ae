"""Values of audit: entries of the trail, and what to look for among them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditEntry:
    """One line of the trail: who did what to whose data, why, under which grant."""

    seq: int  #: the order in which entries were inserted
    position: int | None  #: in the feed; None until the sequencer has been there
    id: UUID
    at: datetime
    kind: str  #: read | write | refusal | intent | outcome | system
    operation: str  #: "persons.read"
    result: str  #: permitted, or the code of the refusal
    subjects: list[UUID]  #: the persons it is about
    request_id: UUID | None
    user_id: UUID | None
    release_id: UUID | None
    agreement_id: UUID | None
    grant_id: str | None
    category: str | None
    purpose: str | None
    call_id: UUID | None  #: joins the intent of a gateway call with its outcome
    detail: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """What an entry must match; what is None matches everything."""

    person: UUID | None = None  #: one of the persons it is about
    user: UUID | None = None
    release: UUID | None = None
    agreement: UUID | None = None
    since: datetime | None = None  #: at or after
    until: datetime | None = None  #: before


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditPage:
    """Entries, newest first."""

    entries: list[AuditEntry]
    before: int | None  #: ask with this for the page that follows; None on the last one
