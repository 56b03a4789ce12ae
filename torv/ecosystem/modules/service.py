"""The verbs of modules; the only writer of the schema `modules`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from torv.base import db, lease, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, CapabilityNotBound, InvalidInput
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import Entry, note
from torv.ecosystem.modules.addresses import normal_address
from torv.ecosystem.modules.catalogue import check_fits
from torv.ecosystem.modules.models import BesideRelease, Binding, Health, Module, NewModule, NewRelease, Release
from torv.kernel.records import hand_over

sql = load(__file__)
db.names_constraint("modules_name_key", AlreadyExists)
db.names_constraint("releases_version_key", AlreadyExists)


async def register_module(tx: Tx, access: Access, *, new: NewModule) -> Module:
    """Register a partner's program. Raises AlreadyExists."""
    module = await tx.one(Module, sql.insert_module, id=new_id(), partner_id=new.partner_id, name=new.name)
    note(tx, access, "write", detail={"module": str(module.id)})
    return module


async def register_release(tx: Tx, access: Access, module_id: UUID, *, new: NewRelease, private: bool) -> Release:
    """Register a release. Raises ModuleAddressInvalid, InvalidInput for key or majors, or AlreadyExists."""
    release_id = new_id()
    jwk = signing.public(signing.read_public_key(new.jwk))
    url = normal_address(new.url, private=private)
    await tx.run(
        sql.insert_release, id=release_id, module_id=module_id, version=new.version, url=url, jwk=jwk,
        majors=normal_majors(new.majors),
    )  # fmt: skip
    await lease.raise_generation(tx)
    note(tx, access, "write", detail={"release": str(release_id)})
    return await release_by_id(tx, release_id)


def normal_majors(majors: dict[str, list[int]]) -> dict[str, list[int]]:
    """The major versions a release provides, each once and in order. Raises InvalidInput."""
    if not all(some and all(1 <= each <= 999 for each in some) for some in majors.values()) or len(majors) > 100:
        raise InvalidInput(reason="majors: capability, and the major versions of its contract, from 1 to 999")
    return {capability: sorted(set(some)) for capability, some in sorted(majors.items())}


async def release_by_id(tx: Tx, release_id: UUID) -> Release:
    """A release. Raises NotFound."""
    return await tx.one(Release, sql.release_by_id, id=release_id)


async def release_in_service(tx: Tx, capability: str) -> UUID | None:
    """The release that provides a capability; None if none does."""
    found: UUID | None = await tx.value(sql.release_in_service, capability=capability)
    return found


async def bind(tx: Tx, access: Access, *, capability: str, release_id: UUID) -> Binding:
    """Bind a capability for the first time; later it is moved.

    Raises AlreadyExists, CapabilityNotBound or NotFound, or as `check_fits`.
    """
    if not await tx.value(sql.has_contract, capability=capability):
        raise CapabilityNotBound
    if await tx.value(sql.is_bound, capability=capability):
        raise AlreadyExists
    await check_fits(tx, release_id, capability)
    await move_binding(tx, capability, release_id)
    note(tx, access, "write", detail={"capability": capability, "release": str(release_id)})
    return _binding(await tx.one(dict, sql.binding_with_names, capability=capability), [])


async def move_binding(tx: Tx, capability: str, release_id: UUID) -> int:
    """Let a release provide the capability from commit on: fence, epoch and binding in one. Gives the new epoch."""
    epoch = await hand_over(tx, capability, release_id)
    await tx.run(sql.set_binding, capability=capability, release_id=release_id, epoch=epoch)
    await lease.raise_generation(tx)
    detail = {"capability": capability, "release": str(release_id), "epoch": epoch}
    tx.notes.append(Entry(kind="system", operation="modules.bound", detail=detail))
    return epoch


async def end_standby(tx: Tx, capability: str) -> None:
    """Let the predecessor stand by no longer."""
    await tx.run(sql.end_standby, capability=capability)


async def set_shadow(tx: Tx, capability: str, release_id: UUID | None, may_differ: Sequence[str] = ()) -> None:
    """Let a candidate get a copy of safe calls, or nobody.

    `may_differ` says where its answers may be others: lines such as `list_notes /notes/*/author`.
    """
    await tx.run(sql.set_shadow, capability=capability, release_id=release_id, may_differ=list(may_differ))
    await lease.raise_generation(tx)


async def list_bindings(tx: Tx, access: Access, *, wanted: Wanted) -> list[Binding]:
    """Which release provides each capability, by the capability's name."""
    after = wanted.after[0] if wanted.after else ""
    rows = await tx.all(dict, sql.bindings_with_names, after=after, size=wanted.fetch)
    beside = await tx.all(dict, sql.releases_beside, capabilities=[row["capability"] for row in rows])
    note(tx, access, "read", detail={"bindings": len(rows)})
    return [_binding(row, [each for each in beside if each["capability"] == row["capability"]]) for row in rows]


def _binding(row: dict[str, Any], beside: list[dict[str, Any]]) -> Binding:
    plain, health = _with_health(row)
    others = []
    for each in beside:
        known, state = _with_health(each)
        del known["capability"]
        others.append(BesideRelease(**known, health=state))
    return Binding(**plain, health=health, beside=others)


def _with_health(row: dict[str, Any]) -> tuple[dict[str, Any], Health | None]:
    """A row's own columns, and the release's health if it has been asked."""
    names = ("state", "since", "checked_at", "lag")
    health = None if row["state"] is None else Health(**{name: row[name] for name in names})
    return {name: each for name, each in row.items() if name not in names}, health
