"""Additions: what the requirement sets add to contracts, and which releases were certified for it.

A set adds its operations and fields to what a release provides while both hold: an agreement in force promises the set,
and the release was last certified for it with every demand met. Who serves by older promises is asked for nothing new.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from torv.base import clock
from torv.base.db import Tx
from torv.base.sql import load
from torv.ecosystem.agreements import contents_in_force
from torv.ecosystem.modules import (
    Added,
    Contract,
    Demanded,
    Release,
    contract_in_force,
    release_by_id,
)
from torv.ecosystem.requirements import rules
from torv.ecosystem.requirements.matrix import certification_of
from torv.ecosystem.requirements.models import AddedField, Interface, InterfaceOperation, RequirementSet

sql = load(__file__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Additions:
    """What all sets add, as one process knows it in the present generation."""

    operations: Mapping[tuple[str, int], tuple[Added, ...]]  #: by capability and major version, the newest set first
    fields: tuple[AddedField, ...]
    answers: Mapping[tuple[str, int, str], tuple[Demanded, ...]]  #: by capability, major version and operation


async def load_additions(tx: Tx) -> Additions:
    """What the sets add that are known in the present generation."""
    sets = await tx.all(RequirementSet, sql.sets_that_add)
    kept_by = await _keepers(tx, sets)
    operations: dict[tuple[str, int], tuple[Added, ...]] = {}
    for each in sets:
        added = tuple(
            Added(requirement_set=each.hash, operation=operation, kept_by=kept_by[each.hash])
            for operation in rules.added_operations(each.profile)
        )
        operations[each.capability, each.major] = (*operations.get((each.capability, each.major), ()), *added)
    fields = (
        AddedField(
            requirement_set=each.hash, capability=each.capability, major=each.major, record_type=record_type,
            schema=schema, kept_by=kept_by[each.hash],
        )
        for each in sets
        for record_type, schema in rules.schemas_of_records(each.profile)
    )  # fmt: skip
    return Additions(operations=operations, fields=tuple(fields), answers=_demanded(sets, kept_by))


def _demanded(
    sets: list[RequirementSet], kept_by: Mapping[str, frozenset[UUID]]
) -> dict[tuple[str, int, str], tuple[Demanded, ...]]:
    found: dict[tuple[str, int, str], tuple[Demanded, ...]] = {}
    for each in sets:
        for operation, fields in rules.schemas_of_answers(each.profile).items():
            place = each.capability, each.major, operation
            made = Demanded(requirement_set=each.hash, fields=tuple(fields), kept_by=kept_by[each.hash])
            found[place] = (*found.get(place, ()), made)
    return found


async def interface_in_force(tx: Tx, capability: str, major: int, *, unit_id: UUID | None = None) -> Interface:
    """What may be asked of whoever provides a capability now, in a unit or (None) for the whole municipality: its
    contract, and what its promises add to that. A unit that is not there is of the whole municipality.

    About nobody, and therefore without a permit, as the contract is. Raises NotFound for a contract that is not.
    """
    contract = await contract_in_force(tx, capability, major)
    release_id = await tx.value(sql.release_at, capability=capability, unit_id=unit_id, day=clock.today())
    sets = [] if release_id is None else await _in_force(tx, await release_by_id(tx, release_id), contract)
    operations = [InterfaceOperation.of(each, None) for each in contract.operations]
    for each in sets:
        known = {operation.id for operation in operations}
        operations += [
            InterfaceOperation.of(operation, each.hash)
            for operation in rules.added_operations(each.profile)
            if operation.id not in known
        ]
    return Interface(
        capability=capability, major=major, contract_version=contract.version, contract_hash=contract.hash,
        requirement_sets=[each.hash for each in sets], operations=operations,
        fields=[field for each in sets for field in each.profile.get("fields", ())],
        openapi=rules.openapi_with(contract.openapi, [each.profile for each in sets]),
    )  # fmt: skip


async def _in_force(tx: Tx, release: Release, contract: Contract) -> list[RequirementSet]:
    """The sets of a contract that a release keeps and promises, the newest first."""
    about = release.module_name, contract.capability, contract.major
    contents = await contents_in_force(tx, release.partner_id, release.module_name)
    promised = {each.requirement_set for each in contents if each.provides(*about)}
    sets = [each for each in await tx.all(RequirementSet, sql.sets_that_add) if each.hash in promised]
    kept_by = await _keepers(tx, sets)
    return [each for each in sets if release.id in kept_by[each.hash] and (each.capability, each.major) == about[1:]]


async def _keepers(tx: Tx, sets: list[RequirementSet]) -> dict[str, frozenset[UUID]]:
    """Set -> the releases whose newest certification for it says that they meet every demand that can be tried."""
    profiles, kept_by = {each.hash: each.profile for each in sets}, defaultdict[str, set[UUID]](set)
    for row in await tx.all(dict, sql.newest_for_sets, hashes=list(profiles)):
        certification = certification_of(row)
        assert certification.requirement_set is not None
        if rules.is_kept(profiles[certification.requirement_set], certification):
            kept_by[certification.requirement_set].add(certification.release_id)
    return {each: frozenset(kept_by[each]) for each in profiles}
