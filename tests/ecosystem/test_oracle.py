"""A second opinion: Cedar, given the agreements as policies, permits exactly what the decision core permits.

The translation reads the plain terms, not our rules; how an agreement stands is told a second time in `worlds.py`. Rows
are judged by going through all grants.
"""

import json
from collections import Counter
from datetime import datetime, timedelta
from itertools import product
from random import Random
from typing import Any

import pytest
from cedarpy import Decision, PolicySet, is_authorized_batch

from tests.ecosystem.paper import NOON, caller
from tests.ecosystem.worlds import (
    ACTIVITIES,
    CATEGORIES,
    COPENHAGEN,
    KEYS,
    MODULES,
    OPERATIONS,
    SERVICES,
    UNITS,
    Paper,
    World,
    is_overdue,
    make_world,
    standing,
)
from torv.base.access import Access, Demand
from torv.base.errors import Denied
from torv.base.ids import new_id

WORLDS, REQUESTS = 60, 100
IMPERSONAL = {"classification", "contract"}
KEEP_LIMITS = {"persons", "classification", "organisation"}  #: services whose rows can be limited
Request = dict[str, Any]


# ---- agreements as Cedar policies ------------------------------------------------------------------------------------
def cedar_of(world: World, at: datetime) -> str:
    """The agreements as they stand at an instant: a policy for each grant of each."""
    return "\n".join(
        f'permit (principal == Partner::"{paper.partner}", action, resource) when {{ {condition} }};'
        for paper in world.papers
        for each in paper.plain["grants"]
        if (condition := _condition(world, paper, each, at))
    )


def _condition(world: World, paper: Paper, each: dict[str, Any], at: datetime) -> str | None:
    if _is_limited(each) and each["service"] not in KEEP_LIMITS:
        return None
    above = world.above(paper, at)
    chains = [chain for chain in product(*(parent.plain["grants"] for parent in above)) if _fits([each, *chain])]
    if not chains:
        return None
    in_chain = " || ".join(" && ".join([_asks_for(grant) for grant in chain] or ["true"]) for chain in chains)
    stands = [_says("in_force", paper), *(_says("in_force", parent) for parent in above)]
    stands += [f"!({_says('overdue', each)})" for each in (paper, *above)]
    stands += [_works_for(world, below, parent, each) for below, parent in zip([paper, *above], above, strict=False)]
    hands_back = f'action == Action::"export" && {_says("handing_back", paper)}'
    keys = f"context has key && {_set(each['keys'])}.contains(context.key)" if each.get("keys") else "true"
    activity = json.dumps(each["purpose"]["activity"])
    return " && ".join(
        [
            f"context.module == {json.dumps(each['module'])}",
            _asks_for(each),
            f"(if context has purpose then context.purpose == {activity} else true)",
            keys,
            f"({in_chain})",
            f"(({' && '.join(stands)}) || ({hands_back}))",
        ]
    )


def _says(name: str, paper: Paper) -> str:
    return f'context.{name}.contains("{paper.id}")'


def _asks_for(each: dict[str, Any]) -> str:
    actions = ", ".join(f'Action::"{name}"' for name in each["operations"])
    service = f'resource == Service::"{each["service"]}/{each["major"]}" && [{actions}].contains(action)'
    category = f"(if context has category then {_set(each['categories'])}.contains(context.category) else true)"
    return f"{service} && {category} && {_opens(each.get('window', {}))}"


def _opens(window: dict[str, Any]) -> str:
    """Minutes of the day and weekdays by Denmark's clocks; past midnight it is the day before that counts."""
    days = _set(window.get("weekdays") or [1, 2, 3, 4, 5, 6, 7])
    if "opens" not in window:
        return f"{days}.contains(context.day)"
    opens, closes = (int(window[name][:2]) * 60 + int(window[name][3:]) for name in ("opens", "closes"))
    if opens < closes:
        return f"({days}.contains(context.day) && context.minute >= {opens} && context.minute < {closes})"
    evening = f"({days}.contains(context.day) && context.minute >= {opens})"
    return f"({evening} || ({days}.contains(context.yesterday) && context.minute < {closes}))"


