"""Faults: what keeps an agreement from being read, in plain words. Pure."""

import re
from typing import Any, Final

from pydantic import ValidationError

from torv.ecosystem.agreements.findings import Finding, Level

WHOLE: Final = "content"  #: the place of a fault that no single term has

_EMPTY = ("is empty", "er tom")
_NO_TEXT = ("is not a text", "er ikke en tekst")
_NO_LIST = ("is not a list", "er ikke en liste")
_NO_OBJECT = ("is not a group of terms", "er ikke en gruppe af vilkår")
_NO_WHOLE = ("is not a whole number", "er ikke et helt tal")
_NO_NUMBER = ("is not a number", "er ikke et tal")
_NO_INSTANT = ("is not a date with a time of day", "er ikke en dato med klokkeslæt")
_NO_DAY = ("is not a date", "er ikke en dato")
_NO_TIME = ("is not a time of day", "er ikke et klokkeslæt")
_NO_UUID = ("is not a UUID", "er ikke et UUID")
_OTHER: Final = ("has the wrong form", "har forkert form")

#: kind of fault -> what people read, English and Danish; a name in braces is the limit that was broken
FAULTS: Final[dict[str, tuple[str, str]]] = {
    "missing": ("is missing", "mangler"),
    "extra_forbidden": ("is not a term of an agreement", "er ikke et vilkår, en aftale kan have"),
    "too_short": _EMPTY, "string_too_short": _EMPTY,
    "too_long": ("has more than {max_length} entries", "har mere end {max_length} punkter"),
    "string_too_long": ("is longer than {max_length} characters", "er længere end {max_length} tegn"),
    "string_type": _NO_TEXT, "string_unicode": _NO_TEXT,
    "tuple_type": _NO_LIST, "frozen_set_type": _NO_LIST, "list_type": _NO_LIST,
    "model_type": _NO_OBJECT, "dict_type": _NO_OBJECT,
    "int_type": _NO_WHOLE, "int_parsing": _NO_WHOLE, "int_from_float": _NO_WHOLE, "int_parsing_size": _NO_WHOLE,
    "decimal_type": _NO_NUMBER, "decimal_parsing": _NO_NUMBER, "finite_number": _NO_NUMBER,
    "decimal_max_digits": ("has more than {max_digits} digits", "har mere end {max_digits} cifre"),
    "greater_than": ("must be more than {gt}", "skal være mere end {gt}"),
    "greater_than_equal": ("must be at least {ge}", "skal være mindst {ge}"),
    "less_than_equal": ("must be at most {le}", "må højst være {le}"),
    "datetime_type": _NO_INSTANT, "datetime_parsing": _NO_INSTANT, "datetime_from_date_parsing": _NO_INSTANT,
    "timezone_aware": ("has no time zone", "mangler tidszone"),
    "date_type": _NO_DAY, "date_parsing": _NO_DAY, "date_from_datetime_parsing": _NO_DAY,
    "date_from_datetime_inexact": ("is a date without a time of day", "skal være en dato uden klokkeslæt"),
    "time_type": _NO_TIME, "time_parsing": _NO_TIME,
    "uuid_type": _NO_UUID, "uuid_parsing": _NO_UUID,
    "literal_error": ("must be {expected}", "skal være {expected}"),
    "string_pattern_mismatch": _OTHER,
}  # fmt: skip
#: the form that a text did not have -> what people read
FORMS: Final[dict[str, tuple[str, str]]] = {
    r"^[0-9]{8}$": ("is not a CVR number of eight digits", "er ikke et CVR-nummer på otte cifre"),
    r"^[A-Z]{2}$": ("is not a country code of two capital letters", "er ikke en landekode på to store bogstaver"),
    r"^[a-z][a-z0-9_.-]*$": (
        "is not a code of small letters, digits, dots, hyphens and underscores that begins with a letter",
        "er ikke en kode af små bogstaver, tal, punktum, bindestreg og understreg, som begynder med et bogstav",
    ),
    r"^[a-z0-9-]+$": (
        "is not a code of small letters, digits and hyphens", "er ikke en kode af små bogstaver, tal og bindestreg"
    ),
    r"^[0-9]{2}(\.[0-9]{2}){0,2}$": (
        "is not a KLE number such as 27.15.12", "er ikke et KLE-nummer, som for eksempel 27.15.12"
    ),
    r"^[0-9a-f]{64}$": (
        "is not a SHA-256 hash of 64 small letters and digits", "er ikke et SHA-256-aftryk på 64 små bogstaver og tal"
    ),
}  # fmt: skip
#: what the terms say that is wrong only together -> its Danish
TOGETHER_DA: Final[dict[str, str]] = {
    r"it ends before it begins": "slutter, før det begynder",
    r"a year outside (\d+) to (\d+)": r"har et årstal uden for \1 til \2",
    r"irrevocable beyond its end": "er uopsigelig længere, end den gælder",
    r"options must be decided in order, the first before the end":
        "optioner skal besluttes i rækkefølge, den første før aftalen slutter",
    r"opens and closes belong together and differ":
        "åbningstid og lukketid hører sammen og skal være forskellige",
    r"opens and closes are times of day in Denmark, without an offset":
        "åbningstid og lukketid er klokkeslæt i Danmark, uden tidszone",
    r"opens and closes are whole minutes": "åbningstid og lukketid er hele minutter",
    r"a percentile belongs to response_ms": "andelen af kaldene hører til et løfte om svartid",
    r"more than 100 per cent": "er mere end 100 procent",
    r"a target of nothing": "lover intet",
    r"remedies go from the promise towards the worse": "trinene i boden går fra løftet mod det dårligere",
    r"each step of the remedies costs more than the one before": "hvert trin i boden koster mere end det forrige",
    r"two grants have the same id": "to tilladelser har samme id",
    r"version 1 supersedes nothing; every later version supersedes the one before":
        "version 1 afløser intet; enhver senere version afløser den forrige",
    r"data_processing: no terms for (.+)": r"databehandlervilkårene nævner ikke \1",
    r"grants: (\S+) ends before it begins": r"tilladelsen \1 slutter, før den begynder",
    r"grants: (\S+) reaches beyond the agreement's validity": r"tilladelsen \1 rækker ud over aftalens gyldighed",
}  # fmt: skip


