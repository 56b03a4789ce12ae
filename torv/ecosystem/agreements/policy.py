"""The decision core: a pure function of (the agreements of a generation, the request, the clock).

Checks run in a fixed order; the first that fails names the refusal, and the grant that came furthest speaks.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from torv.base.access import Access, Caller, Demand
from torv.base.errors import Denied
from torv.ecosystem.agreements.models import Content, Grant, State, StoredAgreement
from torv.ecosystem.agreements.rules import state_of

EXPORT = frozenset({"export"})  #: what an agreement in exit still permits

_OWNER, _BOTH = "Den kontraktansvarlige", "Parterne"
#: check -> English reason, Danish reason, who can mend it; in the order in which they run
CHECKS: dict[str, tuple[str, str, str]] = {
    "no_agreement": ("there is no agreement for this module", "der er ingen aftale for modulet", _OWNER),
    "proposed": ("the agreement is not signed by all", "aftalen er ikke underskrevet af alle", _BOTH),
    "waiting": ("the agreement is not yet in force", "aftalen er ikke trådt i kraft", _BOTH),
    "expired": ("the agreement has expired", "aftalen er udløbet", _BOTH),
    "suspended": ("the agreement is suspended", "aftalen er suspenderet", _OWNER),
    "exit": ("the agreement is being wound up: export only", "aftalen er under afvikling: kun udlevering", _OWNER),
    "service": ("no grant for this service", "der er ingen tilladelse til tjenesten", _BOTH),
    "operation": ("no grant for this operation", "der er ingen tilladelse til handlingen", _BOTH),
    "category": ("no grant for this data category", "der er ingen tilladelse til datakategorien", _BOTH),
}
_RANK = {check: rank for rank, check in enumerate(CHECKS)}


@dataclass(frozen=True, slots=True)
class _Compiled:
    stored: StoredAgreement
    content: Content
    grants: dict[tuple[str, str], list[Grant]]  #: (module, service) -> grants
    modules: frozenset[str]


@dataclass(frozen=True, slots=True)
class Policy:
    """The agreements of one generation, ready to decide by."""

    by_partner: Mapping[UUID, tuple[_Compiled, ...]]

    def decide(self, caller: Caller, module: str, demand: Demand, now: datetime, request_id: UUID) -> Access:
        """The permit for a module's request. Raises Denied with the first failing check."""
        furthest = "no_agreement"
        for compiled in self.by_partner.get(caller.partner_id, ()) if caller.partner_id else ():
            outcome = _check(compiled, module, demand, now)
            if isinstance(outcome, Grant):
                return _permit(caller, compiled, outcome, demand, request_id)
            furthest = max(furthest, outcome, key=_RANK.__getitem__)
        raise denied(furthest)


def compile_policy(agreements: Iterable[StoredAgreement]) -> Policy:
    """Index the agreements by partner, module and service."""
    by_partner: dict[UUID, list[_Compiled]] = defaultdict(list)
    for stored in agreements:
        content = Content.model_validate(stored.content)
        grants: dict[tuple[str, str], list[Grant]] = defaultdict(list)
        for grant in content.grants:
            grants[grant.module, grant.service].append(grant)
        modules = frozenset(grant.module for grant in content.grants)
        by_partner[stored.partner_id].append(_Compiled(stored, content, dict(grants), modules))
    return Policy({partner: tuple(compiled) for partner, compiled in by_partner.items()})


def denied(check: str) -> Denied:
    """The refusal that a failing check gives."""
    reason, reason_da, mender = CHECKS[check]
    return Denied(check=check, reason=reason, reason_da=reason_da, mender=mender)


def _check(compiled: _Compiled, module: str, demand: Demand, now: datetime) -> Grant | str:
    """The grant that permits the demand, or the first check that fails."""
    if module not in compiled.modules:
        return "no_agreement"
    state = state_of(compiled.stored, compiled.content, now)
    if state not in (State.ACTIVE, State.EXIT):
        return str(state)
    if state is State.EXIT and demand.operation not in EXPORT:
        return "exit"
    furthest = "service"
    for grant in compiled.grants.get((module, demand.service), ()):
        if demand.operation not in grant.operations:
            furthest = max(furthest, "operation", key=_RANK.__getitem__)
        elif demand.category is not None and demand.category not in grant.categories:
            furthest = "category"
        else:
            return grant
    return furthest


def _permit(caller: Caller, compiled: _Compiled, grant: Grant, demand: Demand, request_id: UUID) -> Access:
    return Access(
        caller=caller, service=demand.service, operation=demand.operation, category=demand.category,
        categories=grant.categories, agreement_id=compiled.stored.id, grant_id=grant.id, purpose=grant.purpose,
        request_id=request_id,
    )  # fmt: skip
