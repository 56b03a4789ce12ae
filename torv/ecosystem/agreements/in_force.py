"""When an agreement was in force, and what it promised: what others measure a partner by."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from torv.base.db import Tx
from torv.ecosystem.agreements import rules, storing
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.models import Event, EventKind
from torv.ecosystem.agreements.service import signatures_of
from torv.ecosystem.agreements.storing import sql


@dataclass(frozen=True, kw_only=True, slots=True)
class InForce:
    """An agreement with the time in which it bound its parties."""

    id: UUID
    partner_id: UUID
    hash: str
    content: Content
    begins: datetime | None  #: its first day, or the last signature if that came later; None: it never bound anybody
    ends: datetime  #: the first instant at which it no longer did: by its end, notice, exit, or a later version
    pauses: tuple[tuple[datetime, datetime | None], ...]  #: when it was suspended; None: it still is


async def in_force(tx: Tx, agreement_id: UUID) -> InForce:
    """An agreement and when it was in force, as far as is known today. Raises NotFound."""
    row = await storing.read_row(tx, agreement_id)
    content, stored = Content.model_validate(row.content), row.stored
    ends = rules.ended_at(content, stored.events)[0]
    after = await storing.successor(tx, agreement_id)
    if after is not None:
        replaced = await _begins(tx, after)
        ends = ends if replaced is None else min(ends, replaced)
    return InForce(
        id=row.id, partner_id=row.partner_id, hash=row.hash, content=content, begins=await _begins(tx, row), ends=ends,
        pauses=tuple(_pauses(stored.events)),
    )  # fmt: skip


async def agreements_with_promises(tx: Tx) -> list[UUID]:
    """The agreements that promise something about service, oldest first."""
    return await storing.ids(tx, sql.agreements_with_promises)


async def _begins(tx: Tx, row: storing.Row) -> datetime | None:
    content, stored = Content.model_validate(row.content), row.stored
    signed = {each.signer: each.at for each in await signatures_of(tx, row.id)}
    if not signed.keys() >= set(content.signatories) or any(e.kind is EventKind.REJECT for e in stored.events):
        return None
    return max(content.validity.not_before, *signed.values())


def _pauses(events: Iterable[Event]) -> Iterable[tuple[datetime, datetime | None]]:
    since: datetime | None = None
    for event in events:
        if event.kind is EventKind.SUSPEND and since is None:
            since = event.at
        elif event.kind is EventKind.RESUME and since is not None:
            yield since, event.at
            since = None
    if since is not None:
        yield since, None
