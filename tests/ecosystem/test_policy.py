"""The decision: nothing without a grant, more grants never permit less, and the first failing check is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.cast import MUNICIPALITY, NORDLYS
from tests.ecosystem.paper import (
    FROM,
    NOON,
    NOTES,
    RIVAL,
    SUB,
    TO,
    agreement,
    ask,
    caller,
    grant,
    link,
    numbered,
    sub_agreement,
    with_sub_processor,
)
from torv.base.access import Access, Demand, Limit
from torv.base.errors import Denied
from torv.base.ids import new_id
from torv.ecosystem.agreements import State, compile_policy
from torv.ecosystem.agreements.checks import CHECKS
from torv.ecosystem.agreements.rules import standing_of
from torv.ecosystem.agreements.storing import Known

MINUTE = timedelta(minutes=1)


def test_what_is_granted_is_permitted_with_its_grant_and_purpose() -> None:
    known = agreement()
    access = ask(compile_policy([known]))
    assert isinstance(access, Access)
    assert (access.agreement_id, access.grant_id, access.categories) == (known[0].id, "1-notes", frozenset({"notes"}))
    assert access.purpose == grant()["purpose"]["text"]
    assert (access.row_filter, access.limits, access.is_emergency) == (None, (), False)


# ---- each check ------------------------------------------------------------------------------------------------------
LAPSED = "2026-03-01"
OVERSIGHT = {"kind": "written", "interval_months": 12, "next_due": "2026-03-01", "on_overdue": "deny"}
CASES: list[tuple[str, list[Known], dict[str, Any]]] = [
    ("no_agreement", [], {}),
    ("no_agreement", [agreement(partner=RIVAL)], {}),
    ("no_agreement", [agreement(grant(module="another"))], {}),
    ("proposed", [agreement(signed_by=[MUNICIPALITY])], {}),
    ("proposed", [agreement(signed_by=[NORDLYS.cvr])], {}),
    ("rejected", [agreement(signed_by=[MUNICIPALITY], events=[("reject", NOON)])], {}),
    ("waiting", [agreement()], {"at": FROM - MINUTE}),
    ("suspended", [agreement(events=[("suspend", FROM)])], {}),
    ("suspended", [agreement(events=[("suspend", FROM), ("resume", FROM), ("suspend", FROM)])], {}),
    ("expired", [agreement()], {"at": TO}),
    ("ended", [agreement(events=[("notice", FROM)])], {"at": NOON + timedelta(days=31)}),
    ("revoked", [agreement(events=[("revoke", FROM)])], {}),
    ("exit", [agreement(events=[("exit", FROM)])], {}),
    ("closed", [agreement(events=[("exit", FROM), ("close", FROM)])], {}),
    ("closed", [agreement()], {"at": TO + timedelta(days=61)}),
    ("service", [agreement(grant(service="persons"))], {}),
    ("version", [agreement(grant(major=2))], {}),
    ("operation", [agreement(grant(operations=["list_notes"]))], {}),
    ("category", [agreement(grant(categories=["calendar"]))], {}),
    ("purpose", [agreement()], {"by": caller(purpose="noget-andet")}),
    ("purpose", [agreement()], {"by": caller(purpose="hjaelp-og-stoette, noget-andet")}),
    ("key_mismatch", [agreement(grant(keys=["k1"]))], {"by": caller(key="k2")}),
    ("time_window", [agreement(grant(window={"weekdays": [6, 7]}))], {}),
    ("reach", [agreement(grant(reach={"kle": ["27"]}))], {}),
    ("operation", [agreement(), agreement(events=[("suspend", FROM)])], {"demand": replace(NOTES, operation="other")}),
]


@pytest.mark.parametrize(("check", "known", "asked"), CASES, ids=lambda each: each if isinstance(each, str) else "")
def test_the_first_failing_check_of_what_came_furthest_is_named(
    check: str, known: list[Known], asked: dict[str, Any]
) -> None:
    assert ask(compile_policy(known), **asked) == check


def test_overdue_oversight_denies_where_the_agreement_says_so() -> None:
    terms = with_sub_processor() | {"oversight": OVERSIGHT}
    known = agreement(data_processing=terms)
    assert isinstance(ask(compile_policy([known]), at=FROM.replace(hour=8)), str)  # before it begins
    assert ask(compile_policy([known])) == "oversight_overdue"
    seen_to = agreement(data_processing=terms, events=[("oversight", FROM)])
    assert isinstance(ask(compile_policy([seen_to])), Access)
    warned = agreement(data_processing=terms | {"oversight": OVERSIGHT | {"on_overdue": "warn"}})
    assert isinstance(ask(compile_policy([warned])), Access)


def test_a_refusal_says_in_danish_what_is_wrong_and_who_can_mend_it() -> None:
    with pytest.raises(Denied) as refusal:
        compile_policy([]).decide(caller(), "nordnote", NOTES, NOON, new_id())
    assert refusal.value.message("da") == (
        "Det er der ikke givet tilladelse til: der er ingen aftale for modulet. Den kontraktansvarlige kan rette det."
    )
    assert all(all(each) for each in CHECKS.values())


def test_an_agreement_in_exit_permits_export_and_nothing_else() -> None:
    granted = grant(operations=["write_note", "export"])
    for event in ("exit", "revoke"):
        policy = compile_policy([agreement(granted, events=[(event, FROM)])])
        assert isinstance(ask(policy, replace(NOTES, operation="export")), Access)
        assert isinstance(ask(policy), str)
    expired = compile_policy([agreement(granted)])
    assert isinstance(ask(expired, replace(NOTES, operation="export"), at=TO), Access)
    assert ask(expired, replace(NOTES, operation="export"), at=TO + timedelta(days=61)) == "closed"


# ---- sub-suppliers ---------------------------------------------------------------------------------------------------
def _below(
    *grants: dict[str, Any], above: Known | None = None, links: tuple[Any, ...] | None = None, **changes: Any
) -> Access | str:
    parent = above or agreement(data_processing=with_sub_processor())
    below = sub_agreement(parent, *grants, **changes)
    policy = compile_policy([parent, below], (link(),) if links is None else links)
    return ask(policy, by=caller(SUB))


def test_a_sub_supplier_may_what_the_supplier_may() -> None:
    access = _below()
    assert isinstance(access, Access)
    assert access.categories == {"notes"}


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        ("parent_invalid", {"above": agreement(data_processing=with_sub_processor(), events=[("suspend", FROM)])}),
        ("parent_invalid", {"above": agreement(data_processing=with_sub_processor(), events=[("revoke", FROM)])}),
        ("subsupplier_not_approved", {"above": agreement()}),
        (
            "subsupplier_not_approved",
            {"above": agreement(data_processing=with_sub_processor(approved_to="2026-03-01"))},
        ),
        ("subsupplier_not_approved", {"above": agreement(data_processing=with_sub_processor(categories=["person"]))}),
        ("subsupplier_not_approved", {"links": ()}),
        ("subsupplier_not_approved", {"links": (link(is_approved=False, approved_from=None),)}),
        ("subsupplier_not_approved", {"links": (link(approved_from=TO.date()),)}),
        ("subsupplier_revoked", {"links": (link(is_withdrawn=True),)}),
        ("location_not_allowed", {"links": (link(country="US"),)}),
        ("proposed", {"signed_by": [MUNICIPALITY, "43195026"]}),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_stops_a_sub_supplier(check: str, changes: dict[str, Any]) -> None:
    assert _below(**changes) == check


@pytest.mark.parametrize(
    "wider",
    [
        grant(operations=["write_note", "other"]),
        grant(categories=["notes", "person"]),
        grant(service="persons"),
        grant(major=1, window={}),
    ],
    ids=["operation", "category", "service", "window"],
)
def test_a_sub_supplier_never_may_more_than_the_supplier(wider: dict[str, Any]) -> None:
    narrow = agreement(
        grant(window={"weekdays": [1], "opens": "08:00", "closes": "09:00"}), data_processing=with_sub_processor()
    )
    below = sub_agreement(narrow, wider)
    policy = compile_policy([narrow, below], (link(), link(capability="persons")))
    demand = Demand(service=wider["service"], operation=wider["operations"][-1], category=wider["categories"][-1])
    assert ask(policy, demand, by=caller(SUB)) == "wider_than_parent"


def test_units_and_kle_of_both_agreements_count_and_so_do_both_limits() -> None:
    east, west = new_id(), new_id()
    read: Any = {"service": "organisation", "operations": ["read"], "categories": ["organisation.unit"]}
    terms = with_sub_processor(categories=["organisation.unit"])
    terms["data"] = [{"category": "organisation.unit", "kind": "ordinary"}]
    above = agreement(
        grant(**read, reach={"units": [str(east)], "kle": ["27"]}, limits={"calls_per_day": 9}), data_processing=terms
    )
    below = sub_agreement(
        above, grant(**read, reach={"units": [str(west)], "kle": ["27.35", "28"]}, limits={"calls_per_day": 5})
    )
    demand = Demand(service="organisation", operation="read", category="organisation.unit")
    access = ask(compile_policy([above, below], (link(capability="organisation"),)), demand, by=caller(SUB))
    assert isinstance(access, Access)
    assert access.for_row(above=[east], kle="27.35.02") is None
    assert access.for_row(above=[east, west], kle="28.00") is None
    assert access.for_row(above=[east, west], kle="27.35.02") is not None
    assert {limit.amount for limit in access.limits} == {5, 9}


def test_a_chain_of_more_than_three_is_none() -> None:
    terms = with_sub_processor()
    first = agreement(data_processing=terms)
    chain = [first]
    for _ in range(3):
        chain.append(sub_agreement(chain[-1], data_processing=terms, partner=SUB))
    links = (link(), link(supplier_id=SUB))
    assert isinstance(ask(compile_policy(chain[:3], links), by=caller(SUB)), Access)
    assert ask(compile_policy([*chain[:1], chain[3], *chain[1:3]], links), by=caller(SUB)) != "no_agreement"
    assert ask(compile_policy([first, chain[3]], links), by=caller(SUB)) == "parent_invalid"


# ---- versions --------------------------------------------------------------------------------------------------------
def _two_versions(**changes: Any) -> list[Known]:
    first = agreement(grant(operations=["write_note", "old"]))
    return [first, agreement(version=2, supersedes=str(first[0].id), **changes)]


def test_a_new_version_takes_over_when_it_comes_into_force_and_not_before() -> None:
    later = {"not_before": (NOON + MINUTE).isoformat(), "not_after": TO.isoformat(), "notice_months": 1}
    policy = compile_policy(_two_versions(validity=later))
    old = replace(NOTES, operation="old")
    assert isinstance(ask(policy, old), Access)
    assert ask(policy, old, at=NOON + MINUTE) == "operation"
    assert isinstance(ask(policy, at=NOON + MINUTE), Access)


@pytest.mark.parametrize("events", [[("suspend", FROM)], [("revoke", FROM)]])
def test_what_happens_to_the_new_version_never_brings_the_old_one_back(events: Any) -> None:
    outcome = ask(compile_policy(_two_versions(events=events)), replace(NOTES, operation="old"))
    assert outcome in ("suspended", "revoked", "superseded")


def test_a_version_that_was_rejected_or_not_signed_replaces_nothing() -> None:
    for changes in ({"events": [("reject", FROM)]}, {"signed_by": [MUNICIPALITY]}):
        assert isinstance(ask(compile_policy(_two_versions(**changes)), replace(NOTES, operation="old")), Access)


# ---- windows and limits ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("window", "at", "is_open"),
    [
        ({"opens": "08:00", "closes": "16:00"}, "2026-03-02T06:59:59+00:00", False),
        ({"opens": "08:00", "closes": "16:00"}, "2026-03-02T07:00:00+00:00", True),
        ({"opens": "08:00", "closes": "16:00"}, "2026-03-02T15:00:00+00:00", False),
        ({"opens": "08:00", "closes": "16:00"}, "2026-04-01T06:00:00+00:00", True),  # summer time
        ({"opens": "22:00", "closes": "06:00", "weekdays": [1]}, "2026-03-03T03:00:00+00:00", True),  # Monday's night
        ({"opens": "22:00", "closes": "06:00", "weekdays": [1]}, "2026-03-02T03:00:00+00:00", False),
        ({"opens": "02:30", "closes": "03:30"}, "2026-03-29T01:15:00+00:00", True),  # the hour that summer time skips
        ({"not_after": NOON.isoformat()}, NOON.isoformat(), False),
        ({"not_before": NOON.isoformat()}, NOON.isoformat(), True),
    ],
)
def test_a_grant_holds_at_its_hours_by_denmarks_clocks(window: dict[str, Any], at: str, is_open: bool) -> None:
    policy = compile_policy([agreement(grant(window=window))])
    assert (ask(policy, at=datetime.fromisoformat(at)) == "time_window") is not is_open


def test_limits_travel_with_the_permit() -> None:
    known = agreement(grant(limits={"calls_per_second": 3, "person_views_per_day": 50}))
    access = ask(compile_policy([known]))
    assert isinstance(access, Access)
    key = f"{known[0].id}/1-notes"
    assert access.limits == (
        Limit(key=key, kind="calls", amount=3, seconds=1), Limit(key=key, kind="persons", amount=50, seconds=86_400),
    )  # fmt: skip


# ---- the state -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("at", "events", "state"),
    [
        (FROM - timedelta(microseconds=1), [], State.WAITING),
        (FROM, [], State.ACTIVE),
        (TO - timedelta(microseconds=1), [], State.ACTIVE),
        (TO, [], State.EXIT),  # exactly at not_after it is over
        (NOON, ["suspend"], State.SUSPENDED),
        (NOON, ["suspend", "resume"], State.ACTIVE),
        (TO, ["suspend"], State.EXIT),
        (NOON, ["notice"], State.NOTICE),
        (NOON, ["notice", "suspend"], State.SUSPENDED),
        (NOON, ["exit"], State.EXIT),
        (NOON + timedelta(days=59), ["exit"], State.EXIT),  # the data may be handed back for sixty days
        (NOON + timedelta(days=60), ["exit"], State.CLOSED),
        (NOON, ["exit", "close"], State.CLOSED),
    ],
)
def test_the_state_follows_from_clock_and_events(at: datetime, events: list[str], state: State) -> None:
    content, stored = agreement(events=[(kind, NOON - MINUTE) for kind in events])
    assert standing_of(content, stored, at).state is state


def test_options_extend_and_notice_respects_what_is_irrevocable() -> None:
    validity = {
        "not_before": FROM.isoformat(), "not_after": TO.isoformat(), "notice_months": 1,
        "irrevocable_to": (NOON + timedelta(days=90)).isoformat(),
        "options": [{"extend_months": 12, "decide_by": (TO - timedelta(days=10)).isoformat()}],
    }  # fmt: skip
    extended = agreement(validity=validity, events=[("extend", FROM)])
    assert standing_of(*extended, TO + timedelta(days=300)).state is State.ACTIVE
    noticed = agreement(validity=validity, events=[("notice", NOON)])
    assert standing_of(*noticed, NOON + timedelta(days=89)).state is State.NOTICE
    assert standing_of(*noticed, NOON + timedelta(days=90)).state is State.EXIT


def test_notice_from_the_31st_ends_on_the_last_day_of_the_month() -> None:
    given_at = datetime(2027, 1, 31, 11, 0, tzinfo=UTC)
    validity = {"not_before": FROM.isoformat(), "not_after": "2030-01-01T00:00:00+01:00", "notice_months": 1}
    noticed = agreement(validity=validity, events=[("notice", given_at)])
    end = datetime(2027, 2, 28, 11, 0, tzinfo=UTC)
    assert standing_of(*noticed, end - MINUTE).state is State.NOTICE
    assert standing_of(*noticed, end).state is State.EXIT


# ---- invariants ------------------------------------------------------------------------------------------------------
SERVICES, OPERATIONS, CATEGORIES = ("notes", "persons"), ("read", "write", "export"), ("notes", "person", "person.cpr")
some = st.builds(
    grant, service=st.sampled_from(SERVICES), operations=st.sets(st.sampled_from(OPERATIONS), min_size=1),
    categories=st.sets(st.sampled_from(CATEGORIES), min_size=1),
)  # fmt: skip
demands = st.builds(
    Demand, service=st.sampled_from(SERVICES), operation=st.sampled_from(OPERATIONS),
    category=st.sampled_from((*CATEGORIES, None)),
)  # fmt: skip


def is_granted(grants: list[dict[str, Any]], demand: Demand) -> bool:
    """The oracle: some one grant names the service, the operation and the category."""
    return any(
        each["service"] == demand.service
        and demand.operation in each["operations"]
        and (demand.category is None or demand.category in each["categories"])
        for each in grants
    )


@given(grants=st.lists(some, min_size=1, max_size=4), demand=demands)
def test_permitted_is_exactly_what_some_grant_says(grants: list[dict[str, Any]], demand: Demand) -> None:
    access = ask(compile_policy([agreement(*numbered(grants))]), demand)
    assert isinstance(access, Access) is is_granted(grants, demand)


@given(grants=st.lists(some, min_size=1, max_size=3), extra=some, demand=demands)
def test_adding_a_grant_never_takes_a_permit_away(
    grants: list[dict[str, Any]], extra: dict[str, Any], demand: Demand
) -> None:
    assume(isinstance(ask(compile_policy([agreement(*numbered(grants))]), demand), Access))
    assert isinstance(ask(compile_policy([agreement(*numbered([*grants, extra]))]), demand), Access)
    assert isinstance(ask(compile_policy([agreement(*numbered(grants)), agreement(extra)]), demand), Access)


@given(grants=st.lists(some, min_size=1, max_size=3), demand=demands)
def test_grants_of_others_help_nobody(grants: list[dict[str, Any]], demand: Demand) -> None:
    policy = compile_policy([agreement(*numbered(grants), partner=RIVAL)])
    assert ask(policy, demand) == "no_agreement"
    assert ask(policy, demand, by=caller(None)) == "no_agreement"


@given(
    minutes=st.lists(st.integers(-3_000, 220_000), min_size=2, max_size=12),
    events=st.lists(
        st.tuples(st.sampled_from(["suspend", "resume", "notice", "extend", "exit"]), st.integers(0, 2_000))
    ),
    hours=st.booleans(),
)
def test_what_is_remembered_is_what_would_be_decided(
    minutes: list[int], events: list[tuple[str, int]], hours: bool
) -> None:
    window = {"opens": "08:00", "closes": "16:00", "weekdays": [1, 2, 3]} if hours else {}
    happened = [(kind, FROM + offset * MINUTE) for kind, offset in sorted(events, key=lambda each: each[1])]
    known = agreement(grant(operations=["write_note", "export"], window=window), events=happened)
    remembering = compile_policy([known])
    for minute in minutes:
        at = FROM + minute * MINUTE
        fresh, kept = ask(compile_policy([known]), at=at), ask(remembering, at=at)
        assert isinstance(fresh, Access) == isinstance(kept, Access)
        assert fresh == kept or isinstance(fresh, Access)
