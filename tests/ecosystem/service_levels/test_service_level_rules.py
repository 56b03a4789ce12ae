"""The rules by which service is measured: whose fault, which minutes, which number; against second, simple ways."""

from datetime import UTC, datetime, time, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from pydantic import ValidationError

from torv.base import clock
from torv.base.errors import CapabilityNotBound, ModuleTimeout, ModuleUnavailable, OutcomeUnknown, TorvError
from torv.ecosystem.agreements import ServiceHours, ServiceLevel
from torv.ecosystem.agreements.content import Window
from torv.ecosystem.agreements.granting import is_open
from torv.ecosystem.gateway import errors as gateway_errors
from torv.ecosystem.service_levels import Minute, Month
from torv.ecosystem.service_levels.rules import (
    Verdict,
    decimal_down,
    decimal_up,
    down_minutes,
    longest_run,
    nearest_rank,
    open_minutes,
    remedy_of,
    verdict_of,
)

MINUTES = some.integers(0, 60)
COUNTS = some.dictionaries(MINUTES, some.tuples(some.integers(0, 3), some.integers(0, 3)), max_size=20)


# ---- months ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("year", "month", "minutes"),
    [(2024, 2, 29 * 1_440), (2026, 2, 28 * 1_440), (2026, 3, 31 * 1_440 - 60), (2026, 10, 31 * 1_440 + 60),
     (2026, 12, 31 * 1_440)],
)  # fmt: skip
def test_a_month_has_the_minutes_denmarks_clocks_give_it(year: int, month: int, minutes: int) -> None:
    assert Month(year=year, month=month).minutes == minutes


def test_a_month_begins_at_midnight_in_denmark() -> None:
    month = Month(year=2026, month=7)
    assert month.begins == datetime(2026, 6, 30, 22, tzinfo=UTC)
    assert Month.of(month.begins) == month
    assert Month.of(month.begins - timedelta(microseconds=1)) == Month(year=2026, month=6)
    assert Month(year=2026, month=12).next == Month(year=2027, month=1)


@pytest.mark.parametrize("month", [Month(year=2026, month=3), Month(year=2026, month=10)], ids=str)
@pytest.mark.parametrize(
    "hours",
    [
        {"weekdays": {1, 2, 3, 4, 5}, "opens": time(7), "closes": time(17)},
        {"opens": time(22), "closes": time(6)},
        {"weekdays": {7}, "opens": time(2, 15), "closes": time(2, 45)},
        {"weekdays": {6}, "opens": time(23), "closes": time(3)},
        {"weekdays": {6, 7}},
    ],
)
def test_service_hours_are_read_off_the_clocks_as_a_grants_hours_are(month: Month, hours: dict[str, Any]) -> None:
    window = Window(**hours)
    expected = {n for n in range(month.minutes) if is_open(window, month.begins + timedelta(minutes=n))}
    assert open_minutes(month, ServiceHours(**hours)) == expected


# ---- outages ---------------------------------------------------------------------------------------------------------
@given(counted=COUNTS, window=some.frozensets(MINUTES))
def test_outages_are_those_that_a_walk_through_the_minutes_finds(
    counted: dict[int, tuple[int, int]], window: frozenset[int]
) -> None:
    assert down_minutes(window, counted) == sorted(walked(window, counted))


def walked(window: frozenset[int], counted: dict[int, tuple[int, int]]) -> set[int]:
    """Minute by minute, with an eye on the last and the next minute that had calls."""
    busy = [n for n in sorted(window) if n in counted]
    bad = {n for n in busy if counted[n][1] > 0 and counted[n][1] >= counted[n][0]}
    found: set[int] = set()
    for number in window:
        before = next((n for n in reversed(busy) if n <= number), None)
        after = next((n for n in busy if n >= number), None)
        if before in bad and after in bad:
            found.add(number)
    return {n for n in found if calls_in_a_row(n, busy, bad, counted) >= 2}


def calls_in_a_row(number: int, busy: list[int], bad: set[int], counted: dict[int, tuple[int, int]]) -> int:
    ups = [n for n in busy if n not in bad]
    begins = max((n for n in ups if n < number), default=-1)
    ends = min((n for n in ups if n > number), default=10**6)
    return sum(counted[n][1] for n in bad if begins < n < ends)


