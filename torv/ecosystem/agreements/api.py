"""Routes of agreements."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from torv.base.errors import Denied, WrongPassword
from torv.base.http import Answer, Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.ecosystem.agreements import drafting, emergencies, exchange, life, service, storing, unused
from torv.ecosystem.agreements.drafting import Draft
from torv.ecosystem.agreements.loading import EmergencyRow
from torv.ecosystem.agreements.models import Agreement, EventKind, Listed
from torv.ecosystem.agreements.storing import Happened
from torv.ecosystem.agreements.unused import Unused
from torv.kernel.identity import confirm_password

routes = Routes("/api/v1/agreements", "agreements")


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    jws: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    type: str  #: reject | notice
    jws: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Password:
    password: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Why:
    reason: str  #: for the record; no personal data


# ---- drafts ----------------------------------------------------------------------------------------------------------
@routes.writes("/drafts", "draft", "agreement", status_code=201)
async def begin_draft(call: Call, content: dict[str, Any]) -> Draft:
    """Begin a draft; it need not be whole. The answer says what it lacks and where it is wide open."""
    return await drafting.begin_draft(call.tx, call.access, content)


@routes.reads("/drafts", "draft", "agreement")
async def list_drafts(call: Call, limit: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[Draft]:
    """Drafts by title."""
    wanted = call.page(limit, cursor)
    return call.paged(
        await drafting.list_drafts(call.tx, call.access, wanted=wanted), wanted, lambda each: [each.title, each.id]
    )


@routes.reads("/drafts/{draft_id}", "draft", "agreement")
async def read_draft(call: Call, draft_id: UUID) -> Draft:
    """A draft, with what it lacks and where it is wide open."""
    return await drafting.read_draft(call.tx, call.access, draft_id)


@routes.writes("/drafts/{draft_id}", "draft", "agreement", method="PUT")
async def change_draft(call: Call, draft_id: UUID, content: dict[str, Any]) -> Draft:
    """Write a draft anew; If-Match states the version you have seen."""
    return await drafting.change_draft(
        call.tx, call.access, draft_id, expected=call.expected_version(), content=content
    )


@routes.writes("/drafts/{draft_id}/propose", "propose", "agreement", status_code=201)
async def propose_draft(call: Call, draft_id: UUID) -> Agreement:
    """Make an agreement of a draft, for signature; If-Match states the version you have seen."""
    return await drafting.propose_draft(call.tx, call.access, draft_id, expected=call.expected_version())


# ---- the emergency list ----------------------------------------------------------------------------------------------
@routes.writes("/emergency-lists", "propose_emergency", "agreement", status_code=201, response_model=EmergencyRow)
async def propose_emergency_list(call: Call) -> Answer:
    """Store a list of reads that must not stop; the body is its content, exactly as it will be signed."""
    listed = await emergencies.propose_emergency_list(call.tx, call.access, await call.request.body())
    return Answer(body=listed, status=201)


@routes.writes(
    "/emergency-lists/{list_id}/confirmations", "confirm", "agreement", status_code=201, keeps_own_keys=True,
    response_model=EmergencyRow,
)  # fmt: skip
async def confirm_emergency_list(call: Call, list_id: UUID, shown: Password) -> Answer | WrongPassword:
    """Confirm with the password; when two different users have, the list is in force."""
    wrong = await _wrong_password(call, shown)
    if wrong is not None:
        return wrong
    key = call.engine.keys.signing
    return Answer(body=await emergencies.confirm_emergency_list(call.tx, call.access, list_id, key))


@routes.reads("/emergency-lists/newest", "read", "agreement")
async def read_emergency_list(call: Call) -> EmergencyRow:
    """The list that is in force, or was last."""
    return await emergencies.read_emergency_list(call.tx, call.access)


# ---- into force ------------------------------------------------------------------------------------------------------
@routes.writes("", "propose", "agreement", status_code=201, response_model=Agreement)
async def propose_agreement(call: Call) -> Answer:
    """Store an agreement for signature; the body is its content, exactly as it will be signed."""
    agreement = await service.propose_agreement(call.tx, call.access, await call.request.body())
    return Answer(body=agreement, status=201)


@routes.writes("/import", "propose", "agreement", status_code=201, response_model=Agreement)
async def import_agreement(call: Call) -> Answer:
    """Take in an agreement file; its signatures are verified with the keys we know."""
    own = call.engine.keys.signing
    agreement = await exchange.import_agreement(call.tx, call.access, await call.request.body(), own)
    return Answer(body=agreement, status=201)


@routes.reads("", "read", "agreement", own=True)
async def list_agreements(
    call: Call, partner: UUID | None = None, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[Listed]:
    """Agreements and how they stand, the last proposed first."""
    wanted = call.page(limit, cursor, partner=partner)
    rows = await service.list_agreements(call.tx, call.access, wanted=wanted, partner_id=partner)
    page = call.paged(rows, wanted, lambda each: [each[0]])
    return Page(items=[listed for _, listed in page.items], next=page.next)


@routes.reads("/unused", "read", "agreement")
async def list_unused(
    call: Call, days: Annotated[int, Query(ge=1, le=3_650)] = 90, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[Unused]:
    """Agreements in force for so many days under which no program has asked for anything meanwhile."""
    wanted = call.page(limit, cursor, days=days)
    rows = await unused.list_unused(call.tx, call.access, wanted=wanted, days=days)
    page = call.paged(rows, wanted, lambda each: [each[0]])
    return Page(items=[each for _, each in page.items if each is not None], next=page.next)


@routes.reads("/{agreement_id}", "read", "agreement", own=True)
async def read_agreement(call: Call, agreement_id: UUID) -> Agreement:
    """An agreement, how it stands now, and why."""
    return await service.read_agreement(call.tx, call.access, agreement_id)


@routes.reads("/{agreement_id}/file", "read", "agreement", own=True)
async def export_agreement(call: Call, agreement_id: UUID) -> dict[str, Any]:
    """An agreement with its signatures as one file, which anybody can verify."""
    return await exchange.export_agreement(call.tx, call.access, agreement_id, call.engine.keys.signing)


@routes.reads("/{agreement_id}/events", "read", "agreement")
async def list_events(call: Call, agreement_id: UUID) -> list[Happened]:
    """What has happened to an agreement, in order."""
    await service.read_agreement(call.tx, call.access, agreement_id)
    return await storing.events_of(call.tx, agreement_id)


@routes.writes("/{agreement_id}/signatures", "sign", "agreement", status_code=201)
async def sign_by_partner(call: Call, agreement_id: UUID, signature: Signature) -> Agreement:
    """Hand in a party's signature, made on its own machine."""
    return await service.sign_by_partner(call.tx, call.access, agreement_id, signature.jws)


