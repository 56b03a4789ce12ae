"""The verbs of modules; the only writer of the schema `modules`."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from torv.base import clock, db, lease, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import AlreadyExists, CapabilityNotBound, InvalidInput, WrongState
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import Entry, note
from torv.ecosystem.modules.addresses import normal_address
from torv.ecosystem.modules.catalogue import check_fits
from torv.ecosystem.modules.models import BesideRelease, Binding, Health, Module, NewModule, NewRelease, Release
from torv.kernel.organisation import anchor_unit, release_anchor
from torv.kernel.records import dissolve_holding, hand_over, key_of, split_holding

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


async def release_in_service(tx: Tx, capability: str, unit_id: UUID | None = None) -> UUID | None:
    """The release that is bound to a capability: of the municipality, or of the very unit. None if none is."""
    found: UUID | None = await tx.value(sql.release_in_service, key=key_of(capability, unit_id))
    return found


async def is_providing(tx: Tx, capability: str, release: Release, *, but: str) -> bool:
    """Whether a release's module, in any version, is bound to the capability by another binding than this one."""
    found = await tx.value(
        sql.is_providing, capability=capability, partner_id=release.partner_id, name=release.module_name, but=but
    )
    return bool(found)


async def bind(tx: Tx, access: Access, *, capability: str, release_id: UUID) -> Binding:
    """Bind a capability for the first time, in the whole municipality; later it is moved.

    Raises AlreadyExists, CapabilityNotBound or NotFound, or as `check_fits`.
    """
    if not await tx.value(sql.has_contract, capability=capability):
        raise CapabilityNotBound
    if await tx.value(sql.is_bound, key=capability):
        raise AlreadyExists
    await check_fits(tx, release_id, capability)
    await move_binding(tx, capability, release_id)
    note(tx, access, "write", detail={"capability": capability, "release": str(release_id)})
    made = await tx.one(dict, sql.bindings_with_names, after="", only=capability, size=1, day=clock.today())
    return _binding(made, [])


async def move_binding(tx: Tx, capability: str, release_id: UUID, *, unit_id: UUID | None = None) -> int:
    """Let a release provide the capability from commit on: fence, epoch and binding in one. Gives the new epoch."""
    epoch = await hand_over(tx, capability, release_id, unit_id=unit_id)
    key = key_of(capability, unit_id)
    await tx.run(sql.set_binding, key=key, capability=capability, unit_id=unit_id, release_id=release_id, epoch=epoch)
    await lease.raise_generation(tx)
    detail = {"capability": capability, "release": str(release_id), "epoch": epoch}
    detail |= {"unit": str(unit_id)} if unit_id else {}
    tx.notes.append(Entry(kind="system", operation="modules.bound", detail=detail))
    return epoch


async def split_binding(tx: Tx, capability: str, unit_id: UUID) -> UUID:
    """Give a unit a binding of its own, to the release that is bound there; gives that release.

    Nothing changes hands. Until it is dissolved, no unit comes below this one or leaves it. Raises AlreadyExists,
    CapabilityNotBound, UnitUnknown, or UnitAnchored where such a change is planned.
    """
    await anchor_unit(tx, unit_id, capability)
    held = await split_holding(tx, capability, unit_id)
    if held is None:
        raise AlreadyExists if await tx.value(sql.is_bound, key=key_of(capability, unit_id)) else CapabilityNotBound
    await tx.run(
        sql.split_binding, key=key_of(capability, unit_id), capability=capability, unit_id=unit_id,
        release_id=held.release_id, epoch=held.epoch,
    )  # fmt: skip
    await lease.raise_generation(tx)
    detail = {"capability": capability, "unit": str(unit_id), "release": str(held.release_id)}
    tx.notes.append(Entry(kind="system", operation="modules.split", detail=detail))
    return held.release_id


async def dissolve_binding(tx: Tx, capability: str, unit_id: UUID) -> str:
    """Let a unit's binding go up into the one above it; gives that one's key.

    Raises WrongState unless one release is bound to both.
    """
    above = await dissolve_holding(tx, capability, unit_id)
    if above is None:
        raise WrongState(state="bound_apart")
    await tx.run(sql.dissolve_binding, key=key_of(capability, unit_id))
    await release_anchor(tx, unit_id, capability)
    await lease.raise_generation(tx)
    detail = {"capability": capability, "unit": str(unit_id)}
    tx.notes.append(Entry(kind="system", operation="modules.dissolved", detail=detail))
    return above


async def end_standby(tx: Tx, key: str) -> None:
    """Let the predecessor of a binding stand by no longer."""
    await tx.run(sql.end_standby, key=key)


async def set_shadow(tx: Tx, key: str, release_id: UUID | None, may_differ: Sequence[str] = ()) -> None:
    """Let a candidate for a binding get a copy of safe calls, or nobody.

    `may_differ` says where its answers may be others: lines such as `list_notes /notes/*/author`.
    """
    await tx.run(sql.set_shadow, key=key, release_id=release_id, may_differ=list(may_differ))
    await lease.raise_generation(tx)


async def list_bindings(tx: Tx, access: Access, *, wanted: Wanted) -> list[Binding]:
    """Which release provides what, by the capability's name; that of the municipality before those of its units."""
    after = wanted.after[0] if wanted.after else ""
    rows = await tx.all(dict, sql.bindings_with_names, after=after, only=None, size=wanted.fetch, day=clock.today())
    beside = await tx.all(dict, sql.releases_beside, keys=[row["key"] for row in rows])
    note(tx, access, "read", detail={"bindings": len(rows)})
    return [_binding(row, [each for each in beside if each["key"] == row["key"]]) for row in rows]


def _binding(row: dict[str, Any], beside: list[dict[str, Any]]) -> Binding:
    plain, health = _with_health(row)
    others = []
    for each in beside:
        known, state = _with_health(each)
        del known["key"]
        others.append(BesideRelease(**known, health=state))
    return Binding(**plain, health=health, beside=others)


def _with_health(row: dict[str, Any]) -> tuple[dict[str, Any], Health | None]:
    """A row's own columns, and the release's health if it has been asked."""
    names = ("state", "since", "checked_at", "lag")
    health = None if row["state"] is None else Health(**{name: row[name] for name in names})
    return {name: each for name, each in row.items() if name not in names}, health
