"""Values of persons: what is known of a human being, and what is asked to be changed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A human being the municipality knows. What the permit does not cover is None."""

    id: UUID
    version: int
    cpr: str | None  #: ten digits; None if there is none, or the permit does not cover it
    given_names: str
    family_name: str
    address: str | None  #: None if unknown, or protected and not covered by the permit
    has_protected_address: bool
    known_at: datetime  #: since when we have known this version


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPerson:
    """What is needed to register a person."""

    given_names: str
    family_name: str
    cpr: str | None = None
    address: str | None = None
    has_protected_address: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonChange:
    """The new values of what changes; what is left out stays."""

    given_names: str | None = None
    family_name: str | None = None
    address: str | None = None
    has_protected_address: bool | None = None
