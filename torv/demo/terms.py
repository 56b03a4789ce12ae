"""Terms: what the town's agreements say beyond their grants: promises, options, oversight, who works for whom."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta

from torv.base.clock import DENMARK

KYSTDRIFT = ("41048786", "Kystdrift A/S")  #: runs the servers of Nordlys
Content = dict[str, Any]


def add_terms(content: Content, module: str, begins: date) -> Content:
    """The content of a module's agreement with what its parties have agreed beyond the template."""
    add = _ADDITIONS.get(module)
    return content if add is None else content | add(content, begins)


def instant(day: date) -> str:
    """The instant at which a day begins in Denmark, as an agreement states it."""
    return datetime.combine(day, time(), DENMARK).isoformat()


def until(content: Content, begins: date, ends: date, **more: Any) -> Content:
    """The same agreement for another time."""
    validity = {"not_before": instant(begins), "not_after": instant(ends), "notice_months": 6, "options": [], **more}
    return content | {"validity": validity}


def with_oversight(content: Content, kind: str, next_due: date) -> Content:
    """The same agreement with another way of watching over the processing."""
    oversight = {"kind": kind, "interval_months": 12, "next_due": next_due.isoformat(), "on_overdue": "warn"}
    return content | {"data_processing": content["data_processing"] | {"oversight": oversight}}


def _of_nordnote(content: Content, begins: date) -> Content:
    helper = {
        "cvr": KYSTDRIFT[0], "country": "DK", "task": "Drift af servere og sikkerhedskopi", "categories": ["notes"],
        "approved_from": begins.isoformat(),
    }  # fmt: skip
    overseen = with_oversight(content, "report", begins + timedelta(days=21))
    processing = overseen["data_processing"] | {
        "sub_processors": [helper],
        "security": [
            "Kryptering under transport og ved lagring", "Adgang kun for navngivne medarbejdere med to faktorer",
            "Logning af al adgang", "Gendannelse afprøves hvert halve år",
        ],
    }  # fmt: skip
    option = {"extend_months": 12, "decide_by": instant(begins + relativedelta(months=18))}
    return {
        "data_processing": processing, "service_levels": _promises(99.9, 300),
        "validity": content["validity"] | {"options": [option]},
        "exit": content["exit"] | {"plan_due": (begins + relativedelta(months=3)).isoformat(), "assist_hours": 40},
    }  # fmt: skip


def _of_kviknote(_: Content, begins: date) -> Content:
    ends = begins + relativedelta(months=36)
    validity = until({}, begins, ends, irrevocable_to=instant(begins + relativedelta(months=12)))
    return {**validity, "service_levels": _promises(99.5, 500)}


def _of_borgerblik(_: Content, begins: date) -> Content:
    option = {"extend_months": 12, "decide_by": instant(begins + timedelta(days=60))}
    return until({}, begins, begins + timedelta(days=150), notice_months=3, options=[option])


def _promises(availability: float, milliseconds: int) -> list[Content]:
    return [
        {"metric": "availability", "service": "notes", "target": availability},
        {"metric": "response_ms", "service": "notes", "target": milliseconds, "percentile": 95},
    ]


_ADDITIONS: dict[str, Callable[[Content, date], Content]] = {
    "nordnote": _of_nordnote, "kviknote": _of_kviknote, "borgerblik": _of_borgerblik,
}  # fmt: skip
