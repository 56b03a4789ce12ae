"""The verbs of the market: what each organisation is to each capability."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from torv.base import db
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, NotFound
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.partners import rules
from torv.ecosystem.partners.errors import PartnerUnknown
from torv.ecosystem.partners.models import MarketEntry, MarketRole, NewMarketEntry, NewTrial, Trial

sql = load(__file__)
db.names_constraint("roles_once", AlreadyExists)
db.names_constraint("roles_partner_known", PartnerUnknown)

_START = ["", UUID(int=0)]  #: sorts before every capability


async def enter_market(tx: Tx, access: Access, *, new: NewMarketEntry) -> MarketEntry:
    """Note what an organisation is to a capability. Raises InvalidInput, PartnerUnknown or AlreadyExists."""
    entry_id, capability = new_id(), rules.normal_capability(new.capability)
    await tx.run(sql.insert_role, id=entry_id, capability=capability, partner_id=new.partner_id, role=new.role)
    note(tx, access, "write", detail={"partner": str(new.partner_id), "capability": capability, "role": new.role})
    [entry] = await _entries(tx, id=entry_id)
    return entry


async def leave_market(tx: Tx, access: Access, entry_id: UUID) -> None:
    """Note that an organisation is no longer that to a capability. Raises NotFound."""
    if not await tx.run(sql.delete_role, id=entry_id):
        raise NotFound
    note(tx, access, "write", detail={"market_entry": str(entry_id)})


async def list_market(tx: Tx, access: Access, *, wanted: Wanted, capability: str | None = None) -> list[MarketEntry]:
    """Who is what to which capability, by capability. A program sees how far its own partner is certified, alone."""
    after_capability, after = wanted.after or _START
    viewer = access.party
    entries = await _entries(
        tx, capability=capability, after_capability=after_capability, after_id=after, size=wanted.fetch, viewer=viewer
    )
    note(tx, access, "read", detail={"entries": len(entries)})
    return entries


async def note_trial(tx: Tx, trial: NewTrial) -> None:
    """Note that a release of an organisation was certified, unless a newer certification is known."""
    await tx.run(sql.keep_trial, **asdict(trial))


async def _entries(tx: Tx, **wanted: Any) -> list[MarketEntry]:
    everything = {"id": None, "capability": None, "after_capability": "", "after_id": UUID(int=0), "size": 1,
                  "viewer": None}  # fmt: skip
    rows = await tx.all(dict, sql.roles_by_capability, **{**everything, **wanted})
    return [_entry(**row) for row in rows]


def _entry(*, role: str, certified: dict[str, Any] | None, tried_at: datetime | None, **row: Any) -> MarketEntry:
    trial = None
    if certified is not None and tried_at is not None:
        expires_at = datetime.fromisoformat(certified["expires_at"])
        trial = Trial(**{**certified, "certified_at": tried_at, "expires_at": expires_at})
    return MarketEntry(**row, role=MarketRole(role), certified=trial)
