"""Values of audit: entries of the trail and what to look for among them, heads of the tree, proofs, and flaws."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
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
    erased_at: datetime | None  #: when persons were taken out of it


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditFilter:
    """What an entry must match; what is None matches everything."""

    person: UUID | None = None  #: one of the persons it is about
    user: UUID | None = None
    module: UUID | None = None
    release: UUID | None = None
    agreement: UUID | None = None
    purpose: str | None = None  #: exactly as it stands in the entry
    request: UUID | None = None
    since: datetime | None = None  #: at or after
    until: datetime | None = None  #: before


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnEntry:
    """One line of the trail as the partner whose program was the caller sees it in a list."""

    seq: int
    position: int | None
    id: UUID
    at: datetime
    kind: str
    operation: str
    result: str
    request_id: UUID | None
    release_id: UUID  #: the program
    agreement_id: UUID | None
    grant_id: str | None
    category: str | None
    purpose: str | None
    call_id: UUID | None
    is_withheld: bool  #: its record also names another partner, who answered: it is proved without it


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredOwn:
    """Where such an entry stands, and whom it is about."""

    position: int | None
    subjects: list[UUID]
    is_withheld: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnBundle:
    """A bundle with one entry, line by line: write them into a file, and anybody can verify it."""

    lines: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """What one user or program had to do with a citizen's data on one day."""

    day: date
    last_at: datetime
    count: int  #: entries of that day
    user_id: UUID | None
    release_id: UUID | None
    name: str | None  #: of the user or the module; None for Torv itself, and for who was taken out of the log
    partner: str | None  #: the organisation behind a module
    operations: list[str]
    shown: list[str]  #: what was shown that had to be asked for, such as `cpr`
    purposes: list[str]

    @property
    def who(self) -> UUID:
        """The user or the release; zero for neither."""
        return self.user_id or self.release_id or UUID(int=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedHead:
    """What a head says, its signature seen to be good."""

    log: UUID
    size: int
    root: bytes
    at: str
    breaks: int


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredHead:
    """A head as its row has it."""

    number: int
    size: int
    root: bytes
    at: datetime
    breaks: int
    jws: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredKey:
    """A key of heads as its row has it: since when, and what was signed about it."""

    number: int
    kid: str  #: its thumbprint
    since: datetime
    jws: str
    former_jws: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What the municipality has signed: with so many entries the log has this root."""

    number: int  #: of the head
    log: UUID  #: which log
    size: int
    root: str  #: hex
    at: datetime
    breaks: int  #: how many breaks had been declared
    jws: str  #: the same, signed


@dataclass(frozen=True, kw_only=True, slots=True)
class InclusionProof:
    """Proves that the tree of a size has a leaf at a position."""

    position: int  #: from 1
    size: int
    leaf: str  #: hex
    path: list[str]  #: hex, from the leaf upwards


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsistencyProof:
    """Proves that a later tree begins with an earlier one."""

    earlier: int
    later: int
    path: list[str]  #: hex


@dataclass(frozen=True, kw_only=True, slots=True)
class Break:
    """A declared break: after a restore the log went on from fewer entries than it had had."""

    number: int
    lost_size: int
    kept_size: int
    declared_at: datetime
    jws: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeclaredBreak:
    """What is signed of a break; instants as text, because that is what the signature is over."""

    number: int
    log: UUID
    lost_size: int
    lost_root: str  #: hex
    lost_at: str  #: when the last of the lost heads was signed
    kept_size: int  #: the largest tree that is as a witness saw it
    kept_root: str
    at: str
    reason: str

    def payload(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self) | {"log": str(self.log)}

    def excuses(self, head: SignedHead) -> bool:
        """Whether a head belongs to what was lost."""
        return self.kept_size < head.size <= self.lost_size and head.at <= self.lost_at


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """An entry with what its leaf was made of."""

    position: int
    record: str
    salt: bytes | None  #: None when a person was taken out of it
    hash: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Retention:
    """How long entries about persons are kept, and who says so."""

    months: int
    source: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Successive entries, column by column: reading a million of them one by one takes too long."""

    records: Sequence[str | None]  #: None where there is a leaf without its entry
    salts: Sequence[bytes | None]
    hashes: Sequence[bytes | None]  #: None where there is an entry without its leaf
    positions: Sequence[int]
    erased: Sequence[bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaw:
    """Something that does not fit; `danish` and `english` say what."""

    position: int | None  #: of the first entry it is about
    danish: str
    english: str
    last: int | None = None  #: it is somewhere from `position` to this one

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts what names its place most exactly first, and then by place."""
        return (self.last - self.position if self.last and self.position else 0, self.position or 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What verifying found."""

    size: int  #: entries
    erased: int  #: of them have lost a person
    heads: int
    breaks: int
    flaws: Sequence[Flaw]

    @property
    def holds(self) -> bool:
        return not self.flaws
