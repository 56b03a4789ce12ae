"""The verbs of the supply chain: who works for whom in providing a capability, and what we have approved of it.

Every change is in force in all processes within a second: agreements decide by it.
"""

from collections import defaultdict
from datetime import date
from uuid import UUID

from torv.base import db, lease
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, InvalidInput, WrongState
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.partners import rules
from torv.ecosystem.partners.errors import PartnerUnknown, SecondPersonRequired
from torv.ecosystem.partners.models import NewLink, RegisteredLink, SupplyLink

sql = load(__file__)
db.names_constraint("links_once", AlreadyExists)
db.names_constraint("links_supplier_known", PartnerUnknown)
db.names_constraint("links_sub_supplier_known", PartnerUnknown)
db.names_constraint("links_period", InvalidInput)


async def register_link(tx: Tx, access: Access, *, new: NewLink) -> RegisteredLink:
    """Register that one partner works for another; it counts when somebody else has approved it.

    Raises InvalidInput, PartnerUnknown, AlreadyExists, or SupplyChainInvalid for a ring or more than three links.
    """
    capability, country = rules.normal_capability(new.capability), rules.normal_country(new.country)
    if new.supplier_id == new.sub_supplier_id:
        rules.check_chain([(new.supplier_id, new.sub_supplier_id)])
    link_id = new_id()
    await tx.value(sql.lock_chains)
    await tx.run(
        sql.insert_link, id=link_id, capability=capability, supplier_id=new.supplier_id, country=country,
        sub_supplier_id=new.sub_supplier_id, task=rules.normal_line(new.task, "task"), user_id=access.caller.user_id,
    )  # fmt: skip
    await check_chains(tx)
    return await _changed(tx, access, link_id, "registered")


async def approve_link(
    tx: Tx, access: Access, link_id: UUID, *, approved_from: date, approved_to: date | None
) -> RegisteredLink:
    """Approve a link from one day up to another.

    Raises NotFound, SecondPersonRequired for whoever registered it, WrongState, InvalidInput for a period without a
    day in it, or Denied for a program.
    """
    user_id = rules.require_person(access)
    link = await tx.one(RegisteredLink, sql.link_by_id, id=link_id)
    if link.registered_by == user_id:
        raise SecondPersonRequired
    period = {"approved_from": approved_from, "approved_to": approved_to}
    if not await tx.run(sql.approve_link, id=link_id, user_id=user_id, **period):
        raise WrongState(state="withdrawn" if link.withdrawn_at else "approved")
    return await _changed(tx, access, link_id, "approved")


async def withdraw_link(tx: Tx, access: Access, link_id: UUID) -> RegisteredLink:
    """Take a link back, with effect at once and for good. Raises NotFound, or WrongState if it was."""
    await tx.one(RegisteredLink, sql.link_by_id, id=link_id)
    if not await tx.run(sql.withdraw_link, id=link_id, user_id=access.caller.user_id):
        raise WrongState(state="withdrawn")
    return await _changed(tx, access, link_id, "withdrawn")


async def list_links(tx: Tx, access: Access, *, wanted: Wanted, capability: str | None = None) -> list[RegisteredLink]:
    """The supply chain by capability, withdrawn links too."""
    after_capability, after = wanted.after or ["", UUID(int=0)]
    links = await tx.all(
        RegisteredLink, sql.links_by_capability, capability=capability, after_capability=after_capability,
        after_id=after, size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", detail={"links": len(links)})
    return links


async def supply_links(tx: Tx) -> list[SupplyLink]:
    """The whole supply chain, withdrawn and unapproved links too, for those who decide by it.

    Where partners have merged, a link stands under every id of theirs: agreements made before go on with the old one.
    """
    return await tx.all(SupplyLink, sql.links_of_families)


async def check_chains(tx: Tx) -> None:
    """Raises SupplyChainInvalid if the links of some capability, as they are now, make a ring or too long a chain."""
    open_links: defaultdict[str, list[tuple[UUID, UUID]]] = defaultdict(list)
    for link in await tx.all(dict, sql.open_links):
        open_links[link["capability"]].append((link["supplier_id"], link["sub_supplier_id"]))
    for links in open_links.values():
        rules.check_chain(links)


async def _changed(tx: Tx, access: Access, link_id: UUID, what: str) -> RegisteredLink:
    await lease.raise_generation(tx)
    note(tx, access, "write", detail={"link": str(link_id), "change": what})
    return await tx.one(RegisteredLink, sql.link_by_id, id=link_id)
