"""The verbs of requirements: examine a profile, put it to partners, set its day; the only writer of the schema."""

import asyncio
from datetime import date, datetime
from typing import Any
from uuid import UUID

from torv.base import clock, lease
from torv.base.access import Access, CallerKind
from torv.base.clock import DENMARK
from torv.base.db import Tx
from torv.base.errors import Denied, InvalidInput
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.modules import Contract, contract_version
from torv.ecosystem.partners import partner_by_id
from torv.ecosystem.requirements import matrix, rules
from torv.ecosystem.requirements.errors import ProfileInvalid
from torv.ecosystem.requirements.models import Examined, NewProposal, Proposal, Proposed, RequirementSet
from torv.ecosystem.requirements.profiles import check_adds_only, read_profile

sql = load(__file__)

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)  #: a day outside is a slip of the pen
MOST_PARTNERS = 100
_END = [datetime(9000, 1, 1, tzinfo=DENMARK).isoformat(), UUID(int=2**128 - 1)]


async def examine(tx: Tx, access: Access, text: str) -> Examined:
    """What a profile would be as a set, and how today's releases stand to it; nothing is kept. Raises ProfileInvalid.

    A release that was tried for another set keeps what is known of the demands that are the same here.
    """
    made = await _made(tx, text)
    known = await tx.maybe(RequirementSet, sql.set_by_hash, hash=made.hash)
    found = await matrix.positions_for(tx, known or made)
    note(tx, access, "read", detail={"requirement_set": made.hash, "releases": len(found)})
    return Examined(
        hash=made.hash, capability=made.capability, title=made.title, is_known=known is not None,
        positions=matrix.seen_by(access, found),
    )  # fmt: skip


async def propose(tx: Tx, access: Access, new: NewProposal) -> Proposed:
    """Keep a set, put it to every partner whose release provides the capability or could, and set its day.

    The same again changes nothing, except for a day that is another. Raises ProfileInvalid, InvalidInput, NotFound for
    a partner, or Denied for a program.
    """
    _require_people(access)
    check_day(new.from_day)
    made = await _made(tx, new.profile)
    is_new = await tx.run(
        sql.insert_set, hash=made.hash, capability=made.capability, major=made.major,
        contract_version=made.contract_version, contract_hash=made.contract_hash, profile=made.profile,
        user_id=access.caller.user_id,
    )  # fmt: skip
    if is_new:
        await lease.raise_generation(tx)  # every process learns what it adds
    is_new_day = new.from_day is not None and await _set_day(tx, access, made.hash, new.from_day)
    found = await matrix.positions_for(tx, made)
    if len(new.partners) > MOST_PARTNERS:
        raise InvalidInput(reason="partners")
    named = [(await partner_by_id(tx, each)).id for each in new.partners]
    before = await _proposals_of(tx, made.hash)
    for partner_id in dict.fromkeys([*(each.partner_id for each in found), *named]):
        await tx.run(
            sql.insert_proposal, id=new_id(), hash=made.hash, partner_id=partner_id, user_id=access.caller.user_id
        )
    sent = [row["name"] for row in await tx.all(dict, sql.partners_of_proposal, hash=made.hash)]
    now = await _proposals_of(tx, made.hash)
    told = now if is_new_day else [each for each in now if each not in before]
    note(tx, access, "write", detail={**_told(made, told), "partners": len(sent)})
    kept = await tx.one(RequirementSet, sql.set_by_hash, hash=made.hash)
    return Proposed(requirement_set=kept, sent_to=sent, positions=found)


async def set_day(tx: Tx, access: Access, requirement_set: str, from_day: date | None) -> RequirementSet:
    """Demand a set from a day on, or no longer. Raises NotFound, InvalidInput, or Denied for a program."""
    _require_people(access)
    check_day(from_day)
    known = await tx.one(RequirementSet, sql.set_by_hash, hash=requirement_set)
    is_new = await _set_day(tx, access, requirement_set, from_day)
    told = _told(known, await _proposals_of(tx, requirement_set) if is_new else [])
    note(tx, access, "write", detail={**told, "from_day": from_day and from_day.isoformat()})
    return await tx.one(RequirementSet, sql.set_by_hash, hash=requirement_set)


