"""Rules of persons: what a CPR number is, and what a permit lets its holder see."""

import re
from dataclasses import replace
from datetime import date

from torv.base.access import Access
from torv.base.errors import CprInvalid, InvalidInput
from torv.kernel.persons.models import Person

CPR = "person.cpr"
PROTECTED_ADDRESS = "person.protected_address"
NAME_LENGTH = 200

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


def birth_date(cpr: str) -> date:
    """The date of birth that ten digits state. Raises CprInvalid if there is no such day."""
    day, month, year = int(cpr[0:2]), int(cpr[2:4]), int(cpr[4:6])
    century = next(century for limit, century in _CENTURIES[cpr[6]] if year <= limit)
    try:
        return date(century + year, month, day - 60 if day > 60 else day)
    except ValueError:
        raise CprInvalid from None


def normal_name(text: str) -> str:
    """A name without surplus spaces. Raises InvalidInput if it is empty, too long or has control characters."""
    name = " ".join(text.split())
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise InvalidInput(reason="name")
    return name


def visible(person: Person, access: Access) -> Person:
    """The person as the permit lets it be seen. Today's protection applies."""
    if not access.covers(CPR):
        person = replace(person, cpr=None)
    if person.has_protected_address and not access.covers(PROTECTED_ADDRESS):
        person = replace(person, address=None)
    return person
