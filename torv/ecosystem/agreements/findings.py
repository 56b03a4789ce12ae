"""Findings: what an agreement lacks, and where it is wide open, in plain words. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from pydantic import ValidationError

from torv.ecosystem.agreements.content import Content, Grant

#: countries of the EU and the EEA, where personal data may go without a further basis (GDPR, chapter V; 2026)
EEA = frozenset(
    """AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO""".split()  # noqa: SIM905
)
LONG = timedelta(days=4 * 366)  #: beyond four years the municipality cannot change supplier for long
SHORT_NOTICE = 3  #: months

#: kinds of faults in the terms, as people read them
FAULTS_DA = {
    "missing": "mangler", "extra_forbidden": "findes ikke i aftaleformatet",
    "string_pattern_mismatch": "har forkert form",
    "too_short": "er tom", "too_long": "er for lang", "string_too_short": "er tom", "string_too_long": "er for lang",
    "literal_error": "er ikke en af de tilladte værdier", "uuid_parsing": "er ikke et UUID",
    "value_error": "er forkert",
    "timezone_aware": "mangler tidszone", "datetime_from_date_parsing": "er ikke et tidspunkt",
    "greater_than_equal": "er for lille", "less_than_equal": "er for stor", "int_parsing": "er ikke et helt tal",
    "greater_than": "er for lille", "int_type": "er ikke et helt tal", "int_from_float": "er ikke et helt tal",
    "string_type": "er ikke en tekst", "datetime_parsing": "er ikke et tidspunkt", "date_parsing": "er ikke en dato",
    "date_from_datetime_parsing": "er ikke en dato", "date_from_datetime_inexact": "er ikke en dato",
    "time_parsing": "er ikke et klokkeslæt",
}  # fmt: skip
#: what the terms say that are wrong only together, as people read it; a name may stand before a colon or in its place
TOGETHER_DA = {
    r"it ends before it begins": "slutter, før det begynder",
    r"a year outside (\d+) to (\d+)": r"har et årstal uden for \1 til \2",
    r"irrevocable beyond its end": "er uopsigelig længere, end den gælder",
    r"options must be decided in order, the first before the end":
        "optioner skal besluttes i rækkefølge, den første før aftalen slutter",
    r"opens and closes belong together and differ": "opens og closes hører sammen og skal være forskellige",
    r"opens and closes are times of day in Denmark, without an offset":
        "opens og closes er klokkeslæt i Danmark, uden tidszone",
    r"opens and closes are whole minutes": "opens og closes er hele minutter",
    r"a percentile belongs to response_ms": "percentile hører til response_ms",
    r"more than 100 per cent": "er mere end 100 procent",
    r"a target of nothing": "lover intet",
    r"remedies go from the promise towards the worse": "trinene i remedies går fra løftet mod det dårligere",
    r"each step of the remedies costs more than the one before":
        "hvert trin i remedies koster mere end det forrige",
    r"two grants have the same id": "to tilladelser har samme id",
    r"version 1 supersedes nothing; every later version supersedes the one before":
        "version 1 afløser intet; enhver senere version afløser den forrige (supersedes)",
    r"data_processing: no terms for (.+)": r"databehandlervilkårene (data_processing) nævner ikke \1",
    r"grants: (\S+) ends before it begins": r"tilladelsen \1 slutter, før den begynder",
    r"grants: (\S+) reaches beyond the agreement's validity": r"tilladelsen \1 rækker ud over aftalens gyldighed",
}  # fmt: skip


class Level(StrEnum):
    MISSING = "missing"  #: without it, the agreement cannot be proposed
    WIDE = "wide"  #: permits more than most need
    NOTE = "note"  #: worth a thought


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something to mend or to think about."""

    level: Level
    place: str  #: the term, such as `grants.1-persons.limits`
    text: str
    text_da: str