async def read_set(tx: Tx, access: Access, requirement_set: str) -> RequirementSet:
    """A requirement set. Raises NotFound."""
    found = await tx.one(RequirementSet, sql.set_by_hash, hash=requirement_set)
    note(tx, access, "read", detail={"requirement_set": requirement_set})
    return found


async def list_sets(
    tx: Tx, access: Access, *, wanted: Wanted, capability: str | None = None
) -> list[tuple[int, RequirementSet]]:
    """Requirement sets with their place in the list: by capability, oldest first."""
    after_capability, after_seq = wanted.after or ("", 0)
    rows = await tx.all(
        dict, sql.sets_by_capability, capability=capability, after_capability=after_capability, after_seq=after_seq,
        size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", detail={"requirement_sets": len(rows[: wanted.size])})
    return [_placed(**row) for row in rows]


async def list_proposals(tx: Tx, access: Access, *, wanted: Wanted) -> list[Proposal]:
    """What was put to partners, the last first; to a program only what was put to its own partner."""
    before, before_id = wanted.after or _END
    own = access.party
    found = await tx.all(
        Proposal, sql.proposals_in_order, partner_id=own, before=datetime.fromisoformat(str(before)),
        before_id=before_id, size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", detail={"proposals": len(found[: wanted.size])})
    return found


def check_day(day: date | None) -> None:
    """Raises InvalidInput for a day nobody can mean."""
    if day is not None and not FIRST_DAY <= day < LAST_DAY:
        raise InvalidInput(reason="from_day")


async def _made(tx: Tx, text: str) -> RequirementSet:
    """The set that a profile's file makes with the contract it names. Raises ProfileInvalid."""
    profile, lines = await asyncio.to_thread(read_profile, text)
    contract = await contract_version(tx, profile["capability"], profile["major"], profile["contract"])
    if contract is None:
        line, name = lines.of(["contract"]), f"{profile['capability']} {profile['contract']}"
        raise ProfileInvalid(
            reason=f"line {line}: there is no contract {name}", reason_da=f"linje {line}: der er ingen kontrakt {name}",
            faults=[{"line": line, "reason": f"no contract {name}", "reason_da": f"ingen kontrakt {name}"}],
        )  # fmt: skip
    check_adds_only(contract, profile, lines)
    return _set_of(contract, profile)


def _set_of(contract: Contract, profile: dict[str, Any]) -> RequirementSet:
    return RequirementSet(
        hash=rules.hash_of_set(contract.hash, profile), capability=contract.capability, major=contract.major,
        contract_version=contract.version, contract_hash=contract.hash, title=profile["title"]["da"], from_day=None,
        added_at=clock.now(), profile=profile,
    )  # fmt: skip


async def _set_day(tx: Tx, access: Access, requirement_set: str, from_day: date | None) -> bool:
    """Note the day; gives whether it is another one."""
    return bool(await tx.run(sql.insert_day, hash=requirement_set, from_day=from_day, user_id=access.caller.user_id))


async def _proposals_of(tx: Tx, requirement_set: str) -> list[dict[str, str]]:
    rows = await tx.all(dict, sql.proposals_of_set, hash=requirement_set)
    return [{"id": str(row["id"]), "partner_id": str(row["partner_id"])} for row in rows]


def _told(about: RequirementSet, proposals: list[dict[str, str]]) -> dict[str, Any]:
    """What the log says of a set; its entry becomes an event to each partner whose proposal stands in it."""
    return {"requirement_set": about.hash, "capability": about.capability, "proposals": proposals}


def _placed(*, seq: int, **row: Any) -> tuple[int, RequirementSet]:
    return seq, RequirementSet(**row)


def _require_people(access: Access) -> None:
    """Demands are the municipality's alone: no supplier makes them, not for a user either."""
    if access.caller.kind is CallerKind.RELEASE:
        raise Denied(check="caller", reason="only users decide", reason_da="kun brugere bestemmer", mender="Ingen")
