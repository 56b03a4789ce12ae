"""The decision core: a pure function of (the agreements of a generation, the question, the clock).

Checks run in a fixed order; the first that fails names the refusal, and the agreement that came furthest speaks. What
was decided is remembered until the next instant at which it could change, so that most decisions are one look-up.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

from torv.base.access import Access, Caller, Demand
from torv.base.errors import Denied
from torv.ecosystem.agreements import granting, rules
from torv.ecosystem.agreements.checks import CHECKS, EXPORT, LAPSES, RANK
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.emergency import EmergencyList
from torv.ecosystem.agreements.models import IN_FORCE, Permit, Standing, State, StoredAgreement
from torv.ecosystem.partners import SupplyLink

DEPTH = 3  #: agreements in a chain of sub-suppliers, the supplier's own included
REMEMBERED = 200_000  #: verdicts; beyond, all are forgotten
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Question(NamedTuple):
    """What is asked, apart from when."""

    partner_id: UUID | None
    module: str
    service: str
    operation: str
    category: str | None
    major: int = 1
    purpose: str | None = None
    key: str | None = None
    is_write: bool = False
    keeps_units: bool = False


@dataclass(frozen=True, slots=True)
class Compiled:
    """An agreement ready to decide by."""

    content: Content
    stored: StoredAgreement
    lines: Mapping[str, tuple[granting.Line, ...]]  #: by module
    changes: frozenset[datetime]  #: instants at which its answer may change
    has_hours: bool  #: some grant holds at certain hours only


class _Edges(NamedTuple):
    """When the answers about a partner's module may change."""

    changes: list[datetime]  #: ascending
    has_hours: bool


