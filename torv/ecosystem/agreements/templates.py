"""Templates: whole agreements to start from, narrow by default; what only the parties know is left to them.

Each gives plain JSON, ready to be read, changed and signed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from dateutil.relativedelta import relativedelta

from torv.base.ids import new_id
from torv.ecosystem.agreements.content import FORMAT, IMPERSONAL
from torv.ecosystem.agreements.rules import midnight

#: which kind of personal data a category is where the parties do not say otherwise (GDPR articles 6, 9 and 10)
KINDS = {"person.cpr": "cpr", "notes": "sensitive"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Parties:
    """Who agrees, and the standard clauses they agree by."""

    municipality: str  #: CVR
    partner: str  #: CVR
    partner_name: str
    clauses: str  #: SHA-256 of the standard clauses that apply, hex


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of permission, as a template writes it."""

    service: str
    operations: Sequence[str]
    categories: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Why:
    """The processing activity, the law it rests on, and how citizens read it."""

    activity: str
    legal_basis: Sequence[str]
    text: str


def module_that_reads_persons(
    parties: Parties, module: str, why: Why, *, begins: date, more: Sequence[Line] = (), months: int = 24
) -> dict[str, Any]:
    """A module that looks people up, one at a time, and keeps nothing."""
    lines = [Line(service="persons", operations=["read"], categories=["person"]), *more]
    return agreement_about(parties, module, why, lines, begins=begins, months=months)


def module_that_keeps_records(
    parties: Parties, module: str, why: Why, capability: str, categories: Sequence[str], *, begins: date,
    months: int = 24, has_events: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """A module that provides a capability: its records lie with the municipality, and it can hand them back.

    With events, it is told what happens to such data, and tells of it as its contract says.
    """
    followed = Line(service="events", operations=["publish", "read", "receive", "subscribe"], categories=categories)
    lines = [
        Line(service="records", operations=["write", "read", "follow"], categories=categories),
        Line(service=capability, operations=["provide", "export"], categories=categories),
        *([followed] if has_events else []),
    ]
    return agreement_about(parties, module, why, lines, begins=begins, months=months)


def sub_supplier(
    above: Mapping[str, Any], parties: Parties, module: str, *, grants: Sequence[str], begins: date
) -> dict[str, Any]:
    """A sub-supplier under a supplier's agreement: some of its grants, for the sub-supplier's own module."""
    chosen = [grant | {"module": module} for grant in above["grants"] if grant["id"] in grants]
    content = {key: value for key, value in above.items() if key not in ("supersedes", "parent", "service_levels")}
    terms = above.get("data_processing")
    return content | {
        "id": str(new_id()), "version": 1, "title": f"{parties.partner_name}: {module}", "partner": parties.partner,
        "parent": {"agreement": above["id"], "partner": above["partner"]}, "grants": chosen,
        "validity": _validity_from(begins, above["validity"]),
        "data_processing": terms and terms | {"sub_processors": []},
    }  # fmt: skip


def agreement_about(
    parties: Parties, module: str, why: Why, lines: Sequence[Line], *, begins: date, months: int = 24
) -> dict[str, Any]:
    """An agreement about one module with these lines of permission."""
    categories = sorted({category for line in lines for category in line.categories} - IMPERSONAL)
    return {
        "format": FORMAT, "id": str(new_id()), "version": 1, "title": f"{parties.partner_name}: {module}",
        "municipality": parties.municipality, "partner": parties.partner,
        "validity": {
            "not_before": _instant(begins), "not_after": _instant(begins + relativedelta(months=months)),
            "notice_months": 6, "options": [],
        },
        "grants": [_grant(module, number, line, why) for number, line in enumerate(lines, 1)],
        "data_processing": _terms(parties, why, categories, begins) if categories else None,
        "service_levels": [],
        "exit": {"formats": ["application/json"], "hand_back_days": 60, "delete_days": 30, "backup_expiry_days": 90},
    }  # fmt: skip


def _grant(module: str, number: int, line: Line, why: Why) -> dict[str, Any]:
    return {
        "id": f"{number}-{line.service}", "module": module, "service": line.service, "major": 1,
        "operations": sorted(line.operations), "categories": sorted(line.categories),
        "purpose": {"activity": why.activity, "legal_basis": list(why.legal_basis), "text": why.text},
    }  # fmt: skip


def _terms(parties: Parties, why: Why, categories: Sequence[str], begins: date) -> dict[str, Any]:
    return {
        "clauses": parties.clauses, "purpose": why.text,
        "data": [{"category": each, "kind": KINDS.get(each, "ordinary")} for each in categories],
        "subjects": ["Borgere i kommunen"], "approval": "prior_specific", "notice_days": 30, "sub_processors": [],
        "security": ["Kryptering under transport", "Adgang kun for navngivne medarbejdere", "Logning af al adgang"],
        "breach_hours": 24,
        "retention": [{"category": each, "keep_months": 0, "then": "return"} for each in categories],
        "locations": ["DK"], "transfers": [],
        "oversight": {
            "kind": "written", "interval_months": 12, "next_due": (begins + relativedelta(years=1)).isoformat(),
        },
    }  # fmt: skip


def _validity_from(begins: date, above: Mapping[str, Any]) -> dict[str, Any]:
    return {"not_before": _instant(begins), "not_after": above["not_after"], "notice_months": 3, "options": []}


def _instant(day: date) -> str:
    return midnight(day).isoformat()
