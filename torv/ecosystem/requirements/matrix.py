"""The matrix: how each release stands to each requirement set, and what keeps one from taking a capability over."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.agreements import Content, Finding, Level, ServiceLevel, checks_requirement_sets, contents_in_force
from torv.ecosystem.modules import Certification, Certifier
from torv.ecosystem.requirements import rules
from torv.ecosystem.requirements.models import Kind, Outcome, ReleaseStanding, RequirementSet, Standing, Unmet

sql = load(__file__)

_START = ["", 0, UUID(int=0)]


async def list_matrix(
    tx: Tx, access: Access, *, wanted: Wanted, capability: str | None = None
) -> list[tuple[int, ReleaseStanding]]:
    """Every set with every release that provides its capability or could; to a program only its own partner's."""
    after_capability, after_seq, after_id = wanted.after or _START
    own = access.party
    rows = await tx.all(
        dict, sql.pairs, capability=capability, partner_id=own, after_capability=after_capability, after_seq=after_seq,
        after_id=after_id, size=wanted.fetch,
    )  # fmt: skip
    sets = {each: await tx.one(RequirementSet, sql.set_by_hash, hash=each) for each in {row["hash"] for row in rows}}
    note(tx, access, "read", detail={"positions": len(rows[: wanted.size])})
    return [(row["seq"], await _position(tx, sets[row["hash"]], row)) for row in rows]


async def list_standings(tx: Tx, access: Access, sets: Sequence[RequirementSet]) -> list[ReleaseStanding]:
    """How every release that provides it or could stands to each of some sets; to a program only its own partner's."""
    found = [position for each in sets for position in seen_by(access, await positions_for(tx, each))]
    note(tx, access, "read", detail={"positions": len(found)})
    return found


async def positions_for(tx: Tx, wanted: RequirementSet) -> list[ReleaseStanding]:
    """How every release that provides the capability or could stands to a set, known or not."""
    rows = await tx.all(dict, sql.providers, capability=wanted.capability, release_id=None)
    return [await _position(tx, wanted, row) for row in rows]


def seen_by(access: Access, found: Sequence[ReleaseStanding]) -> list[ReleaseStanding]:
    """Those a caller may see: a program its own partner's."""
    return [each for each in found if access.party in (None, each.partner_id)]


async def unmet_requirements(tx: Tx, release_id: UUID, capability: str) -> list[Unmet]:
    """What keeps a release from taking a capability over: sets that its agreement names, or that are demanded today."""
    release = await tx.one(dict, sql.release, release_id=release_id)
    positions = [await _position(tx, each, release) for each in await _demanded(tx, release, capability)]
    return [
        Unmet(
            requirement_set=each.requirement_set, title=each.title, state=each.state,
            demands=[judged.id for judged in each.unmet],
        )
        for each in positions
        if each.state is not Standing.CERTIFIED
    ]  # fmt: skip


async def demanded_fields(tx: Tx, release_id: UUID, capability: str) -> list[str]:
    """Where a release's answers must say more than others do: lines of operation and path, `*` for a list's entries."""
    release = await tx.one(dict, sql.release, release_id=release_id)
    fields = [each for wanted in await _demanded(tx, release, capability) for each in wanted.profile.get("fields", ())]
    return [f"{each['answer']} {each.get('at', '')}/{each['name']}" for each in fields if "answer" in each]


async def _demanded(tx: Tx, release: dict[str, Any], capability: str) -> list[RequirementSet]:
    """The sets that count for a release that is to provide a capability: those in force, and those it has promised."""
    demanded = await tx.all(RequirementSet, sql.sets_in_force, capability=capability, day=clock.today())
    for content in await contents_in_force(tx, release["partner_id"], release["module_name"]):
        if content.requirement_set is not None and content.requirement_set not in {each.hash for each in demanded}:
            promised = await tx.one(RequirementSet, sql.set_by_hash, hash=content.requirement_set)
            demanded += [promised] if promised.capability == capability else []
    return demanded


@checks_requirement_sets
async def findings_of_promise(tx: Tx, content: Content) -> list[Finding]:
    """What keeps an agreement from promising the requirement set that it names."""
    assert content.requirement_set is not None
    known = await tx.maybe(RequirementSet, sql.set_by_hash, hash=content.requirement_set)
    if known is None:
        return [_missing("requirement_set", "there is no such requirement set", "den kravprofil findes ikke")]
    is_granted = any(
        (grant.service, grant.major) == (known.capability, known.major) and "provide" in grant.operations
        for grant in content.grants
    )
    if not is_granted:
        name = f"{known.capability} v{known.major}"
        return [_missing("requirement_set", f"no grant to provide {name}", f"ingen tilladelse til at levere {name}")]
    found = []
    for demand in rules.demands_of(known.profile):
        if demand.kind is Kind.SERVICE_LEVEL and not rules.is_promised(demand.content, content.service_levels):
            text, text_da = f"{demand.id} is not promised: {demand.en}", f"{demand.id} er ikke lovet: {demand.da}"
            found.append(_missing("service_levels", text, text_da))
    return found


async def _position(tx: Tx, wanted: RequirementSet, release: dict[str, Any]) -> ReleaseStanding:
    newest, known = await _certifications(tx, wanted, release["release_id"])
    promised = await _promised(tx, release["partner_id"], release["module_name"])
    judged = rules.judge(rules.demands_of(wanted.profile), newest or known, promised)
    ends, now = (rules.expires_at(wanted.profile, newest) if newest else None), clock.now()
    state = rules.standing(judged, is_tried=newest is not None, is_expired=_is_past(ends, now))
    return ReleaseStanding(
        release_id=release["release_id"], module_name=release["module_name"],
        release_version=release["release_version"], partner_id=release["partner_id"],
        partner_name=release["partner_name"], capability=wanted.capability, requirement_set=wanted.hash,
        title=wanted.title, from_day=wanted.from_day, state=state, certifier=newest.certifier if newest else None,
        certified_at=newest.began_at if newest else None, expires_at=ends,
        unmet=[each for each in judged if each.outcome is not Outcome.PASSED],
    )  # fmt: skip


async def _certifications(
    tx: Tx, wanted: RequirementSet, release_id: UUID
) -> tuple[Certification | None, Certification | None]:
    """The newest for this set; and if there is none, the newest against the same contract that still counts."""
    newest = await _certification(tx, sql.newest_certification, release_id=release_id, hash=wanted.hash)
    if newest is not None:
        return newest, None
    nearest = await _certification(
        tx, sql.nearest_certification, release_id=release_id, capability=wanted.capability, major=wanted.major,
        contract_hash=wanted.contract_hash,
    )  # fmt: skip
    counts = nearest is not None and not _is_past(rules.expires_at(wanted.profile, nearest), clock.now())
    return None, nearest if counts else None


async def _certification(tx: Tx, query: Any, **values: Any) -> Certification | None:
    row = await tx.maybe(dict, query, **values)
    return None if row is None else certification_of(row)


def certification_of(row: dict[str, Any]) -> Certification:
    """A certification as a statement gives it."""
    return Certification(**{**row, "certifier": Certifier(row["certifier"])})


async def _promised(tx: Tx, partner_id: UUID, module: str) -> list[ServiceLevel]:
    found = await contents_in_force(tx, partner_id, module)
    return [level for content in found for level in content.service_levels]


def _is_past(end: datetime | None, now: datetime) -> bool:
    return end is not None and end <= now


def _missing(place: str, text: str, text_da: str) -> Finding:
    return Finding(level=Level.MISSING, place=place, text=text, text_da=text_da)
