"""Reminders: what somebody ought to do about an agreement, and by when. Pure."""

from collections.abc import Iterator
from datetime import date, datetime

from torv.base.clock import DENMARK
from torv.ecosystem.agreements import rules
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.models import EventKind, Reminder, ReminderKind, State, StoredAgreement

ENDING = (30, 90, 180)  #: days before the end at which somebody must know
OPTION_DAYS = 180  #: an option is heard of so long before it must be decided
OVERSIGHT_DAYS = 30

_LIVING = frozenset({State.WAITING, State.ACTIVE, State.SUSPENDED, State.NOTICE})


def reminders_of(content: Content, stored: StoredAgreement, state: State, now: datetime) -> list[Reminder]:
    """What there is to do, the nearest day first."""
    found = [*_of_state(content, stored, state, now)]
    if state in _LIVING:
        found += [*_of_life(content, stored, state, now)]
    return sorted(found, key=lambda each: (not each.is_urgent, each.by))


def _of_state(content: Content, stored: StoredAgreement, state: State, now: datetime) -> Iterator[Reminder]:
    if state is State.PROPOSED:
        by = _day(content.validity.not_before)
        yield _reminder(ReminderKind.UNSIGNED, by, now, urgent_within=ENDING[0])
    if state is State.EXIT:
        yield _reminder(ReminderKind.HAND_BACK, _day(rules.closed_at(content, stored.events)), now, urgent_within=14)


def _of_life(content: Content, stored: StoredAgreement, state: State, now: datetime) -> Iterator[Reminder]:
    end = _reminder(
        ReminderKind.ENDS, _day(rules.ended_at(content, stored.events)[0]), now, urgent_within=ENDING[0]
    )  # fmt: skip
    if end.days <= ENDING[-1]:
        yield end
    used = sum(event.kind is EventKind.EXTEND for event in stored.events)
    for option in content.validity.options[used : used + 1]:
        decision = _reminder(ReminderKind.OPTION, _day(option.decide_by), now, urgent_within=ENDING[0])
        if state is not State.NOTICE and now <= option.decide_by and decision.days <= OPTION_DAYS:
            yield decision
    due = rules.oversight_due(content, stored.events)
    if due is not None and (due - _day(now)).days <= OVERSIGHT_DAYS:
        yield _reminder(ReminderKind.OVERSIGHT, due, now, urgent_within=-1)


def _reminder(kind: ReminderKind, by: date, now: datetime, *, urgent_within: int) -> Reminder:
    days = (by - _day(now)).days
    return Reminder(kind=kind, by=by, days=days, is_urgent=days <= urgent_within)


def _day(instant: datetime) -> date:
    return instant.astimezone(DENMARK).date()
