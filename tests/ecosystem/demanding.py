"""What the tests of requirements share: a profile, and signed reports as a certifier writes them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from joserfc.jwk import ECKey

from tests.cast import Cast
from torv_sdk.certifying import report as reports
from torv_sdk.certifying.rules import RULES
from torv_sdk.contracts import Contract
from torv_sdk.profiles import Profile

PROFILE = """\
format: torv-requirements/1
capability: notes
major: 1
contract: 1.1.0
title: {da: Fjordbys krav til notater, en: What Fjordby demands of notes}
certification: {level: bronze, valid_months: 6}
fields:
  - id: author_shown
    da: Et notat viser, hvem der skrev det
    en: A note shows who wrote it
    answer: list_notes
    at: /notes/*
    name: author
    schema: {type: string, minLength: 1}
  - id: author_recorded
    da: Posten siger, hvem der skrev den
    en: The record says who wrote it
    record: note
    name: author
cases:
  - id: author_from_caller
    da: Forfatteren er den, der kalder
    en: The author is whoever calls
    steps:
      - call: write_note
        body: {person_id: "{person}", text: Ringede om torsdag.}
        expect: {status: 201, answer: {type: object, required: [id, author]}}
        keep: {note: /id}
      - call: list_notes
        query: {person_id: "{person}"}
        expect: {status: 200}
""".replace("contract: 1.1.0", f"contract: {Contract.of('notes', 1).version}")
ADDING = """\
format: torv-requirements/1
capability: notes
major: 1
contract: 1.1.0
title: {da: Notater kan tælles og stryges, en: Notes can be counted and struck out}
operations:
  - id: count_notes
    da: Hvor mange notater der er om en borger
    en: How many notes there are about a person
    method: GET
    path: /notes/count
    safe: true
    category: notes
  - id: strike_note
    da: Et notat stryges
    en: A note is struck out
    method: POST
    path: /notes/{note_id}/strike
    safe: false
    category: notes
fields:
  - {id: author_recorded, da: Posten har en forfatter, en: The record has an author, record: note, name: author,
     schema: {type: string, minLength: 1}}
""".replace("contract: 1.1.0", f"contract: {Contract.of('notes', 1).version}")
Content = dict[str, Any]


def contract() -> Contract:
    return Contract.of("notes", 1)


def profile(text: str = PROFILE) -> Profile:
    return Profile(yaml.safe_load(text), contract())


def report(
    cast: Cast, module: str, *, text: str | None = PROFILE, failing: tuple[str, ...] = (), **changes: Any
) -> Content:
    """A report about a module's release, that reached bronze and met every demand but those that fail."""
    wanted = profile(text) if text is not None else None
    rules = [each for each in RULES if each.level.value == "bronze"]
    made = reports.Report(
        contract=contract(), release=str(cast.releases[module]), release_version="1.0.0", wanted=rules[0].level,
        began=datetime.now(UTC) - timedelta(hours=1),
        verdicts=[reports.Verdict(rule=each, outcome=reports.Outcome.PASSED) for each in rules], profile=wanted,
        demands=[
            reports.DemandVerdict(
                demand=each, found="seen" if each.id in failing else "",
                outcome=reports.Outcome.FAILED if each.id in failing else reports.Outcome.PASSED,
            )
            for each in (wanted.demands if wanted else ())
        ],
    )  # fmt: skip
    return made.document() | changes


def signed(document: Content, key: ECKey) -> Content:
    """The report with a signature by this key, as `torv-sdk certify --out` writes it."""
    return {"report": document, "signature": reports.sign_document(document, key)}
