"""Values of requirements: sets, what they demand, and how releases stand to them."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from torv.ecosystem.modules import Operation


class Kind(StrEnum):
    """What a demand is about."""

    LEVEL = "level"  #: how far a release is certified
    OPERATION = "operation"  #: an operation beside the contract's
    FIELD = "field"  #: a field that records or answers must have
    CASE = "case"  #: a certification case
    SERVICE_LEVEL = "service_level"  #: what the agreement must promise


class Outcome(StrEnum):
    """What is known of a release and a demand."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not_tried"


class Standing(StrEnum):
    """How a release stands to a requirement set."""

    CERTIFIED = "certified"
    FAILED = "failed"
    NOT_TRIED = "not_tried"
    EXPIRED = "expired"  #: was certified, too long ago


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """One demand of a set. `id` is its name everywhere."""

    id: str
    kind: Kind
    da: str
    en: str
    hash: str  #: SHA-256 over the canonical demand, hex: the same demand in another set has the same
    content: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """A demand, and what is known of a release and it."""

    id: str
    outcome: Outcome
    da: str
    en: str
    found: str = ""  #: what was seen; no personal data


@dataclass(frozen=True, kw_only=True, slots=True)
class RequirementSet:
    """A version of a contract with what a municipality demands beyond it; never changed, named by its hash."""

    hash: str  #: SHA-256 over the canonical JSON of format, contract hash and profile, hex
    capability: str
    major: int
    contract_version: str
    contract_hash: str
    title: str  #: in Danish
    from_day: date | None  #: the first day on which it is demanded of the capability; None: no day is set
    added_at: datetime
    profile: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseStanding:
    """How one release stands to one set; of the demands, only those it does not meet."""

    release_id: UUID
    module_name: str
    release_version: str
    partner_id: UUID
    partner_name: str
    capability: str
    requirement_set: str
    title: str
    from_day: date | None
    state: Standing
    certifier: str | None  #: supplier | municipality; None: nobody has certified it for this set
    certified_at: datetime | None
    expires_at: datetime | None
    unmet: list[Judged]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewProposal:
    """Demands, as they are put to the partners."""

    profile: str  #: the profile's file, YAML
    from_day: date | None = None  #: the first day on which it is demanded
    partners: list[UUID] = field(default_factory=list)  #: beside those whose releases provide the capability


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileText:
    profile: str  #: the profile's file, YAML


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    from_day: date | None  #: None: it is demanded no longer, or not yet


@dataclass(frozen=True, kw_only=True, slots=True)
class Examined:
    """What a profile would be as a set, and how today's releases stand to it."""

    hash: str
    capability: str
    title: str
    is_known: bool  #: whether the set has been proposed already
    positions: list[ReleaseStanding]


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """A set that was put to partners."""

    requirement_set: RequirementSet
    sent_to: list[str]  #: names of the partners
    positions: list[ReleaseStanding]


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """Demands that were put to a partner, as the partner reads them."""

    id: UUID
    partner_id: UUID
    partner_name: str
    requirement_set: str
    capability: str
    major: int
    contract_version: str
    contract_hash: str
    title: str
    from_day: date | None
    sent_at: datetime
    profile: dict[str, Any]  #: as a file, what `torv-sdk certify --profile` takes


@dataclass(frozen=True, kw_only=True, slots=True)
class AddedField:
    """A field that a set demands of the records of a type."""

    requirement_set: str
    capability: str
    major: int
    record_type: str
    schema: dict[str, Any]  #: what a body must fit beside the type's own schema
    kept_by: frozenset[UUID]  #: the releases that were certified for the set


@dataclass(frozen=True, kw_only=True, slots=True)
class InterfaceOperation:
    """An operation of the interface, from the contract or from a requirement set in force."""

    id: str
    method: str
    path: str
    safe: bool
    category: str
    requirement_set: str | None  #: that adds it; None: the contract has it

    @classmethod
    def of(cls, operation: Operation, requirement_set: str | None) -> "InterfaceOperation":
        return cls(
            id=operation.id, method=operation.method, path=operation.path, safe=operation.safe,
            category=operation.category, requirement_set=requirement_set,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """What may be asked of whoever provides a capability now."""

    capability: str
    major: int
    contract_version: str
    contract_hash: str
    requirement_sets: list[str]  #: hashes of those that the release in service keeps and promises, the newest first
    operations: list[InterfaceOperation]
    fields: list[dict[str, Any]]  #: that records and answers have beside the contract's, as profiles say it
    openapi: dict[str, Any] | None  #: of the contract with the operations that are added; None: it came without


@dataclass(frozen=True, kw_only=True, slots=True)
class Unmet:
    """Why a release may not take over: a set, how the release stands to it, and the demands by name."""

    requirement_set: str
    title: str
    state: Standing
    demands: list[str]