def _works_for(world: World, below: Paper, above: Paper, each: dict[str, Any]) -> str:
    """The sub-supplier is named for the category, and somebody has approved it in a country that the terms allow."""
    terms = above.plain["data_processing"]
    named = [
        f"{_days(one['approved_from'], one['approved_to'])} && (if context has category then "
        f"{_set([*one['categories'], *IMPERSONAL])}.contains(context.category) else true)"
        for one in terms["sub_processors"]
        if one["cvr"] == below.plain["partner"]
    ]
    pair = [one for one in world.links if (one.supplier_id, one.sub_supplier_id) == (above.partner, below.partner)]
    served = {grant["service"] for grant in below.plain["grants"]}
    links = [one for one in pair if one.capability in served]
    links = [one for one in links if one.capability == each["service"]] or links
    approved = [
        _days(str(one.approved_from), str(one.approved_to) if one.approved_to else None)
        for one in links
        if one.is_approved and not one.is_withdrawn and one.country in terms["locations"]
    ]
    return f"({_any(named)}) && ({_any(approved)})"


def _days(first: str, end: str | None) -> str:
    until = f" && context.today < {int(end.replace('-', ''))}" if end else ""
    return f"(context.today >= {int(first.replace('-', ''))}{until})"


def _any(conditions: list[str]) -> str:
    return " || ".join(conditions) or "false"


def _set(values: Any) -> str:
    return json.dumps(sorted(values))


def _is_limited(each: dict[str, Any]) -> bool:
    return any(each.get("reach", {}).get(name) is not None for name in ("units", "kle", "sensitivity"))


def _fits(chain: list[dict[str, Any]]) -> bool:
    """Whether grants above one another can have anything in common: purpose, rows that can be kept, KLE numbers."""
    if len({each["purpose"]["activity"] for each in chain}) > 1:
        return False
    if any(_is_limited(each) and each["service"] not in KEEP_LIMITS for each in chain):
        return False
    prefixes = [each["reach"]["kle"] for each in chain if each.get("reach", {}).get("kle")]
    return not prefixes or any(
        all(any(number.startswith(one) for one in some) for some in prefixes) for number in _numbers(prefixes)
    )


def _numbers(prefixes: list[list[str]]) -> set[str]:
    return {each for some in prefixes for each in some}


# ---- requests --------------------------------------------------------------------------------------------------------
def make_request(chance: Random, world: World) -> Request:
    """Mostly something that some grant says, now and then changed in one place."""
    paper = chance.choice(world.papers)
    each = chance.choice(paper.plain["grants"])
    request: Request = {
        "partner": paper.partner, "module": each["module"], "service": each["service"], "major": each["major"],
        "operation": chance.choice(each["operations"]), "category": chance.choice([*each["categories"], None]),
        "purpose": chance.choice([None, each["purpose"]["activity"]]), "key": chance.choice(each.get("keys") or [None]),
    }  # fmt: skip
    others: dict[str, Any] = {
        "partner": list(world.partners), "module": MODULES, "service": SERVICES, "major": (1, 2, 3),
        "operation": OPERATIONS, "category": CATEGORIES, "purpose": ("andet", *ACTIVITIES), "key": KEYS,
    }  # fmt: skip
    if chance.random() < 0.35:
        name = chance.choice(list(others))
        request[name] = chance.choice(others[name])
    return request


def cedar_request(world: World, request: Request, at: datetime) -> dict[str, Any]:
    here = at.astimezone(COPENHAGEN)
    stands = {paper.id: standing(world, paper, at) for paper in world.papers}
    optional = {name: request[name] for name in ("category", "purpose", "key") if request[name] is not None}
    return {
        "principal": f'Partner::"{request["partner"]}"',
        "action": f'Action::"{request["operation"]}"',
        "resource": f'Service::"{request["service"]}/{request["major"]}"',
        "context": {
            "module": request["module"], "today": int(here.strftime("%Y%m%d")), "day": here.isoweekday(),
            "yesterday": (here - timedelta(days=1)).isoweekday(), "minute": here.hour * 60 + here.minute,
            "in_force": [each for each, state in stands.items() if state == "in_force"],
            "handing_back": [each for each, state in stands.items() if state == "handing_back"],
            "overdue": [paper.id for paper in world.papers if is_overdue(paper, at)], **optional,
        },
    }  # fmt: skip


def ours(policy: Any, request: Request, at: datetime) -> Access | str:
    demand = Demand(
        service=request["service"], operation=request["operation"], category=request["category"],
        major=request["major"],
    )  # fmt: skip
    asking = caller(request["partner"], purpose=request["purpose"], key=request["key"])
    try:
        return policy.decide(asking, request["module"], demand, at, new_id())
    except Denied as refusal:
        return str(refusal.facts["check"])


# ---- rows, by going through all of them ------------------------------------------------------------------------------
ROWS: list[dict[str, Any]] = [
    {"above": above, "kle": kle, "sensitivity": level}
    for above in (None, (), UNITS[:1], UNITS[1:], UNITS)
    for kle in (None, "", "27.35.02", "27.00", "28.10", "99")
    for level in (None, 0, 2)
]


