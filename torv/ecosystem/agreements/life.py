"""The verbs of an agreement's later life: stopped and resumed, ended and wound up, each an event that stays."""

from collections.abc import Iterable
from uuid import UUID

from torv.base import clock, lease
from torv.base.access import Access, CallerKind
from torv.base.db import Tx
from torv.base.errors import Denied, InvalidInput
from torv.base.trail import note
from torv.ecosystem.agreements import storing
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.errors import OptionLapsed
from torv.ecosystem.agreements.models import Agreement, EventKind, State
from torv.ecosystem.agreements.service import check_state, verified_signer
from torv.ecosystem.agreements.storing import Row, sql

_RUNNING = {State.ACTIVE, State.NOTICE, State.SUSPENDED, State.WAITING}
#: event -> the states in which the municipality may let it happen
MUNICIPALITY_MAY = {
    EventKind.REJECT: {State.PROPOSED}, EventKind.SUSPEND: {State.ACTIVE, State.NOTICE},
    EventKind.RESUME: {State.SUSPENDED}, EventKind.NOTICE: {State.ACTIVE, State.SUSPENDED, State.WAITING},
    EventKind.EXTEND: _RUNNING - {State.NOTICE}, EventKind.REVOKE: _RUNNING, EventKind.EXIT: _RUNNING,
    EventKind.OVERSIGHT: _RUNNING, EventKind.CLOSE: {State.EXIT},
}  # fmt: skip
#: statement of a partner -> the event it is, and the states in which it counts
PARTNER_MAY = {
    "reject": (EventKind.REJECT, {State.PROPOSED}),
    "notice": (EventKind.NOTICE, {State.ACTIVE, State.SUSPENDED, State.WAITING}),
}
LONGEST_REASON = 500  #: characters


async def happen(
    tx: Tx, access: Access, agreement_id: UUID, kind: EventKind, *, reason: str | None = None
) -> Agreement:
    """Let something happen on the municipality's side; effective everywhere within a second.

    Raises NotFound, AgreementStateWrong, OptionLapsed, InvalidInput for a reason that is no line of text, or Denied for
    a program, also one that acts for a user: no supplier decides on the municipality's side.
    """
    if access.caller.kind is CallerKind.RELEASE:
        raise Denied(check="caller", reason="only users decide", reason_da="kun brugere bestemmer", mender="Ingen")
    row = await storing.locked_row(tx, agreement_id)
    await check_state(tx, row, MUNICIPALITY_MAY[kind])
    if kind is EventKind.EXTEND:
        _check_option(row)
    if reason is not None and not (0 < len(reason) <= LONGEST_REASON and reason.isprintable()):
        raise InvalidInput(reason="reason")
    return await _add(tx, access, row, kind, reason=reason)


async def state_by_partner(tx: Tx, access: Access, agreement_id: UUID, kind: str, jws: str) -> Agreement:
    """Take in a partner's signed statement that it rejects the agreement, or gives notice.

    Raises SignatureInvalid, NotAParty, AgreementStateWrong, NotFound, or InvalidInput for another kind of statement.
    """
    if kind not in PARTNER_MAY:
        raise InvalidInput(reason=f"type: one of {', '.join(PARTNER_MAY)}")
    row = await storing.locked_row(tx, agreement_id)
    signer = await verified_signer(tx, row, jws, kind)
    event, states = PARTNER_MAY[kind]
    await check_state(tx, row, states)
    return await _add(tx, access, row, event, signer=signer, jws=jws)


async def begin_exit_of_module(tx: Tx, access: Access, partner_id: UUID, module: str) -> list[UUID]:
    """Shrink to export the partner's agreements that are about this module alone; gives their ids."""
    exits = []
    for agreement_id in await _agreements_of(tx, partner_id):
        row = await storing.locked_row(tx, agreement_id)
        modules = {grant["module"] for grant in row.content["grants"]}
        state = (await storing.standing_of(tx, row, clock.now())).state
        if modules == {module} and state in _RUNNING:
            await _add(tx, access, row, EventKind.EXIT)
            exits.append(agreement_id)
    return exits


async def _agreements_of(tx: Tx, partner_id: UUID) -> Iterable[UUID]:
    return await storing.ids(tx, sql.agreements_of, partner_id=partner_id)


def _check_option(row: Row) -> None:
    """Raises OptionLapsed unless the next option can still be decided."""
    content, events = Content.model_validate(row.content), row.stored.events
    used = sum(event.kind is EventKind.EXTEND for event in events)
    options = content.validity.options
    if used >= len(options) or clock.now() > options[used].decide_by:
        last = options[min(used, len(options) - 1)].decide_by.date().isoformat() if options else "-"
        raise OptionLapsed(decide_by=last)


async def _add(
    tx: Tx, access: Access, row: Row, kind: EventKind, *, reason: str | None = None, signer: str | None = None,
    jws: str | None = None,
) -> Agreement:  # fmt: skip
    await tx.run(
        sql.insert_event, agreement_id=row.id, kind=kind, user_id=access.caller.user_id, signer=signer, jws=jws,
        reason=reason,
    )  # fmt: skip
    await lease.raise_generation(tx)
    note(tx, access, "write", detail={"agreement": str(row.id), "event": kind})
    return await storing.view(tx, row.id)
