"""Rules of persons: what a CPR number is, ages, and what a permit lets its holder see."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from torv.base.access import Access
from torv.base.errors import CprInvalid, InvalidInput
from torv.kernel.persons.models import FactKind, KnownFact, Person

CPR = "person.cpr"
PROTECTED_ADDRESS = "person.protected_address"
PROTECTED_NAME = "person.protected_name"
NAME_LENGTH = 200

OF_OWN_WILL = 15  #: years: hears and decides in many matters (retssikkerhedsloven; forvaltningsloven in practice)
OF_AGE = 18  #: years (værgemålsloven section 1)

#: seventh digit -> ranges of (last two-digit year, century) it stands for (cpr.dk, "Personnummeret i CPR")
_CENTURIES = {
    **dict.fromkeys("0123", ((99, 1900),)),
    **dict.fromkeys("49", ((36, 2000), (99, 1900))),
    **dict.fromkeys("5678", ((57, 2000), (99, 1800))),
}


def normal_cpr(text: str) -> str:
    """The ten digits of a CPR number written with or without a hyphen. Raises CprInvalid.

    The first six digits are a date of birth; in a replacement number (erstatningspersonnummer) the day is 60 higher.
    The check digit is not looked at: numbers without modulus 11 have been given since 2007-10-01 (cpr.dk).
    """
    digits = text.strip().replace("-", "").replace(" ", "")
    if not re.fullmatch(r"[0-9]{10}", digits):
        raise CprInvalid
    birth_date(digits)
    return digits


def is_replacement(cpr: str) -> bool:
    """Whether ten digits are a replacement number, given until a person gets a number of their own."""
    return int(cpr[0:2]) > 60


def birth_date(cpr: str) -> date:
    """The date of birth that ten digits state. Raises CprInvalid if there is no such day."""
    day, month, year = int(cpr[0:2]), int(cpr[2:4]), int(cpr[4:6])
    century = next(century for limit, century in _CENTURIES[cpr[6]] if year <= limit)
    try:
        return date(century + year, month, day - 60 if day > 60 else day)
    except ValueError:
        raise CprInvalid from None


def sex_of(cpr: str) -> str | None:
    """M for an odd last digit, K for an even one; None for a replacement number, which says nothing of it."""
    if is_replacement(cpr):
        return None
    return "M" if int(cpr[9]) % 2 else "K"


def age_on(born: date, day: date) -> int:
    """Full years lived on a day. Who was born on 29 February has a birthday on 1 March in other years.

    No statute says so; it is the first day on which the year is full, and so never grants a right too early.
    """
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def reaches_on(born: date, years: int) -> date:
    """The day on which somebody reaches an age."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:  # 29 February
        return date(born.year + years, 3, 1)


def normal_name(text: str) -> str:
    """A name without surplus spaces. Raises InvalidInput if it is empty, too long or has control characters."""
    name = " ".join(text.split())
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise InvalidInput(reason="name")
    return name


def visible(person: Person, access: Access) -> Person:
    """The person as the permit lets it be seen."""
    if not access.covers(CPR):
        person = replace(person, cpr=None)
    if person.has_protected_address and not access.covers(PROTECTED_ADDRESS):
        person = replace(person, address=None)
    if person.has_protected_name and not access.covers(PROTECTED_NAME):
        person = replace(person, given_names=None, family_name=None)
    return person


def visible_facts(facts: Sequence[KnownFact], person: Person, access: Access) -> list[KnownFact]:
    """The facts that the permit covers. Today's protection applies to yesterday's address and name too."""
    hidden = set()
    if person.has_protected_address and not access.covers(PROTECTED_ADDRESS):
        hidden |= {FactKind.ADDRESS, FactKind.CONTACT_ADDRESS}
    if person.has_protected_name and not access.covers(PROTECTED_NAME):
        hidden.add(FactKind.NAME)
    return [_without_numbers(fact, access) for fact in facts if fact.kind not in hidden]


def _without_numbers(fact: KnownFact, access: Access) -> KnownFact:
    """Other people's numbers, and new numbers, stand in a fact only for those who may see numbers."""
    if access.covers(CPR):
        return fact
    hidden = {name: None for name in ("spouse_cpr", "new_cpr") if hasattr(fact.value, name)}
    return replace(fact, value=replace(fact.value, **hidden)) if hidden else fact  # type: ignore[arg-type]
