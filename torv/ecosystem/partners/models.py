"""Values of partners."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID


class PartnerKind(StrEnum):
    MUNICIPALITY = "municipality"  #: ourselves; there is one
    ORGANISATION = "organisation"


@dataclass(frozen=True, kw_only=True, slots=True)
class Partner:
    """An organisation, known by its CVR number."""

    id: UUID
    cvr: str  #: eight digits
    name: str
    kind: PartnerKind


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPartner:
    cvr: str
    name: str
    kind: PartnerKind = PartnerKind.ORGANISATION


@dataclass(frozen=True, kw_only=True, slots=True)
class PartnerKey:
    """A public key a partner signs with."""

    kid: str  #: RFC 7638 thumbprint: the fingerprint both ends compare
    jwk: dict[str, Any]
