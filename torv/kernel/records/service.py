"""The verbs of records; the only writer of the schema `records`."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import jsonschema_rs
import rfc8785

from torv.base import clock, db
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import (
    BindingMoved,
    Denied,
    IdempotencyKeyReused,
    NotFound,
    PersonUnknown,
    RecordInvalid,
    RecordTypeUnknown,
    VersionMismatch,
)
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import note
from torv.kernel.organisation import UnitUnknown
from torv.kernel.records.buckets import bucket_of, digest_of
from torv.kernel.records.errors import UnitNeeded
from torv.kernel.records.holding import close_fence
from torv.kernel.records.models import Followed, Holder, LateContent, LateWrite, NewRecord, Record, RecordType, Stored
from torv.kernel.records.timeline import derive_line

sql = load(__file__)
db.names_constraint("versions_person_known", PersonUnknown)
db.names_constraint("versions_unit_known", UnitUnknown)
db.names_constraint("holders_unit_known", UnitUnknown)
db.names_constraint("versions_follow", VersionMismatch)
db.names_constraint("versions_key", IdempotencyKeyReused)

SCHEMAS_KEPT = 8  #: of a type: its own, and those of the requirement sets that are promised
_validators: dict[
    tuple[str, str], list[tuple[Mapping[str, Any], Any]]
] = {}  #: type -> schemas, each with that compiled


async def declare_type(tx: Tx, record_type: RecordType) -> None:
    """Make a contract's record type known. Raises RecordInvalid if its schema is not a schema.

    Writes in progress are waited for: every later one derives by the new projections, and every earlier one is derived
    anew where they have changed.
    """
    _validator(record_type.capability, record_type.name, record_type.schema)
    await close_fence(tx, record_type.capability)
    await tx.run(sql.upsert_type, **asdict(record_type))


async def write_record(
    tx: Tx, access: Access, *, new: NewRecord, key: str, unit_id: UUID | None = None
) -> Record | BindingMoved:
    """Write the next version of a record, once per key; a new record is of `unit_id`, where the call named one.

    The epoch is that of the caller's own binding, read inside the fence: a module that does not, or no longer, hold
    the capability for the record's unit gets BindingMoved returned (not raised: the late write is kept). Raises
    RecordTypeUnknown, RecordInvalid, Denied, UnitNeeded, VersionMismatch, IdempotencyKeyReused; at commit PersonUnknown
    or UnitUnknown.
    """
    declared = await _check(tx, access, new)
    request_hash = _hash_of(new)
    await tx.value(sql.share_fence, capability=new.capability, key=key)
    holder = await tx.one(
        Holder, sql.holder, capability=new.capability, key=key, type=new.type, id=new.id, unit_id=unit_id,
        release_id=access.caller.release_id, day=clock.today(),
    )  # fmt: skip
    if holder.earlier is not None:
        if holder.earlier_hash != request_hash:
            raise IdempotencyKeyReused
        note(tx, access, "write", _subjects(new), detail={"replayed": True})
        return await tx.one(Record, sql.version_by_id, version_id=holder.earlier)
    if holder.is_unclear:
        raise UnitNeeded
    await _require_unit(tx, access, declared.category, holder.unit_id)
    if holder.epoch is None or holder.release_id != access.caller.release_id:
        return await _keep_late(tx, access, new, key, holder.unit_id)
    for schema in access.also_fits.get((new.capability, new.type), ()):  # what was written before a promise is replayed
        _check_fits(new, schema)
    return await _insert(tx, access, new, key, request_hash, holder)


async def _check(tx: Tx, access: Access, new: NewRecord) -> RecordType:
    declared = await tx.maybe(RecordType, sql.record_type, capability=new.capability, name=new.type)
    if declared is None:
        raise RecordTypeUnknown
    _require(access, declared.category)
    _check_fits(new, declared.schema)
    return declared


def _check_fits(new: NewRecord, schema: Mapping[str, Any]) -> None:
    error = next(_validator(new.capability, new.type, schema).iter_errors(new.body), None)
    if error is not None:  # the message would quote the content; the place is enough
        raise RecordInvalid(reason=f"/{'/'.join(map(str, error.instance_path))} ({_rule(error)})")


async def _insert(tx: Tx, access: Access, new: NewRecord, key: str, request_hash: bytes, holder: Holder) -> Record:
    record_id, version = new.id or new_id(), new.expected_version + 1
    record = await tx.maybe(
        Record, sql.insert_version, version_id=new_id(), id=record_id, capability=new.capability, type=new.type,
        unit_id=holder.unit_id, version=version, person_id=new.person_id, body=new.body, bucket=bucket_of(record_id),
        digest=digest_of(record_id, version, new.person_id, new.body), release_id=access.caller.release_id,
        epoch=holder.epoch, key=key, request_hash=request_hash,
    )  # fmt: skip
    if record is None:
        raise VersionMismatch
    if holder.timeline is not None:
        stored = Stored(
            seq=0, id=record_id, unit_id=holder.unit_id, version=version, person_id=new.person_id, body=new.body
        )
        await derive_line(tx, new.capability, new.type, stored, holder.timeline)
    detail = {"record": str(record.id), "version": version, "epoch": holder.epoch}
    note(tx, access, "write", _subjects(new), detail=detail)
    return record


async def _keep_late(tx: Tx, access: Access, new: NewRecord, key: str, unit_id: UUID | None) -> BindingMoved:
    release_id = access.caller.release_id
    if release_id is None:
        raise Denied(
            check="caller", reason="only modules write records", reason_da="kun moduler skriver poster", mender="Ingen"
        )
    await tx.run(
        sql.insert_late, id=new_id(), capability=new.capability, unit_id=unit_id, release_id=release_id, key=key,
        content=_plain(new),
    )  # fmt: skip
    note(tx, access, "write", _subjects(new), result=BindingMoved.code)
    return BindingMoved()


async def read_record(tx: Tx, access: Access, record_id: UUID) -> Record:
    """The latest version. Raises NotFound; also where the permit does not cover the type: nothing is given away."""
    record = await tx.one(Record, sql.latest_version, id=record_id)
    declared = await tx.one(RecordType, sql.record_type, capability=record.capability, name=record.type)
    if not await _reaches(tx, access, declared.category, record.unit_id):
        raise NotFound
    note(tx, access, "read", [record.person_id] if record.person_id else [])
    return record


async def follow_records(tx: Tx, access: Access, *, capability: str, after: int, size: int) -> Followed:
    """The versions beyond a position, in order, gap-free, as far as the permit reaches.

    Raises Denied unless every type is covered.
    """
    for declared in await record_types(tx, capability):
        _require(access, declared.category)
    if access.row_filter is None:
        rows = await tx.all(dict, sql.versions_after, capability=capability, after=after, size=size)
    else:
        rows = await tx.all(
            dict, sql.versions_within, capability=capability, after=after, size=size, limits=access.row_limits(),
            day=clock.today(),
        )  # fmt: skip
    until = max([after, *(row.pop("until") for row in rows)])
    records = [Record(**row) for row in rows if row["id"] is not None]
    if records:
        note(tx, access, "read", sorted({each.person_id for each in records if each.person_id}))
    return Followed(records=records, position=records[-1].position or after if len(records) == size else until)


async def record_types(tx: Tx, capability: str) -> list[RecordType]:
    """The declared types of a capability."""
    return await tx.all(RecordType, sql.types_of, capability=capability)


async def late_writes(tx: Tx, access: Access, *, capability: str | None, wanted: Wanted) -> list[LateWrite]:
    """The late writes of a capability (None: of all), newest first; without their content. A release sees its own."""
    at, before = wanted.after or (None, None)
    writes = await tx.all(
        LateWrite, sql.late_writes, capability=capability, release_id=access.caller.release_id, size=wanted.fetch,
        limits=access.row_limits(), day=clock.today(), before_at=datetime.fromisoformat(at) if at else None,
        before_id=UUID(before) if before else None,
    )  # fmt: skip
    note(tx, access, "read", detail={"late_writes": len(writes[: wanted.size])})
    return writes


async def read_late_write(tx: Tx, access: Access, late_id: UUID) -> LateContent:
    """A late write with its content. Raises NotFound; also where the permit does not cover the type."""
    late = await tx.one(LateContent, sql.late_write, id=late_id)
    declared = await tx.one(RecordType, sql.record_type, capability=late.capability, name=late.content["type"])
    if not await _reaches(tx, access, declared.category, late.unit_id):
        raise NotFound
    person_id = late.content["person_id"]
    note(tx, access, "read", [UUID(person_id)] if person_id else [], detail={"late_write": str(late_id)})
    return late


async def _above(tx: Tx, unit_id: UUID | None) -> list[UUID]:
    """A unit and those above it, today; none for the whole municipality."""
    return list(await tx.value(sql.above_of, unit_id=unit_id, day=clock.today())) if unit_id else []


async def _require_unit(tx: Tx, access: Access, category: str, unit_id: UUID | None) -> None:
    """Raises Denied where the permit does not cover the category in a unit."""
    if access.row_filter is not None:
        _require(access.within(await _above(tx, unit_id)), category)


async def _reaches(tx: Tx, access: Access, category: str, unit_id: UUID | None) -> bool:
    """Whether the permit covers a category in a unit."""
    if access.row_filter is None:
        return access.covers(category)
    permit = access.for_row(above=await _above(tx, unit_id))
    return permit is not None and permit.covers(category)


def _require(access: Access, category: str) -> None:
    if not access.covers(category):
        raise Denied(
            check="category", mender="Den kontraktansvarlige", reason=f"the category {category} is not granted",
            reason_da=f"kategorien {category} er ikke med",
        )  # fmt: skip


def _hash_of(new: NewRecord) -> bytes:
    try:
        return hashlib.sha256(rfc8785.dumps(_plain(new))).digest()
    except rfc8785.CanonicalizationError:  # its message would quote the content
        raise RecordInvalid(reason="a number that JSON cannot carry exactly") from None


def _plain(new: NewRecord) -> dict[str, Any]:
    """The content of a write as JSON, for its hash and for keeping it late."""
    return asdict(new) | {
        "id": str(new.id) if new.id else None,
        "person_id": str(new.person_id) if new.person_id else None,
    }


def _subjects(new: NewRecord) -> list[UUID]:
    return [new.person_id] if new.person_id else []


def _rule(error: jsonschema_rs.ValidationError) -> str:
    """What was broken; of a field that is missing, which: its name is the schema's, not the caller's."""
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return f"required {kind.property}"
    return str(kind.name)


def _validator(capability: str, record_type: str, schema: Mapping[str, Any]) -> Any:
    """Compiled once for as long as it stays the same: a contract may replace it, and a promise may end."""
    known = _validators.setdefault((capability, record_type), [])
    for kept, validator in known:
        if kept == schema:  # compared whole
            return validator
    try:
        validator = jsonschema_rs.Draft202012Validator(dict(schema), validate_formats=True)
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise RecordInvalid(reason="schema") from error
    known[:] = [*known[1 - SCHEMAS_KEPT :], (schema, validator)]
    return validator
