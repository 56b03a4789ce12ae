"""What grants permit: the checks of a grant in their order, sub-suppliers, and the obligations of a permit. Pure."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from torv.base.access import Limit, Scope
from torv.base.clock import DENMARK
from torv.ecosystem.agreements import rules
from torv.ecosystem.agreements.checks import RANK
from torv.ecosystem.agreements.content import IMPERSONAL, Content, DataProcessing, Grant, Window
from torv.ecosystem.agreements.models import Permit, StoredAgreement
from torv.ecosystem.partners import SupplyLink
from torv.kernel.identity import can_be_kept

SECOND, DAY = 1, 86_400


class Asked(Protocol):
    """What is asked of a grant."""

    @property
    def service(self) -> str: ...
    @property
    def major(self) -> int: ...
    @property
    def operation(self) -> str: ...
    @property
    def category(self) -> str | None: ...
    @property
    def purpose(self) -> str | None: ...
    @property
    def key(self) -> str | None: ...
    @property
    def keeps_units(self) -> bool: ...


def scope_of(grant: Grant) -> Scope:
    """The rows that a grant reaches, and the categories it covers of them."""
    reach = grant.reach
    return Scope(
        categories=grant.categories, units=() if reach.units is None else (reach.units,), kle=reach.kle,
        sensitivity=reach.sensitivity,
    )  # fmt: skip


class Line(NamedTuple):
    """A grant with the obligations that it gives."""

    agreement_id: UUID
    grant: Grant

    @property
    def scope(self) -> Scope:
        return scope_of(self.grant)

    @property
    def limits(self) -> tuple[Limit, ...]:
        key, limits = f"{self.agreement_id}/{self.grant.id}", self.grant.limits
        wanted = [
            ("calls", limits.calls_per_second, SECOND), ("calls", limits.calls_per_day, DAY),
            ("persons", limits.person_views_per_day, DAY),
        ]  # fmt: skip
        return tuple(
            Limit(key=key, kind=kind, amount=amount, seconds=seconds)
            for kind, amount, seconds in wanted
            if amount is not None
        )


def lines_of(content: Content) -> dict[str, tuple[Line, ...]]:
    """The grants by module."""
    lines: dict[str, list[Line]] = {}
    for grant in content.grants:
        lines.setdefault(grant.module, []).append(Line(content.id, grant))
    return {module: tuple(some) for module, some in lines.items()}


def permit(
    content: Content, lines: Sequence[Line], above: Sequence[Content], asked: Asked, now: datetime
) -> Permit | str:
    """The permit of the first grant that passes every check, wider where others with its purpose and limits pass too.

    Under a supplier's agreement each grant counts only as far as that agreement permits the same.
    """
    furthest = "service"
    passing: list[_Passing] = []
    for line in lines:
        failing = _failing(content, line.grant, asked, now)
        if failing is None:
            reached = _under(line, above, asked, now)
            failing = None if reached.scopes else "wider_than_parent"
            passing += [reached] if reached.scopes else []
        if failing is not None:
            furthest = max(furthest, failing, key=RANK.__getitem__)
    return _joined(content, passing) if passing else furthest


def as_emergency(given: Permit) -> Permit:
    return replace(given, is_emergency=True)


def is_overdue(content: Content, stored: StoredAgreement, now: datetime) -> bool:
    """Whether oversight is overdue, and the agreement says that it then denies."""
    due = rules.oversight_due(content, stored.events)
    terms = content.data_processing
    return due is not None and terms is not None and terms.oversight.on_overdue == "deny" and _today(now) > due


@dataclass(frozen=True, slots=True)
class Below:
    """A sub-supplier's agreement under a supplier's, and who registered and approved that it works for it."""

    sub: Content
    terms: DataProcessing | None  #: the supplier's
    links: tuple[SupplyLink, ...]  #: about what is asked for, or else about what the agreement is about
    category: str | None
    today: date

    @property
    def is_named(self) -> bool:
        """Whether the supplier's terms name the sub-supplier, for data of this category, today."""
        named = [each for each in self.terms.sub_processors if each.cvr == self.sub.partner] if self.terms else []
        named = [each for each in named if _holds(self.today, each.approved_from, each.approved_to)]
        is_any = self.category is None or self.category in IMPERSONAL
        return any(is_any or self.category in each.categories for each in named)

    @property
    def is_withdrawn(self) -> bool:
        return bool(self.links) and all(link.is_withdrawn for link in self.links)

    @property
    def approved(self) -> list[SupplyLink]:
        live = (each for each in self.links if each.is_approved and not each.is_withdrawn)
        return [each for each in live if _holds(self.today, each.approved_from, each.approved_to)]

    @property
    def is_in_allowed_country(self) -> bool:
        return self.terms is not None and any(link.country in self.terms.locations for link in self.approved)


#: checks of a sub-supplier, in order: the code, and whether it passes
LINK_CHECKS: tuple[tuple[str, Callable[[Below], bool]], ...] = (
    ("subsupplier_not_approved", lambda below: below.is_named),
    ("subsupplier_revoked", lambda below: not below.is_withdrawn),
    ("subsupplier_not_approved", lambda below: bool(below.approved)),
    ("location_not_allowed", lambda below: below.is_in_allowed_country),
)


