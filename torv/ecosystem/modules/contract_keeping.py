"""Keeping contracts: a version comes into force while everything runs, if it breaks nothing that was promised."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torv.base import lease
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.modules.contract_changes import breaks, breaks_of_schema
from torv.ecosystem.modules.contract_checks import Fault
from torv.ecosystem.modules.contracts import Contract, KeptContract, parse_contract
from torv.ecosystem.modules.errors import ContractBreaks, ContractVersionWrong, naming
from torv.kernel.records import declare_type

sql = load(__file__)

SHOWN = 50  #: breaks that a refusal names


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    content: dict[str, Any]
    openapi: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Titled:
    capability: str
    title: dict[str, str]


async def add_contract(tx: Tx, access: Access, contract: Contract) -> KeptContract:
    """Put a contract, or a newer version of it, into force for every process. The same version again changes nothing.

    Raises ContractBreaks or ContractVersionWrong. Record types belong to the capability: one that several major
    versions have may only grow in each of them.
    """
    known = await _in_force(tx, contract.capability)
    earlier = next((each for each in known if each.major == contract.major), None)
    is_same = earlier is not None and earlier.hash == contract.hash
    if is_same and earlier is not None and earlier.openapi is None and contract.openapi is not None:
        await _put_into_force(tx, contract)  # the same version, described in full by now
    elif not is_same or (earlier is not None and contract.openapi not in (None, earlier.openapi)):
        _check_follows(contract, earlier, known)
        await _put_into_force(tx, contract)
    detail = {"capability": contract.capability, "version": contract.version, "hash": contract.hash}
    note(tx, access, "write", detail=detail)
    return await tx.one(KeptContract, sql.kept_contract, capability=contract.capability, major=contract.major)


async def add_shipped_contract(tx: Tx, contract: Contract) -> None:
    """Put a contract of the bundle into force, unless this version or a later one of it already is."""
    known = await _in_force(tx, contract.capability)
    earlier = next((each for each in known if each.major == contract.major), None)
    if earlier is None or contract.order > earlier.order:
        _check_follows(contract, earlier, known)
        await _put_into_force(tx, contract)


async def list_contracts(tx: Tx, access: Access, *, wanted: Wanted) -> list[KeptContract]:
    """The contracts in force, by capability and major version."""
    capability, major = wanted.after or ("", 0)
    kept = await tx.all(
        KeptContract, sql.kept_contracts, after_capability=capability, after_major=major, size=wanted.fetch
    )
    note(tx, access, "read", detail={"contracts": len(kept[: wanted.size])})
    return kept


async def contract_version(tx: Tx, capability: str, major: int, version: str) -> Contract | None:
    """A version of a contract that is or was in force; None if there was none. No personal data: no permit."""
    kept = await tx.maybe(_Kept, sql.contract_version, capability=capability, major=major, version=version)
    return None if kept is None else parse_contract(kept.content, kept.openapi)


async def titles_of_capabilities(tx: Tx) -> dict[str, dict[str, str]]:
    """Capability -> language -> what it is called. No personal data, and therefore no permit."""
    return {each.capability: each.title for each in await tx.all(_Titled, sql.titles)}


async def contract_in_force(tx: Tx, capability: str, major: int) -> Contract:
    """A contract with everything in it. No personal data, and therefore no permit. Raises NotFound."""
    kept = await tx.one(_Kept, sql.contract_in_force, capability=capability, major=major)
    return parse_contract(kept.content, kept.openapi)


async def _in_force(tx: Tx, capability: str) -> list[Contract]:
    await tx.value(sql.lock_contracts, capability=capability)
    return [
        parse_contract(each.content, each.openapi)
        for each in await tx.all(_Kept, sql.contents_of, capability=capability)
    ]


def _check_follows(contract: Contract, earlier: Contract | None, known: Sequence[Contract]) -> None:
    if earlier is not None and contract.order <= earlier.order:
        raise ContractVersionWrong(version=contract.version, known=earlier.version)
    faults = [] if earlier is None else breaks(earlier.content, contract.content)
    for other in known:
        if other.major != contract.major:
            faults += _breaks_between(other, contract)
    if faults:
        raise ContractBreaks(**naming(faults[:SHOWN]))


def _breaks_between(other: Contract, contract: Contract) -> list[Fault]:
    """What record types that another major version has as well would lose."""
    theirs, faults = {each.name: each for each in other.records}, []
    for ours in contract.records:
        kept = theirs.get(ours.name)
        if kept is not None:
            place = f"/records/{ours.name}"
            faults += breaks_of_schema(kept.schema, ours.schema, f"{place}/schema")
            if (kept.category, kept.timeline) != (ours.category, ours.timeline):
                reason = f"category and projections must be those of version {other.version}"
                reason_da = f"kategori og projektioner skal være som i version {other.version}"
                faults.append(Fault(file="contract.yaml", place=place, reason=reason, reason_da=reason_da))
    return faults


async def _put_into_force(tx: Tx, contract: Contract) -> None:
    await tx.run(
        sql.upsert_contract, capability=contract.capability, major=contract.major, version=contract.version,
        content=contract.content, hash=contract.hash, openapi=contract.openapi,
    )  # fmt: skip
    for record_type in contract.records:
        await declare_type(tx, record_type)
    await lease.raise_generation(tx)
