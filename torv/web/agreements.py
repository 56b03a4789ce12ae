"""The pages about agreements: all of them with what there is to do, and one in plain words, with its stop button."""

from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from pydantic import ValidationError

from torv.base import clock
from torv.base.access import Access
from torv.base.errors import TorvError
from torv.base.http import Answer, Call, Routes
from torv.base.pages import Cursor
from torv.ecosystem.agreements import (
    Agreement,
    AgreementStateWrong,
    Content,
    Draft,
    EventKind,
    Listed,
    State,
    events_of,
    happen,
    list_agreements,
    list_drafts,
    read_agreement,
    read_draft,
    signatories_of,
)
from torv.ecosystem.partners import Partner, municipality, partner_by_cvr, partner_by_id
from torv.web.decisions import permit_for
from torv.web.forms import go_to
from torv.web.rendering import language_of, render

routes = Routes("/agreements", "agreements")

ROWS = 25  #: agreements on a page
DRAFTS = 50  #: shown; whoever has more of them has another problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """An agreement in the list, and whose it is."""

    agreement: Listed
    partner: str


@routes.reads("", "read", "agreement", include_in_schema=False)
async def show_agreements(call: Call, cursor: Cursor = None) -> Answer:
    """Every agreement, the last proposed first, and what there is to do; on the first page the drafts too."""
    wanted = call.page(ROWS, cursor)
    found = call.paged(await list_agreements(call.tx, call.access, wanted=wanted), wanted, lambda each: [each[0]])
    names: dict[UUID, str] = {}
    for _, agreement in found.items:
        if agreement.partner_id not in names:
            names[agreement.partner_id] = (await partner_by_id(call.tx, agreement.partner_id)).name
    rows = [Row(agreement=each, partner=names[each.partner_id]) for _, each in found.items]
    return render(
        call.request, "agreements.html", reader=call.access.caller.name, rows=rows, next=found.next, now=clock.now(),
        drafts=await _drafts(call) if cursor is None else [], is_first=cursor is None,
    )  # fmt: skip


@routes.reads("/drafts/{draft_id}", "draft", "agreement", include_in_schema=False)
async def show_draft(call: Call, draft_id: UUID) -> Answer:
    """A draft: what it would permit, what it lacks, and what there is to think about in it."""
    draft = await read_draft(call.tx, call.access, draft_id)
    content = None
    with suppress(ValidationError):  # the findings say why it cannot be read
        content = Content.model_validate(draft.content)
    return render(
        call.request, "draft.html", reader=call.access.caller.name, draft=draft, content=content, now=clock.now()
    )


@routes.reads("/{agreement_id}", "read", "agreement", include_in_schema=False)
async def show_agreement(call: Call, agreement_id: UUID) -> Answer:
    """One agreement in plain words: what is permitted and why, who signed, what happened, how it stands."""
    return await _agreement_page(call, await read_agreement(call.tx, call.access, agreement_id))


@routes.writes("/{agreement_id}/suspend", "suspend", "agreement", include_in_schema=False)
async def suspend(call: Call, agreement_id: UUID) -> Answer:
    """Suspend, and show the agreement again."""
    return await _let_happen(call, agreement_id, EventKind.SUSPEND)


@routes.writes("/{agreement_id}/resume", "resume", "agreement", include_in_schema=False)
async def resume(call: Call, agreement_id: UUID) -> Answer:
    """Put into force again, and show the agreement again."""
    return await _let_happen(call, agreement_id, EventKind.RESUME)


async def _let_happen(call: Call, agreement_id: UUID, kind: EventKind) -> Answer:
    """What was pressed; or the page as it is now, with a sentence, where somebody else was faster."""
    try:
        await happen(call.tx, call.access, agreement_id, kind)
    except AgreementStateWrong as error:
        return await _agreement_page(call, await read_agreement(call.tx, call.access, agreement_id), error=error)
    return go_to(f"/agreements/{agreement_id}")


async def _agreement_page(call: Call, agreement: Agreement, *, error: TorvError | None = None) -> Answer:
    content = Content.model_validate(agreement.content)
    return render(
        call.request, "agreement.html", status=error.status if error else 200, reader=call.access.caller.name,
        agreement=agreement, content=content, partner=await partner_by_id(call.tx, agreement.partner_id),
        purposes=list(dict.fromkeys(each.purpose.text for each in content.grants)),
        categories=frozenset().union(*(each.categories for each in content.grants)),
        ours=await municipality(call.tx), names=await _names(call, content), now=clock.now(),
        signatories=await signatories_of(call.tx, agreement.id), events=await events_of(call.tx, agreement.id),
        may_suspend=agreement.state in (State.ACTIVE, State.NOTICE) and _permit(call, "suspend") is not None,
        may_resume=agreement.state is State.SUSPENDED and _permit(call, "resume") is not None,
        problem=error.message(language_of(call.request)) if error else None,
    )  # fmt: skip


async def _names(call: Call, content: Content) -> dict[str, str]:
    """CVR number -> name, of the organisations that the content names and we know."""
    named = set(content.signatories)
    if content.data_processing is not None:
        named |= {each.cvr for each in content.data_processing.sub_processors}
    found: dict[str, Partner | None] = {cvr: await partner_by_cvr(call.tx, cvr) for cvr in sorted(named)}
    return {cvr: partner.name for cvr, partner in found.items() if partner is not None}


async def _drafts(call: Call) -> list[Draft]:
    """The drafts, for those who may see them."""
    permit = _permit(call, "draft")
    if permit is None:
        return []
    drafts = await list_drafts(call.tx, permit, wanted=call.page(DRAFTS, None))
    return drafts[:DRAFTS]


def _permit(call: Call, operation: str) -> Access | None:
    """The permit for something else about agreements; None if the reader may not."""
    return permit_for(call, "agreements", operation, "agreement", is_write=operation != "draft")