def visible(world: World, access: Access, request: Request, at: datetime, row: dict[str, Any]) -> set[str]:
    """The categories of a row that the grants named in the permit show, each as far as all above it show them."""
    paper = world.paper(access.agreement_id)
    shown: set[str] = set()
    for mine in paper.plain["grants"]:
        if mine["id"] not in str(access.grant_id).split("+"):
            continue
        for chain in product([mine], *(parent.plain["grants"] for parent in world.above(paper, at))):
            common = set.intersection(*(set(each["categories"]) for each in chain))
            is_asked = request["category"] is None or request["category"] in common
            if is_asked and _fits(list(chain)) and all(_holds(each, request, at) for each in chain[1:]):
                shown |= common if all(_lies_in(each.get("reach", {}), row) for each in chain) else set()
    return shown


def _holds(each: dict[str, Any], request: Request, at: datetime) -> bool:
    here, window = at.astimezone(COPENHAGEN), each.get("window", {})
    minute, days = here.strftime("%H:%M"), window.get("weekdays") or range(1, 8)
    day, opens, closes = here, window.get("opens", "00:00"), window.get("closes", "24:00")
    is_open = opens <= minute < closes if opens < closes else minute >= opens or minute < closes
    if opens > closes > minute:
        day = here - timedelta(days=1)
    return (
        (each["service"], each["major"]) == (request["service"], request["major"])
        and request["operation"] in each["operations"]
        and is_open
        and day.isoweekday() in days
    )


def _lies_in(reach: dict[str, Any], row: dict[str, Any]) -> bool:
    units, kle, level = reach.get("units"), reach.get("kle"), reach.get("sensitivity")
    if units is not None and row["above"] is not None and not any(str(unit) in units for unit in row["above"]):
        return False
    if kle is not None and row["kle"] is not None and not any(row["kle"].startswith(one) for one in kle):
        return False
    return level is None or row["sensitivity"] is None or bool(row["sensitivity"] <= level)


# ---- the judgement ---------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def tally() -> Counter[str]:
    """What was asked in all worlds together."""
    return Counter()


@pytest.mark.parametrize("seed", range(WORLDS))
def test_cedar_permits_what_we_permit_and_rows_are_those_of_the_grants(seed: int, tally: Counter[str]) -> None:
    world, chance = make_world(seed), Random(f"requests {seed}")
    policy = world.policy()
    for _ in range(REQUESTS // 20):
        at = NOON + timedelta(minutes=chance.randint(-9 * 1440, chance.choice((10, 60)) * 1440))
        requests = [make_request(chance, world) for _ in range(20)]
        asked = [cedar_request(world, request, at) for request in requests]
        judged = is_authorized_batch(asked, PolicySet.from_str(cedar_of(world, at)), [])
        for request, verdict in zip(requests, judged, strict=True):
            assert not verdict.diagnostics.errors
            outcome = ours(policy, request, at)
            assert (verdict.decision is Decision.Allow) is isinstance(outcome, Access), (seed, at, request, outcome)
            tally["permit" if isinstance(outcome, Access) else outcome] += 1
            if isinstance(outcome, Access):
                _judge_rows(world, outcome, request, at, tally)


def _judge_rows(world: World, access: Access, request: Request, at: datetime, tally: Counter[str]) -> None:
    tally["limited"] += access.row_filter is not None
    tally["of a sub-supplier"] += world.paper(access.agreement_id).plain.get("parent") is not None
    for row in ROWS:
        mine = access.for_row(**row)
        categories = set(mine.categories) if mine else set()
        assert categories == visible(world, access, request, at, row), (at, request, row)


def test_the_worlds_asked_after_everything(tally: Counter[str]) -> None:
    """Runs last: more than 3,000 requests, permits of all kinds, and nearly every refusal."""
    refusals = {each for each in tally if each not in ("permit", "limited", "of a sub-supplier")}
    assert sum(tally[each] for each in (*refusals, "permit")) >= 3_000
    assert tally["permit"] > 500
    assert min(tally["limited"], tally["of a sub-supplier"]) > 50
    assert refusals >= {
        "no_agreement", "proposed", "superseded", "waiting", "closed", "expired", "suspended", "parent_invalid",
        "subsupplier_not_approved", "oversight_overdue", "service", "version", "operation", "category", "purpose",
        "key_mismatch", "time_window", "reach", "wider_than_parent",
    }  # fmt: skip
