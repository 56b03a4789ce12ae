"""Registering a release by its partner's own key: no user of the municipality takes part; binding stays its own.

The partner signs a statement on its own machine: the hash of the manifest, which has the release's address and public
key in it, whom it is for, and when. A statement counts for a few minutes, in this installation, for this manifest.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from torv.base import clock, lease, signing
from torv.base.db import Tx
from torv.base.errors import InvalidInput, SignatureInvalid
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import Entry
from torv.ecosystem.modules.addresses import normal_address
from torv.ecosystem.modules.errors import (
    RegistrationsThrottled,
    ReleaseDiffers,
    ReleaseRetired,
    StatementOutdated,
)
from torv.ecosystem.modules.manifests import Manifest
from torv.ecosystem.modules.models import RegisteredRelease, ReleaseState
from torv.ecosystem.partners import Partner, partner_by_cvr, partner_keys

sql = load(__file__)

COUNTS_FOR = timedelta(minutes=10)  #: before and after the instant that a statement names
MOST_IN_A_DAY = 50  #: releases that one partner registers


async def register_by_partner(
    tx: Tx, manifest: Manifest, jws: str, *, issuer: str, private: bool, request_id: UUID
) -> RegisteredRelease:
    """Register module and release as the manifest says. The same manifest again is the same release.

    A release that a user of the municipality registered without a manifest gets it. Raises SignatureInvalid,
    StatementOutdated, ModuleAddressInvalid, InvalidInput for the key, ReleaseDiffers for another manifest of the same
    version, or RegistrationsThrottled.
    """
    partner, kid = await _signer(tx, manifest, jws, issuer)
    content = manifest.content
    url, key = normal_address(content["address"], private=private), signing.read_public_key(content["key"])
    await tx.value(sql.lock_registration, partner_id=partner.id)
    known = await tx.maybe(RegisteredRelease, sql.release_of_manifest, partner_id=partner.id, name=content["module"],
                           version=content["version"])  # fmt: skip
    if known is not None:
        if known.manifest_hash is None:
            known = await _complete(tx, known, manifest, url, signing.public(key))
        if known.manifest_hash != manifest.hash:
            raise ReleaseDiffers(version=content["version"])
        tx.notes.append(_entry(partner, known.id, kid, request_id))
        return known
    if await tx.value(sql.registered_in_a_day, partner_id=partner.id) >= MOST_IN_A_DAY:
        raise RegistrationsThrottled
    release_id = await _insert(tx, partner, manifest, url, signing.public(key))
    tx.notes.append(_entry(partner, release_id, kid, request_id))
    return await tx.one(RegisteredRelease, sql.release_of_manifest, partner_id=partner.id, name=content["module"],
                        version=content["version"])  # fmt: skip


async def _complete(
    tx: Tx, known: RegisteredRelease, manifest: Manifest, url: str, jwk: dict[str, Any]
) -> RegisteredRelease:
    """Give a release its manifest that a user of the municipality registered without one.

    Raises ReleaseDiffers where address, key or major versions are others than those that were registered: those are
    what the municipality has decided on. ReleaseRetired for one that is out of use.
    """
    if known.state == ReleaseState.RETIRED:
        raise ReleaseRetired
    stated = {capability: manifest.majors.get(capability, []) for capability in known.in_service}
    served = {capability: known.majors.get(capability, [1]) for capability in known.in_service}
    is_same = (known.url, known.jwk) == (url, jwk) and known.majors in ({}, manifest.majors)
    if not is_same or any(set(served[each]) - set(stated[each]) for each in served):
        raise ReleaseDiffers(version=known.version)
    await tx.run(
        sql.complete_release, id=known.id, majors=manifest.majors, manifest=manifest.content,
        manifest_hash=manifest.hash,
    )  # fmt: skip
    await tx.run(sql.insert_components, release_id=known.id, components=manifest.components)
    await tx.run(sql.insert_locations, release_id=known.id, locations=manifest.locations)
    await lease.raise_generation(tx)
    return await tx.one(RegisteredRelease, sql.registered_release, id=known.id)


async def _insert(tx: Tx, partner: Partner, manifest: Manifest, url: str, jwk: dict[str, Any]) -> UUID:
    module_id = await tx.value(sql.ensure_module, id=new_id(), partner_id=partner.id, name=manifest.content["module"])
    release_id = new_id()
    await tx.run(
        sql.insert_release_with_manifest, id=release_id, module_id=module_id, version=manifest.content["version"],
        url=url, jwk=jwk, majors=manifest.majors, manifest=manifest.content, manifest_hash=manifest.hash,
    )  # fmt: skip
    await tx.run(sql.insert_components, release_id=release_id, components=manifest.components)
    await tx.run(sql.insert_locations, release_id=release_id, locations=manifest.locations)
    await lease.raise_generation(tx)
    return release_id


async def _signer(tx: Tx, manifest: Manifest, jws: str, issuer: str) -> tuple[Partner, str]:
    """The partner that made the statement just now, and with which key. Raises SignatureInvalid, StatementOutdated."""
    try:
        signer, kid = signing.unverified_claims(jws).get("signer"), signing.key_id(jws)
    except (ValueError, InvalidInput):
        raise SignatureInvalid(reason="it cannot be read") from None
    partner = await partner_by_cvr(tx, signer) if isinstance(signer, str) else None
    keys = await partner_keys(tx, partner.id) if partner else []
    key = next((each for each in keys if each.kid == kid), None)
    if partner is None or key is None:
        raise SignatureInvalid(reason="it was not made with a key of the party")
    statement = signing.verify(jws, signing.read_public_key(key.jwk))
    stated = {"type": "register", "hash": manifest.hash, "audience": issuer, "signer": signer}
    if {name: each for name, each in statement.items() if name != "signed_at"} != stated:
        raise SignatureInvalid(reason="it is over something else")
    if not _is_fresh(statement.get("signed_at")):
        raise StatementOutdated
    return partner, kid


def _is_fresh(signed_at: object) -> bool:
    try:
        at = datetime.fromisoformat(signed_at) if isinstance(signed_at, str) else None
    except ValueError:
        return False
    return at is not None and at.tzinfo is not None and abs(clock.now() - at) <= COUNTS_FOR


def _entry(partner: Partner, release_id: UUID, kid: str, request_id: UUID) -> Entry:
    detail = {"partner": str(partner.id), "release": str(release_id), "kid": kid}
    return Entry(kind="write", operation="modules.register_by_partner", request_id=request_id, detail=detail)
