"""How agreements are read from the database, and how they look to people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from torv.base import clock
from torv.base.db import Tx
from torv.base.errors import NotFound
from torv.base.sql import Query, load
from torv.ecosystem.agreements import rules
from torv.ecosystem.agreements.checks import CHECKS
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.granting import failing_link, is_overdue
from torv.ecosystem.agreements.models import (
    IN_FORCE,
    Agreement,
    Event,
    EventKind,
    Listed,
    Reason,
    Standing,
    StoredAgreement,
)
from torv.ecosystem.agreements.reminders import reminders_of
from torv.ecosystem.partners import supply_links

sql = load(__file__)

Known = tuple[Content, StoredAgreement]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An agreement as a statement gives it."""

    id: UUID
    partner_id: UUID
    content: dict[str, Any]  #: None where the statement was told that it is known
    hash: str
    signed_by: list[str]
    events: list[dict[str, Any]]
    seq: int = 0

    @property
    def stored(self) -> StoredAgreement:
        events = (Event(kind=EventKind(e["kind"]), at=datetime.fromisoformat(e["at"])) for e in self.events)
        return StoredAgreement(
            id=self.id, partner_id=self.partner_id, hash=self.hash, signed_by=frozenset(self.signed_by),
            events=tuple(events),
        )  # fmt: skip


async def read_row(tx: Tx, agreement_id: UUID) -> Row:
    """An agreement. Raises NotFound."""
    return await tx.one(Row, sql.agreement_by_id, id=agreement_id)


async def locked_row(tx: Tx, agreement_id: UUID) -> Row:
    """An agreement to which nothing else happens until the transaction ends. Raises NotFound."""
    if await tx.value(sql.lock_agreement, id=agreement_id) is None:
        raise NotFound
    return await read_row(tx, agreement_id)


async def successor(tx: Tx, agreement_id: UUID) -> Row | None:
    """The version that was proposed to come after an agreement, unless it was rejected."""
    for version in await ids(tx, sql.successors_of, id=agreement_id):
        row = await read_row(tx, version)
        if all(event.kind is not EventKind.REJECT for event in row.stored.events):
            return row
    return None


async def standing_of(tx: Tx, row: Row, now: datetime) -> Standing:
    """How an agreement stands, its successor considered."""
    content, after = Content.model_validate(row.content), await successor(tx, row.id)
    is_replaced = after is not None and rules.has_come_into_force(
        Content.model_validate(after.content), after.stored, now
    )
    return rules.standing_of(content, row.stored, now, is_replaced=is_replaced)


async def contents_in_force(tx: Tx, partner_id: UUID, module: str) -> list[Content]:
    """What a partner's agreements that grant this module something say, of those in force now, oldest first."""
    found, now = [], clock.now()
    for agreement_id in await ids(tx, sql.agreements_of, partner_id=partner_id):
        row = await read_row(tx, agreement_id)
        if (await standing_of(tx, row, now)).state in IN_FORCE:
            content = Content.model_validate(row.content)
            found += [content] if any(grant.module == module for grant in content.grants) else []
    return found


async def view(tx: Tx, agreement_id: UUID) -> Agreement:
    """An agreement as people see it. Raises NotFound."""
    row, now = await read_row(tx, agreement_id), clock.now()
    content, standing = Content.model_validate(row.content), await standing_of(tx, row, now)
    missing = [signer for signer in content.signatories if signer not in row.signed_by]
    return Agreement(
        id=row.id, partner_id=row.partner_id, title=content.title, version=content.version, hash=row.hash,
        state=standing.state, reasons=await _reasons(tx, row, content, standing, now),
        not_before=content.validity.not_before, not_after=rules.ended_at(content, row.stored.events)[0],
        reminders=reminders_of(content, row.stored, standing.state, now), signed_by=row.signed_by,
        missing_signatures=missing, content=row.content,
    )  # fmt: skip


async def listed(tx: Tx, row: Row, now: datetime) -> Listed:
    content, standing = Content.model_validate(row.content), await standing_of(tx, row, now)
    return Listed(
        id=row.id, partner_id=row.partner_id, title=content.title, version=content.version,
        state=standing.state, reasons=await _reasons(tx, row, content, standing, now),
        not_before=content.validity.not_before, not_after=rules.ended_at(content, row.stored.events)[0],
        modules=sorted({g.module for g in content.grants}),
        reminders=reminders_of(content, row.stored, standing.state, now),
        missing_signatures=[signer for signer in content.signatories if signer not in row.signed_by],
    )  # fmt: skip


def reason(check: str) -> Reason:
    """A failing check as people read it."""
    text, text_da, mender = CHECKS[check]
    return Reason(check=check, text=text, text_da=text_da, mender=mender)


async def _reasons(tx: Tx, row: Row, content: Content, standing: Standing, now: datetime) -> list[Reason]:
    """Why an agreement permits nothing or less: its own standing, its oversight, and the agreements above it."""
    reasons = [] if standing.cause is None else [reason(standing.cause)]
    if standing.state in IN_FORCE and is_overdue(content, row.stored, now):
        reasons.append(reason("oversight_overdue"))
    if content.parent is not None:
        reasons += [reason(check) for check in await _failing_above(tx, row, content, now)]
    return reasons


async def _failing_above(tx: Tx, row: Row, content: Content, now: datetime) -> list[str]:
    """What is amiss with a sub-supplier: the supplier's agreement, or that the supplier may let it work at all."""
    above = await _parent_in_force(tx, content, now)
    if above is None:
        return ["parent_invalid"]
    links = [
        link
        for link in await supply_links(tx)
        if (link.supplier_id, link.sub_supplier_id) == (above.partner_id, row.partner_id)
    ]
    theirs, found = Content.model_validate(above.content), dict[str, None]()
    for grant in content.grants:
        for category in sorted(grant.categories):
            failing = failing_link(content, theirs, links, _Asked(service=grant.service, category=category), now)
            found |= {failing: None} if failing else {}
    return list(found)


async def _parent_in_force(tx: Tx, content: Content, now: datetime) -> Row | None:
    """The agreement above, in the version that is in force; None if there is none, or one above it is not."""
    assert content.parent is not None
    row: Row | None = await read_row(tx, content.parent.agreement)
    while row is not None:
        standing = await standing_of(tx, row, now)
        if standing.cause != "superseded":
            above = Content.model_validate(row.content)
            is_held = above.parent is None or await _parent_in_force(tx, above, now) is not None
            return row if standing.state in IN_FORCE and is_held else None
        row = await successor(tx, row.id)
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """Any call for a service and a category."""

    service: str
    category: str | None
    major: int = 1
    operation: str = ""
    purpose: str | None = None
    key: str | None = None
    keeps_units: bool = True


async def ids(tx: Tx, query: Query, **values: Any) -> list[UUID]:
    """The ids that a statement gives."""
    return [each.id for each in await tx.all(_Id, query, **values)]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Id:
    id: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """A signed statement about an agreement."""

    jws: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Happened:
    """Something that happened to an agreement, as people read it."""

    kind: EventKind
    at: datetime
    user_id: UUID | None
    user_name: str | None
    signer: str | None  #: the party whose statement it was
    reason: str | None


async def events_of(tx: Tx, agreement_id: UUID) -> list[Happened]:
    """What has happened to an agreement, in order."""
    return await tx.all(Happened, sql.events_of, agreement_id=agreement_id)
