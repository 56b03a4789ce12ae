"""Values of agreements: the content that is signed, and what has happened to it since."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator


class _Term(BaseModel):
    """A part of an agreement. A term we do not know makes it impossible to use: what we cannot read we cannot keep."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Validity(_Term):
    not_before: AwareDatetime
    not_after: AwareDatetime  #: an agreement always ends

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> "Validity":
        if self.not_after <= self.not_before:
            raise ValueError("it ends before it begins")
        return self


class Grant(_Term):
    """One line of permission: a module, a service, its operations, the data categories, and the purpose."""

    id: str = Field(min_length=1, max_length=50, pattern=r"^[a-z0-9-]+$")
    module: str = Field(min_length=1, max_length=100)
    service: str = Field(min_length=1, max_length=100)  #: a kernel service or a capability
    major: Literal[1]
    operations: frozenset[str] = Field(min_length=1)
    categories: frozenset[str] = Field(min_length=1)
    purpose: str = Field(min_length=1, max_length=500)


class Content(_Term):
    """What the parties sign. Immutable: a change is a new agreement."""

    format: Literal["torv-agreement/1"]
    id: UUID
    title: str = Field(min_length=1, max_length=300)
    municipality: str = Field(pattern=r"^[0-9]{8}$")  #: CVR
    partner: str = Field(pattern=r"^[0-9]{8}$")  #: CVR
    validity: Validity
    grants: tuple[Grant, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_each_grant_once(self) -> "Content":
        if len({grant.id for grant in self.grants}) != len(self.grants):
            raise ValueError("two grants have the same id")
        return self


class State(StrEnum):
    """Derived from signatures, events and clock; never stored."""

    PROPOSED = "proposed"  #: not every party has signed
    WAITING = "waiting"  #: signed, not yet valid
    ACTIVE = "active"
    SUSPENDED = "suspended"
    EXIT = "exit"  #: export only
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredAgreement:
    """An agreement as it lies in the database."""

    id: UUID
    partner_id: UUID
    content: dict[str, Any]
    hash: str
    is_signed_by_partner: bool
    is_signed_by_municipality: bool
    last_event: str | None  #: suspend | resume | exit


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """An agreement and how it stands now."""

    id: UUID
    partner_id: UUID
    title: str
    hash: str  #: SHA-256 over the canonical JSON of the content, hex
    state: State
    not_before: datetime
    not_after: datetime
    content: dict[str, Any]
