"""The pages about modules: which there are and how they do, and one with its releases, levels, tries and inventory."""

from dataclasses import dataclass
from uuid import UUID

from torv.base import clock
from torv.base.http import Answer, Call, Routes
from torv.base.pages import LARGEST_SIZE, Cursor
from torv.ecosystem.agreements import InForce, in_force
from torv.ecosystem.modules import (
    Certification,
    ListedModule,
    ListedRelease,
    RegisteredRelease,
    list_bindings,
    list_certifications,
    list_modules,
    list_releases,
    read_module,
    read_release,
)
from torv.ecosystem.moves import list_moves
from torv.ecosystem.service_levels import LevelStatement, Month, list_promising, list_statements
from torv.web.capabilities import titles_for
from torv.web.decisions import permit_for
from torv.web.rendering import render

routes = Routes("/modules", "modules")

ROWS = 25  #: modules on a page
RELEASES = 10  #: shown of a module, the newest ones
CERTIFICATIONS = 10  #: shown of a release, the newest ones
MOVES = 5  #: shown, the newest ones


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A release with what it states of itself, and what came of trying it."""

    listed: ListedRelease
    release: RegisteredRelease
    certifications: list[Certification]


@dataclass(frozen=True, kw_only=True, slots=True)
class Promised:
    """An agreement by which a module provides something, with promises, and what came of them."""

    agreement: InForce
    newest: LevelStatement | None  #: the last month that is settled


@routes.reads("", "read", "module", include_in_schema=False)
async def show_modules(call: Call, cursor: Cursor = None) -> Answer:
    """Every module by name; on the first page who provides what, how that is, and the last moves."""
    wanted = call.page(ROWS, cursor, page="modules")
    found = await list_modules(call.tx, call.access, wanted=wanted)
    page = call.paged(found, wanted, lambda each: [each.name, each.id])
    bindings = await list_bindings(call.tx, call.access, wanted=call.page(LARGEST_SIZE, None)) if not cursor else []
    permit = None if cursor else permit_for(call, "moves", "read", "move")
    moves = [] if permit is None else await list_moves(call.tx, permit, capability=None, wanted=call.page(MOVES, None))
    return render(
        call.request, "modules.html", reader=call.access.caller.name, modules=page.items, next=page.next,
        is_first=cursor is None, bindings=bindings, now=clock.now(),
        moves=moves[:MOVES], titles=await titles_for(call),
    )  # fmt: skip


@routes.reads("/{module_id}", "read", "module", include_in_schema=False)
async def show_module(call: Call, module_id: UUID) -> Answer:
    """A module: its newest releases, what each is certified for, made of, and where it runs; and its service levels."""
    module = await read_module(call.tx, call.access, module_id)
    wanted = call.page(RELEASES, None, page="releases")
    listed = (await list_releases(call.tx, call.access, module_id, wanted=wanted))[:RELEASES]
    return render(
        call.request, "module.html", reader=call.access.caller.name, module=module, now=clock.now(),
        releases=[await _shown(call, each) for each in listed], titles=await titles_for(call),
        levels=await _levels_of(call, module), this_month=Month.of(clock.now()),
    )  # fmt: skip


async def _levels_of(call: Call, module: ListedModule) -> list[Promised]:
    permit = permit_for(call, "service_levels", "read", "agreement")
    found, newest_first = [], call.page(1, None, page="module-levels")
    for agreement_id in [] if permit is None else await list_promising(call.tx, permit):
        agreement = await in_force(call.tx, agreement_id)
        provides = {each.module for each in agreement.content.grants if "provide" in each.operations}
        if permit is not None and agreement.partner_id == module.partner_id and module.name in provides:
            sealed = await list_statements(call.tx, permit, wanted=newest_first, agreement_id=agreement_id)
            found.append(Promised(agreement=agreement, newest=sealed[0] if sealed else None))
    return found


async def _shown(call: Call, listed: ListedRelease) -> Shown:
    wanted = call.page(CERTIFICATIONS, None, page="certifications")
    tried = await list_certifications(call.tx, call.access, listed.id, wanted=wanted)
    return Shown(
        listed=listed, release=await read_release(call.tx, call.access, listed.id),
        certifications=tried[:CERTIFICATIONS],
    )  # fmt: skip
