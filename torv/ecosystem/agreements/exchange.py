"""The verbs that give an agreement out as one file, and take one in."""

from datetime import datetime
from typing import Any
from uuid import UUID

from joserfc.jwk import ECKey

from torv.base import lease, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import SignatureInvalid
from torv.base.trail import note
from torv.ecosystem.agreements import storing
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.errors import AgreementInvalid
from torv.ecosystem.agreements.files import read_file, verify_file
from torv.ecosystem.agreements.life import state_by_partner
from torv.ecosystem.agreements.models import Agreement
from torv.ecosystem.agreements.rules import canonical
from torv.ecosystem.agreements.service import check_party, propose_agreement, signatures_of
from torv.ecosystem.agreements.storing import sql
from torv.ecosystem.partners import keys_at, partner_by_cvr, partner_keys


async def export_agreement(tx: Tx, access: Access, agreement_id: UUID, own_key: ECKey) -> dict[str, Any]:
    """An agreement with its signatures and the parties' public keys, as an agreement file. Raises NotFound."""
    await check_party(tx, access, agreement_id)
    row = await storing.read_row(tx, agreement_id)
    content = Content.model_validate(row.content)
    note(tx, access, "read", detail={"agreement": str(agreement_id)})
    signatures = await signatures_of(tx, agreement_id)
    came = {each.signer: each.at for each in signatures}
    return {
        "format": "torv-agreement-file/1", "content": row.content,
        "signatures": [{"signer": each.signer, "jws": each.jws} for each in signatures],
        "statements": [each.jws for each in await tx.all(storing.Statement, sql.statements_of, agreement_id=row.id)],
        "parties": [await _party(tx, cvr, content, own_key, came.get(cvr)) for cvr in content.signatories],
    }  # fmt: skip


async def import_agreement(tx: Tx, access: Access, text: bytes, own_key: ECKey) -> Agreement:
    """Take in an agreement file; its signatures are verified with the keys we know, never with those it brings.

    A partner's notice counts from now on, later than it was given: what lies between cannot be known here.
    Raises AgreementInvalid, SignatureInvalid for any signature that does not hold, AlreadyExists, or
    AgreementStateWrong for a notice of what is not in force.
    """
    file = read_file(text)
    trusted: dict[str, list[dict[str, Any]]] = {}
    for cvr in {party.cvr for party in file.parties} | {signed.signer for signed in file.signatures}:
        trusted[cvr] = await _keys(tx, cvr, str(file.content.get("municipality")), own_key)
    verified = verify_file(file, trusted)
    signers = {each.cvr for each in verified.parties if each.fault is None}
    if signers != {signed.signer for signed in file.signatures} or len(signers) != len(file.signatures):
        fault = next((each.fault for each in verified.parties if each.fault is not None), "it is no party's")
        raise SignatureInvalid(reason=fault)
    agreement = await propose_agreement(tx, access, canonical(file.content))
    if any(each.kind == "reject" for each in verified.statements) or not verified.is_true:
        raise AgreementInvalid(
            reason="statements: it was rejected, or one of them is no party's",
            reason_da="statements: den er afvist, eller en af dem er ikke en parts",
        )
    for signed in file.signatures:
        await tx.run(sql.insert_signature, agreement_id=agreement.id, signer=signed.signer, jws=signed.jws)
    await lease.raise_generation(tx)
    for jws in file.statements:
        await state_by_partner(tx, access, agreement.id, "notice", jws)
    return await storing.view(tx, agreement.id)


async def _party(tx: Tx, cvr: str, content: Content, own_key: ECKey, signed: datetime | None) -> dict[str, Any]:
    """A party with its keys of today, and those that counted when its signature came in."""
    partner = await partner_by_cvr(tx, cvr)
    keys = await _keys(tx, cvr, content.municipality, own_key)
    if partner is not None and signed is not None and cvr != content.municipality:
        keys += [key.jwk for key in await keys_at(tx, partner.id, signed) if key.jwk not in keys]
    return {"cvr": cvr, "name": partner.name if partner else cvr, "keys": keys}


async def _keys(tx: Tx, cvr: str, ours: str, own_key: ECKey) -> list[dict[str, Any]]:
    if cvr == ours:
        return [signing.public(own_key)]
    partner = await partner_by_cvr(tx, cvr)
    return [key.jwk for key in await partner_keys(tx, partner.id)] if partner else []
