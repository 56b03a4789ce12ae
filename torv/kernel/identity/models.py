"""Values of identity: users, their sessions, roles, and who has which role with which limits."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import IntEnum
from typing import Any
from uuid import UUID

ADMINISTRATOR = UUID("00000000-0000-7000-8000-000000000001")  #: the role that comes with Torv


class Sensitivity(IntEnum):
    """How sensitive data is, as the municipalities' shared systems grade it (følsomhed)."""

    ORDINARY = 0  #: ikke fortrolige
    CONFIDENTIAL = 1  #: fortrolige
    SENSITIVE = 2  #: følsomme
    VIP = 3  #: sager om særligt beskyttede personer


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """Somebody who works for the municipality and signs in."""

    id: UUID
    version: int
    login: str
    name: str
    employee_id: UUID | None
    is_locked: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredUser:
    """What is needed to check a password; never leaves the slice."""

    id: UUID
    password_hash: str
    is_locked: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionUser:
    """The user of a session in force, and the roles as they lie in the database."""

    id: UUID
    name: str
    session_id: UUID
    is_stale: bool  #: not noted as in use for a minute
    rights: list[dict[str, Any]]
    unit_id: UUID | None  #: of their positions, if that is just one


@dataclass(frozen=True, kw_only=True, slots=True)
class ActedFor:
    """A user for whom a program acts, as they lie in the database."""

    rights: list[dict[str, Any]]
    unit_id: UUID | None  #: of their positions, if that is just one


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A session of one's own."""

    id: UUID
    began_at: datetime
    seen_at: datetime  #: to the minute
    ends_at: datetime  #: if it is not used meanwhile
    is_this: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempts:
    """Attempts to sign in within the last quarter of an hour that did not succeed."""

    of_pair: int  #: under this name from this address
    of_login: int  #: under this name from addresses it is not known at
    of_address: int  #: from this address, whatever the name
    is_known_here: bool  #: this user has signed in from this address within 30 days


@dataclass(frozen=True, kw_only=True, slots=True)
class Role:
    """A job function: what it lets people do, and which data categories they see."""

    id: UUID
    version: int
    name: str
    description: str
    permits: dict[str, list[str]]  #: service -> operations; `*` is every one
    categories: list[str]  #: `*` is every one
    is_fixed: bool  #: comes with Torv, and cannot be changed


@dataclass(frozen=True, kw_only=True, slots=True)
class RoleContent:
    """What a role is made of."""

    name: str
    permits: dict[str, list[str]]
    categories: list[str]
    description: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """A role that a user has, for a period, within limits. A limit that is null does not limit."""

    id: UUID
    user_id: UUID
    role_id: UUID
    units: list[UUID] | None
    kle: list[str] | None
    sensitivity: int | None
    valid_from: date
    valid_to: date | None
    given_at: datetime
    ended_at: datetime | None  #: when it was taken back


@dataclass(frozen=True, kw_only=True, slots=True)
class NewAssignment:
    """What is needed to give a user a role."""

    role_id: UUID
    valid_from: date | None = None  #: None: today
    valid_to: date | None = None  #: the first day on which it no longer holds
    units: list[UUID] | None = None
    kle: list[str] | None = None  #: prefixes such as 27, 27.15 or 27.15.12; `27.*` is understood too
    sensitivity: Sensitivity | None = None
