"""Reports of certifications: the document that `torv-sdk certify` signs, read with suspicion. Pure."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

import rfc8785
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from torv.base import signing
from torv.base.errors import InvalidInput, NotIdentified, SignatureInvalid
from torv.ecosystem.modules.errors import CertificationRefused
from torv.ecosystem.modules.models import LEVELS

MOST_RESULTS = 300  #: rules or demands in one report

Level = Literal["bronze", "silver", "gold"]
Outcome = Literal["passed", "failed", "skipped"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Line = Annotated[str, Field(max_length=400)]
Version = Annotated[str, Field(min_length=1, max_length=100)]


class Part(BaseModel):
    """A part of a report; a word we do not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RuleResult(Part):
    """What came of one of the contract's rules."""

    id: Word
    level: Level
    outcome: Outcome
    found: Annotated[str, Field(max_length=4_000)]
    da: Line
    en: Line
    advice: Line


class DemandResult(Part):
    """What came of one demand of a requirement set."""

    id: Word
    hash: Sha256
    outcome: Outcome
    found: Annotated[str, Field(max_length=4_000)]
    da: Line
    en: Line


class Report(Part):
    """What a certifier states."""

    format: Literal["torv-certification/1"]
    capability: Word
    major: Annotated[int, Field(ge=1, le=999)]
    version: Version  #: of the contract
    contract: Sha256
    release: UUID  #: the release's id in the installation the report is for
    release_version: Version
    profile: Sha256 | None = None
    requirement_set: Sha256 | None = None
    wanted: Level
    level: Level | None
    began_at: AwareDatetime
    rules: tuple[RuleResult, ...] = Field(max_length=MOST_RESULTS)
    demands: tuple[DemandResult, ...] = Field(default=(), max_length=MOST_RESULTS)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> "Report":
        if self.level != level_of(self.rules):
            raise ValueError("level is not what the rules give")
        if (self.profile is None) != (self.requirement_set is None) or (self.demands and self.profile is None):
            raise ValueError("profile, requirement_set and demands belong together")
        if any(len({each.id for each in some}) != len(some) for some in (self.rules, self.demands)):
            raise ValueError("a rule or demand stands twice")
        return self


def level_of(rules: Sequence[RuleResult]) -> Level | None:
    """The highest level all of whose rules, and of those before it, were tried and kept."""
    reached: Level | None = None
    for level in LEVELS:
        outcomes = [each.outcome for each in rules if each.level == level]
        if not outcomes or any(each != "passed" for each in outcomes):
            break
        reached = next(each.level for each in rules if each.level == level)
    return reached


def read_report(plain: dict[str, Any]) -> Report:
    """The report. Raises CertificationRefused."""
    try:
        return Report.model_validate(plain)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "report"
        reason = f"{place}: {first['msg'].removeprefix('Value error, ')}"
        raise CertificationRefused(reason=reason, reason_da=f"{place} er ikke, som det skal være") from None


def kid_of(signature: str) -> str:
    """The key a signature says it was made with. Raises CertificationRefused."""
    try:
        return signing.key_id(signature)
    except NotIdentified:
        raise CertificationRefused(reason="it is not signed", reason_da="den er ikke underskrevet") from None


def check_signature(signature: str, jwk: dict[str, Any], plain: dict[str, Any]) -> str:
    """The hash of the report, if the key's owner signed it as it stands. Raises CertificationRefused."""
    try:
        statement = signing.verify(signature, signing.read_public_key(jwk))
        digest = hashlib.sha256(rfc8785.dumps(plain)).hexdigest()
    except (SignatureInvalid, InvalidInput, rfc8785.CanonicalizationError):
        raise CertificationRefused(
            reason="the signature was not made with that key", reason_da="underskriften er ikke lavet med nøglen"
        ) from None
    if statement != {"type": "certification", "hash": digest}:
        raise CertificationRefused(
            reason="the signature is over something else", reason_da="underskriften gælder noget andet"
        )
    return digest
