"""The lines of an extract, taken apart: of each record the fields we keep something of, as they stand in the file.

The names of the fields are those of layouts.yaml.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from torv.interfaces.cpr.layouts import layouts


class PersonLine(NamedTuple):
    cpr: str
    current_cpr: str
    status: str
    status_at: str
    sex: str
    born_on: str


class AddressLine(NamedTuple):
    municipality: str
    road: str
    house: str
    floor: str
    door: str
    care_of: str
    moved_in_at: str


class LetterLine(NamedTuple):
    care_of: str
    locality: str
    street_line: str
    town: str
    postal_code: str
    district: str


class ProtectionLine(NamedTuple):
    kind: str
    from_on: str
    to_on: str


class AbroadLine(NamedTuple):
    country: str
    left_at: str
    abroad_1: str
    abroad_2: str
    abroad_3: str
    abroad_4: str
    abroad_5: str


class ContactLine(NamedTuple):
    from_on: str
    to_on: str
    line_1: str
    line_2: str
    line_3: str
    line_4: str
    line_5: str


class MissingLine(NamedTuple):
    cpr: str
    missing_at: str


class NameLine(NamedTuple):
    given: str
    middle: str
    family: str
    named_at: str


class CivilLine(NamedTuple):
    code: str
    spouse_cpr: str
    spouse_name: str
    from_at: str


class ParentsLine(NamedTuple):
    mother_from: str
    mother_cpr: str
    mother_name: str
    father_from: str
    father_cpr: str
    father_name: str


class CustodyLine(NamedTuple):
    holder: str
    from_on: str
    to_on: str
    holder_cpr: str
    holder_from: str


class GuardianLine(NamedTuple):
    from_on: str
    to_on: str
    guardian_cpr: str
    guardian_from: str
    guardian_name: str


class FormerNumberLine(NamedTuple):
    cpr: str
    former_cpr: str


class FormerAddressLine(NamedTuple):
    correction: str
    municipality: str
    road: str
    house: str
    floor: str
    door: str
    care_of: str
    moved_in_at: str
    moved_out_at: str


class FormerAbroadLine(NamedTuple):
    correction: str
    left_to: str
    left_at: str
    came_from: str
    came_at: str
    abroad_1: str
    abroad_2: str
    abroad_3: str
    abroad_4: str
    abroad_5: str


class FormerMissingLine(NamedTuple):
    correction: str
    missing_at: str
    found_at: str


class FormerNameLine(NamedTuple):
    correction: str
    given: str
    middle: str
    family: str
    named_at: str
    ended_at: str


class FormerCivilLine(NamedTuple):
    correction: str
    code: str
    spouse_cpr: str
    spouse_name: str
    from_at: str
    to_at: str


_LINES: dict[str, Any] = {
    "001": PersonLine, "002": AddressLine, "003": LetterLine, "004": ProtectionLine, "005": AbroadLine,
    "006": ContactLine, "007": MissingLine, "008": NameLine, "012": CivilLine, "015": ParentsLine, "016": CustodyLine,
    "017": GuardianLine, "022": FormerNumberLine, "023": FormerAddressLine, "024": FormerAbroadLine,
    "025": FormerMissingLine, "026": FormerNameLine, "029": FormerCivilLine,
}  # fmt: skip
USED = frozenset(_LINES)  #: records we keep something of

Found = dict[str, list[Any]]  #: record -> its lines, taken apart


def split_records(text: str, *, is_fixed: bool) -> list[str]:
    """The lines of a stretch of a file."""
    if not is_fixed:
        return text.splitlines()  # the check has refused every other character that this splits at
    lines, start = [], 0
    while start < len(text):
        end = start + layouts()[text[start : start + 3]].length
        lines.append(text[start:end])
        start = end
    return lines


def take_apart(lines: Sequence[str]) -> Found:
    """The lines about one person, by record; what we keep nothing of is left out."""
    found: Found = {}
    takers = _takers()
    for line in lines:
        record = line[:3]
        if record in takers:
            take, make = takers[record]
            found.setdefault(record, []).append(make(take(line)))
    return found


@cache
def _takers() -> dict[str, tuple[Callable[[str], tuple[str, ...]], Callable[..., Any]]]:
    return {record: (layouts()[record].taker(*line._fields), line._make) for record, line in _LINES.items()}