def faults_of(error: ValidationError) -> list[Finding]:
    """What keeps an agreement from being read."""
    errors = error.errors(include_input=False, include_url=False)
    places = [each["loc"] for each in errors]
    found = []
    for each in errors:
        if each["type"] == "too_short" and any(
            p != each["loc"] and p[: len(each["loc"])] == each["loc"] for p in places
        ):
            continue  # not empty: what is in it is at fault, and has been told
        place = ".".join(map(str, each["loc"])) or WHOLE
        text, text_da = _words_of(each["type"], each["msg"], each.get("ctx", {}))
        found.append(Finding(level=Level.MISSING, place=place, text=text, text_da=text_da))
    return found


def _words_of(kind: str, message: str, limits: dict[str, Any]) -> tuple[str, str]:
    """A fault in English and Danish. A kind that is not among ours is said to be of the wrong form."""
    if kind == "value_error":
        text = message.removeprefix("Value error, ")
        return text, _together_da(text)
    if kind == "string_pattern_mismatch":
        return FORMS.get(limits["pattern"], _OTHER)
    english, danish = FAULTS.get(kind, _OTHER)
    told = {name: str(value).replace("'", "") for name, value in limits.items()}
    told_da = {name: value.replace(" or ", " eller ") for name, value in told.items()}  # of the values there are
    return english.format(**told), danish.format(**told_da)


def _together_da(text: str) -> str:
    """The Danish of a fault that lies in several terms; the English where somebody forgot to add it."""
    for english, danish in TOGETHER_DA.items():
        match = re.fullmatch(english, text)
        if match is not None:
            return match.expand(danish)
    return text
