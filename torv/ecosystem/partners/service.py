"""The verbs of organisations; with keys.py, supply.py and market.py the only writer of the schema `partners`."""

from typing import Any
from uuid import UUID

from torv.base import db, lease
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, NotFound, VersionMismatch
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import Query, load
from torv.base.text import sort_key
from torv.base.trail import note
from torv.ecosystem.partners import rules, supply
from torv.ecosystem.partners.errors import MergeRefused, PartnerMerged, PartnerUnknown
from torv.ecosystem.partners.models import (
    Contact,
    ContactRole,
    NewPartner,
    Partner,
    PartnerFacts,
    PartnerKind,
    PartnerVersion,
)

sql = load(__file__)
for _constraint in ("organisations_cvr_key", "organisations_registration_key", "organisations_one_municipality"):
    db.names_constraint(_constraint, AlreadyExists)

_START = ["", UUID(int=0)]  #: sorts before every name


async def register_partner(tx: Tx, access: Access, *, new: NewPartner) -> Partner:
    """Register an organisation. Raises CvrInvalid, InvalidInput or AlreadyExists."""
    normal = rules.normal_partner(new)
    [partner] = await _partners(
        tx, sql.insert_partner, id=new_id(), cvr=normal.cvr, registration=normal.registration, country=normal.country,
        name=normal.name, sort_key=sort_key(normal.name), kind=normal.kind, contacts=normal.contacts,
        user_id=access.caller.user_id,
    )  # fmt: skip
    note(tx, access, "write", detail={"partner": str(partner.id)})
    return partner


async def change_partner(tx: Tx, access: Access, partner_id: UUID, *, expected: int, facts: PartnerFacts) -> Partner:
    """Give an organisation another name or other contacts; every version is kept.

    Raises NotFound, PartnerMerged, VersionMismatch or InvalidInput. An organisation that gets another CVR number is
    another one: register it, and merge the former into it.
    """
    normal = rules.normal_facts(facts)
    changed = await _partners(
        tx, sql.change_partner, id=partner_id, expected=expected, name=normal.name, sort_key=sort_key(normal.name),
        contacts=normal.contacts, user_id=access.caller.user_id,
    )  # fmt: skip
    if not changed:
        await itself(tx, partner_id)
        raise VersionMismatch
    note(tx, access, "write", detail={"partner": str(partner_id), "version": changed[0].version})
    return changed[0]


async def merge_partner(tx: Tx, access: Access, partner_id: UUID, *, expected: int, into: UUID) -> Partner:
    """Let an organisation be part of another one from now on; gives that one.

    The old id stays and leads to the new one wherever it is read; the old keys and codes are dead at once, in every
    process within a second. Raises NotFound, PartnerUnknown, PartnerMerged, VersionMismatch, MergeRefused for the
    municipality and for a ring, and SupplyChainInvalid where somebody would come to work for themselves.
    """
    user_id = rules.require_person(access)
    await tx.value(sql.lock_chains)
    old = await itself(tx, partner_id)
    found = await _partners(tx, sql.partner_by_id, id=into)
    if not found:
        raise PartnerUnknown
    survivor = found[0]
    if survivor.id == partner_id:
        raise MergeRefused(reason="it would be part of itself", reason_da="den ville blive en del af sig selv")
    if PartnerKind.MUNICIPALITY in (old.kind, survivor.kind):
        raise MergeRefused(reason="the municipality is not merged", reason_da="kommunen bliver ikke lagt sammen")
    merged = {"id": partner_id, "into": survivor.id}
    if not await tx.run(sql.merge_partner, **merged, expected=expected, user_id=user_id):
        raise VersionMismatch
    await tx.run(sql.move_survivors, **merged)
    await tx.run(sql.end_keys, partner_id=partner_id)
    await tx.run(sql.end_codes, partner_id=partner_id)
    await supply.check_chains(tx)
    await lease.raise_generation(tx)
    note(tx, access, "write", detail={"partner": str(partner_id), "into": str(survivor.id)})
    return survivor


async def read_partner(tx: Tx, access: Access, partner_id: UUID) -> Partner:
    """An organisation; for one that has merged, the one it is part of by now. Raises NotFound."""
    partner = await partner_by_id(tx, partner_id)
    note(tx, access, "read", detail={"partner": str(partner.id)})
    return partner


async def list_partners(tx: Tx, access: Access, *, wanted: Wanted) -> list[Partner]:
    """Organisations by name, without those that have merged into another one."""
    name, after = wanted.after or _START
    partners = await _partners(tx, sql.partners_by_name, after_name=name, after_id=after, size=wanted.fetch)
    note(tx, access, "read", detail={"partners": len(partners)})
    return partners


async def list_versions(tx: Tx, access: Access, partner_id: UUID) -> list[PartnerVersion]:
    """Every version of an organisation, oldest first; of exactly this one, also when it has merged. Raises NotFound."""
    versions = await tx.all(PartnerVersion, sql.versions_of, id=partner_id)
    if not versions:
        raise NotFound
    note(tx, access, "read", detail={"partner": str(partner_id), "versions": len(versions)})
    return versions


async def partner_by_id(tx: Tx, partner_id: UUID) -> Partner:
    """An organisation; for one that has merged, the one it is part of by now. Raises NotFound."""
    found = await _partners(tx, sql.partner_by_id, id=partner_id)
    if not found:
        raise NotFound
    return found[0]


async def partner_by_cvr(tx: Tx, cvr: str) -> Partner | None:
    """The organisation with a CVR number, or the one it is part of by now (which has another number); or None."""
    found = await _partners(tx, sql.partner_by_cvr, cvr=cvr)
    return found[0] if found else None


async def municipality(tx: Tx) -> Partner:
    """Ourselves. Raises NotFound before the municipality is registered."""
    found = await _partners(tx, sql.municipality)
    if not found:
        raise NotFound
    return found[0]


async def itself(tx: Tx, partner_id: UUID) -> Partner:
    """An organisation that is still itself. Raises NotFound, or PartnerMerged."""
    partner = await partner_by_id(tx, partner_id)
    if partner.id != partner_id:
        raise PartnerMerged(into=str(partner.id))
    return partner


async def _partners(tx: Tx, query: Query, **values: Any) -> list[Partner]:
    return [_partner(**row) for row in await tx.all(dict, query, **values)]


def _partner(*, kind: str, contacts: list[dict[str, Any]], **row: Any) -> Partner:
    known = [Contact(**{**each, "role": ContactRole(each["role"])}) for each in contacts]
    return Partner(kind=PartnerKind(kind), contacts=known, **row)
