"""Rules of organisation: how periods change, and what names and files may hold."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from torv.base.errors import InvalidInput
from torv.kernel.organisation.models import Employee, Period, Position, UnitHistory

NAME_LENGTH = 200
EMAIL_LENGTH = 254  #: RFC 5321 via RFC 3696, erratum 1690


def change(periods: Sequence[Period], day: date, **values: Any) -> tuple[Period, ...]:
    """The periods when `values` hold from a day on; what was planned for later of the same is replaced.

    Raises InvalidInput if the unit has ended by then.
    """
    if all(has_ended(each, day) for each in periods):
        raise InvalidInput(reason="valid_from: the unit has ended by then")
    changed: list[Period] = []
    for each in periods:
        if has_ended(each, day):
            changed.append(each)
        elif each.valid_from >= day:
            changed.append(replace(each, **values))
        else:
            changed += [replace(each, valid_to=day), replace(each, valid_from=day, **values)]
    return merge(changed)


def places(unit: UnitHistory) -> tuple[Period, ...]:
    """When the unit is below what, whatever it is called: all that its place in the tree follows from."""
    return merge(replace(each, name="", kind="") for each in unit.periods)


def end(periods: Sequence[Period], day: date | None) -> tuple[Period, ...]:
    """The periods when a unit ends on a day, or (None) goes on. Raises InvalidInput if it would never have been."""
    kept = [each for each in periods if day is None or each.valid_from < day]
    if not kept:
        raise InvalidInput(reason="valid_to: the unit begins later")
    return (*kept[:-1], replace(kept[-1], valid_to=day))


def merge(periods: Iterable[Period]) -> tuple[Period, ...]:
    """The same in as few periods as it takes. Raises InvalidInput if two overlap or one ends before it begins."""
    merged: list[Period] = []
    for each in sorted(periods, key=lambda each: each.valid_from):
        check_span(each.valid_from, each.valid_to)
        last = merged[-1] if merged else None
        if last is not None and (last.valid_to is None or last.valid_to > each.valid_from):
            raise InvalidInput(reason="periods: two overlap")
        if last is not None and _goes_on_as(last, each):
            merged[-1] = replace(last, valid_to=each.valid_to)
        else:
            merged.append(each)
    return tuple(merged)


def _goes_on_as(last: Period, following: Period) -> bool:
    return replace(following, valid_from=last.valid_from) == replace(last, valid_to=following.valid_to) and (
        last.valid_to == following.valid_from
    )


def has_ended(span: Period | Position | Employee, day: date) -> bool:
    return span.valid_to is not None and span.valid_to <= day


def shortened(position: Position, day: date | None) -> Position:
    """The position ended by a day, if it has begun by then; as it was otherwise, and if the day is None."""
    if day is None or has_ended(position, day) or position.valid_from >= day:
        return position
    return replace(position, valid_to=day)


def check_span(valid_from: date, valid_to: date | None) -> None:
    """Raises InvalidInput for a period without a day in it."""
    if valid_to is not None and valid_to <= valid_from:
        raise InvalidInput(reason="valid_to: must be later than valid_from")


def normal_text(text: str, field: str) -> str:
    """A line without surplus spaces. Raises InvalidInput if it is empty, too long or has control characters."""
    line = " ".join(text.split())
    if not 0 < len(line) <= NAME_LENGTH or not line.isprintable():
        raise InvalidInput(reason=field)
    return line


def normal_email(text: str | None) -> str | None:
    """An address that mail could be sent to, or None. Raises InvalidInput."""
    if text is None:
        return None
    local, at, domain = text.rpartition("@")
    is_plain = text.isprintable() and " " not in text and len(text) <= EMAIL_LENGTH
    if not (is_plain and at and local and "." in domain.strip(".") and "@" not in local):
        raise InvalidInput(reason="email")
    return text


def normal_unit(unit: UnitHistory) -> UnitHistory:
    """The unit in its normal form. Raises InvalidInput."""
    if not unit.periods:
        raise InvalidInput(reason="periods: none")
    periods = [
        replace(each, name=normal_text(each.name, "name"), kind=normal_text(each.kind, "kind"))
        for each in unit.periods
    ]  # fmt: skip
    return replace(unit, periods=merge(periods))


def normal_employee(employee: Employee) -> Employee:
    """The employee in normal form. Raises InvalidInput."""
    check_span(employee.valid_from, employee.valid_to)
    return replace(employee, name=normal_text(employee.name, "name"), email=normal_email(employee.email))


def normal_position(position: Position) -> Position:
    """The position in normal form. Raises InvalidInput."""
    check_span(position.valid_from, position.valid_to)
    return replace(position, job_function=normal_text(position.job_function, "job_function"))
