"""Partners: the organisations the municipality works with, and the keys they sign with."""

from torv.ecosystem.partners.api import routes
from torv.ecosystem.partners.models import NewPartner, Partner, PartnerKind
from torv.ecosystem.partners.service import (
    enrol_key,
    list_partners,
    municipality,
    partner_by_cvr,
    partner_keys,
    register_partner,
)

__all__ = [
    "NewPartner",
    "Partner",
    "PartnerKind",
    "enrol_key",
    "list_partners",
    "municipality",
    "partner_by_cvr",
    "partner_keys",
    "register_partner",
    "routes",
]
