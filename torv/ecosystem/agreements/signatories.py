"""Signatories: who must sign an agreement, who has, with which key, and which people stand behind it."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from torv.base import signing
from torv.base.db import Tx
from torv.ecosystem.agreements import storing
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.service import signatures_of
from torv.ecosystem.agreements.storing import sql
from torv.ecosystem.partners import partner_by_cvr


@dataclass(frozen=True, kw_only=True, slots=True)
class Signatory:
    """A party that must sign."""

    cvr: str
    name: str  #: the CVR number, where no such organisation is registered any more
    signed_at: datetime | None  #: None: has not signed
    fingerprint: str | None  #: of the key it signed with, as people compare it
    people: list[str] = field(default_factory=list)  #: our own users who confirmed with their passwords


async def signatories_of(tx: Tx, agreement_id: UUID) -> list[Signatory]:
    """The parties in the order of the agreement, the municipality first. Raises NotFound."""
    content = Content.model_validate((await storing.read_row(tx, agreement_id)).content)
    signed = {each.signer: each for each in await signatures_of(tx, agreement_id)}
    people = [each.name for each in await tx.all(_Name, sql.confirmed_by, agreement_id=agreement_id)]
    found = []
    for cvr in content.signatories:
        partner, signature = await partner_by_cvr(tx, cvr), signed.get(cvr)
        signatory = Signatory(
            cvr=cvr, name=partner.name if partner else cvr, signed_at=signature.at if signature else None,
            fingerprint=signing.readable(signing.key_id(signature.jws)) if signature else None,
            people=people if cvr == content.municipality else [],
        )  # fmt: skip
        found.append(signatory)
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class _Name:
    name: str
