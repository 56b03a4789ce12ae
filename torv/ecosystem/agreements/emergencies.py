"""The verbs of the emergency list: two different users show their password, then the municipality has signed."""

from typing import Any
from uuid import UUID

from joserfc.jwk import ECKey
from pydantic import ValidationError

from torv.base import clock, db, lease, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, InvalidInput, NotFound
from torv.base.signing import strict_json
from torv.base.trail import note
from torv.ecosystem.agreements import rules
from torv.ecosystem.agreements.emergency import EmergencyContent
from torv.ecosystem.agreements.errors import EmergencyListInvalid
from torv.ecosystem.agreements.faults import faults_of
from torv.ecosystem.agreements.loading import EmergencyRow
from torv.ecosystem.agreements.service import Confirmation
from torv.ecosystem.agreements.storing import sql
from torv.ecosystem.partners import municipality

db.names_constraint("emergency_lists_id_key", AlreadyExists)

SIGNERS = 2  #: different users who must confirm before the municipality signs


async def propose_emergency_list(tx: Tx, access: Access, text: bytes) -> EmergencyRow:
    """Store an emergency list for signature. Raises EmergencyListInvalid or AlreadyExists."""
    content, plain = _read(text)
    if content.municipality != (await municipality(tx)).cvr:
        raise EmergencyListInvalid(reason="municipality: not us", reason_da="municipality: er ikke os")
    await tx.run(sql.insert_emergency_list, id=content.id, content=plain, hash=rules.hash_content(plain))
    note(tx, access, "write", detail={"emergency_list": str(content.id)})
    return await tx.one(EmergencyRow, sql.emergency_list_by_id, id=content.id)


async def confirm_emergency_list(tx: Tx, access: Access, list_id: UUID, key: ECKey) -> EmergencyRow:
    """Note that the acting user, who has just shown their password, confirms; the second user's confirmation signs."""
    content_hash = await tx.value(sql.lock_emergency_list, id=list_id)
    if content_hash is None:
        raise NotFound
    await tx.run(sql.confirm_emergency_list, id=list_id, user_id=access.caller.user_id)
    confirmed = await tx.all(Confirmation, sql.emergency_confirmations, id=list_id)
    note(tx, access, "write", detail={"emergency_list": str(list_id), "confirmations": len(confirmed)})
    if len(confirmed) == SIGNERS:
        statement = {
            "hash": content_hash, "type": "emergency", "signed_at": clock.now().isoformat(),
            "confirmed_by": [str(each.user_id) for each in confirmed],
        }  # fmt: skip
        await tx.run(sql.sign_emergency_list, id=list_id, jws=signing.sign(statement, key))
        await lease.raise_generation(tx)
    return await tx.one(EmergencyRow, sql.emergency_list_by_id, id=list_id)


async def read_emergency_list(tx: Tx, access: Access) -> EmergencyRow:
    """The list that is in force, or was last. Raises NotFound before there is one."""
    note(tx, access, "read")
    found = await tx.maybe(EmergencyRow, sql.newest_emergency_list)
    if found is None:
        raise NotFound
    return found


def _read(text: bytes) -> tuple[EmergencyContent, dict[str, Any]]:
    try:
        plain = strict_json(text)
        return EmergencyContent.model_validate(plain), plain
    except InvalidInput as error:
        reason = error.facts["reason"]
        raise EmergencyListInvalid(reason=reason, reason_da=f"teksten er ikke entydig JSON ({reason})") from None
    except ValidationError as error:
        first = faults_of(error)[0]
        raise EmergencyListInvalid(
            reason=f"{first.place}: {first.text}", reason_da=f"{first.place} {first.text_da}"
        ) from None
