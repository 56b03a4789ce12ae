"""Who asks, and what they may see: the caller, the ticket that a decision gives, and the one who decides."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from torv.base.errors import Denied

ALL = "*"  #: every service, operation or category, in what a role permits


class CallerKind(StrEnum):
    USER = "user"
    RELEASE = "release"  #: one deployed version of a module
    OPERATOR = "operator"  #: whoever runs Torv's commands on its own machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Rows that a permit reaches, and the data categories it covers of them. A limit that is None does not limit."""

    categories: frozenset[str]
    units: tuple[frozenset[UUID], ...] = ()  #: of each set, a unit or what lies below it
    kle: frozenset[str] | None = None  #: what begins with one of these: `27`, `27.15`, `27.15.12`
    sensitivity: int | None = None  #: up to this level

    def reaches(self, above: Collection[UUID] | None, kle: str | None, sensitivity: int | None) -> bool:
        """Whether a row lies within; see `Access.for_row`."""
        return (
            (above is None or not any(units.isdisjoint(above) for units in self.units))
            and (self.kle is None or kle is None or kle.startswith(tuple(self.kle)))
            and (self.sensitivity is None or sensitivity is None or sensitivity <= self.sensitivity)
        )

    def is_within(self, other: "Scope") -> bool:
        """Whether the other reaches all of this and covers as much."""
        return (
            (self.categories <= other.categories or ALL in other.categories)
            and all(any(own <= units for own in self.units) for units in other.units)
            and (other.kle is None or (self.kle is not None and self.kle <= other.kle))
            and (other.sensitivity is None or (self.sensitivity is not None and self.sensitivity <= other.sensitivity))
        )

    def meet(self, other: "Scope") -> "Scope | None":
        """What both reach and cover; None where that is nothing."""
        categories = _both(self.categories, other.categories)
        kle = _narrower(self.kle, other.kle)
        if not categories or kle == frozenset():
            return None
        levels = [each for each in (self.sensitivity, other.sensitivity) if each is not None]
        units = tuple(dict.fromkeys((*self.units, *other.units)))
        return Scope(categories=categories, units=units, kle=kle, sensitivity=min(levels, default=None))

    @property
    def is_limited(self) -> bool:
        return (self.units, self.kle, self.sensitivity) != ((), None, None)

    def as_row(self) -> dict[str, Any]:
        """The limits as JSON, for statements that filter rows."""
        return {
            "units": [sorted(map(str, units)) for units in self.units] or None,
            "kle": None if self.kle is None else sorted(self.kle),
            "sensitivity": self.sensitivity,
        }


def _both(ours: frozenset[str], theirs: frozenset[str]) -> frozenset[str]:
    if ALL in ours:
        return theirs
    return ours if ALL in theirs else ours & theirs


def _narrower(ours: frozenset[str] | None, theirs: frozenset[str] | None) -> frozenset[str] | None:
    """The KLE prefixes that lie within both."""
    if ours is None or theirs is None:
        return theirs if ours is None else ours
    pairs = ((a, b) for a in ours for b in theirs)
    return frozenset(max(a, b, key=len) for a, b in pairs if a.startswith(b) or b.startswith(a))


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """How often something may happen within a window of time, counted across all processes."""

    key: str  #: what is counted, such as the grant's id
    kind: str  #: calls | persons
    amount: int
    seconds: int  #: length of the window


