"""Values of identity: users and roles."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What a user's job lets them do; see rules.py."""

    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """Somebody who works for the municipality and signs in."""

    id: UUID
    login: str
    name: str
    role: Role


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredUser:
    """A user with the hash of the password; never leaves the slice."""

    id: UUID
    login: str
    name: str
    role: Role
    password_hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionUser:
    """The user of a session in force."""

    id: UUID
    login: str
    name: str
    role: Role
    is_stale: bool  #: not noted as in use for a minute
