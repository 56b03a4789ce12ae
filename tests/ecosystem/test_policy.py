"""The decision: nothing without a grant, more grants never permit less, and the first failing check is named."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.cast import NORDLYS, content_of, grant_of
from torv.base.access import Access, Caller, CallerKind, Demand
from torv.base.errors import Denied
from torv.base.ids import new_id
from torv.ecosystem.agreements import Policy, State, compile_policy
from torv.ecosystem.agreements.models import Content, StoredAgreement
from torv.ecosystem.agreements.policy import CHECKS
from torv.ecosystem.agreements.rules import state_of

PARTNER, RIVAL = new_id(), new_id()
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FROM, TO = NOON - timedelta(days=1), NOON + timedelta(days=1)
NOTES = Demand(service="notes", operation="write_note", category="notes")


def caller(partner: UUID = PARTNER) -> Caller:
    return Caller(kind=CallerKind.RELEASE, id=new_id(), name="x", partner_id=partner, module_id=new_id())


def agreement(*grants: dict[str, Any], partner: UUID = PARTNER, **changes: Any) -> StoredAgreement:
    content = content_of(NORDLYS, grants=list(grants) or [grant()])
    content["validity"] = {"not_before": FROM.isoformat(), "not_after": TO.isoformat()}
    stored = StoredAgreement(
        id=UUID(content["id"]), partner_id=partner, content=content, hash="", is_signed_by_partner=True,
        is_signed_by_municipality=True, last_event=None,
    )  # fmt: skip
    return replace(stored, **changes)


def grant(
    service: str = "notes", operations: Any = ("write_note",), categories: Any = ("notes",), number: int = 1
) -> Any:
    return grant_of("nordnote", number, (service, tuple(operations), tuple(categories)))


def ask(policy: Policy, demand: Demand = NOTES, *, by: Caller | None = None, at: datetime = NOON) -> Access | str:
    """The permit, or the check that failed."""
    try:
        return policy.decide(by or caller(), "nordnote", demand, at, new_id())
    except Denied as denial:
        return str(denial.facts["check"])


def test_what_is_granted_is_permitted_with_its_grant_and_purpose() -> None:
    stored = agreement()
    access = ask(compile_policy([stored]))
    assert isinstance(access, Access)
    assert (access.agreement_id, access.grant_id, access.categories) == (stored.id, "1-notes", frozenset({"notes"}))
    assert access.purpose == grant()["purpose"]


@pytest.mark.parametrize(
    ("stored", "demand", "check"),
    [
        ([], NOTES, "no_agreement"),
        ([agreement(partner=RIVAL)], NOTES, "no_agreement"),
        ([agreement(is_signed_by_partner=False)], NOTES, "proposed"),
        ([agreement(is_signed_by_municipality=False)], NOTES, "proposed"),
        ([agreement(last_event="suspend")], NOTES, "suspended"),
        ([agreement(last_event="exit")], NOTES, "exit"),
        ([agreement(grant(service="persons"))], NOTES, "service"),
        ([agreement(grant(operations=["list_notes"]))], NOTES, "operation"),
        ([agreement(grant(categories=["calendar"]))], NOTES, "category"),
        ([agreement(), agreement(last_event="suspend")], replace(NOTES, operation="other"), "operation"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_the_first_failing_check_of_what_came_furthest_is_named(
    stored: list[StoredAgreement], demand: Demand, check: str
) -> None:
    assert ask(compile_policy(stored), demand) == check


def test_a_refusal_says_in_danish_what_is_wrong_and_who_can_mend_it() -> None:
    with pytest.raises(Denied) as refusal:
        compile_policy([]).decide(caller(), "nordnote", NOTES, NOON, new_id())
    assert refusal.value.message("da") == (
        "Det er der ikke givet tilladelse til: der er ingen aftale for modulet. Den kontraktansvarlige kan rette det."
    )
    assert all(all(each) for each in CHECKS.values())


def test_an_agreement_in_exit_permits_export_and_nothing_else() -> None:
    policy = compile_policy([agreement(grant(operations=["write_note", "export"]), last_event="exit")])
    assert isinstance(ask(policy, replace(NOTES, operation="export")), Access)
    assert ask(policy) == "exit"


def test_the_grant_of_one_module_is_not_that_of_another() -> None:
    other = grant_of("another", 1, ("notes", ("write_note",), ("notes",)))
    assert ask(compile_policy([agreement(other)])) == "no_agreement"


# ---- the state -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("at", "event", "state"),
    [
        (FROM - timedelta(microseconds=1), None, State.WAITING),
        (FROM, None, State.ACTIVE),
        (TO - timedelta(microseconds=1), None, State.ACTIVE),
        (TO, None, State.EXPIRED),  # exactly at not_after it is over
        (NOON, "suspend", State.SUSPENDED),
        (NOON, "resume", State.ACTIVE),
        (TO, "suspend", State.EXPIRED),
        (NOON, "exit", State.EXIT),
        (TO, "exit", State.EXIT),  # the data may be handed out after the end too
    ],
)
def test_the_state_follows_from_clock_and_events(at: datetime, event: str | None, state: State) -> None:
    stored = agreement(last_event=event)
    assert state_of(stored, Content.model_validate(stored.content), at) is state


@pytest.mark.parametrize("event", [None, "suspend", "resume", "exit"])
def test_nothing_can_happen_to_what_is_not_signed_by_all(event: str | None) -> None:
    stored = agreement(last_event=event, is_signed_by_municipality=False)
    assert state_of(stored, Content.model_validate(stored.content), NOON) is State.PROPOSED


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


def numbered(grants: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**each, "id": f"g{number}"} for number, each in enumerate(grants)]


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
    assert ask(policy, demand, by=replace(caller(), partner_id=None)) == "no_agreement"
