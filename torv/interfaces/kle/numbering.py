"""How KLE numbers its subjects (`27`, `27.36`, `27.36.04`) and its action facets (`G`, `G01`)."""

import re
from datetime import date
from uuid import UUID

from torv.base.errors import KleFileInvalid

PATTERNS = {
    "main_group": re.compile("[0-9]{2}"),
    "group": re.compile("[0-9]{2}[.][0-9]{2}"),
    "subject": re.compile("[0-9]{2}[.][0-9]{2}[.][0-9]{2}"),
    "facet_category": re.compile("[A-ZÆØÅ]"),
    "facet": re.compile("[A-ZÆØÅ][0-9]{2}"),
}  #: level -> its codes (KLE-REST-Faelles-version-1-2.xsd)
SUBJECT_LEVELS = frozenset({"main_group", "group", "subject"})
FACET_LEVELS = frozenset({"facet_category", "facet"})


def check_code(level: str, code: str, line: int) -> str:
    """The code. Raises KleFileInvalid if it is not one of that level."""
    if not PATTERNS[level].fullmatch(code):
        raise KleFileInvalid(line=line, reason=f"{code!r} is not a number", reason_da=f"{code!r} er ikke et nummer")
    return code


def parent_of(code: str) -> str | None:
    """The code above: `27.36` of `27.36.04`, `G` of `G01`; None at the top."""
    return code.rpartition(".")[0] or (code[0] if code[0].isalpha() and len(code) > 1 else None)


def check_title(text: str, line: int) -> str:
    """The title without surplus blanks. Raises KleFileInvalid if nothing is left."""
    title = " ".join(text.split())
    if not title or not title.isprintable():
        raise KleFileInvalid(line=line, reason="the title is missing", reason_da="titlen mangler")
    return title


def read_date(text: str, line: int) -> date:
    """A date, as 2026-05-01. Raises KleFileInvalid."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise KleFileInvalid(
            line=line, reason=f"{text[:40]!r} is not a date", reason_da=f"{text[:40]!r} er ikke en dato"
        ) from None


def read_id(text: str, line: int) -> UUID:
    """A UUID. Raises KleFileInvalid."""
    try:
        return UUID(text)
    except ValueError:
        raise KleFileInvalid(
            line=line, reason=f"{text[:40]!r} is not a UUID", reason_da=f"{text[:40]!r} er ikke et UUID"
        ) from None