class _Verdict(NamedTuple):
    outcome: Permit | str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """The agreements of one generation, ready to decide by."""

    by_id: Mapping[UUID, Compiled]
    by_partner: Mapping[UUID, Mapping[UUID, Compiled]]  #: in the order in which they were proposed
    successors: Mapping[UUID, Compiled]  #: id of a version -> the version after it
    links: Mapping[tuple[UUID, UUID], tuple[SupplyLink, ...]]  #: (supplier, sub-supplier) -> what it is used for
    emergency: EmergencyList | None
    _remembered: dict[Question, _Verdict] = field(default_factory=dict)
    _edges: dict[tuple[UUID | None, str], _Edges] = field(default_factory=dict)

    def decide(self, caller: Caller, module: str, demand: Demand, now: datetime, request_id: UUID) -> Access:
        """The permit for a module's request. Raises Denied with the first failing check."""
        outcome = self.answer(_question(caller, module, demand), now)
        if isinstance(outcome, str):
            raise denied(outcome)
        return _access(outcome, caller, demand, request_id)

    def decide_unconfirmed(
        self, caller: Caller, module: str, demand: Demand, now: datetime, request_id: UUID
    ) -> Access | None:
        """The permit while the state cannot be confirmed: only what the emergency list keeps open; None otherwise."""
        outcome = self._verdict(_question(caller, module, demand), now, in_emergency=True)
        return _access(outcome, caller, demand, request_id) if isinstance(outcome, Permit) else None

    def answer(self, question: Question, now: datetime) -> Permit | str:
        """The permit, or the first failing check."""
        known = self._remembered.get(question)
        if known is not None and known.since <= now < known.until:
            return known.outcome
        outcome = self._verdict(question, now)
        if len(self._remembered) >= REMEMBERED:
            self._remembered.clear()
        self._remembered[question] = _Verdict(outcome, *self._constant_between(question, now))
        return outcome

    def standing(self, compiled: Compiled, now: datetime) -> Standing:
        """How an agreement stands, its successor considered."""
        successor = self.successors.get(compiled.content.id)
        is_replaced = successor is not None and rules.has_come_into_force(successor.content, successor.stored, now)
        return rules.standing_of(compiled.content, compiled.stored, now, is_replaced=is_replaced)

    def parents(self, compiled: Compiled, now: datetime) -> list[Compiled] | None:
        """The agreements above, nearest first, each in the version in force; None if one is missing or too many."""
        above = list(self._above(compiled, now))
        is_whole = len(above) < DEPTH and (above or [compiled])[-1].content.parent is None
        return above if is_whole else None

    def promised_sets(
        self, partner_id: UUID | None, module: str, service: str, major: int, now: datetime
    ) -> frozenset[str]:
        """The requirement sets that agreements in force promise for what they let a module provide."""
        return frozenset(
            each.content.requirement_set
            for each in self._of(partner_id)
            if each.content.requirement_set is not None
            and each.content.provides(module, service, major)
            and self.standing(each, now).state in IN_FORCE
        )

    def _above(self, compiled: Compiled, now: datetime) -> Iterator[Compiled]:
        """The agreements above as far as they are there, and up to one too many."""
        for _ in range(DEPTH):
            parent = compiled.content.parent
            if parent is None or parent.agreement not in self.by_id:
                return
            compiled = self._newest(self.by_id[parent.agreement], now)
            yield compiled

    def _newest(self, compiled: Compiled, now: datetime) -> Compiled:
        while self.standing(compiled, now).state is State.SUPERSEDED:
            compiled = self.successors[compiled.content.id]
        return compiled

    def _verdict(self, question: Question, now: datetime, *, in_emergency: bool = False) -> Permit | str:
        furthest = "no_agreement"
        for compiled in self._of(question.partner_id):
            outcome = self._check(compiled, question, now, in_emergency=in_emergency)
            if isinstance(outcome, Permit):
                return outcome
            furthest = max(furthest, outcome, key=RANK.__getitem__)
        return furthest

    def _check(self, compiled: Compiled, question: Question, now: datetime, *, in_emergency: bool) -> Permit | str:
        """The permit that one agreement gives, or its first failing check."""
        lines = compiled.lines.get(question.module)
        if lines is None:
            return "no_agreement"
        above = self.parents(compiled, now)
        failing = self._failing(compiled, above, question, now)
        is_emergency = in_emergency or failing is not None
        if is_emergency:
            lines = self._kept_open(compiled, lines, question, now)
            if above is None or not lines or not self._has_only_lapsed(compiled, above, question, now):
                return failing or "unconfirmed"
        parents = [each.content for each in above or ()]
        permit = granting.permit(compiled.content, lines, parents, question, now)
        if not is_emergency:
            return permit
        return granting.as_emergency(permit) if isinstance(permit, Permit) else failing or "unconfirmed"

    def _failing(
        self, compiled: Compiled, above: list[Compiled] | None, question: Question, now: datetime
    ) -> str | None:
        """The first check of the agreement itself that fails, or of those above it."""
        standing = self.standing(compiled, now)
        if standing.state is State.EXIT and question.operation in EXPORT:
            return None if above is not None else "parent_invalid"  # data are handed back whatever else has ended
        if standing.cause is not None:
            return standing.cause
        found = (failing(self, [compiled, *(above or ())], question, now) for _, failing in CHAIN_CHECKS)
        return "parent_invalid" if above is None else next(filter(None, found), None)

    def _has_only_lapsed(self, compiled: Compiled, above: list[Compiled], question: Question, now: datetime) -> bool:
        """Whether nobody has stopped the agreement or one above it, or the sub-supplier: time alone has run out."""
        chain = [compiled, *above]
        causes = {self.standing(each, now).cause for each in chain}
        is_stopped = any(rules.is_suspended(each.stored) for each in chain)
        return not is_stopped and causes <= {None, *LAPSES} and self.failing_link(chain, question, now) is None

    def failing_link(self, chain: list[Compiled], question: Question, now: datetime) -> str | None:
        """The first check that fails for a sub-supplier in a chain of agreements, the lowest first."""
        for below, parent in pairwise(chain):
            links = self.links.get((parent.stored.partner_id, below.stored.partner_id), ())
            failing = granting.failing_link(below.content, parent.content, links, question, now)
            if failing is not None:
                return failing
        return None

    def _kept_open(
        self, compiled: Compiled, lines: tuple[granting.Line, ...], question: Question, now: datetime
    ) -> tuple[granting.Line, ...]:
        """The lines that the emergency list keeps open; never for a write."""
        if self.emergency is None or question.is_write:
            return ()
        return tuple(
            line
            for line in lines
            if self.emergency.keeps_open(compiled.content.id, line.grant.id, question.operation, now)
        )

    def _constant_between(self, question: Question, now: datetime) -> tuple[datetime, datetime]:
        """The instants between which the verdict cannot change."""
        about = question.partner_id, question.module
        edges = self._edges.get(about)
        if edges is None:
            edges = self._edges[about] = self._edges_of(*about)
        place = bisect_right(edges.changes, now)
        since = edges.changes[place - 1] if place else _FIRST
        until = edges.changes[place] if place < len(edges.changes) else _LAST
        if edges.has_hours:
            minute = now.replace(second=0, microsecond=0)
            since, until = max(since, minute), min(until, minute + timedelta(minutes=1))
        return since, until

    def _edges_of(self, partner_id: UUID | None, module: str) -> _Edges:
        involved = self._involved([each for each in self._of(partner_id) if module in each.lines])
        changes = {instant.astimezone(UTC) for each in involved for instant in each.changes}
        changes.update(edge.astimezone(UTC) for edge in (self.emergency.edges if self.emergency else ()))
        return _Edges(sorted(changes), any(each.has_hours for each in involved))

    def _involved(self, some: list[Compiled]) -> list[Compiled]:
        """Agreements with all that stand above them, and every version that comes after any."""
        seen: dict[UUID, Compiled] = {}
        while some:
            each = some.pop()
            if each.content.id not in seen:
                seen[each.content.id] = each
                parent = self.by_id.get(each.content.parent.agreement) if each.content.parent else None
                some += filter(None, [parent, self.successors.get(each.content.id)])
        return list(seen.values())

    def _of(self, partner_id: UUID | None) -> Iterable[Compiled]:
        mine = self.by_partner.get(partner_id) if partner_id else None
        return mine.values() if mine else ()


