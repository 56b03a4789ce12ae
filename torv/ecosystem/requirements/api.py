"""Routes of requirements: examine a profile, put it to partners, set its day, and see who meets it."""

from typing import Annotated
from uuid import UUID

from fastapi import Path, Query

from torv.base.http import Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.ecosystem.requirements import additions, matrix, service
from torv.ecosystem.requirements.models import (
    Day,
    Examined,
    Interface,
    NewProposal,
    ProfileText,
    Proposal,
    Proposed,
    ReleaseStanding,
    RequirementSet,
)

routes = Routes("/api/v1/requirements", "requirements")

CONTRACT = "contract"  #: the data category: about nobody
Hash = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
Capability = Annotated[str | None, Query(max_length=63)]


@routes.reads("", "read", CONTRACT)
async def list_sets(
    call: Call, capability: Capability = None, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[RequirementSet]:
    """Requirement sets by capability, oldest first."""
    wanted = call.page(limit, cursor, capability=capability)
    rows = await service.list_sets(call.tx, call.access, wanted=wanted, capability=capability)
    page = call.paged(rows, wanted, lambda each: [each[1].capability, each[0]])
    return Page(items=[each for _, each in page.items], next=page.next)


@routes.reads("/check", "examine", CONTRACT, method="POST")
async def examine(call: Call, text: ProfileText) -> Examined:
    """Check a profile, and show how today's releases stand to it; nothing is kept."""
    return await service.examine(call.tx, call.access, text.profile)


@routes.writes("/proposals", "propose", CONTRACT, status_code=201)
async def propose(call: Call, new: NewProposal) -> Proposed:
    """Put a profile to the partners whose releases provide the capability or could, and set its day."""
    return await service.propose(call.tx, call.access, new)


@routes.reads("/proposals", "read", CONTRACT, own=True)
async def list_proposals(call: Call, limit: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[Proposal]:
    """What was put to partners, the last first; a program sees what was put to its own partner."""
    wanted = call.page(limit, cursor, list="proposals")
    found = await service.list_proposals(call.tx, call.access, wanted=wanted)
    return call.paged(found, wanted, lambda each: [each.sent_at.isoformat(), each.id])


@routes.reads("/matrix", "read", CONTRACT, own=True)
async def list_matrix(
    call: Call, capability: Capability = None, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[ReleaseStanding]:
    """How each release stands to each set, with the demands it does not meet; a program sees its own partner's."""
    wanted = call.page(limit, cursor, list="matrix", capability=capability)
    rows = await matrix.list_matrix(call.tx, call.access, wanted=wanted, capability=capability)
    page = call.paged(rows, wanted, lambda each: [each[1].capability, each[0], each[1].release_id])
    return Page(items=[each for _, each in page.items], next=page.next)


@routes.open("/interfaces/{capability}/v{major}")
async def read_interface(
    call: Call,
    capability: Annotated[str, Path(pattern="^[a-z][a-z0-9_]{0,62}$")],
    major: Annotated[int, Path(ge=1, le=999)],
    unit_id: UUID | None = None,
) -> Interface:
    """What may be asked of whoever provides a capability now: the contract, and what its promised sets add to it.

    With a unit, of whoever provides it there.
    """
    async with call.reading() as tx:
        return await additions.interface_in_force(tx, capability, major, unit_id=unit_id)


@routes.reads("/{requirement_set}", "read", CONTRACT)
async def read_set(call: Call, requirement_set: Hash) -> RequirementSet:
    """A requirement set with its profile."""
    return await service.read_set(call.tx, call.access, requirement_set)


@routes.writes("/{requirement_set}/day", "set_day", CONTRACT, method="PUT")
async def set_day(call: Call, requirement_set: Hash, day: Day) -> RequirementSet:
    """Demand a set from a day on; without a day, no longer."""
    return await service.set_day(call.tx, call.access, requirement_set, day.from_day)
