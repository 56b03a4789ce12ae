"""Agreement files: an agreement with its signatures as one JSON file, which anybody can verify offline. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from joserfc.jwk import ECKey
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from torv.base import signing
from torv.base.errors import InvalidInput, SignatureInvalid
from torv.base.signing import strict_json
from torv.ecosystem.agreements import rules
from torv.ecosystem.agreements.content import Content, Cvr, Line
from torv.ecosystem.agreements.errors import AgreementInvalid
from torv.ecosystem.agreements.faults import faults_of

LARGEST_FILE = 2_000_000  #: bytes


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Signed(_Part):
    """A party's signed statement."""

    signer: Cvr
    jws: str = Field(max_length=20_000)


class Signer(_Part):
    """A party, and the public keys it says it signs with: to be compared with what one knows from elsewhere."""

    cvr: Cvr
    name: Line
    keys: tuple[dict[str, Any], ...] = Field(max_length=20)


class AgreementFile(_Part):
    """What an agreement file holds."""

    format: Literal["torv-agreement-file/1"]
    content: dict[str, Any]
    signatures: tuple[Signed, ...] = Field(max_length=10)
    statements: tuple[str, ...] = Field(default=(), max_length=100)  #: later ones, such as a notice
    parties: tuple[Signer, ...] = Field(max_length=10)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What is known of one party's signature."""

    cvr: str
    name: str
    fingerprint: str | None  #: of the key it was made with; None where no signature holds
    signed_at: str | None
    fault: str | None  #: None where the signature holds
    fault_da: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class LaterStatement:
    """A party's signed statement that it rejects the agreement, or gives notice."""

    kind: str  #: reject | notice
    cvr: str
    signed_at: str
    holds: bool  #: whether it is signed by that party, about this agreement


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What a file proves."""

    content: Content
    hash: str
    parties: list[Verified]
    statements: list[LaterStatement]

    @property
    def is_complete(self) -> bool:
        """Whether every party has signed, every signature holds, and nobody has rejected the agreement."""
        is_rejected = any(each.kind == "reject" for each in self.statements)
        return all(each.fault is None for each in self.parties) and not is_rejected and self.is_true

    @property
    def is_true(self) -> bool:
        """Whether every later statement in the file is one of a party."""
        return all(each.holds for each in self.statements)


def read_file(text: bytes) -> AgreementFile:
    """Raises AgreementInvalid, naming the place."""
    if len(text) > LARGEST_FILE:
        raise AgreementInvalid(reason="the file is too large", reason_da="filen er for stor")
    try:
        return AgreementFile.model_validate(strict_json(text))
    except InvalidInput as error:
        reason = error.facts["reason"]
        raise AgreementInvalid(reason=reason, reason_da=f"filen er ikke entydig JSON ({reason})") from None
    except ValidationError as error:
        first = faults_of(error)[0]
        raise AgreementInvalid(
            reason=f"{first.place}: {first.text}", reason_da=f"{first.place} {first.text_da}"
        ) from None


def verify_file(file: AgreementFile, trusted: Mapping[str, Sequence[dict[str, Any]]] | None = None) -> Verification:
    """Verify every signature; by the keys trusted of each CVR number, or by those that the file itself brings.

    Raises AgreementInvalid where the content cannot be read.
    """
    content, plain = rules.read_content(rules.canonical(file.content))
    content_hash = rules.hash_content(plain)
    names = {party.cvr: party.name for party in file.parties}
    known = {party.cvr: party.keys for party in file.parties} if trusted is None else trusted
    parties = [
        _verify_party(cvr, names.get(cvr, cvr), file, known.get(cvr, ()), content_hash) for cvr in content.signatories
    ]
    statements = [_verify_later(jws, known, content_hash) for jws in file.statements]
    return Verification(content=content, hash=content_hash, parties=parties, statements=statements)


def _verify_later(jws: str, known: Mapping[str, Sequence[dict[str, Any]]], content_hash: str) -> LaterStatement:
    try:
        said = signing.unverified_claims(jws)
    except (ValueError, InvalidInput):
        said = {}
    cvr, kind = str(said.get("signer", "")), str(said.get("type", ""))
    keys = map(signing.read_public_key, known.get(cvr, ()))
    holds = any(_statement(jws, key) is not None for key in keys)
    is_ours = said.get("hash") == content_hash and kind in ("reject", "notice")
    return LaterStatement(kind=kind, cvr=cvr, signed_at=str(said.get("signed_at", "")), holds=holds and is_ours)


def _verify_party(
    cvr: str, name: str, file: AgreementFile, keys: Sequence[dict[str, Any]], content_hash: str
) -> Verified:
    signatures = [each.jws for each in file.signatures if each.signer == cvr]
    if not signatures:
        return _faulty(cvr, name, "has not signed", "har ikke underskrevet")
    for key in map(signing.read_public_key, keys):
        statement = _statement(signatures[0], key)
        if statement is None:
            continue
        if (statement.get("hash"), statement.get("type"), statement.get("signer")) != (content_hash, "accept", cvr):
            return _faulty(cvr, name, "the signature is over something else", "underskriften gælder noget andet")
        return Verified(
            cvr=cvr, name=name, fingerprint=key.thumbprint(), signed_at=str(statement.get("signed_at")), fault=None,
            fault_da=None,
        )  # fmt: skip
    return _faulty(cvr, name, "not made with a known key", "underskriften er ikke lavet med en kendt nøgle")


def _statement(jws: str, key: ECKey) -> dict[str, Any] | None:
    try:
        return signing.verify(jws, key)
    except SignatureInvalid:
        return None


def _faulty(cvr: str, name: str, fault: str, fault_da: str) -> Verified:
    return Verified(cvr=cvr, name=name, fingerprint=None, signed_at=None, fault=fault, fault_da=fault_da)
