"""Agreements on paper: contents and what has happened to them, for tests of decisions that need no database."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.cast import CLAUSES, MUNICIPALITY, NORDLYS, WHY, grant_of
from torv.base.access import Access, Caller, CallerKind, Demand
from torv.base.errors import Denied
from torv.base.ids import new_id
from torv.ecosystem.agreements import Content, Line, Parties, Policy, agreement_about
from torv.ecosystem.agreements.models import Event, EventKind, StoredAgreement
from torv.ecosystem.agreements.storing import Known
from torv.ecosystem.partners import SupplyLink

PARTNER, RIVAL, SUB = new_id(), new_id(), new_id()
SUB_CVR = "43195026"
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FROM, TO = NOON - timedelta(days=1), NOON + timedelta(days=100)
NOTES = Demand(service="notes", operation="write_note", category="notes")
PARTIES = Parties(municipality=MUNICIPALITY, partner=NORDLYS.cvr, partner_name=NORDLYS.name, clauses=CLAUSES)
ALL_SIGNED = (MUNICIPALITY, NORDLYS.cvr, SUB_CVR)


def caller(partner: UUID | None = PARTNER, **changes: Any) -> Caller:
    one = Caller(kind=CallerKind.RELEASE, id=new_id(), name="x", partner_id=partner, module_id=new_id())
    return replace(one, **changes)


def grant(
    service: str = "notes", operations: Iterable[str] = ("write_note",), categories: Iterable[str] = ("notes",),
    number: int = 1, module: str = "nordnote", **changes: Any,
) -> dict[str, Any]:  # fmt: skip
    return grant_of(module, number, (service, tuple(operations), tuple(categories)), **changes)


def content(*grants: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Valid from the day before NOON for a hundred days; data-processing terms for all it grants."""
    granted = list(grants) or [grant()]
    lines = [Line(service="notes", operations=["x"], categories=sorted({c for g in granted for c in g["categories"]}))]
    plain = agreement_about(PARTIES, "nordnote", WHY, lines, begins=FROM.date())
    validity = {"not_before": FROM.isoformat(), "not_after": TO.isoformat(), "notice_months": 1}
    return plain | {"grants": granted, "validity": validity} | changes


def agreement(
    *grants: dict[str, Any], partner: UUID = PARTNER, signed_by: Iterable[str] = ALL_SIGNED,
    events: Iterable[tuple[str, datetime]] = (), **changes: Any,
) -> Known:  # fmt: skip
    """An agreement and what has happened to it."""
    read = Content.model_validate(content(*grants, **changes))
    happened = tuple(Event(kind=EventKind(kind), at=at) for kind, at in events)
    stored = StoredAgreement(id=read.id, partner_id=partner, hash="", signed_by=frozenset(signed_by), events=happened)
    return read, stored


def sub_agreement(above: Known, *grants: dict[str, Any], **changes: Any) -> Known:
    """A sub-supplier's agreement under another."""
    parent = {"agreement": str(above[0].id), "partner": NORDLYS.cvr}
    values: dict[str, Any] = {"partner": SUB, "parent": parent, **changes}
    partner = values.pop("partner")
    read, stored = agreement(*grants, **values)
    return read.model_copy(update={"partner": SUB_CVR}), replace(stored, partner_id=partner)


def with_sub_processor(country: str = "DK", **changes: Any) -> dict[str, Any]:
    """Data-processing terms that name the sub-supplier."""
    terms: dict[str, Any] = content(grant(categories=["notes", "person"]))["data_processing"]
    named = {
        "cvr": SUB_CVR, "country": country, "task": "Drift", "categories": ["notes", "person"],
        "approved_from": "2026-01-01", **changes,
    }  # fmt: skip
    return terms | {"sub_processors": [named]}


def link(**changes: Any) -> SupplyLink:
    values: dict[str, Any] = {
        "capability": "notes", "supplier_id": PARTNER, "sub_supplier_id": SUB, "country": "DK",
        "approved_from": FROM.date(), "approved_to": None, "is_withdrawn": False, "is_approved": True, **changes,
    }  # fmt: skip
    return SupplyLink(**values)


def ask(
    policy: Policy, demand: Demand = NOTES, *, by: Caller | None = None, at: datetime = NOON, module: str = "nordnote"
) -> Access | str:
    """The permit, or the check that failed."""
    try:
        return policy.decide(by or caller(), module, demand, at, new_id())
    except Denied as denial:
        return str(denial.facts["check"])


def numbered(grants: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "id": f"g{number}"} for number, each in enumerate(grants)]
