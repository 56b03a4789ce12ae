"""The second pass: what the lines about one person say, as the kernel's values.

Records marked as corrected or undone are left out: the register does not stand by them. Where two facts of a kind
overlap, the one that began last wins, so that at most one of a kind is true on a day.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from torv.interfaces.cpr.layouts import countries
from torv.interfaces.cpr.lines import (
    AbroadLine,
    AddressLine,
    CivilLine,
    ContactLine,
    CustodyLine,
    FormerAbroadLine,
    FormerAddressLine,
    FormerCivilLine,
    FormerMissingLine,
    FormerNameLine,
    Found,
    GuardianLine,
    LetterLine,
    MissingLine,
    NameLine,
    ParentsLine,
    PersonLine,
    ProtectionLine,
    take_apart,
)
from torv.kernel.persons import (
    Address,
    CivilStatus,
    CivilStatusCode,
    ContactAddress,
    Fact,
    FactKind,
    FactValue,
    ImportedPerson,
    Name,
    Protection,
    Relation,
    RelationKind,
    Status,
    StatusCode,
)

#: status of record 001 (cpr.dk, "Status i CPR"); 03 and 07 are the same as 01 and 05 with a high road code
STATUSES = {
    "01": StatusCode.RESIDENT, "03": StatusCode.RESIDENT, "05": StatusCode.RESIDENT_GREENLAND,
    "07": StatusCode.RESIDENT_GREENLAND, "20": StatusCode.NOT_RESIDENT, "30": StatusCode.ANNULLED,
    "50": StatusCode.DELETED, "60": StatusCode.CHANGED, "70": StatusCode.MISSING, "80": StatusCode.EMIGRATED,
    "90": StatusCode.DEAD,
}  # fmt: skip
CIVIL_STATUSES = {
    "U": CivilStatusCode.UNMARRIED, "G": CivilStatusCode.MARRIED, "F": CivilStatusCode.DIVORCED,
    "E": CivilStatusCode.WIDOWED, "P": CivilStatusCode.REGISTERED_PARTNER, "O": CivilStatusCode.DISSOLVED_PARTNER,
    "L": CivilStatusCode.LONGEST_LIVING_PARTNER, "D": CivilStatusCode.DEAD,
}  # fmt: skip
WITH_SPOUSE = {CivilStatusCode.MARRIED, CivilStatusCode.REGISTERED_PARTNER}
NAME_AND_ADDRESS = "0001"  #: the protection that hides; 0002-0004 keep out directories, marketing and research
MOTHER, FATHER = "0003", "0004"  #: holders of custody who are named in record 015
HIDDEN = Protection(hides_address=True, hides_name=True)
_FEW_DATES = 100_000


Period = tuple[FactValue, date | None, date | None]


def read_person(lines: Sequence[str]) -> ImportedPerson:
    """What the lines about one person say. They have been checked, and one of them is a record 001."""
    found = take_apart(lines)
    person: PersonLine = found["001"][0]
    return ImportedPerson(
        cpr=person.cpr, sex=person.sex if person.sex in {"M", "K"} else None, birth_date=_date(person.born_on),
        facts=tuple(_facts(found, person)), relations=tuple(dict.fromkeys(_relations(found))),
        former_cprs=tuple(dict.fromkeys(each.former_cpr for each in found.get("022", ()))),
    )  # fmt: skip


def _facts(found: Found, person: PersonLine) -> Iterator[Fact]:
    yield from _timeline(FactKind.NAME, _names(found))
    yield from _timeline(FactKind.ADDRESS, _addresses(found))
    yield from _timeline(FactKind.CONTACT_ADDRESS, _contact_addresses(found))
    yield from _timeline(FactKind.PROTECTION, _protections(found))
    yield from _timeline(FactKind.CIVIL_STATUS, _civil_statuses(found))
    yield from _timeline(FactKind.STATUS, _statuses(found, person))


def _timeline(kind: FactKind, periods: Iterator[Period]) -> Iterator[Fact]:
    """Facts in order of time, of which no two hold on the same day. The last of the periods is the present one.

    What holds now since nobody knows when, holds from when the last thing before it ended.
    """
    rows = list(periods)
    if len(rows) == 1:
        value, begin, end = rows[0]
        is_some_time = begin is None or end is None or begin < end
        return iter([Fact(kind=kind, value=value, valid_from=begin, valid_to=end)] if is_some_time else ())
    if rows:
        value, begin, end = rows[-1]
        if begin is None and end is None:
            rows[-1] = (value, max((row[2] for row in rows if row[2] is not None), default=None), None)
        rows.sort(key=lambda row: row[1] or date.min)
    following: date | None = None
    facts: list[Fact] = []
    for value, begin, end in reversed(rows):
        if following is not None and (end is None or end > following):
            end = following
        elif following is None and facts:
            break  # two since nobody knows when: the later in the file is what holds
        if begin is None or end is None or begin < end:
            facts.append(Fact(kind=kind, value=value, valid_from=begin, valid_to=end))
            following = begin
    return reversed(facts)


def _names(found: Found) -> Iterator[Period]:
    old: FormerNameLine
    for old in found.get("026", ()):
        if not old.correction.strip():
            yield _name(old.given, old.middle, old.family), _date(old.named_at), _date(old.ended_at)
    now: NameLine
    for now in found.get("008", ()):
        yield _name(now.given, now.middle, now.family), _date(now.named_at), None


def _name(given: str, middle: str, family: str) -> Name:
    """The middle name (mellemnavn) goes with the given names: people are sorted by what follows it."""
    given, middle = given.rstrip(), middle.rstrip()
    return Name(given_names=f"{given} {middle}" if middle else given, family_name=family.rstrip())


def _addresses(found: Found) -> Iterator[Period]:
    old: FormerAddressLine
    for old in found.get("023", ()):
        if not old.correction.strip():
            yield _coded(old, (old.care_of.rstrip(),)), _date(old.moved_in_at), _date(old.moved_out_at)
    abroad: FormerAbroadLine
    for abroad in found.get("024", ()):
        if not abroad.correction.strip() and abroad.abroad_1.strip():
            country = _country(abroad.left_to) or _country(abroad.came_from)
            yield Address(lines=_written(abroad[5:]), country=country), _date(abroad.left_at), _date(abroad.came_at)
    now: AddressLine
    letter: LetterLine
    for now in found.get("002", ()):
        for letter in found.get("003", ()):
            yield _address(now, letter), _date(now.moved_in_at), None
            break
        else:
            yield _coded(now, (now.care_of.rstrip(),)), _date(now.moved_in_at), None
    gone: AbroadLine
    for gone in found.get("005", ()):
        if gone.abroad_1.strip():
            yield Address(lines=_written(gone[2:]), country=_country(gone.country)), _date(gone.left_at), None


def _address(codes: AddressLine, letter: LetterLine) -> Address:
    """The present address: its codes, and the lines of a letter."""
    care_of, locality, street, town = (text.rstrip() for text in letter[:4])
    postal_code, district = letter.postal_code.strip(), letter.district.rstrip()
    postal_code = postal_code if postal_code.strip("0") else ""
    lines = (care_of or codes.care_of.rstrip(), locality, street, town, f"{postal_code} {district}".strip())
    return _coded(codes, lines, postal_code or None, district or None)


def _coded(
    codes: AddressLine | FormerAddressLine, lines: tuple[str, ...],
    postal_code: str | None = None, city: str | None = None,
) -> Address:  # fmt: skip
    return Address(
        lines=tuple(line for line in lines if line), municipality_code=_code(codes.municipality),
        road_code=_code(codes.road), house=codes.house.strip() or None, floor=codes.floor.strip() or None,
        door=codes.door.strip() or None, postal_code=postal_code, city=city,
    )  # fmt: skip


def _contact_addresses(found: Found) -> Iterator[Period]:
    line: ContactLine
    for line in found.get("006", ()):
        if lines := _written(line[2:]):
            yield ContactAddress(lines=lines), _date(line.from_on), _date(line.to_on)


def _protections(found: Found) -> Iterator[Period]:
    line: ProtectionLine
    for line in found.get("004", ()):
        if line.kind == NAME_AND_ADDRESS:
            yield HIDDEN, _date(line.from_on), _date(line.to_on)


def _civil_statuses(found: Found) -> Iterator[Period]:
    old: FormerCivilLine
    for old in found.get("029", ()):
        if not old.correction.strip():
            yield _civil_status(old.code, old.spouse_cpr), _date(old.from_at), _date(old.to_at)
    now: CivilLine
    for now in found.get("012", ()):
        yield _civil_status(now.code, now.spouse_cpr), _date(now.from_at), None


def _civil_status(code: str, spouse_cpr: str) -> CivilStatus:
    return CivilStatus(code=CIVIL_STATUSES.get(code, CivilStatusCode.UNKNOWN), spouse_cpr=_code(spouse_cpr))


def _statuses(found: Found, person: PersonLine) -> Iterator[Period]:
    abroad: FormerAbroadLine
    for abroad in found.get("024", ()):
        left_at = _date(abroad.left_at)
        if not abroad.correction.strip() and left_at is not None:
            value = Status(code=StatusCode.EMIGRATED, country=_country(abroad.left_to))
            yield value, left_at, _date(abroad.came_at)
    missing: FormerMissingLine
    for missing in found.get("025", ()):
        if not missing.correction.strip():
            yield Status(code=StatusCode.MISSING), _date(missing.missing_at), _date(missing.found_at)
    code, since = STATUSES[person.status], _date(person.status_at)
    gone: AbroadLine | None = found.get("005", (None,))[0]
    lost: MissingLine | None = found.get("007", (None,))[0]
    if code is StatusCode.EMIGRATED and gone:
        yield Status(code=code, country=_country(gone.country)), since or _date(gone.left_at), None
    elif code is StatusCode.MISSING and lost:
        yield Status(code=code), since or _date(lost.missing_at), None
    else:
        yield Status(code=code, new_cpr=_code(person.current_cpr)), since, None


def _relations(found: Found) -> Iterator[Relation]:
    parents: ParentsLine | None = found.get("015", (None,))[0]
    mother = _other(parents.mother_cpr, parents.mother_name) if parents else None
    father = _other(parents.father_cpr, parents.father_name) if parents else None
    if parents and mother:
        yield _relation(RelationKind.PARENT, mother, parents.mother_from)
    if parents and father:
        yield _relation(RelationKind.PARENT, father, parents.father_from)
    yield from _custody(found, {MOTHER: mother, FATHER: father})
    guardian: GuardianLine
    for guardian in found.get("017", ()):
        if other := _other(guardian.guardian_cpr, guardian.guardian_name):
            yield _relation(RelationKind.GUARDIAN, other, guardian.from_on, guardian.to_on)
    yield from _spouses(found)


def _custody(found: Found, parents: dict[str, tuple[str | None, str | None] | None]) -> Iterator[Relation]:
    """Who holds custody; a mother or father whom nobody knows anything of is left out."""
    line: CustodyLine
    for line in found.get("016", ()):
        other = parents[line.holder] if line.holder in parents else _other(line.holder_cpr, "")
        if other:
            begin = max(line.from_on, line.holder_from)  # the later one: the holder may have changed in between
            yield _relation(RelationKind.CUSTODY, other, begin, line.to_on)


def _spouses(found: Found) -> Iterator[Relation]:
    old: FormerCivilLine
    for old in found.get("029", ()):
        other = _other(old.spouse_cpr, old.spouse_name)
        if not old.correction.strip() and other and CIVIL_STATUSES.get(old.code) in WITH_SPOUSE:
            yield _relation(RelationKind.SPOUSE, other, old.from_at, old.to_at)
    now: CivilLine
    for now in found.get("012", ()):
        other = _other(now.spouse_cpr, now.spouse_name)
        if other and CIVIL_STATUSES.get(now.code) in WITH_SPOUSE:
            yield _relation(RelationKind.SPOUSE, other, now.from_at)


def _relation(kind: RelationKind, other: tuple[str | None, str | None], begin: str, end: str = "") -> Relation:
    return Relation(kind=kind, cpr=other[0], name=other[1], valid_from=_date(begin), valid_to=_date(end))


def _other(cpr: str, name: str) -> tuple[str | None, str | None] | None:
    """Another human being by number, or by name where there is none (stored "Udtzen,Heinrich")."""
    if known := _code(cpr):
        return known, None
    if not name or name.isspace():
        return None
    family, _, given = name.strip().partition(",")
    said = f"{given.strip()} {family}".strip()
    return (None, said) if said else None


def _code(text: str) -> str | None:
    """Digits, or None for nothing or nothing but zeros."""
    return text if text.strip(" 0") else None


def _country(code: str) -> str | None:
    known = _code(code)
    return countries().get(known, known) if known else None


def _written(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(text for line in lines if (text := line.strip()))


class _Dates(dict[str, date | None]):
    """Dates by how they stand in the file, each read once. Of an unknown month or day it is the first."""

    def __missing__(self, text: str) -> date | None:
        if len(self) >= _FEW_DATES:
            self.clear()
        digits = text.replace("-", "")[:8].strip()
        known = None
        if digits.strip("0"):
            known = date(int(digits[:4]), int(digits[4:6]) or 1, int(digits[6:8]) or 1)
        self[text] = known
        return known


_date: Callable[[str], date | None] = _Dates().__getitem__
