"""Four made-up months of a log: every entry as the gateway writes it, the same each time, with sums to check by hand.

A call comes every ten minutes. Times are seeded; what is exceptional stands at named places.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tests.cast import KVIK, NORDLYS, Part, content_of
from torv.base.clock import DENMARK
from torv.base.ids import new_id
from torv.base.trail import Entry
from torv.ecosystem.agreements import Content, InForce
from torv.ecosystem.agreements.rules import hash_content
from torv.ecosystem.service_levels import Basis, Bound, Month, Notice, NoticeKind

FEBRUARY = Month(year=2024, month=2)  #: 29 days
OCTOBER = Month(year=2025, month=10)  #: an hour longer: the clocks go back on the 26th
APRIL = Month(year=2026, month=4)  #: the supplier is switched on the 15th at ten
JUNE = Month(year=2026, month=6)  #: a pilot in one district from the 10th at ten to the 24th at ten

EVERY = timedelta(minutes=10)
NORDLYS_AGREEMENT = UUID("01900000-0000-7000-8000-000000000001")
KVIK_AGREEMENT = UUID("01900000-0000-7000-8000-000000000002")
NORDLYS_ID, KVIK_ID = UUID(int=11), UUID(int=12)
SWITCHED = datetime(2026, 4, 15, 10, tzinfo=DENMARK)

PROMISES: list[dict[str, Any]] = [
    {
        "metric": "availability", "service": "notes", "target": 99.9,
        "maintenance": {"announce_hours": 72, "most_minutes": 300},
        "remedies": [{"beyond": 99.9, "percent": 2}, {"beyond": 99.5, "percent": 5}, {"beyond": 98, "percent": 10}],
    },
    {
        "metric": "availability", "service": "notes", "target": 99.5,
        "hours": {"weekdays": [1, 2, 3, 4, 5], "opens": "07:00", "closes": "17:00"},
        "remedies": [{"beyond": 99.5, "percent": 1.5}, {"beyond": 99, "percent": 4}],
    },
    {"metric": "outage_minutes", "service": "notes", "target": 60},
    {"metric": "response_ms", "service": "notes", "target": 300, "percentile": 95, "operations": ["list_notes"]},
    {"metric": "response_ms", "service": "notes", "target": 800, "percentile": 99,
     "remedies": [{"beyond": 850, "percent": 1}]},
    {"metric": "error_rate", "service": "notes", "target": 1},
]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class MadeUp:
    """A month as the log has it, and who is measured by it."""

    month: Month
    agreement: InForce
    entries: list[Entry]
    bindings: list[Bound]
    notices: list[Notice] = field(default_factory=list)

    @property
    def basis(self) -> Basis:
        return Basis(
            agreement=self.agreement, month=self.month, until=self.month.ends, bindings=self.bindings,
            notices=self.notices,
        )  # fmt: skip


def plain_of(part: Part, agreement_id: UUID) -> dict[str, Any]:
    """An agreement with all kinds of promises, in force from 2024 to 2028."""
    validity = {
        "not_before": "2024-01-01T00:00:00+01:00", "not_after": "2028-01-01T00:00:00+01:00", "notice_months": 6,
        "options": [],
    }  # fmt: skip
    plain = content_of(part, id=str(agreement_id), validity=validity, service_levels=PROMISES, remedy_cap=15)
    plain["data_processing"]["oversight"]["next_due"] = "2030-01-01"
    return plain


def in_force_of(part: Part, agreement_id: UUID, partner_id: UUID) -> InForce:
    plain = plain_of(part, agreement_id)
    content = Content.model_validate(plain)
    return InForce(
        id=agreement_id, partner_id=partner_id, hash=hash_content(plain), content=content,
        begins=content.validity.not_before, ends=content.validity.not_after, pauses=(),
    )  # fmt: skip


NORDLYS_IN_FORCE = in_force_of(NORDLYS, NORDLYS_AGREEMENT, NORDLYS_ID)
KVIK_IN_FORCE = in_force_of(KVIK, KVIK_AGREEMENT, KVIK_ID)
NORDNOTE_BOUND = Bound(
    service="notes", at=datetime(2024, 1, 1, tzinfo=UTC), position=1, module="nordnote", partner_id=NORDLYS_ID
)
KVIKNOTE_BOUND = Bound(service="notes", at=SWITCHED.astimezone(UTC), position=2, module="kviknote", partner_id=KVIK_ID)


NORD = UUID(int=21)  #: the district


def _nord(position: int, at: datetime, module: str | None, partner_id: UUID | None) -> Bound:
    at = at.astimezone(UTC)
    return Bound(service="notes", at=at, position=position, module=module, partner_id=partner_id, unit_id=NORD)


SPLIT, MOVED, MOVED_BACK, DISSOLVED = (
    datetime(2026, 6, 10, 9, 0, 20, tzinfo=DENMARK), datetime(2026, 6, 10, 10, tzinfo=DENMARK),
    datetime(2026, 6, 24, 10, tzinfo=DENMARK), datetime(2026, 6, 24, 14, 0, 30, tzinfo=DENMARK),
)  # fmt: skip
PILOT = [
    _nord(2, SPLIT, "nordnote", NORDLYS_ID), _nord(3, MOVED, "kviknote", KVIK_ID),
    _nord(4, MOVED_BACK, "nordnote", NORDLYS_ID), _nord(5, DISSOLVED, None, None),
]  # fmt: skip


def slots(month: Month) -> Iterator[datetime]:
    """The instants at which a call comes."""
    instant = month.begins
    while instant < month.ends:
        yield instant
        instant += EVERY


def answered(at: datetime, micros: int, *, agreement: UUID, status: int = 200, **more: int) -> Entry:
    """The outcome of a call that the module answered; every sixth call writes."""
    operation = "notes.write_note" if at.minute == 50 else "notes.list_notes"
    detail = {
        "status": status, "bytes": 200, "release": str(UUID(int=1)), "agreement": str(agreement), "epoch": 1,
        "hold_us": 0, "module_us": micros, "torv_us": 2_000, **more,
    }  # fmt: skip
    return Entry(kind="outcome", operation=operation, at=at, detail=detail, id=UUID(int=0))


def failed(at: datetime, result: str, *, agreement: UUID | None, micros: int = 0) -> Entry:
    """The outcome of a call without an answer."""
    detail: dict[str, Any] = {"hold_us": 0, "module_us": micros, "torv_us": 1_000}
    if agreement is not None:
        detail |= {"release": str(UUID(int=1)), "agreement": str(agreement), "epoch": 1}
    return Entry(kind="outcome", operation="notes.list_notes", result=result, at=at, detail=detail, id=UUID(int=0))


def refused(at: datetime, result: str) -> Entry:
    """A call that was refused before it was carried."""
    return Entry(kind="refusal", operation="notes.list_notes", result=result, at=at, id=UUID(int=0))


def begun(at: datetime) -> Entry:
    """A call that began, with nothing about its end."""
    return Entry(kind="intent", operation="notes.list_notes", at=at, call_id=new_id(), id=UUID(int=0))


def ordinary(month: Month, agreement: UUID, seed: int) -> list[Entry]:
    """A call every ten minutes, answered in 80 to 160 ms."""
    rng = random.Random(seed)
    return [answered(at, rng.randrange(80_000, 160_000), agreement=agreement) for at in slots(month)]


# ---- a good month ----------------------------------------------------------------------------------------------------
def february() -> MadeUp:
    """4,176 calls: 100 take exactly 900 ms, 10 fail here and there, 7 ask for what is not there; 5 are refused.

    Of 3 more nobody knows how they ended: Torv was killed before it could say.
    """
    entries = ordinary(FEBRUARY, NORDLYS_AGREEMENT, seed=1)
    for place in range(20, 4_020, 40):
        entries[place] = answered(entries[place].at, 900_000, agreement=NORDLYS_AGREEMENT)
    for place in range(5, 4_005, 400):
        entries[place] = answered(entries[place].at, 50_000, agreement=NORDLYS_AGREEMENT, status=500)
    for place in range(7, 4_207, 600):
        entries[place] = answered(entries[place].at, 20_000, agreement=NORDLYS_AGREEMENT, status=404)
    entries += [refused(FEBRUARY.begins + timedelta(hours=hour, minutes=3), "suspended") for hour in range(5)]
    entries += [begun(FEBRUARY.begins + timedelta(days=day, minutes=7)) for day in (3, 3, 20)]
    return MadeUp(month=FEBRUARY, agreement=NORDLYS_IN_FORCE, entries=entries, bindings=[NORDNOTE_BOUND])


# ---- an outage, a change of clocks, and work that was announced ------------------------------------------------------
OUTAGE = datetime(2025, 10, 14, 9, tzinfo=DENMARK), datetime(2025, 10, 14, 11, 30, tzinfo=DENMARK)
OWN_FAULT = datetime(2025, 10, 8, 13, tzinfo=DENMARK), datetime(2025, 10, 8, 14, tzinfo=DENMARK)
PLANNED = datetime(2025, 10, 26, 1, tzinfo=DENMARK), datetime(2025, 10, 26, 4, tzinfo=DENMARK)  #: four hours
TOO_LATE = datetime(2025, 10, 29, 22, tzinfo=DENMARK), datetime(2025, 10, 29, 22, 30, tzinfo=DENMARK)


def october() -> MadeUp:
    """4,470 calls; whatever comes in one of the four times is not answered."""
    spans = [tuple(each.astimezone(UTC) for each in span) for span in (OUTAGE, OWN_FAULT, PLANNED, TOO_LATE)]
    entries = [
        failed(each.at, "module_unavailable", agreement=NORDLYS_AGREEMENT)
        if any(begins <= each.at < ends for begins, ends in spans)
        else each
        for each in ordinary(OCTOBER, NORDLYS_AGREEMENT, seed=2)
    ]
    notices = [
        _notice(1, NoticeKind.OWN_FAULT, OWN_FAULT, datetime(2025, 10, 9, 9, tzinfo=DENMARK)),
        _notice(2, NoticeKind.MAINTENANCE, PLANNED, datetime(2025, 10, 20, 12, tzinfo=DENMARK)),
        _notice(3, NoticeKind.MAINTENANCE, TOO_LATE, datetime(2025, 10, 29, 20, tzinfo=DENMARK)),
    ]
    return MadeUp(
        month=OCTOBER, agreement=NORDLYS_IN_FORCE, entries=entries, bindings=[NORDNOTE_BOUND], notices=notices
    )


def _notice(number: int, kind: NoticeKind, span: tuple[datetime, datetime], at: datetime) -> Notice:
    return Notice(
        id=UUID(int=number), agreement_id=NORDLYS_AGREEMENT, service="notes", kind=kind, begins=span[0], ends=span[1],
        announced_at=at, position=9_000 + number,
    )  # fmt: skip


# ---- a switch of suppliers -------------------------------------------------------------------------------------------
SLOW = datetime(2026, 4, 9, 8, tzinfo=DENMARK), datetime(2026, 4, 9, 20, tzinfo=DENMARK)


def april(agreement: InForce) -> MadeUp:
    """4,320 calls, 2,076 of them before the switch; for twelve hours of the 9th Nordlys does not answer in time.

    At the switch three calls are held and then answered by Kvik, one is cut, and one is held too long.
    """
    begins, ends = (each.astimezone(UTC) for each in SLOW)
    entries = []
    for each in ordinary(APRIL, NORDLYS_AGREEMENT, seed=3):
        if each.at >= SWITCHED:
            entries.append(_answered_by_kvik(each))
        elif begins <= each.at < ends:
            entries.append(failed(each.at, "module_timeout", agreement=NORDLYS_AGREEMENT, micros=10_000_000))
        else:
            entries.append(each)
    flip = SWITCHED.astimezone(UTC)
    entries += [
        answered(flip + timedelta(seconds=1 + n), 90_000, agreement=KVIK_AGREEMENT, hold_us=400_000) for n in range(3)
    ]
    entries.append(
        failed(flip - timedelta(seconds=1), "outcome_unknown", agreement=NORDLYS_AGREEMENT, micros=3_000_000)
    )
    entries.append(failed(flip + timedelta(seconds=5), "move_in_progress", agreement=None))
    return MadeUp(month=APRIL, agreement=agreement, entries=entries, bindings=[NORDNOTE_BOUND, KVIKNOTE_BOUND])


def _answered_by_kvik(entry: Entry) -> Entry:
    assert entry.detail is not None
    return replace(entry, detail={**entry.detail, "agreement": str(KVIK_AGREEMENT)})


# ---- a pilot in one district -----------------------------------------------------------------------------------------
DOWN = datetime(2026, 6, 17, 12, tzinfo=DENMARK), datetime(2026, 6, 17, 13, tzinfo=DENMARK)


def june(agreement: InForce) -> MadeUp:
    """Beside the 4,320 calls of the rest, 4,320 of Nord, five minutes later; 2,016 of these come while Kvik is bound.

    For an hour of the 17th nobody in Nord is answered. Six calls of Nord and two of the rest come to no supplier.
    """
    begins, ends = (each.astimezone(UTC) for each in DOWN)
    entries = ordinary(JUNE, NORDLYS_AGREEMENT, seed=5)
    for each in ordinary(JUNE, NORDLYS_AGREEMENT, seed=6):
        at = each.at + timedelta(minutes=5)
        if begins <= at < ends:
            entries.append(_in_nord(failed(at, "module_unavailable", agreement=KVIK_AGREEMENT)))
        else:
            is_pilot, own = MOVED <= at < MOVED_BACK, replace(each, at=at)
            is_split = SPLIT <= at < DISSOLVED
            own = _answered_by_kvik(own) if is_pilot else own
            entries.append(_in_nord(own) if is_split else own)
    noon = datetime(2026, 6, 18, 12, tzinfo=DENMARK).astimezone(UTC)
    entries += [_in_nord(refused(noon + timedelta(minutes=n), "operation")) for n in range(2)]  # Kvik's
    entries += [refused(noon + timedelta(minutes=n), "operation") for n in range(2)]  # the rest: Nordlys'
    entries.append(_in_nord(failed(MOVED.astimezone(UTC), "move_in_progress", agreement=None)))  # Kvik's
    entries.append(_in_nord(begun(noon + timedelta(days=1))))  # Kvik's
    for at in (SPLIT, DISSOLVED):  # Nordlys': in the very minute of the split, and just after the end
        entries.append(_in_nord(refused(at.astimezone(UTC) + timedelta(seconds=31), "operation")))
    return MadeUp(month=JUNE, agreement=agreement, entries=entries, bindings=[NORDNOTE_BOUND, *PILOT])


def _in_nord(entry: Entry) -> Entry:
    return replace(entry, detail={**(entry.detail or {}), "unit": str(NORD)})


ALL: dict[str, MadeUp] = {
    "february-2024": february(), "october-2025": october(), "april-2026-nordlys": april(NORDLYS_IN_FORCE),
    "april-2026-kvik": april(KVIK_IN_FORCE), "june-2026-nordlys": june(NORDLYS_IN_FORCE),
    "june-2026-kvik": june(KVIK_IN_FORCE),
}  # fmt: skip
