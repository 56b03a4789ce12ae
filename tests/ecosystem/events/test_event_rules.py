"""The rules of events, as pure functions: when things are tried again, and when somebody should look."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from torv.base.ids import new_id
from torv.ecosystem.events import rules
from torv.ecosystem.events.models import Alert, Lag, Mode, Reaction, Subscription

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def subscription(**changes: Any) -> Subscription:
    values: dict[str, Any] = {
        "id": new_id(), "key": "notes", "capability": "notes", "unit_id": None, "is_alone": True, "mode": Mode.PUSH,
        "types": ["notes.note.written"], "path": "/torv/events", "cursor": 0, "turn": 1, "secret_number": 1,
        "secret_changed_at": NOON, "failures": 0, "failing_since": None, "retry_at": None, "stopped_by": None,
    }  # fmt: skip
    return Subscription(**values | changes)


def lag(**changes: Any) -> Lag:
    return Lag(**{"events": 0, "since": None, "parked": 0, "dead": 0} | changes)


def test_an_event_is_tried_for_about_a_day_with_growing_pauses() -> None:
    schedule = rules.schedule_at(NOON)
    assert list(schedule.pauses) == sorted(schedule.pauses)
    assert timedelta(hours=22) < schedule.patience < timedelta(hours=26)
    tries = [schedule.next_try(attempt, NOON) for attempt in range(1, len(schedule.pauses) + 2)]
    assert tries[0] == NOON + timedelta(seconds=schedule.pauses[0])
    assert tries[-1] is None
    assert None not in tries[:-1]


def test_a_receiver_that_does_not_answer_is_asked_less_and_less_but_at_least_once_a_minute() -> None:
    schedule = rules.schedule_at(NOON)
    pauses = [(schedule.next_probe(failures, NOON, None) - NOON).total_seconds() for failures in range(1, 20)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (1, 60)
    assert schedule.next_probe(1, NOON, 20) == NOON + timedelta(seconds=20)
    assert schedule.next_probe(1, NOON, 10**9) == NOON + timedelta(seconds=60)  # nobody switches itself off


@pytest.mark.parametrize(
    ("status", "taken", "absent"),
    [
        (200, True, False), (204, True, False), (None, False, True), (503, False, True), (429, False, True),
        (500, False, False), (400, False, False), (301, False, False), (410, False, False), (101, False, False),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int | None, taken: bool, absent: bool) -> None:
    assert (Reaction(status=status).is_taken, Reaction(status=status).is_absent) == (taken, absent)


def test_the_alarm_names_the_most_serious_thing() -> None:
    old, young = NOON - timedelta(seconds=rules.BEHIND + 1), NOON - timedelta(seconds=rules.BEHIND - 1)
    ill = {"stopped_by": "suspended", "failures": 3}
    assert rules.alert_of(subscription(**ill), lag(since=old, dead=1), NOON) is Alert.STOPPED
    assert rules.alert_of(subscription(failures=3), lag(since=old, dead=1), NOON) is Alert.FAILING
    assert rules.alert_of(subscription(), lag(since=old, dead=1), NOON) is Alert.BEHIND
    assert rules.alert_of(subscription(), lag(since=young, dead=1), NOON) is Alert.DEAD_LETTERS
    assert rules.alert_of(subscription(), lag(since=young), NOON) is Alert.OK


def test_the_secret_before_a_rotation_is_good_for_a_day() -> None:
    rotated = subscription(secret_number=3)
    assert rules.secrets_in_force(rotated, NOON + rules.OVERLAP - timedelta(seconds=1)) == [3, 2]
    assert rules.secrets_in_force(rotated, NOON + rules.OVERLAP) == [3]
    assert rules.secrets_in_force(subscription(), NOON) == [1]
