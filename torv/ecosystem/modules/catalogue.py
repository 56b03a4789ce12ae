"""The catalogue: which modules and releases there are, what each says of itself, and whether one fits a capability."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from torv_contracts import manifests

from torv.base import lease
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import NotFound
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.modules.errors import ContractOutsideRange, ReleaseInUse, ReleaseRetired
from torv.ecosystem.modules.models import ListedModule, ListedRelease, RegisteredRelease, ReleaseState

sql = load(__file__)
NOBODY = UUID(int=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Promise:
    state: str
    manifest: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Category:
    major: int
    category: str


@dataclass(frozen=True, kw_only=True, slots=True)
class _InForce:
    major: int
    version: str


async def list_modules(tx: Tx, access: Access, *, wanted: Wanted) -> list[ListedModule]:
    """The modules by name; a program sees its own partner's."""
    name, after = wanted.after or ("", NOBODY)
    found = await tx.all(
        ListedModule, sql.listed_modules, party=access.party, id=None, name=name, after=after, size=wanted.fetch
    )
    note(tx, access, "read", detail={"modules": len(found[: wanted.size])})
    return found


async def read_module(tx: Tx, access: Access, module_id: UUID) -> ListedModule:
    """A module. Raises NotFound, also for another partner's."""
    note(tx, access, "read", detail={"module": str(module_id)})
    return await tx.one(
        ListedModule, sql.listed_modules, party=access.party, id=module_id, name="", after=NOBODY, size=1
    )


async def list_releases(tx: Tx, access: Access, module_id: UUID, *, wanted: Wanted) -> list[ListedRelease]:
    """A module's releases, the one registered last first. Raises NotFound, also for another partner's module."""
    await read_module(tx, access, module_id)
    return await tx.all(
        ListedRelease, sql.listed_releases, module_id=module_id, after=wanted.after[0] if wanted.after else None,
        size=wanted.fetch,
    )  # fmt: skip


async def read_release(tx: Tx, access: Access, release_id: UUID) -> RegisteredRelease:
    """A release with its manifest. Raises NotFound, also for another partner's."""
    note(tx, access, "read", detail={"release": str(release_id)})
    return await _registered(tx, release_id, access.party)


async def retire_release(tx: Tx, access: Access, release_id: UUID) -> RegisteredRelease:
    """Take a release out of use for good: it is not bound again, and gets no tokens. Once more changes nothing.

    Raises NotFound, to a program also for another partner's, or ReleaseInUse while it provides a capability, is tried
    out, or stands by.
    """
    await _registered(tx, release_id, access.party)
    await tx.value(sql.lock_release, id=release_id)
    if await tx.value(sql.is_in_use, id=release_id):
        raise ReleaseInUse
    if await tx.run(sql.retire_release, id=release_id):
        await lease.raise_generation(tx)
    note(tx, access, "write", detail={"release": str(release_id), "state": ReleaseState.RETIRED})
    return await _registered(tx, release_id, access.party)


async def check_fits(tx: Tx, release_id: UUID, capability: str) -> None:
    """Whether a release may provide a capability by what it states of itself.

    Raises NotFound, ReleaseRetired, or ContractOutsideRange where a contract in force is none of those that its
    manifest names. A release without a manifest has named none.
    """
    promise = await tx.one(_Promise, sql.promise_of_release, id=release_id)
    if promise.state == ReleaseState.RETIRED:
        raise ReleaseRetired
    if promise.manifest is None:
        return
    provided = {each["major"]: each for each in promise.manifest["provides"] if each["capability"] == capability}
    in_force = {each.major: each.version for each in await tx.all(_InForce, sql.in_force, capability=capability)}
    outside = [
        f"{major} ({version})"
        for major, version in in_force.items()
        if major in provided and not manifests.is_provided(version, provided[major])
    ]
    if outside or not provided.keys() & in_force.keys():
        raise ContractOutsideRange(capability=capability, versions=", ".join(outside) or "ingen")


async def categories_of(tx: Tx, capability: str) -> dict[int, set[str]]:
    """Major version of a capability's contract -> the data categories that its operations are about."""
    rows = await tx.all(_Category, sql.categories_of, capability=capability)
    found: dict[int, set[str]] = {}
    for each in rows:
        found.setdefault(each.major, set()).add(each.category)
    return found


async def _registered(tx: Tx, release_id: UUID, party: UUID | None) -> RegisteredRelease:
    found = await tx.one(RegisteredRelease, sql.registered_release, id=release_id)
    if party is not None and found.partner_id != party:
        raise NotFound
    return found
