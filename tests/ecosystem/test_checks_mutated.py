"""Every check is needed: with one of them taken out, exactly the cases of that check change their outcome.

And the invariants of the decision, each as a property over made-up worlds.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cast import MUNICIPALITY
from tests.ecosystem.paper import (
    FROM,
    NOON,
    NOTES,
    PARTNER,
    SUB,
    TO,
    agreement,
    ask,
    caller,
    grant,
    link,
    sub_agreement,
    with_sub_processor,
)
from tests.ecosystem.test_oracle import ROWS, make_request, ours
from tests.ecosystem.test_policy import CASES, OVERSIGHT
from tests.ecosystem.worlds import World, make_world
from torv.base.access import Access, Demand
from torv.base.ids import new_id
from torv.ecosystem.agreements import Content, Policy, compile_policy, granting, policy, rules
from torv.ecosystem.agreements.checks import CHECKS
from torv.ecosystem.agreements.content import IMPERSONAL, Grant
from torv.ecosystem.agreements.emergency import EmergencyContent, EmergencyList
from torv.ecosystem.agreements.storing import Known
from torv.ecosystem.partners import SupplyLink

MINUTE = timedelta(minutes=1)
NOBODY = caller(None)
SEEDS = st.integers(0, 10_000)
thorough = settings(max_examples=80, deadline=None)
Case = tuple[str, list[Known], list[SupplyLink], dict[str, Any]]  #: check, or `check for the one it rests on`

# ---- one check taken out ---------------------------------------------------------------------------------------------
#: these are no conditions that could be taken out: without an agreement, or with an unconfirmed state, there is nothing
#: to permit by; `test_without_agreements_for_the_module_nothing_is_ever_permitted` and test_emergency.py look at them
STRUCTURAL = {"no_agreement", "unconfirmed"}


def _supplier(**changes: Any) -> Known:
    return agreement(data_processing=with_sub_processor(), **changes)


def _below(check: str, above: Known, *grants: dict[str, Any], links: Any = None, **changes: Any) -> Case:
    below = sub_agreement(above, *grants, **changes)
    return check, [above, below], [link()] if links is None else links, {"by": caller(SUB)}


def _without_terms() -> Known:
    """Content that nobody could propose: its terms do not name what it grants."""
    read, stored = agreement()
    assert read.data_processing is not None
    other = tuple(each.model_copy(update={"category": "person"}) for each in read.data_processing.data)
    terms = read.data_processing.model_copy(update={"data": other})
    return read.model_copy(update={"data_processing": terms}), stored


def _superseded() -> list[Known]:
    first = agreement()
    return [first, agreement(grant(module="another"), version=2, supersedes=str(first[0].id))]


OVERDUE = with_sub_processor() | {"oversight": OVERSIGHT}
MORE: list[Case] = [
    ("superseded", _superseded(), [], {}),
    ("dpa_missing", [_without_terms()], [], {}),
    ("oversight_overdue", [agreement(data_processing=OVERDUE)], [], {}),
    _below("oversight_overdue", agreement(data_processing=OVERDUE)),
    _below("parent_invalid for suspended", _supplier(events=[("suspend", FROM)])),
    _below("parent_invalid for revoked", _supplier(events=[("revoke", FROM)])),
    _below("subsupplier_not_approved", agreement()),
    _below("subsupplier_not_approved", _supplier(), links=[link(is_approved=False, approved_from=None)]),
    _below("subsupplier_revoked", _supplier(), links=[link(is_withdrawn=True)]),
    _below("location_not_allowed", _supplier(), links=[link(country="US")]),
    _below("wider_than_parent", agreement(grant(operations=["other"]), data_processing=with_sub_processor())),
]
ALL: list[Case] = [*((check, known, [], asked) for check, known, asked in CASES), *MORE]
PERMITTED: list[Case] = [("", [agreement()], [], {}), _below("", _supplier())]


def outcomes() -> list[str]:
    """The outcome of every case: the failing check, or nothing where it is permitted."""
    found = (ask(compile_policy(known, links), **asked) for _, known, links, asked in [*ALL, *PERMITTED])
    return ["" if isinstance(each, Access) else each for each in found]


@contextmanager
def without(check: str) -> Iterator[None]:
    """One check is never made while the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            (rules, "STANDINGS"), (policy, "CHAIN_CHECKS"), (granting, "LINK_CHECKS"), (granting, "GRANT_CHECKS"),
        ):  # fmt: skip
            patch.setattr(owner, name, tuple(each for each in getattr(owner, name) if each[0] != check))
        if check == "wider_than_parent":
            patch.setattr(granting, "_under", lambda line, *_: granting._Passing(line, [line.scope], []))
        yield


def test_every_check_has_a_case_and_every_case_is_as_the_table_says() -> None:
    named = [case[0].split(" for ")[0] for case in [*ALL, *PERMITTED]]
    assert set(named) == {"", *CHECKS} - {"unconfirmed"}
    assert outcomes() == named