@routes.writes(
    "/{agreement_id}/confirmations", "confirm", "agreement", status_code=201, keeps_own_keys=True,
    response_model=Agreement,
)  # fmt: skip
async def confirm(call: Call, agreement_id: UUID, shown: Password) -> Answer | WrongPassword:
    """Confirm with the password; when enough different users have, the municipality has signed."""
    wrong = await _wrong_password(call, shown)
    if wrong is not None:
        return wrong
    return Answer(body=await service.confirm(call.tx, call.access, agreement_id, call.engine.keys.signing))


async def _wrong_password(call: Call, shown: Password) -> WrongPassword | None:
    user_id = call.access.caller.user_id
    if user_id is None:
        raise Denied(check="caller", reason="only users confirm", reason_da="kun brugere bekræfter", mender="Ingen")
    return await confirm_password(call.tx, call.access, user_id, shown.password)


# ---- later life ------------------------------------------------------------------------------------------------------
@routes.writes("/{agreement_id}/statements", "sign", "agreement", status_code=201)
async def state_by_partner(call: Call, agreement_id: UUID, statement: Statement) -> Agreement:
    """Hand in a party's signed statement that it rejects the agreement, or gives notice."""
    return await life.state_by_partner(call.tx, call.access, agreement_id, statement.type, statement.jws)


@routes.writes("/{agreement_id}/suspend", "suspend", "agreement")
async def suspend(call: Call, agreement_id: UUID) -> Agreement:
    """Suspend: effective everywhere within a second."""
    return await life.happen(call.tx, call.access, agreement_id, EventKind.SUSPEND)


@routes.writes("/{agreement_id}/resume", "resume", "agreement")
async def resume(call: Call, agreement_id: UUID) -> Agreement:
    """Put a suspended agreement into force again."""
    return await life.happen(call.tx, call.access, agreement_id, EventKind.RESUME)


@routes.writes("/{agreement_id}/reject", "end", "agreement")
async def reject(call: Call, agreement_id: UUID, why: Why) -> Agreement:
    """Reject a proposed agreement: it can never come into force."""
    return await life.happen(call.tx, call.access, agreement_id, EventKind.REJECT, reason=why.reason)


@routes.writes("/{agreement_id}/notice", "end", "agreement")
async def give_notice(call: Call, agreement_id: UUID, why: Why) -> Agreement:
    """Give notice: in force until the months of notice are over, but not ended before it may be."""
    return await life.happen(call.tx, call.access, agreement_id, EventKind.NOTICE, reason=why.reason)


@routes.writes("/{agreement_id}/extend", "extend", "agreement")
async def extend(call: Call, agreement_id: UUID) -> Agreement:
    """Use the next option, if it can still be decided."""
    return await life.happen(call.tx, call.access, agreement_id, EventKind.EXTEND)


@routes.writes("/{agreement_id}/revoke", "end", "agreement")
async def revoke(call: Call, agreement_id: UUID, why: Why) -> Agreement:
    """End the agreement at once, for breach: only the handing back of data goes on."""
    return await life.happen(call.tx, call.access, agreement_id, EventKind.REVOKE, reason=why.reason)


@routes.writes("/{agreement_id}/exit", "end", "agreement")
async def begin_exit(call: Call, agreement_id: UUID) -> Agreement:
    """Wind the agreement up: only the handing back of data goes on."""
    return await life.happen(call.tx, call.access, agreement_id, EventKind.EXIT)


@routes.writes("/{agreement_id}/oversight", "oversee", "agreement")
async def note_oversight(call: Call, agreement_id: UUID, why: Why) -> Agreement:
    """Note that the processing has been looked into; the next time is due an interval later."""
    return await life.happen(call.tx, call.access, agreement_id, EventKind.OVERSIGHT, reason=why.reason)


@routes.writes("/{agreement_id}/close", "end", "agreement")
async def close(call: Call, agreement_id: UUID, why: Why) -> Agreement:
    """Close an agreement whose exit duties are done: nothing is permitted any more."""
    return await life.happen(call.tx, call.access, agreement_id, EventKind.CLOSE, reason=why.reason)
