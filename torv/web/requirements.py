"""The page about requirement sets: what the municipality demands beyond contracts, and how releases stand to it."""

from dataclasses import dataclass

from torv.base import clock
from torv.base.http import Answer, Call, Routes
from torv.base.pages import Cursor
from torv.ecosystem.requirements import (
    Proposal,
    ReleaseStanding,
    RequirementSet,
    list_proposals,
    list_sets,
    list_standings,
)
from torv.web.capabilities import titles_for
from torv.web.rendering import render

routes = Routes("/requirements", "requirements")

SETS = 8  #: on a page, each a column
PROPOSALS = 50  #: shown, the newest ones


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """A capability's sets against the releases that provide it or could."""

    capability: str
    sets: list[RequirementSet]
    rows: list[list[ReleaseStanding | None]]  #: a release each, with a standing for each set


@routes.reads("", "read", "contract", include_in_schema=False)
async def show_requirements(call: Call, cursor: Cursor = None) -> Answer:
    """The sets with their days and how releases stand to them; on the first page what was put to partners when."""
    wanted = call.page(SETS, cursor, page="requirements")
    found = await list_sets(call.tx, call.access, wanted=wanted)
    page = call.paged(found, wanted, lambda each: [each[1].capability, each[0]])
    sets = [each for _, each in page.items]
    proposals: list[Proposal] = []
    if cursor is None:
        asked = call.page(PROPOSALS, None, list="proposals")
        proposals = await list_proposals(call.tx, call.access, wanted=asked)
    return render(
        call.request, "requirements.html", reader=call.access.caller.name, next=page.next, is_first=cursor is None,
        matrices=matrices_of(sets, await list_standings(call.tx, call.access, sets)), proposals=proposals[:PROPOSALS],
        today=clock.today(), titles=await titles_for(call),
    )  # fmt: skip


def matrices_of(sets: list[RequirementSet], standings: list[ReleaseStanding]) -> list[Matrix]:
    """The standings as one table for each capability, releases down and sets across."""
    found = {(each.release_id, each.requirement_set): each for each in standings}
    made = []
    for capability in dict.fromkeys(each.capability for each in sets):
        across = [each for each in sets if each.capability == capability]
        releases = dict.fromkeys(each.release_id for each in standings if each.capability == capability)
        rows = [[found.get((release, each.hash)) for each in across] for release in releases]
        made.append(Matrix(capability=capability, sets=across, rows=rows))
    return made