def findings_of(content: Content) -> list[Finding]:
    """What to think about in an agreement that can be read, the gravest first."""
    found = [*_validity(content), *_terms(content)]
    for grant in content.grants:
        found += _grant(grant)
    if not content.service_levels and content.parent is None:
        found.append(_note("service_levels", "nothing is promised about service", "intet er lovet om driften"))
    if content.exit.plan_due is None:
        found.append(_note("exit.plan_due", "no date for an exit plan", "ingen frist for en plan for ophør"))
    return sorted(found, key=lambda each: list(Level).index(each.level))


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
        place = ".".join(map(str, each["loc"])) or "(hele aftalen)"
        text = each["msg"].removeprefix("Value error, ")
        is_together = each["type"] == "value_error"
        text_da = _together_da(text) if is_together else FAULTS_DA.get(each["type"], "har forkert form")
        found.append(Finding(level=Level.MISSING, place=place, text=text, text_da=text_da))
    return found


def _together_da(text: str) -> str:
    """The Danish of a fault that lies in several terms; the English where somebody forgot to add it."""
    for english, danish in TOGETHER_DA.items():
        match = re.fullmatch(english, text)
        if match is not None:
            return match.expand(danish)
    return text


def _validity(content: Content) -> Iterator[Finding]:
    validity = content.validity
    if validity.not_after - validity.not_before > LONG:
        yield _wide("validity", "it runs for more than four years", "den løber i mere end fire år")
    if validity.notice_months < SHORT_NOTICE and content.parent is None:
        yield _note("validity.notice_months", "notice is short", "opsigelsesvarslet er kort")
    for number, option in enumerate(validity.options):
        if option.decide_by > validity.not_after - timedelta(days=30):
            place = f"validity.options.{number}"
            yield _note(place, "it is decided less than a month before the end", "den besluttes sent")


def _terms(content: Content) -> Iterator[Finding]:
    terms = content.data_processing
    if terms is None:
        return
    covered = {each.country for each in terms.transfers}
    outside = sorted((terms.locations | {each.country for each in terms.sub_processors}) - EEA - covered)
    if outside:
        names = ", ".join(outside)
        yield _wide(
            "data_processing.locations", f"outside the EEA without a basis: {names}",
            f"uden for EØS uden overførselsgrundlag: {names}",
        )  # fmt: skip
    unused = sorted(terms.categories - frozenset().union(*(grant.categories for grant in content.grants)))
    if unused:
        names = ", ".join(unused)
        yield _note(
            "data_processing.data", f"not granted anywhere: {names}", f"bruges ikke i nogen tilladelse: {names}"
        )
    if terms.approval == "general_with_notice":
        yield _wide(
            "data_processing.approval", "sub-suppliers need no approval of each",
            "nye underleverandører skal ikke godkendes enkeltvis",
        )  # fmt: skip
    if terms.oversight.on_overdue == "warn":
        yield _note("data_processing.oversight", "overdue oversight only warns", "manglende tilsyn stopper intet")


def _grant(grant: Grant) -> Iterator[Finding]:
    place = f"grants.{grant.id}"
    if grant.limits.calls_per_day is None and grant.limits.persons_per_day is None:
        yield _wide(f"{place}.limits", "any number of calls and persons", "ingen grænse for antal kald og personer")
    if "person.cpr" in grant.categories:
        yield _wide(f"{place}.categories", "CPR numbers are shown", "CPR-numre vises")
    if "person.protected" in grant.categories or "person.protected_address" in grant.categories:
        yield _wide(f"{place}.categories", "protected addresses are shown", "beskyttede adresser vises")
    if "search" in grant.operations:
        yield _wide(f"{place}.operations", "people can be searched for", "der kan søges blandt alle borgere")


def _wide(place: str, text: str, text_da: str) -> Finding:
    return Finding(level=Level.WIDE, place=place, text=text, text_da=text_da)


def _note(place: str, text: str, text_da: str) -> Finding:
    return Finding(level=Level.NOTE, place=place, text=text, text_da=text_da)
