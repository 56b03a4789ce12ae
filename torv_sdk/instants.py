"""Points in time as Torv writes them."""

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def instant(text: object) -> str | None:
    """An RFC 3339 time in the one form that sorts as text: UTC, six decimals, `Z`; None if it is not such a time.

    Digits beyond microseconds are cut off. A leap second (`:60`) and a time before year 1 have no such form.
    """
    if not isinstance(text, str) or not _RFC3339.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
