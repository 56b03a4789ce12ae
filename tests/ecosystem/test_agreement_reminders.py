"""What there is to do about an agreement: on the right day, not before, and no longer than it matters. Pure."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.ecosystem.paper import ALL_SIGNED, FROM, NOON, TO, agreement, content
from torv.ecosystem.agreements import Reminder, ReminderKind, State
from torv.ecosystem.agreements.reminders import reminders_of
from torv.ecosystem.agreements.rules import standing_of

DAY = timedelta(days=1)


def reminders(at: datetime, **values: Any) -> dict[ReminderKind, Reminder]:
    """By kind, of an agreement that runs from the day before NOON for a hundred days."""
    read, stored = agreement(**values)
    found = reminders_of(read, stored, standing_of(read, stored, at).state, at)
    assert len({each.kind for each in found}) == len(found)
    return {each.kind: each for each in found}


def with_oversight(due: datetime) -> dict[str, Any]:
    terms: dict[str, Any] = content()["data_processing"]
    return terms | {"oversight": terms["oversight"] | {"next_due": due.date().isoformat()}}


@pytest.mark.parametrize(("days", "is_said", "is_urgent"), [(181, False, False), (180, True, False), (31, True, False),
                                                            (30, True, True), (1, True, True)])  # fmt: skip
def test_the_end_is_told_half_a_year_before_and_urgent_in_the_last_month(
    days: int, is_said: bool, is_urgent: bool
) -> None:
    ends = NOON + days * DAY
    validity = {"not_before": FROM.isoformat(), "not_after": ends.isoformat(), "notice_months": 1}
    found = reminders(NOON, validity=validity)
    assert (ReminderKind.ENDS in found) == is_said
    if is_said:
        assert (found[ReminderKind.ENDS].days, found[ReminderKind.ENDS].is_urgent) == (days, is_urgent)


def test_an_option_is_told_until_it_is_used_or_lapsed() -> None:
    option = {"extend_months": 12, "decide_by": (NOON + 50 * DAY).isoformat()}
    values = {"not_before": FROM.isoformat(), "not_after": TO.isoformat(), "notice_months": 1, "options": [option]}
    assert reminders(NOON, validity=values)[ReminderKind.OPTION].days == 50
    assert ReminderKind.OPTION not in reminders(NOON + 51 * DAY, validity=values)
    assert ReminderKind.OPTION not in reminders(NOON, validity=values, events=[("extend", NOON - DAY)])
    assert ReminderKind.OPTION not in reminders(NOON, validity=values, events=[("notice", NOON - DAY)])


@pytest.mark.parametrize(("days", "is_urgent"), [(30, False), (0, False), (-1, True)])
def test_oversight_is_urgent_from_the_day_after_it_was_due(days: int, is_urgent: bool) -> None:
    found = reminders(NOON, data_processing=with_oversight(NOON + days * DAY))
    assert (found[ReminderKind.OVERSIGHT].days, found[ReminderKind.OVERSIGHT].is_urgent) == (days, is_urgent)


def test_oversight_that_was_carried_out_or_is_far_off_is_not_told() -> None:
    assert ReminderKind.OVERSIGHT not in reminders(NOON, data_processing=with_oversight(NOON + 31 * DAY))
    overdue, done = with_oversight(NOON - DAY), [("oversight", NOON - timedelta(hours=1))]
    assert ReminderKind.OVERSIGHT not in reminders(NOON, data_processing=overdue, events=done)


def test_what_is_not_signed_is_told_and_nothing_else() -> None:
    assert set(reminders(NOON, signed_by=ALL_SIGNED[:1])) == {ReminderKind.UNSIGNED}


def test_what_has_ended_is_about_handing_back_only() -> None:
    found = reminders(TO + DAY)
    assert set(found) == {ReminderKind.HAND_BACK}
    assert found[ReminderKind.HAND_BACK].by == (TO + 60 * DAY).date()


@pytest.mark.parametrize("state", [State.REJECTED, State.CLOSED, State.SUPERSEDED])
def test_what_is_over_asks_for_nothing(state: State) -> None:
    read, stored = agreement()
    assert reminders_of(read, stored, state, NOON) == []


def test_the_urgent_comes_first_and_then_the_nearest() -> None:
    read, stored = agreement(data_processing=with_oversight(NOON - DAY))
    found = reminders_of(read, stored, State.ACTIVE, NOON)
    assert [each.kind for each in found] == [ReminderKind.OVERSIGHT, ReminderKind.ENDS]
