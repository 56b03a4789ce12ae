"""Rules of service levels: whose doing an outcome is, which minutes count, and how numbers are rounded. Pure.

The rules with their reasons stand in docs/reference/service-levels.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from fractions import Fraction
from uuid import UUID

from torv.base.clock import DENMARK
from torv.ecosystem.agreements import CHECKS, Content, InForce, ServiceHours, ServiceLevel
from torv.ecosystem.service_levels.models import MINUTE, Bound, Minute, Month, Notice, NoticeKind

FORMAT = "torv-service-levels/1"  #: also names these rules: statements by other rules have another format
FEWEST_FAILED = 2  #: calls in a row that make an outage


class Verdict(StrEnum):
    """Whose doing the outcome of a call is. Only the first two count; the others are shown."""

    ANSWERED = "answered"
    FAILED = "failed"  #: by the module
    CALLER = "caller"  #: the caller asked for what cannot be
    AGREEMENT = "agreement"  #: an agreement did not permit it, or was suspended
    MOVE = "move"  #: held too long, or cut, by a move
    MUNICIPALITY = "municipality"  #: nobody was bound, or nobody who provides what was asked
    PLATFORM = "platform"  #: Torv itself could not
    UNKNOWN = "unknown"  #: it began, and the log has no outcome: Torv died before it could say
    OTHER = "other"  #: an outcome these rules do not know: it is not held against the supplier, and shown


#: statuses that say the caller was wrong; the gateway has already checked who it is and that the operation exists, so
#: a module that answers 401, 403 or 405 is wrong itself, and so is one that has too much to do (429)
CALLERS = frozenset({400, 404, 406, 409, 410, 412, 413, 415, 422, 428})
CUT = "cut:"  #: before what cut an answer that had begun; it counts beside the answer's beginning
_ANSWERS = frozenset({"permitted", "emergency"})
_RESULTS: dict[str, Verdict] = {
    **dict.fromkeys(
        ("module_unavailable", "module_timeout", "module_answer_invalid", "module_resting", "module_busy"),
        Verdict.FAILED,
    ),
    **dict.fromkeys(("too_many_calls", "request_too_slow", "call_loop", "caller_gone"), Verdict.CALLER),
    **dict.fromkeys(
        ("outcome_unknown", "move_in_progress", "move_under_way", "binding_moved", "page_moved"), Verdict.MOVE
    ),
    **dict.fromkeys(("denied", "quota_exceeded", *CHECKS), Verdict.AGREEMENT),
    "no_outcome": Verdict.UNKNOWN,
    **dict.fromkeys(("capability_not_bound", "major_not_provided", "operation_not_provided"), Verdict.MUNICIPALITY),
    **dict.fromkeys(
        ("state_unconfirmed", "unconfirmed", "trail_unavailable", "database_unavailable", "overloaded", "busy",
         "internal_error", "clock_set_back", "constraint_broken"),
        Verdict.PLATFORM,
    ),
}  # fmt: skip


def verdict_of(row: Minute) -> Verdict:
    """Whose doing it is. What was refused before it was carried, and is none of the known causes, is the caller's."""
    if row.result in _ANSWERS and not row.is_refusal:
        return _of_status(row.status)
    return _RESULTS.get(row.result.removeprefix(CUT), Verdict.CALLER if row.is_refusal else Verdict.OTHER)


def _of_status(status: int | None) -> Verdict:
    if status is None:
        return Verdict.OTHER
    if status < 400:
        return Verdict.ANSWERED
    return Verdict.CALLER if status in CALLERS else Verdict.FAILED


def code_of(row: Minute) -> str:
    """What stands beside a count: the module's status, or the log's result."""
    return row.result if row.status is None else str(row.status)


# ---- minutes: whole numbers from the beginning of the month ----------------------------------------------------------
def number_of(month: Month, instant: datetime) -> int:
    """The minute an instant lies in."""
    return (instant - month.begins) // MINUTE


def minutes_from(month: Month, begins: datetime, ends: datetime) -> range:
    """The minutes of the month whose first instant lies in a span."""
    first = max(0, _ceiling(month, begins))
    return range(first, max(first, min(month.minutes, _ceiling(month, ends))))


