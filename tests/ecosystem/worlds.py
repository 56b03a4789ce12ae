"""Worlds of agreements, made by chance from a seed, as plain data: what a judge reads who does not know our code."""

import calendar
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from tests.cast import MUNICIPALITY
from tests.ecosystem.paper import NOON, content, grant
from torv.base.ids import new_id
from torv.ecosystem.agreements import Content, Policy, compile_policy
from torv.ecosystem.agreements.models import Event, EventKind, StoredAgreement
from torv.ecosystem.partners import SupplyLink

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
MODULES, SERVICES = ("nordnote", "kviknote"), ("notes", "persons", "organisation")
OPERATIONS, CATEGORIES = ("read", "write", "export"), ("notes", "person", "person.cpr", "classification")
ACTIVITIES, KEYS, COUNTRIES = ("hjaelp", "betaling"), ("k1", "k2"), ("DK", "SE", "US")
UNITS = tuple(UUID(int=n) for n in range(1, 4))
KLE = ("27", "27.35", "27.35.02", "28", "32.18")


@dataclass(frozen=True, kw_only=True, slots=True)
class Paper:
    """An agreement as anybody can read it."""

    plain: dict[str, Any]
    partner: UUID
    signed_by: frozenset[str]
    events: list[tuple[str, datetime]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(self.plain["id"])


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What is agreed, and who works for whom."""

    papers: list[Paper]
    links: list[SupplyLink]
    partners: dict[UUID, str]  #: to CVR numbers

    def policy(self) -> Policy:
        """The same as our own code understands it."""
        return compile_policy([_known(paper) for paper in self.papers], self.links)

    def paper(self, agreement_id: Any) -> Paper:
        return next(each for each in self.papers if each.id == str(agreement_id))

    def successor(self, paper: Paper) -> Paper | None:
        later = [each for each in self.papers if each.plain.get("supersedes") == paper.id]
        return next((each for each in later if all(kind != "reject" for kind, _ in each.events)), None)

    def above(self, paper: Paper, at: datetime) -> list[Paper]:
        """The agreements above, each in its version in force."""
        found: list[Paper] = []
        while paper.plain.get("parent"):
            paper = self.paper(paper.plain["parent"]["agreement"])
            while standing(self, paper, at) == "superseded":
                after = self.successor(paper)
                assert after is not None
                paper = after
            found.append(paper)
        return found


def _known(paper: Paper) -> tuple[Content, StoredAgreement]:
    read = Content.model_validate(paper.plain)
    events = tuple(Event(kind=EventKind(kind), at=at) for kind, at in paper.events)
    return read, StoredAgreement(
        id=read.id, partner_id=paper.partner, hash="", signed_by=paper.signed_by, events=events
    )


# ---- how an agreement stands, told a second time ---------------------------------------------------------------------
def standing(world: World, paper: Paper, at: datetime) -> str:
    """in_force | handing_back | superseded | nothing."""
    kinds = [kind for kind, _ in paper.events]
    if "reject" in kinds or not _is_signed(paper):
        return "nothing"
    after = world.successor(paper)
    if after is not None and _is_signed(after) and at >= _instant(after, "not_before"):
        return "superseded"
    end = _end(paper)
    if "close" in kinds or at >= end + timedelta(days=paper.plain["exit"]["hand_back_days"]):
        return "nothing"
    if at >= end or "revoke" in kinds or "exit" in kinds:
        return "handing_back"
    is_stopped = False
    for kind in kinds:
        is_stopped = kind == "suspend" if kind in ("suspend", "resume") else is_stopped
    return "nothing" if is_stopped or at < _instant(paper, "not_before") else "in_force"


def is_overdue(paper: Paper, at: datetime) -> bool:
    """Whether oversight is overdue and that matters."""
    terms = paper.plain["data_processing"]["oversight"]
    due = date.fromisoformat(terms["next_due"])
    for kind, when in paper.events:
        if kind == "oversight":
            due = _months_later(when, terms["interval_months"]).date()
    return terms["on_overdue"] == "deny" and at.astimezone(COPENHAGEN).date() > due


def _is_signed(paper: Paper) -> bool:
    above = [paper.plain["parent"]["partner"]] if paper.plain.get("parent") else []
    return paper.signed_by >= {paper.plain["municipality"], paper.plain["partner"], *above}


def _end(paper: Paper) -> datetime:
    end = _instant(paper, "not_after")
    options = list(paper.plain["validity"].get("options", []))
    for kind, _ in paper.events:
        if kind == "extend" and options:
            end = _months_later(end, options.pop(0)["extend_months"]).astimezone(UTC)
    for kind, when in paper.events:
        if kind == "notice":
            end = min(end, _months_later(when, paper.plain["validity"]["notice_months"]).astimezone(UTC))
        if kind in ("revoke", "exit"):
            end = min(end, when)
    return end


def _instant(paper: Paper, name: str) -> datetime:
    return datetime.fromisoformat(paper.plain["validity"][name])


def _months_later(at: datetime, months: int) -> datetime:
    here = at.astimezone(COPENHAGEN)
    year, month = divmod(here.year * 12 + here.month - 1 + months, 12)
    day = min(here.day, calendar.monthrange(year, month + 1)[1])
    return here.replace(year=year, month=month + 1, day=day)


# ---- making one ------------------------------------------------------------------------------------------------------
def make_world(seed: int) -> World:
    """Two suppliers with a few agreements each, versions of some, and sub-suppliers in chains below some."""
    chance = Random(seed)
    partners = {new_id(): f"1000000{n}" for n in range(4)}
    first, second, sub, subsub = partners
    world = World(papers=[], links=[], partners=partners)
    for partner in (first, first, second):
        _add(chance, world, partner, None)
    for paper in list(world.papers):
        if chance.random() < 0.5:
            _add(chance, world, paper.partner, None, version=2, supersedes=paper.id)
    for partner, suppliers in ((sub, (first, second)), (sub, (first,)), (subsub, (sub,)), (subsub, (sub,))):
        above = chance.choice([each for each in world.papers if each.partner in suppliers])
        _add(chance, world, partner, above)
    for supplier, below in ((first, sub), (second, sub), (sub, subsub)):
        for _ in range(chance.choice((0, 2, 3, 4, 5))):
            world.links.append(_link(chance, supplier, below))
    return world


def _add(chance: Random, world: World, partner: UUID, above: Paper | None, **changes: Any) -> None:
    """An agreement of a partner; below another, its grants are near to those above, so that some of them pass."""
    model = above.plain["grants"] if above else None
    grants = [_grant(chance, number, chance.choice(model) if model else None) for number in range(chance.randint(1, 4))]
    begins = NOON + timedelta(days=chance.choice((-60, -30, -30, -20, -9, -1, 5)))
    ends = NOON + timedelta(days=chance.choice((40, 40, 70, 15)))
    validity: dict[str, Any] = {"not_before": begins.isoformat(), "not_after": ends.isoformat(), "notice_months": 1}
    if chance.random() < 0.3:
        validity["options"] = [{"extend_months": 1, "decide_by": (ends - timedelta(days=5)).isoformat()}]
    parent = {"agreement": above.id, "partner": world.partners[above.partner]} if above else None
    cvr = world.partners[partner]
    plain = content(*grants) | {"validity": validity, "parent": parent, "partner": cvr} | changes
    plain["data_processing"] = _terms(chance, content(grant(categories=CATEGORIES))["data_processing"], world)
    signed = {MUNICIPALITY, cvr, *([parent["partner"]] if parent else [])}
    if chance.random() < 0.08:
        signed.discard(chance.choice(sorted(signed)))
    world.papers.append(
        Paper(plain=plain, partner=partner, signed_by=frozenset(signed), events=_events(chance, begins))
    )


def _some(chance: Random, of: tuple[Any, ...]) -> list[Any]:
    return chance.sample(of, chance.randint(1, len(of)))


def _grant(chance: Random, number: int, model: dict[str, Any] | None) -> dict[str, Any]:
    made = grant(
        chance.choice(SERVICES), _some(chance, OPERATIONS), _some(chance, CATEGORIES), number=number,
        module=chance.choice(MODULES), major=chance.choice((1, 1, 1, 2)),
        purpose=_purpose(chance.choice(ACTIVITIES)), reach=_reach(chance), window=_window(chance),
    )  # fmt: skip
    if chance.random() < 0.2:
        made["keys"] = [chance.choice(KEYS)]
    if model is not None and chance.random() < 0.85:
        kept = ("service", "major", "purpose", "operations", "categories")
        made |= {name: model[name] for name in kept if name in model and chance.random() < 0.9}
    return made | {"id": f"g{number}"}


def _purpose(activity: str) -> dict[str, Any]:
    return {"activity": activity, "legal_basis": ["SEL §83"], "text": activity.title()}


def _reach(chance: Random) -> dict[str, Any]:
    reach: dict[str, Any] = {}
    if chance.random() < 0.15:
        reach["units"] = [str(each) for each in _some(chance, UNITS)]
    if chance.random() < 0.2:
        reach["kle"] = _some(chance, KLE)
    if chance.random() < 0.15:
        reach["sensitivity"] = chance.randint(0, 3)
    return reach


def _window(chance: Random) -> dict[str, Any]:
    """Within ten days of NOON; mostly no limit."""
    window: dict[str, Any] = {}
    if chance.random() < 0.2:
        window["weekdays"] = sorted(_some(chance, (1, 2, 3, 4, 5, 6, 7)))
    if chance.random() < 0.2:
        window["opens"], window["closes"] = chance.sample(("06:00", "08:30", "16:00", "23:15"), 2)
    return window


def _terms(chance: Random, terms: dict[str, Any], world: World) -> dict[str, Any]:
    """Data-processing terms that name most sub-suppliers."""
    named = [
        {
            "cvr": cvr, "country": "DK", "task": "Drift", "approved_from": "2026-01-01",
            "approved_to": chance.choice((None, None, None, "2026-03-10")),
            "categories": list(CATEGORIES) if chance.random() < 0.7 else _some(chance, CATEGORIES),
        }
        for cvr in world.partners.values()
        if chance.random() < 0.9
    ]  # fmt: skip
    oversight = {
        "kind": "written", "interval_months": 1, "next_due": chance.choice(("2026-03-12", "2027-01-01", "2027-01-01")),
        "on_overdue": chance.choice(("warn", "deny")),
    }  # fmt: skip
    data = [{"category": each, "kind": "ordinary"} for each in CATEGORIES]
    locations = ["DK", "SE"] if chance.random() < 0.7 else ["DK"]
    return terms | {"sub_processors": named, "oversight": oversight, "data": data, "locations": locations}


def _events(chance: Random, begins: datetime) -> list[tuple[str, datetime]]:
    if chance.random() < 0.7:
        return []
    kinds = (
        "suspend",
        "suspend",
        "resume",
        "resume",
        "notice",
        "extend",
        "oversight",
        "revoke",
        "exit",
        "close",
        "reject",
    )
    weights = (3, 3, 5, 5, 3, 3, 4, 1, 1, 1, 1)
    happened = chance.choices(kinds, weights, k=chance.randint(1, 3))
    at = [max(begins, NOON - timedelta(days=8)) - timedelta(hours=n) for n in range(len(happened))]
    return list(zip(happened, reversed(at), strict=True))


def _link(chance: Random, supplier: UUID, sub: UUID) -> SupplyLink:
    is_approved = chance.random() < 0.9
    return SupplyLink(
        capability=chance.choice(SERVICES), supplier_id=supplier, sub_supplier_id=sub,
        country=chance.choice(("DK", "DK", "SE", "US")), is_approved=is_approved,
        approved_from=date(2026, 1, 1) if is_approved else None,
        approved_to=chance.choice((None, None, date(2026, 3, 9))), is_withdrawn=chance.random() < 0.12,
    )  # fmt: skip