def test_time_outside_the_hours_neither_ends_an_outage_nor_adds_to_it() -> None:
    window = frozenset(range(10)) | frozenset(range(100, 110))
    down = down_minutes(window, {8: (0, 1), 101: (0, 1), 103: (1, 0)})
    assert down == [8, 9, 100, 101]
    assert longest_run(window, down) == 4


# ---- numbers ---------------------------------------------------------------------------------------------------------
@given(
    times=some.lists(some.integers(0, 10**7), max_size=60), lost=some.integers(0, 20), percentile=some.integers(1, 100)
)
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(
    times: list[int], lost: int, percentile: int
) -> None:
    of = len(times) + lost
    enough = [t for t in sorted(times) if 100 * sum(each <= t for each in times) >= percentile * of]
    assert nearest_rank(sorted(times), of, percentile) == (enough[0] if enough else None)


def test_shown_numbers_are_never_better_than_what_was_measured() -> None:
    almost = Fraction(999_999, 10_000)
    assert (decimal_down(almost), decimal_up(Fraction(1, 10**9))) == ("99.999", "0.001")
    assert (decimal_down(Fraction(100)), decimal_up(Fraction(0)), decimal_up(Fraction(1, 2))) == (
        "100.000", "0.000", "0.500",
    )  # fmt: skip


def level(**terms: Any) -> ServiceLevel:
    return ServiceLevel.model_validate({"metric": "availability", "service": "notes", "target": 99.9} | terms)


def test_the_furthest_step_that_is_reached_is_due() -> None:
    promised = level(remedies=[{"beyond": 99.9, "percent": 2}, {"beyond": 99.5, "percent": 5}])
    due = [remedy_of(promised, Fraction(each)) for each in ("99.9", "99.8999", "99.5", "12")]
    assert due == [0, 2, 5, 5]
    assert remedy_of(level(metric="response_ms", target=300, remedies=[{"beyond": 500, "percent": 3}]), None) == 3


@pytest.mark.parametrize(
    "terms",
    [
        {"target": 100.1}, {"target": 0}, {"percentile": 95}, {"metric": "uptime"}, {"exclusions": ["regnvejr"]},
        {"metric": "error_rate", "target": 101}, {"hours": {"opens": "07:00"}}, {"hours": {"weekdays": []}},
        {"remedies": [{"beyond": 99.95, "percent": 2}]},
        {"remedies": [{"beyond": 99, "percent": 2}, {"beyond": 99.5, "percent": 5}]},
        {"remedies": [{"beyond": 99, "percent": 5}, {"beyond": 98, "percent": 5}]},
        {"remedies": [{"beyond": 99, "percent": 101}]}, {"maintenance": {"announce_hours": 0, "most_minutes": 60}},
        {"target": "NaN"}, {"target": "Infinity"}, {"window": "week"}, {"operations": []},
    ],
)  # fmt: skip
def test_a_promise_that_cannot_be_measured_cannot_be_made(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        level(**terms)


# ---- whose fault -----------------------------------------------------------------------------------------------------
def test_the_rules_know_every_way_a_call_can_fail_at_the_gateway() -> None:
    gateway = {
        each.code for each in vars(gateway_errors).values() if isinstance(each, type) and issubclass(each, TorvError)
    }
    forwarded = {ModuleUnavailable.code, ModuleTimeout.code, OutcomeUnknown.code, CapabilityNotBound.code}
    known = {code: verdict_of(outcome(code)) for code in gateway | forwarded if code != TorvError.code}
    assert {code for code, verdict in known.items() if verdict is Verdict.OTHER} == set()
    assert known["module_resting"] is Verdict.FAILED
    assert verdict_of(outcome("cut:module_timeout")) is Verdict.FAILED
    assert verdict_of(outcome("cut:caller_gone")) is Verdict.CALLER
    assert verdict_of(outcome("never_heard_of")) is Verdict.OTHER


def outcome(result: str) -> Minute:
    return Minute(
        service="notes", minute=clock.now(), operation="list_notes", agreement_id=None, is_refusal=False, result=result,
        status=None, calls=1, module_us=[], hold_us=0, torv_us=0, first_position=1, last_position=1,
    )  # fmt: skip
