"""Values of records: versions, types, digests, and writes that came too late."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordType:
    """A kind of record, as a contract declares it."""

    capability: str
    name: str
    category: str  #: the data category a permit must cover
    schema: dict[str, Any]  #: JSON Schema 2020-12 of the body
    timeline: dict[str, str] | None = None  #: JSON pointers `text` and perhaps `instant`; None: no line in the timeline


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One version of a record."""

    id: UUID
    capability: str
    type: str
    unit_id: UUID | None  #: of the call that led to the first version; None: the whole municipality
    version: int
    person_id: UUID | None
    body: dict[str, Any]
    digest: str  #: SHA-256 over id, version and canonical content, hex; see buckets.py
    epoch: int  #: of the binding under which it was written
    position: int | None  #: in the feed; None until the sequencer has been there
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRecord:
    """A version to be written."""

    capability: str
    type: str
    body: dict[str, Any]
    id: UUID | None = None  #: None makes a new record
    expected_version: int = 0  #: the version it follows; 0 for a new record
    person_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Followed:
    """A piece of the feed."""

    records: list[Record]
    position: int  #: everything up to here is in it, or out of reach


@dataclass(frozen=True, kw_only=True, slots=True)
class TimelineLine:
    """A line in a person's timeline, derived from the latest version of a record."""

    record_id: UUID
    capability: str
    type: str
    version: int  #: of the record
    at: datetime  #: when it happened, as the record says; else when it was recorded
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LateWrite:
    """A write by a module that does not hold the capability: kept and shown, never the truth."""

    id: UUID
    capability: str
    unit_id: UUID | None  #: that the record is, or would have been, of
    release_id: UUID
    idempotency_key: str
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class LateContent(LateWrite):
    """A late write with what it would have written, for somebody with a reason to look."""

    content: dict[str, Any]  #: the members of NewRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """The digest of the records whose ids hash to one of 4,096 buckets."""

    number: int
    total: bytes  #: sum mod 2^256 of the digests of the latest versions, 32 bytes big endian
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Holder:
    """Who holds the record that is to be written, and what the key of a write has led to before."""

    release_id: UUID | None
    epoch: int | None
    unit_id: UUID | None  #: of the record
    is_unclear: bool  #: no unit was named, and the writer holds several and not the municipality
    earlier: UUID | None  #: the version written under the same key
    earlier_hash: bytes | None
    timeline: dict[str, str] | None  #: of the record's type, read inside the fence


@dataclass(frozen=True, kw_only=True, slots=True)
class Held:
    """Which release holds a capability, and since which move."""

    release_id: UUID
    epoch: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stale:
    """A type whose timeline must be derived anew, because its contract has changed."""

    capability: str
    type: str
    timeline: dict[str, str] | None
    after: int  #: versions up to this have been derived


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """The latest version of a record, as far as a timeline needs it."""

    seq: int
    id: UUID
    unit_id: UUID | None
    version: int
    person_id: UUID | None
    body: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbered:
    """A version that has just been given its position."""

    capability: str
    type: str
    unit_id: UUID | None
    bucket: int
    digest: bytes
    previous: bytes | None  #: digest of the version it replaces
    position: int = field(default=0)