def _failing_parent(policy: Policy, chain: list[Compiled], _: Question, now: datetime) -> str | None:
    is_invalid = any(policy.standing(each, now).state not in IN_FORCE for each in chain[1:])
    return "parent_invalid" if is_invalid else None


def _failing_oversight(_: Policy, chain: list[Compiled], __: Question, now: datetime) -> str | None:
    is_overdue = any(granting.is_overdue(each.content, each.stored, now) for each in chain)
    return "oversight_overdue" if is_overdue else None


_Failing = Callable[[Policy, list[Compiled], Question, datetime], str | None]
#: checks of an agreement in force and of those above it, in order; each gives the check that fails
CHAIN_CHECKS: tuple[tuple[str, _Failing], ...] = (
    ("parent_invalid", _failing_parent),
    ("sub_supplier", Policy.failing_link),
    ("oversight_overdue", _failing_oversight),
)


def denied(check: str) -> Denied:
    """The refusal that a failing check gives."""
    reason, reason_da, mender = CHECKS[check]
    return Denied(check=check, reason=reason, reason_da=reason_da, mender=mender)


def _question(caller: Caller, module: str, demand: Demand) -> Question:
    return Question(
        caller.partner_id, module, demand.service, demand.operation, demand.category, demand.major, caller.purpose,
        caller.key, demand.is_write, demand.keeps_units,
    )  # fmt: skip


def _access(permit: Permit, caller: Caller, demand: Demand, request_id: UUID) -> Access:
    return Access(
        caller=caller, service=demand.service, operation=demand.operation, category=demand.category,
        categories=permit.categories, agreement_id=permit.agreement_id, grant_id=permit.grant_id,
        purpose=permit.purpose, request_id=request_id, row_filter=permit.row_filter, limits=permit.limits,
        is_emergency=permit.is_emergency,
    )  # fmt: skip
