"""Values of partners: organisations, the keys they sign with, who works for whom, and who could provide what."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class PartnerKind(StrEnum):
    MUNICIPALITY = "municipality"  #: ourselves; there is one
    ORGANISATION = "organisation"


class ContactRole(StrEnum):
    DPO = "dpo"  #: the data-protection officer
    BREACH = "breach"  #: answers day and night when personal data have got out
    OPERATIONS = "operations"
    CONTRACT = "contract"


class KeyState(StrEnum):
    PENDING = "pending"  #: sent, not confirmed
    WAITING = "waiting"  #: confirmed, for a time to come
    ACTIVE = "active"
    EXPIRED = "expired"
    ENDED = "ended"  #: taken out of use


class MarketRole(StrEnum):
    SUPPLIER = "supplier"
    SUB_SUPPLIER = "sub_supplier"
    COMPETITOR = "competitor"  #: provides the same elsewhere, or could
    PROSPECT = "prospect"  #: somebody we talk with


@dataclass(frozen=True, kw_only=True, slots=True)
class Contact:
    """Whom to reach at an organisation, about what."""

    role: ContactRole
    name: str
    email: str | None = None
    phone: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Partner:
    """An organisation: a Danish one is known by its CVR number, a foreign one by its own country's register."""

    id: UUID
    version: int
    cvr: str | None  #: eight digits; None for a foreign organisation
    registration: str | None  #: a foreign organisation's number in its own country; None for a Danish one
    country: str  #: ISO 3166-1 alpha-2
    name: str
    kind: PartnerKind
    contacts: list[Contact]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPartner:
    """A Danish organisation has `cvr`, one of another country `registration`."""

    name: str
    cvr: str | None = None
    registration: str | None = None
    country: str = "DK"
    kind: PartnerKind = PartnerKind.ORGANISATION
    contacts: list[Contact] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class PartnerFacts:
    """What may change of an organisation while it stays the same one."""

    name: str
    contacts: list[Contact] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True, slots=True)
class PartnerVersion:
    """What was known of an organisation from an instant on."""

    version: int
    name: str
    contacts: list[dict[str, Any]]
    merged_into: UUID | None
    user_id: UUID | None  #: who changed it
    known_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PartnerKey:
    """A public key a partner signs with."""

    kid: str  #: RFC 7638 thumbprint
    partner_id: UUID
    jwk: dict[str, Any]
    fingerprint: str  #: what both ends compare: eight groups of four
    state: KeyState
    enrolled_at: datetime
    confirmed_at: datetime | None
    confirmed_by: UUID | None
    valid_from: datetime | None
    valid_to: datetime | None  #: the first instant at which it no longer holds; None: until it is ended
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class EnrolmentCode:
    """A one-time code for a partner to send a key under; shown once and kept as a hash."""

    code: str
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCode:
    """A code as it lies in the database; never leaves the slice."""

    id: str
    partner_id: UUID
    partner_name: str
    secret_hash: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    """A key as a partner sends it; `proof` is a JWS over code and thumbprint, made with that key."""

    code: str
    jwk: dict[str, Any]
    proof: str


@dataclass(frozen=True, kw_only=True, slots=True)
class EnrolledKey:
    """A key that was taken in and waits: read the fingerprint aloud to the contract manager."""

    partner: str  #: name of the organisation the code was for
    kid: str
    fingerprint: str
    state: KeyState = KeyState.PENDING


@dataclass(frozen=True, kw_only=True, slots=True)
class SupplyLink:
    """That one organisation works for another in providing a capability: what decisions need to know of it."""

    capability: str
    supplier_id: UUID
    sub_supplier_id: UUID
    country: str  #: where the work is done
    approved_from: date | None
    approved_to: date | None  #: the first day on which the approval no longer holds; None: until withdrawn
    is_withdrawn: bool
    is_approved: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredLink:
    """The same with its history: who registered, approved and withdrew it, and when."""

    id: UUID
    version: int
    capability: str
    supplier_id: UUID
    sub_supplier_id: UUID
    task: str
    country: str
    registered_at: datetime
    registered_by: UUID | None  #: None where a program registered it
    approved_at: datetime | None
    approved_by: UUID | None
    approved_from: date | None
    approved_to: date | None
    withdrawn_at: datetime | None
    withdrawn_by: UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class NewLink:
    capability: str
    supplier_id: UUID
    sub_supplier_id: UUID
    task: str
    country: str  #: where the work is done


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """How far an organisation's release was certified for a capability when it last was, and until when that counts."""

    release: str  #: the module and its version, for people
    level: str | None  #: bronze | silver | gold; None: not even the first was reached
    certifier: str  #: supplier | municipality
    certified_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTrial:
    """The same, as the slice that keeps certifications tells it."""

    partner_id: UUID
    capability: str
    release: str
    level: str | None
    certifier: str
    certified_at: datetime
    expires_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class MarketEntry:
    """What an organisation is to a capability."""

    id: UUID
    capability: str
    partner_id: UUID
    partner_name: str
    role: MarketRole
    since: datetime
    certified: Trial | None  #: None: never, or it is not for you to see


@dataclass(frozen=True, kw_only=True, slots=True)
class NewMarketEntry:
    capability: str
    partner_id: UUID
    role: MarketRole