@dataclass(frozen=True, kw_only=True, slots=True)
class Right:
    """A role that a user has: what it permits, of which rows, and when."""

    role: str  #: for people to read
    permits: Mapping[str, frozenset[str]]  #: service -> operations
    scope: Scope
    valid_from: date
    valid_to: date | None  #: the first day on which it no longer holds; None: until somebody ends it


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Somebody identified. Says who, never what they may."""

    kind: CallerKind
    id: UUID  #: of the user or the release
    name: str  #: for people to read
    partner_id: UUID | None = None  #: the organisation behind a release
    module_id: UUID | None = None
    key: str | None = None  #: thumbprint of the key a release identifies itself with
    purpose: str | None = None  #: the processing activity that a program says it asks for
    session_id: UUID | None = None  #: of a user who is signed in
    on_behalf_of: UUID | None = None  #: the user for whom a release acts in this call; never widens what it may
    rights: tuple[Right, ...] = ()  #: of a user, as they were when the call came in
    unit_id: UUID | None = None  #: where the acting user works, if that is just one unit

    @property
    def user_id(self) -> UUID | None:
        return self.id if self.kind is CallerKind.USER else None

    @property
    def release_id(self) -> UUID | None:
        return self.id if self.kind is CallerKind.RELEASE else None

    @property
    def person(self) -> UUID | None:
        """The user who acts, by themselves or through a release."""
        return self.user_id or self.on_behalf_of

    @property
    def identity(self) -> str:
        """What belongs to a caller alone, such as its cursors, belongs to this name."""
        return self.subject if self.on_behalf_of is None else f"{self.subject} for user:{self.on_behalf_of}"

    @property
    def subject(self) -> str:
        """The caller's name in tokens: `user:<id>` or `release:<id>`."""
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """A permit: no verb that meets personal data can be called without one."""

    caller: Caller
    service: str  #: kernel service or capability
    operation: str
    category: str | None  #: the data category the operation is about; None if the verb decides
    categories: frozenset[str] = field(
        default_factory=frozenset
    )  #: every category the permit covers; the rest is masked
    agreement_id: UUID | None = None
    grant_id: str | None = None
    purpose: str | None = None
    request_id: UUID | None = None
    row_filter: tuple[Scope, ...] | None = None  #: a row must lie within one of these; None: every row
    limits: tuple[Limit, ...] = ()  #: what may be used up
    is_emergency: bool = False  #: permitted by the emergency list alone: logged loudly
    also_fits: Mapping[tuple[str, str], tuple[Mapping[str, Any], ...]] = field(
        default_factory=dict
    )  #: (capability, record type) -> schemas that what is written must fit beside its type's

    @property
    def party(self) -> UUID | None:
        """The partner whose own affairs are all that a program sees of partners' affairs; None for people, who see all.

        A program without a partner sees nobody's.
        """
        return None if self.caller.kind is not CallerKind.RELEASE else self.caller.partner_id or UUID(int=0)

    def covers(self, category: str) -> bool:
        return category in self.categories or ALL in self.categories

    def meet(self, other: "Access") -> "Access | None":
        """This permit as far as the other permits it too; None where nothing is left. This one is what is logged."""
        pairs = [a.meet(b) for a in self.reach() for b in other.reach()]
        scopes = tuple(dict.fromkeys(each for each in pairs if each is not None))
        if not scopes:
            return None
        return replace(
            self, categories=frozenset().union(*(each.categories for each in scopes)),
            row_filter=scopes if any(each.is_limited for each in scopes) else None,
            limits=tuple(dict.fromkeys((*self.limits, *other.limits))),
        )  # fmt: skip

    def reach(self) -> tuple[Scope, ...]:
        """The scopes that a row must lie within one of."""
        return (Scope(categories=self.categories),) if self.row_filter is None else self.row_filter

    def for_row(
        self, *, above: Collection[UUID] | None = None, kle: str | None = None, sensitivity: int | None = None
    ) -> "Access | None":
        """The permit as it stands for one row, or None where it does not reach it.

        `above` are the ids of the row's unit and of the units above that one. Leave out what such rows never bear: a
        limit on it does not count. A row that could bear it and does not has `()` or `""`, and a limit keeps it out.
        """
        if self.row_filter is None:
            return self
        covered = [scope.categories for scope in self.row_filter if scope.reaches(above, kle, sensitivity)]
        return replace(self, categories=frozenset().union(*covered), row_filter=None) if covered else None

    def within(self, above: Collection[UUID]) -> "Access":
        """The permit for something that belongs to a unit: `above` as in `for_row`; () is the whole municipality.

        Raises Denied where the permit is for other units, or covers the category in other units only.
        """
        permit = self.for_row(above=above)
        if permit is None or not (self.category is None or permit.covers(self.category)):
            raise Denied(
                check="unit", reason="the permit is for other units", reason_da="tilladelsen gælder andre enheder",
                mender="Den kontraktansvarlige" if self.grant_id else "Systemadministratoren",
            )  # fmt: skip
        return permit

    def scopes(self) -> list[dict[str, Any]]:
        """The row filter as JSON, for statements that filter rows: any of these, each with all of its limits."""
        return [scope.as_row() for scope in self.reach()]

    def row_limits(self) -> list[dict[str, Any]] | None:
        """The same, each with the categories it covers, or its ALL; None: every row."""
        if self.row_filter is None:
            return None
        return [scope.as_row() | {"categories": sorted(scope.categories)} for scope in self.row_filter]


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What a route asks the decider for."""

    service: str
    operation: str
    category: str | None  #: None where the verb itself demands the category, because it depends on the data
    major: int = 1  #: of the service's contract
    is_write: bool = False
    is_own: bool = False  #: a partner's program may do it about its own partner, without a grant: it is a party
    keeps_units: bool = False  #: whoever asks holds the permit against the unit it is about: `Access.within`


class Decider(Protocol):
    """Identifies callers and decides. `wiring.py` gives it its body."""

    async def identify(self, headers: Mapping[str, str]) -> Caller | None:
        """Who asks; None if nobody said. Raises NotIdentified or TokenExpired if what was said does not hold."""

    def decide(self, caller: Caller, demand: Demand, request_id: UUID) -> Access:
        """The permit, from the confirmed state. Raises Denied or StateUnconfirmed."""

    async def spend(self, access: Access, kind: str, amount: int) -> None:
        """Use up a part of the permit's limits of this kind (calls, persons). Raises QuotaExceeded."""
