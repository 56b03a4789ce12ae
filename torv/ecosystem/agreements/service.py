"""The verbs that bring agreements into force: propose, sign, confirm; and those that read them."""

import contextlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from joserfc.jwk import ECKey

from torv.base import clock, db, lease, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, InvalidInput, NotFound, SignatureInvalid
from torv.base.pages import Wanted
from torv.base.trail import note
from torv.ecosystem.agreements import rules, storing
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.errors import AgreementInvalid, AgreementStateWrong, NotAParty
from torv.ecosystem.agreements.models import Agreement, Listed, State
from torv.ecosystem.agreements.narrowing import check_within
from torv.ecosystem.agreements.policy import DEPTH
from torv.ecosystem.agreements.promises import check_promises
from torv.ecosystem.agreements.storing import Row, sql
from torv.ecosystem.partners import municipality, partner_by_cvr, partner_keys

db.names_constraint("agreements_id_key", AlreadyExists)
db.names_constraint("signatures_once", AlreadyExists)

_NEWEST = 2**62

#: a state as people read it
STATES_DA = {
    State.DRAFT: "et udkast", State.PROPOSED: "foreslået", State.REJECTED: "afvist", State.WAITING: "på vej",
    State.ACTIVE: "i kraft", State.SUSPENDED: "suspenderet", State.NOTICE: "opsagt", State.EXIT: "under afvikling",
    State.CLOSED: "lukket", State.SUPERSEDED: "afløst",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirmation:
    user_id: UUID
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """A party's signed statement."""

    signer: str
    jws: str
    at: datetime


async def propose_agreement(tx: Tx, access: Access, text: bytes) -> Agreement:
    """Store an agreement for signature. Raises AgreementInvalid for an unknown term or party, AlreadyExists."""
    content, plain = rules.read_content(text)
    partner = await partner_by_cvr(tx, content.partner)
    if partner is None:
        raise AgreementInvalid(reason="partner: not registered", reason_da="partner: ikke registreret")
    if content.municipality != (await municipality(tx)).cvr:
        raise AgreementInvalid(reason="municipality: not us", reason_da="municipality: er ikke os")
    await _check_before(tx, content, partner.id)
    await _check_above(tx, content)
    await check_promises(tx, content)
    await tx.run(
        sql.insert_agreement, id=content.id, partner_id=partner.id, version=content.version,
        supersedes=content.supersedes, parent_id=content.parent.agreement if content.parent else None, content=plain,
        hash=rules.hash_content(plain),
    )  # fmt: skip
    note(tx, access, "write", detail={"agreement": str(content.id)})
    return await storing.view(tx, content.id)


async def read_agreement(tx: Tx, access: Access, agreement_id: UUID) -> Agreement:
    """An agreement and how it stands now. Raises NotFound, also for a program whose partner does not sign it."""
    await check_party(tx, access, agreement_id)
    note(tx, access, "read", detail={"agreement": str(agreement_id)})
    return await storing.view(tx, agreement_id)


async def check_party(tx: Tx, access: Access, agreement_id: UUID) -> None:
    """Raises NotFound if a program asks for an agreement that its partner does not sign: it is not to know."""
    if access.party is not None and not await tx.value(sql.is_party, id=agreement_id, party=access.party):
        raise NotFound


async def list_agreements(
    tx: Tx, access: Access, *, wanted: Wanted, partner_id: UUID | None = None
) -> list[tuple[int, Listed]]:
    """Agreements with their place in the list, the last proposed first; a partner's own, if one is given.

    A program sees those that its partner signs.
    """
    before = wanted.after[0] if wanted.after else _NEWEST
    rows = await tx.all(
        Row, sql.agreements_in_order, partner_id=partner_id, party=access.party, before=before, size=wanted.fetch
    )
    now = clock.now()
    found = [(row.seq, await storing.listed(tx, row, now)) for row in rows]
    note(tx, access, "read", detail={"agreements": len(found)})
    return found


async def sign_by_partner(tx: Tx, access: Access, agreement_id: UUID, jws: str) -> Agreement:
    """Keep a party's signature, made on its own machine.

    Raises SignatureInvalid, NotAParty, AgreementStateWrong unless it is proposed, AlreadyExists or NotFound.
    """
    row = await storing.locked_row(tx, agreement_id)
    signer = await verified_signer(tx, row, jws, "accept")
    await check_state(tx, row, {State.PROPOSED})
    return await _sign(tx, access, row, signer, jws)


async def confirm(tx: Tx, access: Access, agreement_id: UUID, key: ECKey) -> Agreement:
    """Note that the acting user, who has just shown their password, confirms; with the last of them we have signed."""
    row = await storing.locked_row(tx, agreement_id)
    content = Content.model_validate(row.content)
    if content.municipality in row.signed_by:
        note(tx, access, "read", detail={"agreement": str(agreement_id)})
        return await storing.view(tx, agreement_id)
    await check_state(tx, row, {State.PROPOSED})
    await tx.run(sql.insert_confirmation, agreement_id=agreement_id, user_id=access.caller.user_id)
    confirmed = await tx.all(Confirmation, sql.confirmations, agreement_id=agreement_id)
    note(tx, access, "write", detail={"agreement": str(agreement_id), "confirmations": len(confirmed)})
    if len(confirmed) < content.signers:
        return await storing.view(tx, agreement_id)
    statement = {
        "hash": row.hash, "type": "accept", "signer": content.municipality, "signed_at": clock.now().isoformat(),
        "confirmed_by": [str(each.user_id) for each in confirmed],
    }  # fmt: skip
    return await _sign(tx, access, row, content.municipality, signing.sign(statement, key))


async def signatures_of(tx: Tx, agreement_id: UUID) -> list[Signature]:
    """The signatures of an agreement, in the order in which they came."""
    return await tx.all(Signature, sql.signatures_of, agreement_id=agreement_id)


async def verified_signer(tx: Tx, row: Row, jws: str, kind: str) -> str:
    """Who made a statement of this kind about the agreement. Raises SignatureInvalid or NotAParty."""
    signer = _stated_signer(jws)
    content = Content.model_validate(row.content)
    if signer not in content.signatories or signer == content.municipality:
        raise NotAParty
    partner = await partner_by_cvr(tx, signer)
    keys = await partner_keys(tx, partner.id) if partner else []
    statement = _verified(jws, [signing.read_public_key(key.jwk) for key in keys])
    if statement.get("hash") != row.hash or statement.get("type") != kind:
        raise SignatureInvalid(reason="it is over something else")
    return signer


async def check_state(tx: Tx, row: Row, states: set[State]) -> State:
    """The state, if it is one of these. Raises AgreementStateWrong."""
    state = (await storing.standing_of(tx, row, clock.now())).state
    if state not in states:
        raise AgreementStateWrong(state=state, state_da=STATES_DA[state])
    return state


async def _check_before(tx: Tx, content: Content, partner_id: UUID) -> None:
    """Raises AgreementInvalid unless the version before is there, with the same partner, and has no other successor."""
    if content.supersedes is None:
        return
    with contextlib.suppress(NotFound):
        row = await storing.locked_row(tx, content.supersedes)
        before = Content.model_validate(row.content)
        if row.partner_id == partner_id and content.version == before.version + 1:
            if await storing.successor(tx, row.id) is not None:
                raise AlreadyExists
            return
    raise AgreementInvalid(
        reason="supersedes: no such version of an agreement with this partner",
        reason_da="supersedes: partneren har ingen aftale med den version",
    )


async def _check_above(tx: Tx, content: Content) -> None:
    """Raises AgreementInvalid unless the agreements above are there, not too many, and grant at least as much."""
    child, depth = content, 1
    while child.parent is not None:
        depth += 1
        try:
            row = await storing.read_row(tx, child.parent.agreement)
        except NotFound:
            raise AgreementInvalid(reason="parent: not here", reason_da="parent: findes ikke her") from None
        above = Content.model_validate(row.content)
        if depth > DEPTH:
            raise AgreementInvalid(
                reason=f"parent: more than {DEPTH} in a chain", reason_da=f"parent: mere end {DEPTH} led i kæden"
            )
        if above.partner != child.parent.partner:
            raise AgreementInvalid(
                reason="parent: it is with another partner", reason_da="parent: den er med en anden partner"
            )
        check_within(child, above)
        child = above


async def _sign(tx: Tx, access: Access, row: Row, signer: str, jws: str) -> Agreement:
    await tx.run(sql.insert_signature, agreement_id=row.id, signer=signer, jws=jws)
    await lease.raise_generation(tx)
    note(tx, access, "write", detail={"agreement": str(row.id), "signed_by": signer})
    return await storing.view(tx, row.id)


def _stated_signer(jws: str) -> str:
    """Whom the statement claims to be from; believed only after its signature. Raises SignatureInvalid."""
    try:
        signer = signing.unverified_claims(jws).get("signer")
    except (ValueError, InvalidInput):
        raise SignatureInvalid(reason="it cannot be read") from None
    if not isinstance(signer, str):
        raise SignatureInvalid(reason="it names no signer")
    return signer


def _verified(jws: str, keys: list[ECKey]) -> dict[str, object]:
    for key in keys:
        try:
            return signing.verify(jws, key)
        except SignatureInvalid:
            continue
    raise SignatureInvalid(reason="it was not made with a key of the party")