def _ceiling(month: Month, instant: datetime) -> int:
    """The first minute that begins at an instant or after it."""
    return -((month.begins - instant) // MINUTE)


def open_minutes(month: Month, hours: ServiceHours) -> frozenset[int]:
    """The minutes in which Denmark's clocks show a time within the hours: the hour that comes twice counts twice."""
    if hours.weekdays is None and hours.opens is None:
        return frozenset(range(month.minutes))
    found: list[int] = []
    for hour in range(0, month.minutes, 60):
        here = (month.begins + hour * MINUTE).astimezone(DENMARK)
        begins = here.hour * 60
        found += [hour + each for each in range(60) if _is_open(hours, here.isoweekday(), begins + each)]
    return frozenset(found)


def _is_open(hours: ServiceHours, day: int, minute: int) -> bool:
    if hours.opens is not None and hours.closes is not None:
        opens, closes = (each.hour * 60 + each.minute for each in (hours.opens, hours.closes))
        is_after = minute >= opens
        if not (is_after and minute < closes if opens < closes else is_after or minute < closes):
            return False
        if opens > closes and not is_after:
            day = (day - 2) % 7 + 1  # past midnight it is still yesterday's
    return hours.weekdays is None or day in hours.weekdays


def minutes_by_unit(
    month: Month, agreement: InForce, service: str, bindings: Iterable[Bound], until: datetime
) -> dict[UUID | None, frozenset[int]]:
    """The minutes in which the agreement's partner was to provide a service: in force, not suspended, and bound.

    For each binding by its unit; None: that of the whole municipality.
    """
    bound: dict[UUID | None, list[Bound]] = {}
    for each in bindings:
        if each.service == service:
            bound.setdefault(each.unit_id, []).append(each)
    return {unit: _held_minutes(month, agreement, changes, until) for unit, changes in bound.items()}


def as_stamped(month: Month, bindings: Iterable[Bound]) -> list[Bound]:
    """The bindings for calls that name one of a unit, and thereby show that it was there.

    In the minute in which the unit got it, it is therefore that of the release it began with, which was bound above;
    and after its end that of its last one, which is bound above.
    """
    begun, found = set[tuple[str, UUID]](), list[Bound]()
    for each in bindings:
        if each.unit_id is not None and (each.service, each.unit_id) not in begun:
            begun.add((each.service, each.unit_id))
            found.append(replace(each, at=month.begins + number_of(month, each.at) * MINUTE))
        elif each.module is not None:
            found.append(each)
    return found


def _held_minutes(month: Month, agreement: InForce, bindings: Sequence[Bound], until: datetime) -> frozenset[int]:
    """The minutes of one binding, whose every change is given in order."""
    if agreement.begins is None:
        return frozenset()
    modules, minutes = providing_modules(agreement.content, bindings[0].service), set[int]()
    for place, each in enumerate(bindings):
        ends = bindings[place + 1].at if place + 1 < len(bindings) else until
        if each.partner_id == agreement.partner_id and each.module in modules:
            span = max(each.at, agreement.begins), min(ends, agreement.ends, until)
            minutes.update(minutes_from(month, *span))
    for since, to in agreement.pauses:
        minutes.difference_update(minutes_from(month, since, to or until))
    return frozenset(minutes)


def providing_modules(content: Content, service: str) -> frozenset[str]:
    """The modules that an agreement lets provide a service."""
    return frozenset(g.module for g in content.grants if g.service == service and "provide" in g.operations)


def own_fault_minutes(month: Month, notices: Iterable[Notice], service: str) -> frozenset[int]:
    """The minutes that the municipality takes upon itself; begun minutes count whole."""
    spans = (each for each in notices if each.kind == NoticeKind.OWN_FAULT and each.service == service)
    return frozenset(number for each in spans for number in _begun_minutes(month, each))


def maintenance_minutes(
    month: Month, notices: Iterable[Notice], level: ServiceLevel, window: frozenset[int]
) -> frozenset[int]:
    """The minutes of the window with work that was announced in time, up to as many as are agreed; the first ones."""
    if level.maintenance is None:
        return frozenset()
    ahead = timedelta(hours=level.maintenance.announce_hours)
    planned = {
        number
        for each in notices
        if each.kind == NoticeKind.MAINTENANCE
        and each.service == level.service
        and each.announced_at + ahead <= each.begins
        for number in _begun_minutes(month, each)
    }
    return frozenset(sorted(planned & window)[: level.maintenance.most_minutes])


def _begun_minutes(month: Month, notice: Notice) -> range:
    first = max(0, number_of(month, notice.begins))
    return range(first, max(first, min(month.minutes, _ceiling(month, notice.ends))))


# ---- availability ----------------------------------------------------------------------------------------------------
def down_minutes(window: frozenset[int], counted: dict[int, tuple[int, int]]) -> list[int]:
    """The minutes of the window in which the service was down, ascending; `counted` has answered and failed by minute.

    An outage begins with a minute in which at least half of the calls failed, and lasts until the last such minute
    before one in which they did not; minutes without calls in between belong to it. One failed call is no outage.
    """
    down: list[int] = []
    outage: list[int] = []  # its minutes with calls, while it lasts
    for number in sorted(set(counted) & window):
        answered, failed = counted[number]
        if failed > 0 and failed >= answered:
            outage.append(number)
        elif outage:
            down += _minutes_down(outage, counted, window)
            outage = []
    return down + (_minutes_down(outage, counted, window) if outage else [])


def _minutes_down(outage: list[int], counted: dict[int, tuple[int, int]], window: frozenset[int]) -> list[int]:
    if sum(counted[number][1] for number in outage) < FEWEST_FAILED:
        return []
    return [number for number in range(outage[0], outage[-1] + 1) if number in window]


def longest_run(window: frozenset[int], down: Iterable[int]) -> int:
    """The longest outage, in minutes of the window: time outside it neither ends an outage nor adds to it."""
    out, longest, run = set(down), 0, 0
    if not out:
        return 0
    for number in sorted(window):
        run = run + 1 if number in out else 0
        longest = max(longest, run)
    return longest


# ---- numbers ---------------------------------------------------------------------------------------------------------
def nearest_rank(ordered: Sequence[int], of: int, percentile: int) -> int | None:
    """The smallest value that at least so many per cent of `of` calls do not exceed; None if they never answered.

    The nearest-rank method: exact, without interpolation. Calls without an answer are slower than all others.
    """
    rank = -(-percentile * of // 100)
    return ordered[rank - 1] if 0 < rank <= len(ordered) else None


def decimal_down(value: Fraction, digits: int = 3) -> str:
    """A value cut off after some digits, downwards: never better than it was where more is better."""
    scaled = value.numerator * 10**digits // value.denominator
    return _with_point(scaled, digits)


def decimal_up(value: Fraction, digits: int = 3) -> str:
    """The same upwards: never better than it was where less is better."""
    scaled = -(-value.numerator * 10**digits // value.denominator)
    return _with_point(scaled, digits)


def _with_point(scaled: int, digits: int) -> str:
    whole, rest = divmod(scaled, 10**digits)
    return f"{whole}.{rest:0{digits}}"


def is_kept(level: ServiceLevel, measured: Fraction | None) -> bool:
    """Whether a promise was kept; None is a measure without end, as of calls that never were answered."""
    if measured is None:
        return False
    return measured >= Fraction(level.target) if level.metric == "availability" else measured <= Fraction(level.target)


def remedy_of(level: ServiceLevel, measured: Fraction | None) -> Fraction:
    """The part of the month's fee, in per cent, that a broken promise costs: the furthest step that is reached."""
    if is_kept(level, measured):
        return Fraction(0)
    due = Fraction(0)
    for step in level.remedies:
        beyond = Fraction(step.beyond)
        if measured is None or (measured <= beyond if level.metric == "availability" else measured >= beyond):
            due = max(due, Fraction(step.percent))
    return due


def is_of(row: Minute, agreement_id: UUID, duty: frozenset[int], number: int) -> bool:
    """Whether a row is an agreement's: by the gateway's stamp, or, where none was made yet, by whose time it was.

    `duty` has the minutes of the binding that the row's calls went by.
    """
    return row.agreement_id == agreement_id or (row.agreement_id is None and number in duty)
