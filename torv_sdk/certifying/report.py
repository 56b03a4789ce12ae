"""The report: what was tried, what was found, and which level that gives; signed, so that it can be handed on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

from torv_sdk.canonical import canonical
from torv_sdk.certifying.rules import Level, Rule
from torv_sdk.contracts import Contract
from torv_sdk.keys import algorithm_of, thumbprint
from torv_sdk.profiles import Demand, Profile

FORMAT = "torv-certification/1"
_WORDS = {
    "da": {"passed": "✓", "failed": "✗", "skipped": "–", "reached": "Niveau", "none": "intet"},
    "en": {"passed": "✓", "failed": "✗", "skipped": "–", "reached": "Level", "none": "none"},
}


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What came of one rule."""

    rule: Rule
    outcome: Outcome
    found: str = ""  #: what was seen, or why the rule was not tried


@dataclass(frozen=True, kw_only=True, slots=True)
class DemandVerdict:
    """What came of one demand of a municipal profile."""

    demand: Demand
    outcome: Outcome
    found: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What came of a certification."""

    contract: Contract
    release: str  #: its id in the Torv that the report is for
    release_version: str | None = None
    wanted: Level
    began: datetime
    verdicts: Sequence[Verdict]
    profile: Profile | None = None
    demands: Sequence[DemandVerdict] = ()

    @property
    def level(self) -> Level | None:
        """The highest level all of whose rules, and of those before it, were tried and kept."""
        reached = None
        for level in Level:
            of_level = [each for each in self.verdicts if each.rule.level is level]
            if not of_level or any(each.outcome is not Outcome.PASSED for each in of_level):
                break
            reached = level
        return reached

    @property
    def is_reached(self) -> bool:
        """Whether the level that was wanted is reached, and every demand of the profile is met."""
        are_met = all(each.outcome is Outcome.PASSED for each in self.demands)
        return are_met and self.level is not None and self.level.includes(self.wanted)

    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "format": FORMAT,
            "capability": self.contract.capability,
            "major": self.contract.major,
            "version": self.contract.version,
            "contract": self.contract.hash,
            "release": self.release,
            "release_version": self.release_version,
            "profile": self.profile and self.profile.hash,
            "requirement_set": self.profile and self.profile.requirement_set,
            "wanted": self.wanted.value,
            "level": self.level and self.level.value,
            "began_at": self.began.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "rules": [
                {
                    "id": each.rule.id,
                    "level": each.rule.level.value,
                    "outcome": each.outcome.value,
                    "found": each.found,
                    "da": each.rule.danish,
                    "en": each.rule.english,
                    "advice": each.rule.advice,
                }
                for each in self.verdicts
            ],
            "demands": [
                {
                    "id": each.demand.id,
                    "hash": each.demand.hash,
                    "outcome": each.outcome.value,
                    "found": each.found,
                    "da": each.demand.danish,
                    "en": each.demand.english,
                }
                for each in self.demands
            ],
        }

    def signed(self, key: ECKey | None) -> dict[str, Any]:
        """The report with the certifier's signature (compact JWS) over its hash; without a key, None stands there."""
        document = self.document()
        return {"report": document, "signature": key and sign_document(document, key)}

    def told(self, language: str) -> str:
        """The report for the one who ran it: a line for each rule, and for a broken one what to do."""
        words, lines = _WORDS[language], []
        for each in self.verdicts:
            sentence = each.rule.danish if language == "da" else each.rule.english
            lines.append(f"{words[each.outcome.value]} {each.rule.id:<20} {sentence}")
            if each.found:
                lines.append(f"    {each.found}")
            if each.outcome is Outcome.FAILED:
                lines.append(f"    -> {each.rule.advice}")
        for told in self.demands:
            sentence = told.demand.danish if language == "da" else told.demand.english
            lines.append(f"{words[told.outcome.value]} {told.demand.id:<20} {sentence}")
            lines += [f"    {told.found}"] if told.found else []
        return "\n".join([*lines, f"{words['reached']}: {self.level.value if self.level else words['none']}"])


def verify_report(signed: dict[str, Any], key: ECKey) -> dict[str, Any]:
    """The report, if the key's owner signed it as it stands. Raises ValueError."""
    statement = jws.deserialize_compact(signed["signature"], key, algorithms=[algorithm_of(key)])
    if json.loads(statement.payload) != _statement(signed["report"]):
        raise ValueError("the signature belongs to another report")
    report: dict[str, Any] = signed["report"]
    return report


def _statement(document: dict[str, Any]) -> dict[str, str]:
    return {"type": "certification", "hash": sha256(canonical(document)).hexdigest()}


def sign_document(document: dict[str, Any], key: ECKey) -> str:
    """A compact JWS over the report's hash."""
    header = {"alg": algorithm_of(key), "kid": thumbprint(key)}
    return jws.serialize_compact(header, canonical(_statement(document)), key, algorithms=[header["alg"]])
