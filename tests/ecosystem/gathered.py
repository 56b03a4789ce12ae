"""A second way from entries to minutes: simple, in memory, one entry at a time. What the database does must agree."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from torv.base.trail import Entry
from torv.ecosystem.service_levels import Minute


def minutes_of(entries: Iterable[Entry], *, first_position: int = 1) -> list[Minute]:
    """The entries by minute, as if they stood in the log in this order."""
    gathered: dict[tuple[Any, ...], list[tuple[int, dict[str, Any]]]] = defaultdict(list)
    entries = list(entries)
    ended = {entry.call_id for entry in entries if entry.kind == "outcome"}
    for position, entry in enumerate(entries, first_position):
        detail = entry.detail or {}
        service, _, operation = entry.operation.partition(".")
        minute = entry.at.replace(second=0, microsecond=0)
        unit = UUID(detail["unit"]) if "unit" in detail else None
        way = (unit, detail.get("agreement"), entry.kind == "refusal", entry.result, detail.get("status"))
        if entry.kind == "intent":
            if entry.call_id in ended:
                continue
            way = (unit, None, False, "no_outcome", None)
        gathered[(service, minute, operation, *way)].append((position, detail))
    return [_minute(key, found) for key, found in gathered.items()]


def _minute(key: tuple[Any, ...], found: list[tuple[int, dict[str, Any]]]) -> Minute:
    service, minute, operation, unit_id, agreement, is_refusal, result, status = key
    return Minute(
        service=service, minute=minute, operation=operation, unit_id=unit_id,
        agreement_id=UUID(agreement) if agreement else None, is_refusal=is_refusal, result=result, status=status,
        calls=len(found),
        module_us=[detail["module_us"] for _, detail in found if "status" in detail],
        hold_us=sum(detail.get("hold_us", 0) for _, detail in found),
        torv_us=sum(detail.get("torv_us", 0) for _, detail in found), first_position=found[0][0],
        last_position=found[-1][0],
    )  # fmt: skip
