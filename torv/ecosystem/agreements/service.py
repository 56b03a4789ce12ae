"""The verbs of agreements; the only writer of the schema `agreements`."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joserfc.jwk import ECKey

from torv.base import clock, db, lease, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AgreementInvalid, AlreadyExists, SignatureInvalid, WrongState
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.agreements import rules
from torv.ecosystem.agreements.models import Agreement, State, StoredAgreement
from torv.ecosystem.agreements.policy import Policy, compile_policy
from torv.ecosystem.partners import municipality, partner_by_cvr, partner_keys

sql = load(__file__)
db.names_constraint("agreements_id_key", AlreadyExists)
db.names_constraint("signatures_once", AlreadyExists)

SIGNERS = 2  #: different users who must confirm before the municipality signs


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    user_id: UUID
    at: datetime


async def propose_agreement(tx: Tx, access: Access, text: bytes) -> Agreement:
    """Store an agreement for signature. Raises AgreementInvalid for an unknown term or party, AlreadyExists."""
    content, plain = rules.read_content(text)
    partner = await partner_by_cvr(tx, content.partner)
    if partner is None:
        raise AgreementInvalid(reason="partner: not registered")
    if content.municipality != (await municipality(tx)).cvr:
        raise AgreementInvalid(reason="municipality: not us")
    await tx.run(
        sql.insert_agreement, id=content.id, partner_id=partner.id, content=plain, hash=rules.hash_content(plain)
    )
    note(tx, access, "write", detail={"agreement": str(content.id)})
    return await _read(tx, content.id)


async def read_agreement(tx: Tx, access: Access, agreement_id: UUID) -> Agreement:
    """An agreement and how it stands now. Raises NotFound."""
    note(tx, access, "read", detail={"agreement": str(agreement_id)})
    return await _read(tx, agreement_id)


async def sign_by_partner(tx: Tx, access: Access, agreement_id: UUID, jws: str) -> Agreement:
    """Keep the partner's signature. Raises SignatureInvalid, WrongState, AlreadyExists or NotFound."""
    stored = await _locked(tx, agreement_id)
    statement = _verified(jws, [signing.read_public_key(key.jwk) for key in await partner_keys(tx, stored.partner_id)])
    if statement.get("hash") != stored.hash or statement.get("type") != "accept":
        raise SignatureInvalid(reason="it is over something else")
    if statement.get("signer") != stored.content["partner"]:
        raise SignatureInvalid(reason="it names another signer")
    return await _sign(tx, access, stored, "partner", jws)


async def confirm(tx: Tx, access: Access, agreement_id: UUID, key: ECKey) -> Agreement:
    """Note that the acting user, who has just shown their password, confirms; the second user's confirmation signs."""
    stored = await _locked(tx, agreement_id)
    await tx.run(sql.insert_confirmation, agreement_id=agreement_id, user_id=access.caller.user_id)
    confirmed = await tx.all(Confirmation, sql.confirmations, agreement_id=agreement_id)
    note(tx, access, "write", detail={"agreement": str(agreement_id), "confirmations": len(confirmed)})
    if len(confirmed) < SIGNERS or stored.is_signed_by_municipality:
        return await _read(tx, agreement_id)
    statement = {
        "hash": stored.hash, "type": "accept", "signer": stored.content["municipality"],
        "signed_at": clock.now().isoformat(), "confirmed_by": [str(each.user_id) for each in confirmed],
    }  # fmt: skip
    return await _sign(tx, access, stored, "municipality", signing.sign(statement, key))


async def suspend(tx: Tx, access: Access, agreement_id: UUID) -> Agreement:
    """Stop the agreement's permissions, everywhere within a second. Raises WrongState unless it is active."""
    return await _happen(tx, access, agreement_id, "suspend", {State.ACTIVE})


async def resume(tx: Tx, access: Access, agreement_id: UUID) -> Agreement:
    """Put a suspended agreement into force again. Raises WrongState unless it is suspended."""
    return await _happen(tx, access, agreement_id, "resume", {State.SUSPENDED})


async def begin_exit(tx: Tx, access: Access, agreement_id: UUID) -> Agreement:
    """Shrink the agreement to export. Raises WrongState unless it is active or suspended."""
    return await _happen(tx, access, agreement_id, "exit", {State.ACTIVE, State.SUSPENDED})


async def begin_exit_of_module(tx: Tx, access: Access, partner_id: UUID, module: str) -> list[UUID]:
    """Shrink to export the partner's agreements that are about this module alone; gives their ids."""
    exits = []
    for stored in await tx.all(StoredAgreement, sql.all_agreements):
        view = rules.view(stored, clock.now())
        modules = {grant["module"] for grant in stored.content["grants"]}
        if stored.partner_id == partner_id and modules == {module} and view.state in (State.ACTIVE, State.SUSPENDED):
            exits.append((await begin_exit(tx, access, stored.id)).id)
    return exits


async def load_policy(tx: Tx) -> Policy:
    """The policy of the present generation."""
    return compile_policy(await tx.all(StoredAgreement, sql.all_agreements))


async def _happen(tx: Tx, access: Access, agreement_id: UUID, kind: str, before: set[State]) -> Agreement:
    agreement = rules.view(await _locked(tx, agreement_id), clock.now())
    if agreement.state not in before:
        raise WrongState(state=agreement.state)
    await tx.run(sql.insert_event, agreement_id=agreement_id, kind=kind, user_id=access.caller.user_id)
    await lease.raise_generation(tx)
    note(tx, access, "write", detail={"agreement": str(agreement_id), "event": kind})
    return await _read(tx, agreement_id)


async def _sign(tx: Tx, access: Access, stored: StoredAgreement, party: str, jws: str) -> Agreement:
    await tx.run(sql.insert_signature, agreement_id=stored.id, party=party, jws=jws)
    await lease.raise_generation(tx)
    note(tx, access, "write", detail={"agreement": str(stored.id), "signed_by": party})
    return await _read(tx, stored.id)


async def _locked(tx: Tx, agreement_id: UUID) -> StoredAgreement:
    await tx.value(sql.lock_agreement, id=agreement_id)
    return await tx.one(StoredAgreement, sql.agreement_by_id, id=agreement_id)


async def _read(tx: Tx, agreement_id: UUID) -> Agreement:
    return rules.view(await tx.one(StoredAgreement, sql.agreement_by_id, id=agreement_id), clock.now())


def _verified(jws: str, keys: list[ECKey]) -> dict[str, object]:
    for key in keys:
        try:
            return signing.verify(jws, key)
        except SignatureInvalid:
            continue
    raise SignatureInvalid(reason="it was not made with a key of the partner")