@pytest.mark.parametrize("check", sorted(set(CHECKS) - STRUCTURAL))
def test_without_a_check_exactly_its_cases_change(check: str) -> None:
    whole = outcomes()
    with without(check):
        lacking = outcomes()
    changed = {number for number, (a, b) in enumerate(zip(whole, lacking, strict=True)) if a != b}
    decided = {number for number, case in enumerate(ALL) if check in case[0].split(" for ")}
    assert changed == decided
    assert outcomes() == whole


# ---- invariants ------------------------------------------------------------------------------------------------------
def _asked(world: World, seed: int, count: int = 12) -> Iterator[tuple[Any, Any]]:
    chance = Random(seed)
    for _ in range(count):
        yield make_request(chance, world), NOON + timedelta(minutes=chance.randint(-9 * 1440, 40 * 1440))


@thorough
@given(seed=SEEDS)
def test_without_agreements_for_the_module_nothing_is_ever_permitted(seed: int) -> None:
    world = make_world(seed)
    made = world.policy()
    for request, at in _asked(world, seed):
        assert ours(compile_policy([], world.links), request, at) == "no_agreement"
        assert ours(made, request | {"partner": new_id()}, at) == "no_agreement"
        assert ours(made, request | {"module": "unheard-of"}, at) == "no_agreement"


@thorough
@given(seed=SEEDS, data=st.data())
def test_narrowing_a_grant_never_permits_more(seed: int, data: st.DataObject) -> None:
    world = make_world(seed)
    made, place = world.policy(), data.draw(st.integers(0, len(world.papers) - 1))
    paper = world.papers[place]
    grants = [dict(each) for each in paper.plain["grants"]]
    narrowed = grants[data.draw(st.integers(0, len(grants) - 1))]
    part = data.draw(st.sampled_from(["operations", "categories", "keys", "window", "gone"]))
    if part in ("operations", "categories"):
        narrowed[part] = narrowed[part][:1]
    elif part == "gone" and len(grants) > 1:
        grants.remove(narrowed)
    else:
        narrowed |= {"keys": ["k9"]} if part == "keys" else {"window": {"opens": "03:00", "closes": "03:01"}}
    papers = [*world.papers[:place], replace(paper, plain=paper.plain | {"grants": grants}), *world.papers[place + 1 :]]
    narrower = replace(world, papers=papers).policy()
    for request, at in _asked(world, seed):
        if isinstance(ours(narrower, request, at), Access):
            assert isinstance(ours(made, request, at), Access)


@thorough
@given(seed=SEEDS)
def test_a_sub_supplier_never_gets_more_than_its_supplier(seed: int) -> None:
    """What a permit under a parent covers of any row, one of the parent's own grants covers of it at that instant."""
    world = make_world(seed)
    made = world.policy()
    for request, at in _asked(world, seed, 25):
        access = ours(made, request, at)
        if not isinstance(access, Access):
            continue
        for parent in world.above(world.paper(access.agreement_id), at):
            read = made.by_id[_id(parent)].content
            open_now = [each for each in read.grants if granting.is_open(each.window, at)]
            same = [each for each in open_now if (each.service, each.major) == (request["service"], request["major"])]
            same = [each for each in same if request["operation"] in each.operations]
            assert all(_covered(access, row) <= _granted(same, row) for row in ROWS)


def _covered(access: Access, row: dict[str, Any]) -> frozenset[str]:
    """The categories of a row that a permit covers."""
    mine = access.for_row(**row)
    return mine.categories if mine else frozenset()


def _granted(grants: list[Grant], row: dict[str, Any]) -> frozenset[str]:
    """The categories of a row that some of the grants cover."""
    some = [each.categories for each in grants if granting.Line(new_id(), each).scope.reaches(**row)]
    return frozenset().union(*some)


def _id(paper: Any) -> Any:
    return Content.model_validate(paper.plain).id


@thorough
@given(seed=SEEDS)
def test_personal_data_are_never_permitted_beyond_the_data_processing_terms(seed: int) -> None:
    world = make_world(seed)
    made = world.policy()
    for request, at in _asked(world, seed):
        access = ours(made, request, at)
        if isinstance(access, Access):
            assert access.agreement_id is not None
            terms = made.by_id[access.agreement_id].content.data_processing
            assert terms is not None
            assert access.categories - IMPERSONAL <= terms.categories


@thorough
@given(seed=SEEDS, list_seed=SEEDS)
def test_what_is_remembered_is_what_would_be_decided_anew(seed: int, list_seed: int) -> None:
    """Chains, links, versions, hours and the edges of an emergency list, at instants in any order."""
    world, chance = make_world(seed), Random(list_seed)
    emergency = _emergency(world, chance)
    known = [(each.content, each.stored) for each in world.policy().by_id.values()]
    remembering = compile_policy(known, world.links, emergency)
    for _ in range(6):
        request = make_request(chance, world)
        for at in _instants(remembering, chance):
            fresh = ours(compile_policy(known, world.links, emergency), request, at)
            kept = ours(remembering, request, at)
            assert _plain(fresh) == _plain(kept)


