"""Routes of partners."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from torv.base.http import Call, Routes
from torv.ecosystem.partners import service
from torv.ecosystem.partners.models import NewPartner, Partner, PartnerKey

routes = Routes("/api/v1/partners", "partners")


@dataclass(frozen=True, kw_only=True, slots=True)
class NewKey:
    jwk: dict[str, Any]


@routes.writes("", "register", "partner", status_code=201)
async def register_partner(call: Call, new: NewPartner) -> Partner:
    """Register an organisation."""
    return await service.register_partner(call.tx, call.access, new=new)


@routes.reads("", "read", "partner")
async def list_partners(call: Call) -> list[Partner]:
    """Every organisation, by name."""
    return await service.list_partners(call.tx, call.access)


@routes.writes("/{partner_id}/keys", "enrol_key", "partner", status_code=201)
async def enrol_key(call: Call, partner_id: UUID, new: NewKey) -> PartnerKey:
    """Enrol a public key the partner signs with; compare the fingerprint with the partner."""
    return await service.enrol_key(call.tx, call.access, partner_id, new.jwk)
