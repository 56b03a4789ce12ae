"""Values of modules: programs, their releases, and bindings."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A partner's program."""

    id: UUID
    partner_id: UUID
    name: str  #: as agreements name it


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One deployable version of a module, with its own address and key. Its id is its client id."""

    id: UUID
    module_id: UUID
    partner_id: UUID
    module_name: str
    version: str
    url: str  #: scheme, host and port, without a trailing slash
    jwk: dict[str, Any]  #: public key the program identifies itself with
    majors: dict[str, list[int]]  #: capability -> the major versions of its contract that it provides

    def provides(self, capability: str) -> list[int]:
        """The major versions of a capability that it provides; version 1 where it has said nothing."""
        return self.majors.get(capability, [1])


@dataclass(frozen=True, kw_only=True, slots=True)
class NewModule:
    partner_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRelease:
    version: str
    url: str
    jwk: dict[str, Any]
    majors: dict[str, list[int]] = field(default_factory=dict)  #: see `Release`


@dataclass(frozen=True, kw_only=True, slots=True)
class NewContract:
    """A contract's folder as one document."""

    files: dict[str, str]  #: name in the folder -> text: contract.yaml and the schemas it names


@dataclass(frozen=True, kw_only=True, slots=True)
class Health:
    """How a release was when it was last asked."""

    state: str  #: a HealthState
    since: datetime  #: it has been so
    checked_at: datetime
    lag: int | None  #: positions of the feed that it has not read; None where it did not say


@dataclass(frozen=True, kw_only=True, slots=True)
class BesideRelease:
    """A release that is tried out for a capability, or stands by after a move."""

    role: str  #: shadow | standby
    release_id: UUID
    module_name: str
    release_version: str
    partner_name: str
    health: Health | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """Which release provides a capability, where, and since when."""

    key: str  #: the capability, and `@<unit>` where it is for a unit
    capability: str
    unit_id: UUID | None  #: the unit it is for, with what lies below it; None: the whole municipality
    unit_name: str | None
    release_id: UUID
    module_name: str
    release_version: str
    partner_name: str
    epoch: int  #: raised by each move
    changed_at: datetime
    calls: int = 0  #: under way, in all of Torv's processes
    resting_in: int = 0  #: of Torv's processes leave the release alone, because it has failed several times in a row
    processes: int = 0  #: of Torv's that carry calls
    health: Health | None = None  #: None: it has not been asked yet
    beside: list[BesideRelease] = field(default_factory=list)  #: who else is at hand


LEVELS = ("bronze", "silver", "gold")  #: how far a release can be certified, each with what those before it demand


class Certifier(StrEnum):
    """Who ran a certification and answers for its report."""

    SUPPLIER = "supplier"
    MUNICIPALITY = "municipality"


@dataclass(frozen=True, kw_only=True, slots=True)
class Certification:
    """What came of certifying a release, as a signed report says it; never changed."""

    id: UUID
    release_id: UUID
    capability: str
    major: int
    contract_hash: str  #: the version of the contract it was tried against
    requirement_set: str | None  #: hash of the set it was tried against; None: the contract alone
    level: str | None  #: the level reached; None: not even the first
    certifier: Certifier
    kid: str  #: thumbprint of the key that signed the report
    began_at: datetime  #: as the report says
    received_at: datetime
    expires_at: datetime  #: the first instant at which it no longer counts
    demands: list[dict[str, str]]  #: of a requirement set: id, hash, outcome and what was found


@dataclass(frozen=True, kw_only=True, slots=True)
class NewCertification:
    """A signed report, as `torv-sdk certify --out` writes it."""

    report: dict[str, Any]
    signature: str  #: compact JWS over the report's hash


class ReleaseState(StrEnum):
    REGISTERED = "registered"
    RETIRED = "retired"  #: for good


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRegistration:
    """A release as its partner registers it by its own key."""

    manifest: dict[str, Any]
    jws: str  #: the partner's statement over the manifest's hash


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedModule:
    """A module in a list."""

    id: UUID
    name: str
    partner_id: UUID
    partner_name: str
    releases: int  #: how many are registered, retired ones apart
    newest_version: str | None  #: of the release registered last


@dataclass(frozen=True, kw_only=True, slots=True)
class ListedRelease:
    """A release in a list."""

    id: UUID
    version: str
    state: str  #: a ReleaseState
    registered_at: datetime
    retired_at: datetime | None
    majors: dict[str, list[int]]
    in_service: list[str]  #: capabilities that it provides now


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredRelease:
    """A release with what its supplier states of it."""

    id: UUID
    module_id: UUID
    module_name: str
    partner_id: UUID
    partner_name: str
    version: str
    url: str
    jwk: dict[str, Any]
    majors: dict[str, list[int]]
    state: str  #: a ReleaseState
    registered_at: datetime
    retired_at: datetime | None
    in_service: list[str]  #: capabilities that it provides now
    manifest: dict[str, Any] | None  #: None: a user of the municipality registered it without one
    manifest_hash: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundComponent:
    """A component of a release."""

    release_id: UUID
    number: int  #: within the release
    module_name: str
    release_version: str
    partner_name: str
    in_service: list[str]  #: capabilities that the release provides now
    name: str
    version: str
    license: str | None
    purl: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundLocation:
    """A place where a release runs, or is backed up or looked into."""

    release_id: UUID
    number: int  #: within the release
    module_name: str
    release_version: str
    partner_name: str
    in_service: list[str]  #: capabilities that the release provides now
    country: str  #: ISO 3166-1, two letters
    provider: str
    role: str  #: operation | backup | support | development
    place: str | None
    data: list[str]  #: data categories