def failing_link(
    below: Content, above: Content, links: Iterable[SupplyLink], asked: Asked, now: datetime
) -> str | None:
    """The check that fails for a sub-supplier: named in the supplier's terms, approved, and in a country they allow.

    An approval is for a capability, and covers what else the agreement needs for it; where what is asked for is itself
    something it is approved for, that approval alone counts.
    """
    services = {grant.service for grant in below.grants}
    known = tuple(link for link in links if link.capability in services)
    own = tuple(link for link in known if link.capability == asked.service)
    seen = Below(below, above.data_processing, own or known, asked.category, _today(now))
    return next((check for check, passes in LINK_CHECKS if not passes(seen)), None)


def is_open(window: Window, now: datetime) -> bool:
    """Whether a window holds at an instant; its weekdays and hours are read off Denmark's clocks."""
    if (window.not_before and now < window.not_before) or (window.not_after and now >= window.not_after):
        return False
    here = now.astimezone(DENMARK)
    day, hour = here.isoweekday(), here.time()
    if window.opens is not None and window.closes is not None:
        is_after = hour >= window.opens
        if window.opens < window.closes:
            if not (is_after and hour < window.closes):
                return False
        elif not (is_after or hour < window.closes):
            return False
        elif not is_after:
            day = (day - 2) % 7 + 1  # past midnight it is still yesterday's window
    return window.weekdays is None or day in window.weekdays


def _failing(content: Content, grant: Grant, asked: Asked, now: datetime) -> str | None:
    """The first check that a grant fails."""
    return next((check for check, passes in GRANT_CHECKS if not passes(content, grant, asked, now)), None)


def _has_terms(content: Content, category: str | None) -> bool:
    terms = content.data_processing
    return category is None or category in IMPERSONAL or (terms is not None and category in terms.categories)


def _can_be_kept(_: Content, grant: Grant, asked: Asked, __: datetime) -> bool:
    """Whether the service, or whoever asks, can keep to the rows that the grant reaches."""
    return can_be_kept(scope_of(grant), grant.service, keeps_units=asked.keeps_units)


_Passes = Callable[[Content, Grant, Asked, datetime], bool]
#: checks of a grant, in order: the code, and whether it passes
GRANT_CHECKS: tuple[tuple[str, _Passes], ...] = (
    ("service", lambda _, grant, asked, __: grant.service == asked.service),
    ("version", lambda _, grant, asked, __: grant.major == asked.major),
    ("operation", lambda _, grant, asked, __: asked.operation in grant.operations),
    ("category", lambda _, grant, asked, __: asked.category is None or asked.category in grant.categories),
    ("dpa_missing", lambda content, _, asked, __: _has_terms(content, asked.category)),
    ("purpose", lambda _, grant, asked, __: asked.purpose is None or asked.purpose == grant.purpose.activity),
    ("key_mismatch", lambda _, grant, asked, __: grant.keys is None or asked.key in grant.keys),
    ("time_window", lambda _, grant, __, now: is_open(grant.window, now)),
    ("reach", _can_be_kept),
)


class _Passing(NamedTuple):
    """What is left of a grant that passes every check: the rows, and the limits of the agreements above."""

    line: Line
    scopes: list[Scope]
    limits_above: list[Limit]

    @property
    def terms(self) -> tuple[object, ...]:
        """What grants must share to be one permit."""
        return self.line.grant.purpose, self.line.grant.limits, self.limits_above


def _under(line: Line, above: Sequence[Content], asked: Asked, now: datetime) -> _Passing:
    """What is left of a grant under the agreements above: the rows within one of their grants too, and their limits."""
    scopes, limits = [line.scope], list[Limit]()
    for parent in above:
        theirs = _alike([grant for grant in parent.grants if _permits_same(grant, line.grant, asked, now)])
        meets = (mine.meet(Line(parent.id, grant).scope) for mine in scopes for grant in theirs)
        scopes = [each for each in meets if each is not None and _covers(each, asked.category)]
        if theirs:
            limits += Line(parent.id, theirs[0]).limits
    return _Passing(line, scopes, limits)


def _permits_same(grant: Grant, below: Grant, asked: Asked, now: datetime) -> bool:
    """Whether a supplier's grant permits what is asked under a sub-supplier's, for the same purpose."""
    return (
        (grant.service, grant.major) == (asked.service, asked.major)
        and asked.operation in grant.operations
        and (asked.category is None or asked.category in grant.categories)
        and grant.purpose.activity == below.purpose.activity
        and is_open(grant.window, now)
        and can_be_kept(scope_of(grant), grant.service, keeps_units=asked.keeps_units)
    )


def _alike(grants: Sequence[Grant]) -> list[Grant]:
    """The first, and those that share its purpose and limits: what the supplier itself would get in one permit."""
    return [each for each in grants if (each.purpose, each.limits) == (grants[0].purpose, grants[0].limits)]


def _covers(scope: Scope, category: str | None) -> bool:
    return category is None or category in scope.categories


def _joined(content: Content, passing: list[_Passing]) -> Permit:
    """One permit of all grants that share the first one's purpose and limits."""
    first = passing[0]
    alike = [each for each in passing if each.terms == first.terms]
    scopes = tuple(dict.fromkeys(scope for each in alike for scope in each.scopes))
    return Permit(
        agreement_id=content.id, grant_id="+".join(each.line.grant.id for each in alike),
        categories=frozenset().union(*(scope.categories for scope in scopes)), purpose=first.line.grant.purpose.text,
        row_filter=scopes if any(scope.is_limited for scope in scopes) else None,
        limits=(*first.line.limits, *first.limits_above),
    )  # fmt: skip


def _holds(day: date, first: date | None, end: date | None) -> bool:
    return first is not None and first <= day and (end is None or day < end)


def _today(now: datetime) -> date:
    return now.astimezone(DENMARK).date()
