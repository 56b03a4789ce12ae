"""Reckoning: a month's statement from what the log says. Pure: the same entries give the same statement, byte for byte.

Only whole numbers, fractions and text go in and come out; the order in which rows are added does not matter.
"""

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any
from uuid import UUID

import rfc8785

from torv.ecosystem.agreements import InForce, ServiceLevel
from torv.ecosystem.service_levels import rules
from torv.ecosystem.service_levels.models import Bound, Minute, Month, Notice
from torv.ecosystem.service_levels.rules import Verdict

Plain = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """What a statement rests on beside the calls."""

    agreement: InForce
    month: Month
    until: datetime  #: how far the month has come; its end, once it is over
    bindings: Sequence[Bound]  #: of the services that are promised, in the order of the log
    notices: Sequence[Notice]  #: under the agreement, in the order of the log


@dataclass(kw_only=True, slots=True)
class _Service:
    """A service as a whole: all its calls under the agreement, and where their time went."""

    duty: frozenset[int]
    by_unit: dict[UUID | None, frozenset[int]]  # the same for each binding
    shown: dict[UUID | None, frozenset[int]]  # and whose calls of it are shown that came to no supplier
    own_fault: frozenset[int]
    calls: int = 0
    calls_by_unit: Counter[UUID | None] = field(default_factory=Counter)
    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))  # verdict -> code -> calls
    module_us: int = 0
    hold_us: int = 0
    torv_us: int = 0


@dataclass(kw_only=True, slots=True)
class _Promise:
    """A promise with what counts for it."""

    level: ServiceLevel
    hours: frozenset[int]  #: minutes it holds in, within the supplier's time
    maintenance: frozenset[int]
    window: frozenset[int]  #: of those, the ones that count
    excluded: Counter[str] = field(default_factory=Counter)  # rule -> calls
    counted: dict[int, tuple[int, int]] = field(default_factory=dict)  # minute -> answered, failed
    times: "array[int]" = field(default_factory=lambda: array("I"))  # microseconds of what was answered

    @property
    def answered(self) -> int:
        return sum(answered for answered, _ in self.counted.values())

    @property
    def failed(self) -> int:
        return sum(failed for _, failed in self.counted.values())


