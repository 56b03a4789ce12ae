"""Routes of audit. A search is a POST: whose data somebody looks for does not belong in an address."""

from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator
from pydantic.dataclasses import dataclass

from torv.base.http import Call, Routes
from torv.base.pages import Cursor, Page, Size
from torv.ecosystem.audit import own, proving, rotating, service
from torv.ecosystem.audit.models import (
    AuditEntry,
    AuditFilter,
    ConsistencyProof,
    Head,
    InclusionProof,
    Look,
    OwnBundle,
    OwnEntry,
)

routes = Routes("", "audit")

TRAIL, HEAD = "trail", "head"  #: data categories; a head holds no personal data
OWN = "own_trail"  #: what a partner's own programs did: ids of persons, codes and instants

#: an instant that survives being turned into UTC
Instant = Annotated[AwareDatetime, Field(gt=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))]
Count = Annotated[int, Field(ge=1, lt=2**53)]


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditSearch:
    person: UUID | None = None
    user: UUID | None = None
    module: UUID | None = None
    release: UUID | None = None
    agreement: UUID | None = None
    purpose: Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*$")] | None = None
    request: UUID | None = None
    since: Instant | None = None
    until: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LookSearch:
    """Whose data: and, unless the last year will do, since when."""

    person: UUID
    since: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class InclusionWanted:
    """Of which entry, by its id or by its position; and in the tree of which size, if not that of the newest head."""

    entry: UUID | None = None
    position: Count | None = None
    size: Count | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> "InclusionWanted":
        if (self.entry is None) == (self.position is None):
            raise ValueError("either entry or position")
        return self


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsistencyWanted:
    """From which size to which."""

    earlier: Count
    later: Count


@routes.reads("/api/v1/audit/search", "search", TRAIL, method="POST")
async def search_trail(call: Call, search: AuditSearch, limit: Size = 50, cursor: Cursor = None) -> Page[AuditEntry]:
    """Search the trail, newest first."""
    sought = AuditFilter(**{name: getattr(search, name) for name in AuditFilter.__slots__})
    wanted = call.page(limit, cursor, search=repr(sought))
    entries = await service.search_entries(call.tx, call.access, search=sought, wanted=wanted)
    return call.paged(entries, wanted, key=lambda each: [each.at.isoformat(), each.seq])


@routes.reads("/api/v1/audit/looks", "read_looks", TRAIL, method="POST")
async def search_looks(call: Call, search: LookSearch, limit: Size = 50, cursor: Cursor = None) -> Page[Look]:
    """Who has had to do with a citizen's data and why: by day and user or program, the newest first."""
    wanted = call.page(limit, cursor, person=search.person, since=search.since)
    looks = await service.list_looks(call.tx, call.access, search.person, wanted=wanted, since=search.since)
    return call.paged(looks, wanted, key=lambda each: [each.last_at.isoformat(), str(each.who)])


@routes.reads("/api/v1/audit/heads", "read_heads", HEAD)
async def list_heads(call: Call, limit: Size = 50, cursor: Cursor = None) -> Page[Head]:
    """The signed heads of the log, the newest first."""
    wanted = call.page(limit, cursor)
    heads = await proving.list_heads(call.tx, call.access, wanted=wanted)
    return call.paged(heads, wanted, key=lambda each: [each.number])


@routes.reads("/api/v1/audit/heads/latest", "read_heads", HEAD)
async def read_newest_head(call: Call) -> Head:
    """The newest signed head: what a witness keeps."""
    return await proving.newest_head(call.tx, call.access)


@routes.reads("/api/v1/audit/proofs/inclusion", "read_heads", HEAD, method="POST")
async def prove_inclusion(call: Call, of: InclusionWanted) -> InclusionProof:
    """Prove that the log has an entry."""
    return await proving.prove_inclusion(
        call.tx, call.access, entry=of.entry, position=of.position, size=of.size
    )  # fmt: skip


@routes.reads("/api/v1/audit/proofs/consistency", "read_heads", HEAD, method="POST")
async def prove_consistency(call: Call, between: ConsistencyWanted) -> ConsistencyProof:
    """Prove that the log has only grown from one size to another."""
    return await proving.prove_consistency(call.tx, call.access, earlier=between.earlier, later=between.later)


@routes.reads("/api/v1/audit/own", "read_own", OWN)
async def list_own_entries(
    call: Call, since: Instant | None = None, request_id: UUID | None = None, limit: Size = 50, cursor: Cursor = None
) -> Page[OwnEntry]:
    """The entries that name a program of the caller's partner as the caller, the newest first."""
    wanted = call.page(limit, cursor, since=since, request=request_id)
    entries = await own.list_own_entries(call.tx, call.access, wanted=wanted, since=since, request=request_id)
    return call.paged(entries, wanted, key=lambda each: [each.at.isoformat(), each.seq])


@routes.reads("/api/v1/audit/own/{entry_id}", "read_own", OWN)
async def bundle_own_entry(call: Call, entry_id: UUID) -> OwnBundle:
    """One of them with its salt, the proof that the log has it and the signed head: a bundle, line by line."""
    return await own.bundle_own_entry(call.tx, call.access, entry_id)


@routes.open("/.well-known/torv-audit-keys.json")
async def head_keys(call: Call) -> dict[str, Any]:
    """The public keys that heads of the log were ever signed with, each with its period, the one in force first."""
    async with call.engine.database.reading() as tx:
        return await rotating.published_keys(tx, call.engine.keys.heads)
