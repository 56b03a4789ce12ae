"""The verbs of keys: a code for the partner, a key sent under it, its fingerprint confirmed, and its end.

The contract manager makes a one-time code and gives it to the partner by a road of its own. The partner sends a key
under it, with a proof that the private half is at hand. Both ends then see the same fingerprint; only when the contract
manager has stated it does the key count. So neither who reads the code on its way, nor who stands between the two,
gets a key of their own into use.
"""

import hashlib
import hmac
from datetime import datetime
from typing import Any
from uuid import UUID

from joserfc.jwk import ECKey

from torv.base import db, lease, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, InvalidInput, NotFound, SignatureInvalid, WrongState
from torv.base.sql import Query, load
from torv.base.trail import Entry, note
from torv.ecosystem.partners import rules
from torv.ecosystem.partners.errors import EnrolmentRefused, EnrolmentThrottled, FingerprintDiffers
from torv.ecosystem.partners.models import EnrolledKey, EnrolmentCode, KeyState, NewKey, PartnerKey, StoredCode
from torv.ecosystem.partners.service import itself, partner_by_id

sql = load(__file__)
db.names_constraint("keys_kid_key", AlreadyExists)
db.names_constraint("keys_period", InvalidInput)


async def issue_code(tx: Tx, access: Access, partner_id: UUID) -> EnrolmentCode:
    """A code under which the partner may send one key within 48 hours; it takes the place of an earlier one.

    Raises NotFound, PartnerMerged, or Denied for a program.
    """
    user_id = rules.require_person(access)
    await itself(tx, partner_id)
    await tx.run(sql.end_codes, partner_id=partner_id)
    code = rules.make_code()
    expires_at = await tx.value(
        sql.insert_code, id=code[: rules.CODE_ID], partner_id=partner_id, issued_by=user_id,
        secret_hash=_hashed(code[rules.CODE_ID :]),
    )  # fmt: skip
    note(tx, access, "write", detail={"partner": str(partner_id), "code_until": expires_at.isoformat()})
    return EnrolmentCode(code=rules.shown(code), expires_at=expires_at)


def check_proof(new: NewKey) -> ECKey:
    """The key, if whoever sends it also holds its private half. Raises InvalidInput or SignatureInvalid.

    The proof is a JWS over {"type": "enrol", "code": as sent, "thumbprint": of the key} and good for nothing else.
    """
    key = signing.read_public_key(new.jwk)
    expected = {"type": "enrol", "code": new.code, "thumbprint": key.thumbprint()}
    if signing.verify(new.proof, key) != expected:
        raise SignatureInvalid(reason="it is over something else")
    return key


async def note_attempt(tx: Tx, address: str) -> None:
    """Note that an address tries a code, before it is looked at. Raises EnrolmentThrottled."""
    address_hash = _hashed(address)
    await tx.value(sql.lock_address, address_hash=address_hash)
    if await tx.value(sql.attempts_of, address_hash=address_hash) >= rules.CODE_TRIES:
        raise EnrolmentThrottled
    await tx.run(sql.insert_attempt, address_hash=address_hash)


async def take_key(tx: Tx, text: str, key: ECKey, *, address: str, request_id: UUID) -> EnrolledKey | EnrolmentRefused:
    """Take in the key that was sent under a code, which counts once. Raises AlreadyExists for a key that is known.

    A wrong code is returned, not raised, so that the failure stays counted; five of them end a code.
    """
    code = rules.normal_code(text) or ""
    found = await tx.maybe(StoredCode, sql.lock_code, id=code[: rules.CODE_ID])
    if found is None:
        return EnrolmentRefused()
    if not hmac.compare_digest(found.secret_hash, _hashed(code[rules.CODE_ID :])):
        await tx.run(sql.count_failure, id=found.id)
        return EnrolmentRefused()
    await tx.run(sql.use_code, id=found.id)
    await tx.run(sql.forget_attempts, address_hash=_hashed(address))
    kid, fingerprint = key.thumbprint(), signing.fingerprint(key)
    await tx.run(
        sql.insert_key, kid=kid, partner_id=found.partner_id, jwk=signing.public(key), fingerprint=fingerprint
    )  # fmt: skip
    detail = {"partner": str(found.partner_id), "kid": kid}
    tx.notes.append(Entry(kind="write", operation="partners.take_key", request_id=request_id, detail=detail))
    return EnrolledKey(partner=found.partner_name, kid=kid, fingerprint=fingerprint)