def _plain(outcome: Access | str) -> Any:
    return replace(outcome, caller=NOBODY, request_id=None) if isinstance(outcome, Access) else outcome


def _instants(made: Policy, chance: Random) -> list[Any]:
    """Just before, at and after instants at which something changes, and some in between."""
    edges = sorted({each for compiled in made.by_id.values() for each in compiled.changes})
    edges += made.emergency.edges if made.emergency else ()
    near = [chance.choice(edges) + chance.choice((-1, 0, 1)) * timedelta(microseconds=1) for _ in range(4)]
    return near + [NOON + timedelta(minutes=chance.randint(-9 * 1440, 40 * 1440)) for _ in range(3)]


def _emergency(world: World, chance: Random) -> EmergencyList:
    reads = [
        {"agreement": paper.id, "grant": each["id"], "operations": each["operations"], "reason": "Livsvigtigt"}
        for paper in world.papers
        for each in paper.plain["grants"]
        if chance.random() < 0.5
    ]
    begins = NOON + timedelta(minutes=chance.randint(-9 * 1440, 9 * 1440))
    content = {
        "format": "torv-emergency/1", "id": new_id(), "municipality": MUNICIPALITY, "reads": reads,
        "not_before": begins, "not_after": begins + timedelta(days=chance.randint(1, 40)),
    }  # fmt: skip
    return EmergencyList(EmergencyContent.model_validate(content))


def test_a_chain_that_gets_too_long_by_a_new_version_is_noticed_and_forgotten_in_time() -> None:
    """The supplier's new version stands under somebody else: from that minute the chain below has four agreements."""
    terms, links = with_sub_processor(), [link(), link(supplier_id=SUB)]
    top, other = (agreement(data_processing=terms) for _ in range(2))
    middle, beside = (sub_agreement(above, data_processing=terms) for above in (top, other))
    low = sub_agreement(middle, grant(module="deep"), data_processing=terms)
    later = {"not_before": (NOON + MINUTE).isoformat(), "not_after": TO.isoformat(), "notice_months": 1}
    anew = sub_agreement(beside, version=2, supersedes=str(middle[0].id), validity=later, data_processing=terms)
    made = compile_policy([top, other, middle, beside, low, anew], links)
    asked = [ask(made, by=caller(SUB), module="deep", at=NOON + n * MINUTE) for n in (0, 1, 0)]
    assert [isinstance(each, Access) for each in asked] == [True, False, True]
    assert asked[1] == "parent_invalid"


def test_a_revocation_holds_whatever_a_slow_clock_says() -> None:
    revoked = agreement(events=[("revoke", NOON)])
    assert ask(compile_policy([revoked]), at=NOON - timedelta(seconds=60)) == "revoked"


def test_an_approval_counts_for_what_it_was_given_for() -> None:
    """Withdrawn for notes, in force for something else: notes are refused."""
    above = agreement(grant(), grant(service="rota", number=2), data_processing=with_sub_processor())
    below = sub_agreement(above, grant(), grant(service="rota", number=2))
    links = [link(is_withdrawn=True), link(capability="rota")]
    made = compile_policy([above, below], links)
    assert ask(made, by=caller(SUB)) == "subsupplier_revoked"
    assert isinstance(ask(made, replace(NOTES, service="rota"), by=caller(SUB)), Access)


def test_a_sub_supplier_works_for_the_purpose_of_its_supplier() -> None:
    other = {"activity": "betaling", "legal_basis": ["x"], "text": "Betaling"}
    above = agreement(grant(purpose=other), data_processing=with_sub_processor())
    assert ask(compile_policy([above, sub_agreement(above)], [link()]), by=caller(SUB)) == "wider_than_parent"


def test_rows_that_a_supplier_sees_under_another_limit_are_no_way_around_it() -> None:
    terms = with_sub_processor(categories=["organisation.unit"])
    terms["data"] = [{"category": "organisation.unit", "kind": "ordinary"}]
    read: dict[str, Any] = {
        "service": "organisation", "operations": ["read"], "categories": ["organisation.unit"],
    }  # fmt: skip
    free = grant(**read, reach={"kle": ["28"]})
    counted = grant(**read, number=2, reach={"kle": ["27"]}, limits={"calls_per_day": 5})
    above = agreement(free, counted, data_processing=terms)
    demand = Demand(service="organisation", operation="read", category="organisation.unit")
    below = sub_agreement(above, grant(**read))
    for who, known in ((PARTNER, [above]), (SUB, [above, below])):
        access = ask(compile_policy(known, [link(capability="organisation")]), demand, by=caller(who))
        assert isinstance(access, Access)
        assert (access.limits, access.for_row(kle="27.35")) == ((), None)
        assert access.for_row(kle="28.00") is not None


def test_hours_are_whole_minutes() -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        agreement(grant(window={"opens": "08:00:30", "closes": "16:00"}))
