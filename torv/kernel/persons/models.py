"""Values of persons: facts about a human being, each true for a period, and how people are related."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID


class StatusCode(StrEnum):
    """How a person stands in the national register."""

    RESIDENT = "resident"
    RESIDENT_GREENLAND = "resident_greenland"
    NOT_RESIDENT = "not_resident"  #: has a number without having lived here
    ANNULLED = "annulled"  #: the number was given by mistake
    DELETED = "deleted"
    CHANGED = "changed"  #: has got another number
    MISSING = "missing"
    EMIGRATED = "emigrated"
    DEAD = "dead"


class CivilStatusCode(StrEnum):
    UNMARRIED = "unmarried"
    MARRIED = "married"
    DIVORCED = "divorced"
    WIDOWED = "widowed"
    REGISTERED_PARTNER = "registered_partner"
    DISSOLVED_PARTNER = "dissolved_partner"
    LONGEST_LIVING_PARTNER = "longest_living_partner"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class Name:
    given_names: str
    family_name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where a person lives, as written on a letter and in the codes of the national register."""

    lines: tuple[str, ...]  #: without the name: street and number, locality, postal code and district, country
    municipality_code: str | None = None  #: four digits
    road_code: str | None = None  #: four digits
    house: str | None = None
    floor: str | None = None
    door: str | None = None
    postal_code: str | None = None
    city: str | None = None
    country: str | None = None  #: None is Denmark


@dataclass(frozen=True, kw_only=True, slots=True)
class ContactAddress:
    """Where letters go to somebody who does not live at their address, as in a hospital or abroad."""

    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Protection:
    """What may be shown only to those whose permit covers it."""

    hides_address: bool
    hides_name: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class CivilStatus:
    code: CivilStatusCode
    spouse_cpr: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    code: StatusCode
    country: str | None = None  #: emigrated to
    new_cpr: str | None = None  #: where the number was changed


FactValue = Name | Address | ContactAddress | Protection | CivilStatus | Status


class FactKind(StrEnum):
    NAME = "name"
    ADDRESS = "address"
    CONTACT_ADDRESS = "contact_address"
    PROTECTION = "protection"
    CIVIL_STATUS = "civil_status"
    STATUS = "status"


@dataclass(frozen=True, kw_only=True, slots=True)
class Fact:
    """Something true of a person from one day up to, but not including, another. At most one of a kind each day."""

    kind: FactKind
    value: FactValue
    valid_from: date | None = None  #: None: we do not know since when
    valid_to: date | None = None  #: the first day it is no longer so; None: still


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFact:
    """A fact as it is or was known. What the permit does not cover is not there."""

    kind: FactKind
    value: FactValue
    valid_from: date | None
    valid_to: date | None
    known_from: datetime
    known_to: datetime | None  #: None: we still think so


class RelationKind(StrEnum):
    PARENT = "parent"
    CUSTODY = "custody"  #: holds custody over the person
    GUARDIAN = "guardian"
    SPOUSE = "spouse"
    CONTACT = "contact"
    CHILD = "child"  #: read only: the other end of a parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Relation:
    """Another human being who stands in a relation to the person: the parent, the holder of custody, the guardian."""

    kind: RelationKind
    cpr: str | None = None  #: of the other, where there is one
    name: str | None = None  #: of the other, where there is no number
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownRelation:
    """A relation as people read it."""

    id: UUID | None  #: None for what follows from another person's relation
    kind: RelationKind
    person_id: UUID | None  #: the other, if we know them as a person
    name: str | None  #: None if unknown, or protected and not covered
    valid_from: date | None
    valid_to: date | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A human being the municipality knows, as of today. What the permit does not cover is None."""

    id: UUID
    version: int
    cpr: str | None  #: ten digits; None if there is none, or the permit does not cover it
    sex: str | None  #: M or K, as the national register has it
    birth_date: date | None
    given_names: str | None
    family_name: str | None
    address: str | None  #: None if unknown, or protected and not covered by the permit
    has_protected_address: bool
    has_protected_name: bool
    civil_status: str | None
    status: str | None
    known_at: datetime  #: since when we have known this version


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPerson:
    """What is needed to register a person by hand."""

    given_names: str
    family_name: str
    cpr: str | None = None
    address: str | None = None
    has_protected_address: bool = False
    has_protected_name: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonChange:
    """The new values of what changes from a day on; what is left out stays."""

    given_names: str | None = None
    family_name: str | None = None
    address: str | None = None
    has_protected_address: bool | None = None
    has_protected_name: bool | None = None
    valid_from: date | None = None  #: None is today


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """Whom to look for. At least one of them."""

    name: str | None = None  #: typing errors are forgiven
    birth_date: date | None = None
    address: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportedPerson:
    """Everything a register says about one person: replaces what that register said before."""

    cpr: str
    sex: str | None
    birth_date: date | None
    facts: tuple[Fact, ...]
    relations: tuple[Relation, ...]
    former_cprs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportResult:
    added: int
    changed: int
    unchanged: int