async def confirm_key(
    tx: Tx, access: Access, partner_id: UUID, kid: str, *, fingerprint: str,
    valid_from: datetime | None = None, valid_to: datetime | None = None,
) -> PartnerKey:  # fmt: skip
    """Put a key into use whose fingerprint the partner has stated; not before now, until `valid_to` or its end.

    Raises NotFound, FingerprintDiffers, WrongState unless it is pending, InvalidInput for a period without an instant
    in it, or Denied for a program.
    """
    user_id = rules.require_person(access)
    key = await _key(tx, partner_id, kid)
    if not hmac.compare_digest(_plain(fingerprint), _plain(key.fingerprint)):
        raise FingerprintDiffers
    if not await tx.run(sql.confirm_key, kid=kid, user_id=user_id, valid_from=valid_from, valid_to=valid_to):
        raise WrongState(state=key.state)
    await lease.raise_generation(tx)
    note(tx, access, "write", detail={"partner": str(partner_id), "kid": kid, "key": "confirmed"})
    return await _key(tx, partner_id, kid)


async def end_key(tx: Tx, access: Access, partner_id: UUID, kid: str) -> PartnerKey:
    """Take a key out of use, or refuse a pending one; at once and for good. Raises NotFound, or WrongState."""
    key = await _key(tx, partner_id, kid)
    if not await tx.run(sql.end_key, kid=kid):
        raise WrongState(state=key.state)
    await lease.raise_generation(tx)
    note(tx, access, "write", detail={"partner": str(partner_id), "kid": kid, "key": "ended"})
    return await _key(tx, partner_id, kid)


async def list_keys(tx: Tx, access: Access, partner_id: UUID) -> list[PartnerKey]:
    """Every key an organisation has had, oldest first; of exactly this one, merged or not. Raises NotFound."""
    await partner_by_id(tx, partner_id)
    keys = await _keys(tx, sql.keys_of, partner_id=partner_id, kid=None)
    note(tx, access, "read", detail={"partner": str(partner_id), "keys": len(keys)})
    return keys


async def partner_keys(tx: Tx, partner_id: UUID) -> list[PartnerKey]:
    """The keys a partner signs with now; of a partner that has merged, those of the one it is part of."""
    return await _keys(tx, sql.keys_at, partner_id=partner_id, at=None)


async def keys_at(tx: Tx, partner_id: UUID, at: datetime) -> list[PartnerKey]:
    """The keys that counted for a partner at an instant, for verifying what was signed then.

    The instant must be one we know ourselves, such as when a signature came in: what a signature says of its own time
    is worth nothing once the key is lost.
    """
    return await _keys(tx, sql.keys_at, partner_id=partner_id, at=at)


async def _key(tx: Tx, partner_id: UUID, kid: str) -> PartnerKey:
    found = await _keys(tx, sql.keys_of, partner_id=partner_id, kid=kid)
    if not found:
        raise NotFound
    return found[0]


async def _keys(tx: Tx, query: Query, **values: Any) -> list[PartnerKey]:
    rows = await tx.all(dict, query, **values)
    return [PartnerKey(**{**row, "state": KeyState(row["state"])}) for row in rows]


def _hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()


def _plain(fingerprint: str) -> bytes:
    """What counts of a fingerprint that somebody typed."""
    return "".join(each for each in fingerprint.upper() if each.isalnum()).encode()
