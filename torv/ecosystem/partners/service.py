"""The verbs of partners; the only writer of the schema `partners`."""

from typing import Any
from uuid import UUID

from stdnum.dk import cvr as cvr_number
from stdnum.exceptions import ValidationError

from torv.base import db, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, CvrInvalid
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.partners.models import NewPartner, Partner, PartnerKey

sql = load(__file__)
for _constraint in ("organisations_cvr_key", "organisations_one_municipality", "keys_kid_key"):
    db.names_constraint(_constraint, AlreadyExists)


async def register_partner(tx: Tx, access: Access, *, new: NewPartner) -> Partner:
    """Register an organisation. Raises CvrInvalid or AlreadyExists."""
    partner = await tx.one(
        Partner, sql.insert_partner, id=new_id(), cvr=normal_cvr(new.cvr), name=new.name, kind=new.kind
    )
    note(tx, access, "write", detail={"partner": str(partner.id)})
    return partner


async def enrol_key(tx: Tx, access: Access, partner_id: UUID, jwk: dict[str, Any]) -> PartnerKey:
    """Enrol a public key the partner signs with. Raises NotFound, InvalidInput, or AlreadyExists."""
    await tx.one(Partner, sql.partner_by_id, id=partner_id)
    key = signing.read_public_key(jwk)
    known = PartnerKey(kid=key.thumbprint(), jwk=signing.public(key))
    await tx.run(sql.insert_key, kid=known.kid, partner_id=partner_id, jwk=known.jwk)
    note(tx, access, "write", detail={"partner": str(partner_id), "kid": known.kid})
    return known


async def list_partners(tx: Tx, access: Access) -> list[Partner]:
    """Every organisation, by name."""
    partners = await tx.all(Partner, sql.all_partners)
    note(tx, access, "read", detail={"partners": len(partners)})
    return partners


async def partner_by_cvr(tx: Tx, cvr: str) -> Partner | None:
    """The organisation with a CVR number, or None."""
    return await tx.maybe(Partner, sql.partner_by_cvr, cvr=cvr)


async def municipality(tx: Tx) -> Partner:
    """Ourselves. Raises NotFound before the municipality is registered."""
    return await tx.one(Partner, sql.municipality)


async def partner_keys(tx: Tx, partner_id: UUID) -> list[PartnerKey]:
    """The keys a partner signs with now."""
    return await tx.all(PartnerKey, sql.keys_of, partner_id=partner_id)


def normal_cvr(text: str) -> str:
    """Eight digits with a valid check digit. Raises CvrInvalid."""
    try:
        return str(cvr_number.validate(text))
    except ValidationError:
        raise CvrInvalid from None
