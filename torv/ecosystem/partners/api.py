"""Routes of partners: organisations, their keys, the supply chain and the market."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import AwareDatetime, Field

from torv.base.errors import TorvError
from torv.base.http import Answer, Call, Routes
from torv.base.pages import Cursor, Page, Size
from torv.base.text import sort_key
from torv.ecosystem.partners import keys, market, service, supply
from torv.ecosystem.partners.models import (
    EnrolledKey,
    EnrolmentCode,
    MarketEntry,
    NewKey,
    NewLink,
    NewMarketEntry,
    NewPartner,
    Partner,
    PartnerFacts,
    PartnerKey,
    PartnerVersion,
    RegisteredLink,
)
from torv.kernel.identity import address_of

routes = Routes("/api/v1/partners", "partners")

PARTNER = "partner"  #: the data category
Kid = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$")]
Day = Annotated[date, Field(ge=date(1900, 1, 1), lt=date(3000, 1, 1))]
Instant = Annotated[AwareDatetime, Field(gt=datetime(1900, 1, 1, tzinfo=UTC), lt=datetime(3000, 1, 1, tzinfo=UTC))]
Capability = Annotated[str | None, Query(max_length=63)]


@dataclass(frozen=True, kw_only=True, slots=True)
class MergeInto:
    into: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyConfirmation:
    """The fingerprint as the partner reads it from their own screen; and for how long the key is to hold."""

    fingerprint: str
    valid_from: Instant | None = None
    valid_to: Instant | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkApproval:
    approved_from: Day
    approved_to: Day | None = None  #: the first day on which it no longer holds


@routes.writes("", "register", PARTNER, status_code=201, response_model=Partner)
async def register_partner(call: Call, new: NewPartner) -> Answer:
    """Register an organisation."""
    partner = await service.register_partner(call.tx, call.access, new=new)
    return Answer(body=partner, status=201, headers={"location": f"/api/v1/partners/{partner.id}"})


@routes.reads("", "read", PARTNER)
async def list_partners(call: Call, limit: Size = 50, cursor: Cursor = None) -> Page[Partner]:
    """Organisations by name, without those that have merged into another one."""
    wanted = call.page(limit, cursor, list="partners")
    partners = await service.list_partners(call.tx, call.access, wanted=wanted)
    return call.paged(partners, wanted, key=lambda each: [sort_key(each.name), str(each.id)])


@routes.open("/enrolments", method="POST", status_code=201)
async def take_key(call: Call, new: NewKey) -> EnrolledKey:
    """Send a public key under a one-time code; it counts when the contract manager has confirmed its fingerprint."""
    key, address = keys.check_proof(new), address_of(call)
    async with call.writing() as tx:
        await keys.note_attempt(tx, address)
    async with call.writing() as tx:
        taken = await keys.take_key(tx, new.code, key, address=address, request_id=call.request_id)
    if isinstance(taken, TorvError):
        raise taken
    return taken


@routes.reads("/supply-links", "read", PARTNER)
async def list_links(
    call: Call, capability: Capability = None, limit: Size = 50, cursor: Cursor = None
) -> Page[RegisteredLink]:
    """Who works for whom, by capability; withdrawn links too."""
    wanted = call.page(limit, cursor, list="links", capability=capability)
    links = await supply.list_links(call.tx, call.access, wanted=wanted, capability=capability)
    return call.paged(links, wanted, key=lambda each: [each.capability, str(each.id)])


@routes.writes("/supply-links", "register_link", PARTNER, status_code=201)
async def register_link(call: Call, new: NewLink) -> RegisteredLink:
    """Register that one partner works for another in providing a capability."""
    return await supply.register_link(call.tx, call.access, new=new)


@routes.writes("/supply-links/{link_id}/approval", "approve_link", PARTNER)
async def approve_link(call: Call, link_id: UUID, approval: LinkApproval) -> RegisteredLink:
    """Approve a link; somebody else than the one who registered it must do so."""
    return await supply.approve_link(
        call.tx, call.access, link_id, approved_from=approval.approved_from, approved_to=approval.approved_to
    )


@routes.writes("/supply-links/{link_id}/withdrawal", "withdraw_link", PARTNER)
async def withdraw_link(call: Call, link_id: UUID) -> RegisteredLink:
    """Take a link back at once."""
    return await supply.withdraw_link(call.tx, call.access, link_id)


@routes.reads("/market", "read", PARTNER)
async def list_market(
    call: Call, capability: Capability = None, limit: Size = 50, cursor: Cursor = None
) -> Page[MarketEntry]:
    """What each organisation is to each capability: supplier, sub-supplier, competitor or prospect."""
    wanted = call.page(limit, cursor, list="market", capability=capability)
    entries = await market.list_market(call.tx, call.access, wanted=wanted, capability=capability)
    return call.paged(entries, wanted, key=lambda each: [each.capability, str(each.id)])


@routes.writes("/market", "set_market", PARTNER, status_code=201)
async def enter_market(call: Call, new: NewMarketEntry) -> MarketEntry:
    """Note what an organisation is to a capability."""
    return await market.enter_market(call.tx, call.access, new=new)


@routes.writes("/market/{entry_id}", "set_market", PARTNER, method="DELETE")
async def leave_market(call: Call, entry_id: UUID) -> None:
    """Note that an organisation is no longer that to a capability."""
    await market.leave_market(call.tx, call.access, entry_id)


@routes.reads("/{partner_id}", "read", PARTNER)
async def read_partner(call: Call, partner_id: UUID) -> Partner:
    """An organisation; for one that has merged, the one it is part of by now."""
    return await service.read_partner(call.tx, call.access, partner_id)


@routes.writes("/{partner_id}", "change", PARTNER, method="PUT")
async def change_partner(call: Call, partner_id: UUID, facts: PartnerFacts) -> Partner:
    """Say anew what the organisation is called and whom to reach there."""
    expected = call.expected_version()
    return await service.change_partner(call.tx, call.access, partner_id, expected=expected, facts=facts)


@routes.writes("/{partner_id}/merge", "merge", PARTNER)
async def merge_partner(call: Call, partner_id: UUID, merge: MergeInto) -> Partner:
    """Let an organisation be part of another one; its keys are dead at once."""
    expected = call.expected_version()
    return await service.merge_partner(call.tx, call.access, partner_id, expected=expected, into=merge.into)


@routes.reads("/{partner_id}/versions", "read", PARTNER)
async def list_versions(call: Call, partner_id: UUID) -> list[PartnerVersion]:
    """Every name and contact the organisation has had."""
    return await service.list_versions(call.tx, call.access, partner_id)


@routes.writes("/{partner_id}/codes", "issue_code", PARTNER, status_code=201, keeps_own_keys=True)
async def issue_code(call: Call, partner_id: UUID) -> EnrolmentCode:
    """A one-time code under which the partner sends a key; shown once. An earlier one ends, so asking again is safe."""
    return await keys.issue_code(call.tx, call.access, partner_id)


@routes.reads("/{partner_id}/keys", "read", PARTNER)
async def list_keys(call: Call, partner_id: UUID) -> list[PartnerKey]:
    """Every key the organisation has had, with its fingerprint and how it stands."""
    return await keys.list_keys(call.tx, call.access, partner_id)


@routes.writes("/{partner_id}/keys/{kid}/confirmation", "confirm_key", PARTNER)
async def confirm_key(call: Call, partner_id: UUID, kid: Kid, confirmation: KeyConfirmation) -> PartnerKey:
    """Put a key into use by stating its fingerprint as the partner reads it aloud."""
    return await keys.confirm_key(
        call.tx, call.access, partner_id, kid, fingerprint=confirmation.fingerprint,
        valid_from=confirmation.valid_from, valid_to=confirmation.valid_to,
    )  # fmt: skip


@routes.writes("/{partner_id}/keys/{kid}/end", "end_key", PARTNER)
async def end_key(call: Call, partner_id: UUID, kid: Kid) -> PartnerKey:
    """Take a key out of use at once, or refuse one that waits for its confirmation."""
    return await keys.end_key(call.tx, call.access, partner_id, kid)
