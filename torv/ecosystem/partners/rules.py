"""Rules of partners: numbers and countries in normal form, one-time codes, and what a supply chain may look like."""

import re
import secrets
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

from stdnum.dk import cvr as cvr_number
from stdnum.exceptions import ValidationError

from torv.base.access import Access, CallerKind
from torv.base.errors import CvrInvalid, Denied, InvalidInput
from torv.ecosystem.partners.errors import SupplyChainInvalid
from torv.ecosystem.partners.models import Contact, NewPartner, PartnerFacts

DENMARK = "DK"
_ASSIGNED = """\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR
    GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO
    JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR
    MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO
    RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV
    TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"""
COUNTRIES = frozenset(_ASSIGNED.split())  #: ISO 3166-1 alpha-2, the 249 codes officially assigned in 2026

LINE = 200  #: characters of a name or a task
MOST_CONTACTS = 20
LONGEST_CHAIN = 3  #: links from a supplier down to the last who works for it

#: no I, L, O or U: nobody can take one letter for another, on paper or on the telephone
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ALIKE = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None, " ": None})
CODE_ID, CODE_SECRET = 8, 16  #: letters of five bits each: finds the code; proves it
CODE_TRIES = 20  #: within a quarter of an hour from one address

_CAPABILITY = re.compile(r"[a-z][a-z0-9_]{0,62}")
_EMAIL = re.compile(r"[^\s@<>,;:\"]+@[^\s@<>,;:\"]+\.[^\s@<>,;:\"]{2,}")
_PHONE = re.compile(r"\+?[0-9][0-9 ]{4,24}")
_REGISTRATION = re.compile(r"[0-9A-Za-z][0-9A-Za-z ./-]{0,39}")


def require_person(access: Access) -> UUID:
    """The acting user's id. Raises Denied for a program: it may ask, but never approve, not for a user either."""
    if access.caller.kind is not CallerKind.USER:
        raise Denied(
            check="person", reason="only somebody who is signed in may do this",
            reason_da="kun en, der er logget ind, må gøre det", mender="Den kontraktansvarlige",
        )  # fmt: skip
    return access.caller.id


def normal_cvr(text: str) -> str:
    """Eight digits with a valid check digit. Raises CvrInvalid."""
    try:
        return str(cvr_number.validate(text))
    except ValidationError:
        raise CvrInvalid from None


def normal_partner(new: NewPartner) -> NewPartner:
    """The organisation in normal form. Raises CvrInvalid or InvalidInput, naming the field."""
    country = normal_country(new.country)
    if country == DENMARK:
        if new.cvr is None or new.registration is not None:
            raise InvalidInput(reason="cvr: a Danish organisation has a CVR number and no other")
        cvr, registration = normal_cvr(new.cvr), None
    else:
        if new.cvr is not None or new.registration is None:
            raise InvalidInput(reason="registration: a foreign organisation has a number in its own country")
        cvr, registration = None, _matching(_REGISTRATION, new.registration, "registration").upper()
    facts = normal_facts(PartnerFacts(name=new.name, contacts=new.contacts))
    return replace(
        new, cvr=cvr, registration=registration, country=country, name=facts.name, contacts=facts.contacts
    )  # fmt: skip


def normal_facts(facts: PartnerFacts) -> PartnerFacts:
    """The facts in normal form. Raises InvalidInput, naming the field."""
    if len(facts.contacts) > MOST_CONTACTS:
        raise InvalidInput(reason=f"contacts: at most {MOST_CONTACTS}")
    contacts = [_normal_contact(each) for each in facts.contacts]
    return PartnerFacts(name=normal_line(facts.name, "name"), contacts=contacts)


def _normal_contact(contact: Contact) -> Contact:
    if not contact.email and not contact.phone:
        raise InvalidInput(reason="contacts: an e-mail address or a telephone number, or both")
    return replace(
        contact, name=normal_line(contact.name, "contacts: name"),
        email=_matching(_EMAIL, contact.email, "contacts: email") if contact.email else None,
        phone=_matching(_PHONE, contact.phone, "contacts: phone") if contact.phone else None,
    )  # fmt: skip


def normal_country(text: str) -> str:
    """A country's two letters (ISO 3166-1). Raises InvalidInput."""
    if text.upper() not in COUNTRIES:
        raise InvalidInput(reason="country: two letters, as in ISO 3166-1")
    return text.upper()


def normal_capability(text: str) -> str:
    """The name of a capability, as contracts write it. Raises InvalidInput."""
    return _matching(_CAPABILITY, text, "capability")


def normal_line(text: str, field: str) -> str:
    """A line without surplus spaces. Raises InvalidInput if it is empty, too long or has control characters."""
    line = " ".join(text.split())
    if not 0 < len(line) <= LINE or not line.isprintable():
        raise InvalidInput(reason=field)
    return line


def _matching(pattern: re.Pattern[str], text: str, field: str) -> str:
    plain = " ".join(text.split())
    if len(plain) > LINE or not plain.isascii() or not pattern.fullmatch(plain):
        raise InvalidInput(reason=field)
    return plain


def make_code() -> str:
    """A new one-time code in normal form: 40 bits that find it and 80 that prove it."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(CODE_ID + CODE_SECRET))


def shown(code: str) -> str:
    """A code as people read it: groups of four."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def normal_code(text: str) -> str | None:
    """The code that somebody typed, whatever dashes, spaces and small letters they used; None if it cannot be one."""
    code = text.upper().translate(_ALIKE)
    return code if len(code) == CODE_ID + CODE_SECRET and set(code) <= set(_ALPHABET) else None


def check_chain(links: Iterable[tuple[UUID, UUID]]) -> None:
    """Raises SupplyChainInvalid if links (supplier, sub-supplier) of one capability make a ring or too long a chain."""
    below: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for supplier, sub_supplier in links:
        below[supplier].add(sub_supplier)
    for start in list(below):
        level, depth = {start}, 0
        while level := {each for one in level for each in below.get(one, ())}:
            depth += 1
            if start in level:
                raise SupplyChainInvalid(
                    reason="somebody would work for themselves", reason_da="nogen ville arbejde for sig selv"
                )
            if depth > LONGEST_CHAIN:
                raise SupplyChainInvalid(
                    reason=f"it would be longer than {LONGEST_CHAIN} links",
                    reason_da=f"den ville få mere end {LONGEST_CHAIN} led",
                )
