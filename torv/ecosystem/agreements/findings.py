"""Findings: what to think about in an agreement, such as where it is wide open, in plain words. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from torv.ecosystem.agreements.content import Content, Grant

#: countries of the EU and the EEA, where personal data may go without a further basis (GDPR, chapter V; 2026)
EEA = frozenset(
    """AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO""".split()  # noqa: SIM905
)
LONG = timedelta(days=4 * 366)  #: beyond four years the municipality cannot change supplier for long
SHORT_NOTICE = 3  #: months


class Level(StrEnum):
    MISSING = "missing"  #: without it, the agreement cannot be proposed
    WIDE = "wide"  #: permits more than most need
    NOTE = "note"  #: worth a thought


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something to mend or to think about."""

    level: Level
    place: str  #: the term, such as `grants.0.limits`: names, and numbers of entries from 0
    text: str
    text_da: str


def findings_of(content: Content) -> list[Finding]:
    """What to think about in an agreement that can be read, the gravest first."""
    found = [*_validity(content), *_terms(content)]
    for number, grant in enumerate(content.grants):
        found += _grant(number, grant)
    if not content.service_levels and content.parent is None:
        found.append(_note("service_levels", "nothing is promised about service", "intet er lovet om driften"))
    if content.exit.plan_due is None:
        found.append(_note("exit.plan_due", "no date for an exit plan", "ingen frist for en plan for ophør"))
    return sorted(found, key=lambda each: list(Level).index(each.level))


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


def _grant(number: int, grant: Grant) -> Iterator[Finding]:
    place = f"grants.{number}"
    if grant.limits.calls_per_day is None and grant.limits.person_views_per_day is None:
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