class Reckoning:
    """A statement in the making: add all rows of the month, then ask for it once."""

    def __init__(self, basis: Basis) -> None:
        self._basis = basis
        self._services = {name: self._service(name) for name in services_of(basis.agreement)}
        self._promises = [self._promise(level) for level in basis.agreement.content.service_levels]
        self._positions: list[int] = []
        self._entries = 0

    def add(self, rows: Iterable[Minute]) -> None:
        """Count some rows of the promised services in the month."""
        for row in rows:
            service = self._services[row.service]
            number = rules.number_of(self._basis.month, row.minute)
            if rules.is_of(row, self._basis.agreement.id, service.shown.get(row.unit_id, frozenset()), number):
                self._count(service, row, number)

    def statement(self) -> Plain:
        """The statement, as it is sealed."""
        basis, content = self._basis, self._basis.agreement.content
        lines = [self._line(promise) for promise in self._promises]
        due = sum((each.due for each in lines), Fraction(0))
        return {
            "format": rules.FORMAT, "agreement": str(basis.agreement.id), "agreement_hash": basis.agreement.hash,
            "title": content.title, "partner": content.partner, "municipality": content.municipality,
            "month": str(basis.month), "begins": _instant(basis.month.begins), "until": _instant(basis.until),
            "minutes": basis.month.minutes, "lines": [each.plain for each in lines],
            "services": [self._told(name, each) for name, each in sorted(self._services.items())],
            "bindings": [self._binding(each) for each in self._bound()],
            "notices": [_notice(each) for each in self._noticed()], "log": self._log(),
            "remedy_percent": rules.decimal_down(min(due, Fraction(content.remedy_cap)), 4),
        }  # fmt: skip

    def _service(self, name: str) -> _Service:
        basis = self._basis
        stamped = rules.as_stamped(basis.month, basis.bindings)
        by_unit, shown = (
            rules.minutes_by_unit(basis.month, basis.agreement, name, bound, basis.until)
            for bound in (basis.bindings, stamped)
        )
        return _Service(
            duty=frozenset[int]().union(*by_unit.values()), by_unit=by_unit, shown=shown,
            own_fault=rules.own_fault_minutes(basis.month, basis.notices, name),
        )  # fmt: skip

    def _promise(self, level: ServiceLevel) -> _Promise:
        service = self._services[level.service]
        hours = rules.open_minutes(self._basis.month, level.hours) & service.duty
        maintenance = rules.maintenance_minutes(self._basis.month, self._basis.notices, level, hours)
        return _Promise(
            level=level, hours=hours, maintenance=maintenance, window=hours - maintenance - service.own_fault
        )

    def _count(self, service: _Service, row: Minute, number: int) -> None:
        verdict = rules.verdict_of(row)
        self._positions += (row.first_position, row.last_position)
        self._entries += row.calls
        service.calls += row.calls
        service.calls_by_unit[row.unit_id] += row.calls
        service.verdicts[verdict][rules.code_of(row)] += row.calls
        service.module_us += sum(row.module_us)
        service.hold_us += row.hold_us
        service.torv_us += row.torv_us
        for promise in self._promises:
            level = promise.level
            if level.service == row.service and (level.operations is None or row.operation in level.operations):
                _count(promise, service, row, number, verdict)

    def _line(self, promise: _Promise) -> "_Line":
        level, basis = promise.level, self._basis
        duty = self._services[level.service].duty
        has_basis = bool(promise.window) if level.metric in _BY_MINUTE else bool(promise.answered + promise.failed)
        measured, shown, more = _MEASURES[level.metric](promise)
        percent = rules.remedy_of(level, measured) if has_basis else Fraction(0)
        due = percent * Fraction(len(duty), basis.month.minutes)
        excluded = {
            **{rule: {"calls": calls} for rule, calls in sorted(promise.excluded.items())},
            **_minutes_of("maintenance", promise, len(promise.maintenance)),
            **_minutes_of("own_fault", promise, len(self._services[level.service].own_fault & promise.hours)),
        }
        plain: Plain = {
            **_promised(level), "measured": shown if has_basis else None,
            "is_kept": rules.is_kept(level, measured) if has_basis else None,
            "calls": {"counted": promise.answered + promise.failed, "failed": promise.failed},
            "minutes": {"own": len(duty), "hours": len(promise.hours), "counted": len(promise.window), **more},
            "excluded": excluded, "remedy_percent": rules.decimal_down(percent, 4),
            "remedy_percent_of_own_time": rules.decimal_down(due, 4),
        }  # fmt: skip
        return _Line(plain=plain, due=due)

    def _told(self, name: str, service: _Service) -> Plain:
        times = {
            "module_us": service.module_us, "held_us": service.hold_us, "torv_us": service.torv_us,
        }  # fmt: skip
        outcomes = {
            verdict: dict(sorted(codes.items())) for verdict, codes in sorted(service.verdicts.items())
        }  # fmt: skip
        return {
            "service": name, "calls": service.calls, "outcomes": outcomes, "minutes": len(service.duty), "time": times,
            **_by_unit(service),
        }  # fmt: skip

    def _binding(self, bound: Bound) -> Plain:
        """A binding; of a rival no more than that it is somebody else's."""
        own = bound.partner_id == self._basis.agreement.partner_id
        return {
            "service": bound.service, "at": _instant(bound.at), "module": bound.module if own else None,
            "position": bound.position, **_unit_of(bound),
        }  # fmt: skip

    def _noticed(self) -> list[Notice]:
        """The notices that concern the month, by the log's order."""
        month = self._basis.month
        return [each for each in self._basis.notices if each.begins < month.ends and each.ends > month.begins]

    def _bound(self) -> list[Bound]:
        """The bindings that concern the month: those in it, and of each service and unit the last one before.

        A unit's are told to those whose module had one of them: pilots of others are nobody else's business.
        """
        basis, last = self._basis, dict[tuple[str, UUID | None], Bound]()
        for each in basis.bindings:
            if each.at < basis.month.begins:
                last[each.service, each.unit_id] = each
        within = [each for each in basis.bindings if basis.month.begins <= each.at < basis.until]
        found = [*(each for each in last.values() if each.module is not None), *within]
        own = {(each.service, each.unit_id) for each in found if each.partner_id == basis.agreement.partner_id}
        told = [each for each in found if each.unit_id is None or (each.service, each.unit_id) in own]
        return sorted(told, key=lambda each: each.position)

    def _log(self) -> Plain:
        """The calls it rests on: how many, and the first and the last position in the log."""
        return {
            "from": min(self._positions, default=None), "to": max(self._positions, default=None),
            "calls": self._entries,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    plain: Plain
    due: Fraction


def services_of(agreement: InForce) -> list[str]:
    """The services that an agreement promises something about."""
    return sorted({level.service for level in agreement.content.service_levels})


def named_units(statement: Plain) -> list[UUID]:
    """The units whose bindings a statement tells of, ascending."""
    found = {each["unit"] for service in statement["services"] for each in service.get("units", ())}
    found |= {each["unit"] for each in statement["bindings"] if "unit" in each}
    return sorted(UUID(each) for each in found - {None})


def hash_of(statement: Plain) -> str:
    """SHA-256 over the canonical JSON (RFC 8785), hex."""
    return hashlib.sha256(rfc8785.dumps(statement)).hexdigest()


def _count(promise: _Promise, service: _Service, row: Minute, number: int, verdict: Verdict) -> None:
    """Count a row for a promise, or for the first rule that leaves it out."""
    rule = _rule(promise, service, number, verdict)
    if rule is not None:
        promise.excluded[rule] += row.calls
    if rule == Verdict.CALLER and number in promise.window:
        promise.counted.setdefault(number, (0, 0))  # it was answered: an outage ends
    if rule is None:
        answered, failed = promise.counted.get(number, (0, 0))
        if verdict is Verdict.ANSWERED:
            promise.counted[number] = (answered + row.calls, failed)
            promise.times.extend(row.module_us)
        else:
            promise.counted[number] = (answered, failed + row.calls)


def _rule(promise: _Promise, service: _Service, number: int, verdict: Verdict) -> str | None:
    if verdict not in (Verdict.ANSWERED, Verdict.FAILED):
        return str(verdict)
    if number in service.own_fault:
        return "own_fault"
    if number in promise.maintenance:
        return "maintenance"
    # Calls under the agreement's stamp a moment before or after its own minutes count as far as the hours go.
    return "outside_hours" if number in service.duty and number not in promise.hours else None


# ---- measures: the exact value (None: without end), as it is shown, and minutes to show ------------------------------
_BY_MINUTE = ("availability", "outage_minutes")
_Measured = tuple[Fraction | None, str | None, Plain]


def _availability(promise: _Promise) -> _Measured:
    down = rules.down_minutes(promise.window, promise.counted)
    if not promise.window:
        return None, None, {"down": 0}
    value = Fraction(100 * (len(promise.window) - len(down)), len(promise.window))
    return value, rules.decimal_down(value), {"down": len(down)}


def _outage(promise: _Promise) -> _Measured:
    down = rules.down_minutes(promise.window, promise.counted)
    longest = rules.longest_run(promise.window, down)
    return Fraction(longest), str(longest), {"down": len(down)}


def _error_rate(promise: _Promise) -> _Measured:
    calls = promise.answered + promise.failed
    value = Fraction(100 * promise.failed, calls) if calls else Fraction(0)
    return value, rules.decimal_up(value), {}


def _response(promise: _Promise) -> _Measured:
    calls = promise.answered + promise.failed
    found = rules.nearest_rank(sorted(promise.times), calls, promise.level.percentile or 100)
    value = None if found is None else Fraction(found, 1000)
    return value, None if value is None else rules.decimal_up(value), {}


_MEASURES = {
    "availability": _availability, "outage_minutes": _outage, "error_rate": _error_rate, "response_ms": _response,
}  # fmt: skip


# ---- as JSON ---------------------------------------------------------------------------------------------------------
def _promised(level: ServiceLevel) -> Plain:
    hours = level.hours
    return {
        "metric": level.metric, "service": level.service, "target": format(level.target.normalize(), "f"),
        "percentile": level.percentile, "operations": None if level.operations is None else sorted(level.operations),
        "hours": {
            "weekdays": None if hours.weekdays is None else sorted(hours.weekdays),
            "opens": None if hours.opens is None else hours.opens.isoformat("minutes"),
            "closes": None if hours.closes is None else hours.closes.isoformat("minutes"),
        },
    }  # fmt: skip


def _by_unit(service: _Service) -> Plain:
    """Minutes and calls of each binding; nothing where only that of the whole municipality is concerned."""
    concerned = {unit for unit, minutes in service.by_unit.items() if minutes} | set(service.calls_by_unit)
    if not concerned - {None}:
        return {}
    units = [
        {
            "unit": None if unit is None else str(unit), "minutes": len(service.by_unit.get(unit, ())),
            "calls": service.calls_by_unit[unit],
        }
        for unit in sorted(concerned, key=str)
    ]  # fmt: skip
    return {"units": units}


def _unit_of(bound: Bound) -> Plain:
    if bound.unit_id is None:
        return {}
    return {"unit": str(bound.unit_id), "is_dissolved": bound.module is None}


def _minutes_of(rule: str, promise: _Promise, minutes: int) -> Plain:
    calls = promise.excluded.get(rule, 0)
    return {rule: {"calls": calls, "minutes": minutes}} if calls or minutes else {}


def _notice(notice: Notice) -> Plain:
    return {
        "id": str(notice.id), "service": notice.service, "kind": str(notice.kind), "begins": _instant(notice.begins),
        "ends": _instant(notice.ends), "announced_at": _instant(notice.announced_at), "position": notice.position,
    }  # fmt: skip


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
