"""The verbs of records; the only writer of the schema `records`."""

import hashlib
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import jsonschema_rs
import rfc8785

from torv.base import db
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
from torv.kernel.records.buckets import bucket_of, digest_of
from torv.kernel.records.models import Held, Holder, LateContent, LateWrite, NewRecord, Record, RecordType, Stored
from torv.kernel.records.timeline import derive_line

sql = load(__file__)
db.names_constraint("versions_person_known", PersonUnknown)
db.names_constraint("versions_follow", VersionMismatch)
db.names_constraint("versions_key", IdempotencyKeyReused)

_validators: dict[tuple[str, str], tuple[dict[str, Any], Any]] = {}  #: type -> its schema, and that compiled


async def declare_type(tx: Tx, record_type: RecordType) -> None:
    """Make a contract's record type known. Raises RecordInvalid if its schema is not a schema.

    Writes in progress are waited for: every later one derives by the new projections, and every earlier one is derived
    anew where they have changed.
    """
    _validator(record_type)
    await close_fence(tx, record_type.capability)
    await tx.run(sql.upsert_type, **asdict(record_type))


async def write_record(tx: Tx, access: Access, *, new: NewRecord, key: str) -> Record | BindingMoved:
    """Write the next version of a record, once per key.

    The epoch is that of the caller's own binding, read inside the fence: a module that no longer holds the capability
    gets BindingMoved returned (not raised: the late write is kept). Raises RecordTypeUnknown, RecordInvalid, Denied,
    VersionMismatch, IdempotencyKeyReused; at commit PersonUnknown.
    """
    await _check(tx, access, new)
    request_hash = _hash_of(new)
    await tx.value(sql.share_fence, capability=new.capability, key=key)
    holder = await tx.one(Holder, sql.holder, capability=new.capability, key=key, type=new.type)
    if holder.earlier is not None:
        if holder.earlier_hash != request_hash:
            raise IdempotencyKeyReused
        note(tx, access, "write", _subjects(new), detail={"replayed": True})
        return await tx.one(Record, sql.version_by_id, version_id=holder.earlier)
    if holder.epoch is None or holder.release_id != access.caller.release_id:
        return await _keep_late(tx, access, new, key)
    return await _insert(tx, access, new, key, request_hash, holder)


async def _check(tx: Tx, access: Access, new: NewRecord) -> None:
    declared = await tx.maybe(RecordType, sql.record_type, capability=new.capability, name=new.type)
    if declared is None:
        raise RecordTypeUnknown
    _require(access, declared.category)
    error = next(_validator(declared).iter_errors(new.body), None)
    if error is not None:  # the message would quote the content; the place is enough
        raise RecordInvalid(reason=f"/{'/'.join(map(str, error.instance_path))} ({error.kind.name})")


async def _insert(tx: Tx, access: Access, new: NewRecord, key: str, request_hash: bytes, holder: Holder) -> Record:
    record_id, version = new.id or new_id(), new.expected_version + 1
    record = await tx.maybe(
        Record, sql.insert_version, version_id=new_id(), id=record_id, capability=new.capability, type=new.type,
        version=version, person_id=new.person_id, body=new.body, bucket=bucket_of(record_id),
        digest=digest_of(record_id, version, new.person_id, new.body), release_id=access.caller.release_id,
        epoch=holder.epoch, key=key, request_hash=request_hash,
    )  # fmt: skip
    if record is None:
        raise VersionMismatch
    if holder.timeline is not None:
        stored = Stored(seq=0, id=record_id, version=version, person_id=new.person_id, body=new.body)
        await derive_line(tx, new.capability, new.type, stored, holder.timeline)
    detail = {"record": str(record.id), "version": version, "epoch": holder.epoch}
    note(tx, access, "write", _subjects(new), detail=detail)
    return record


async def _keep_late(tx: Tx, access: Access, new: NewRecord, key: str) -> BindingMoved:
    release_id = access.caller.release_id
    if release_id is None:
        raise Denied(
            check="caller", reason="only modules write records", reason_da="kun moduler skriver poster", mender="Ingen"
        )
    await tx.run(
        sql.insert_late, id=new_id(), capability=new.capability, release_id=release_id, key=key, content=_plain(new)
    )
    note(tx, access, "write", _subjects(new), result=BindingMoved.code)
    return BindingMoved()


async def read_record(tx: Tx, access: Access, record_id: UUID) -> Record:
    """The latest version. Raises NotFound; also where the permit does not cover the type: nothing is given away."""
    record = await tx.one(Record, sql.latest_version, id=record_id)
    declared = await tx.one(RecordType, sql.record_type, capability=record.capability, name=record.type)
    if not access.covers(declared.category):
        raise NotFound
    note(tx, access, "read", [record.person_id] if record.person_id else [])
    return record


async def follow_records(tx: Tx, access: Access, *, capability: str, after: int, size: int) -> list[Record]:
    """The versions beyond a position, in order, gap-free. Raises Denied unless every type is covered."""
    for declared in await record_types(tx, capability):
        _require(access, declared.category)
    records = await tx.all(Record, sql.versions_after, capability=capability, after=after, size=size)
    if records:
        note(tx, access, "read", sorted({each.person_id for each in records if each.person_id}))
    return records


async def record_types(tx: Tx, capability: str) -> list[RecordType]:
    """The declared types of a capability."""
    return await tx.all(RecordType, sql.types_of, capability=capability)


async def hand_over(tx: Tx, capability: str, release_id: UUID) -> int:
    """Make a release the holder: waits for writes in progress, keeps new ones out until commit. Gives the new epoch."""
    await tx.value(sql.close_fence, capability=capability)
    return int(await tx.value(sql.hand_over, capability=capability, release_id=release_id))


async def stand_inside(tx: Tx, capability: str, key: str) -> Held | None:
    """Keep the capability from being moved until the transaction ends, and others from writing under the same key.

    Gives who holds it at that instant; None if nobody does.
    """
    await tx.value(sql.share_fence, capability=capability, key=key)
    return await tx.maybe(Held, sql.holder_now, capability=capability)


async def close_fence(tx: Tx, capability: str) -> None:
    """Wait until no write of the capability is in progress, and keep new ones out until the transaction ends."""
    await tx.value(sql.close_fence, capability=capability)


async def has_records_after(tx: Tx, capability: str, position: int) -> bool:
    """Whether anything of the capability was written beyond a position, or has none yet."""
    return bool(await tx.value(sql.has_versions_after, capability=capability, after=position))


async def late_writes(tx: Tx, access: Access, *, capability: str | None, wanted: Wanted) -> list[LateWrite]:
    """The late writes of a capability (None: of all), newest first; without their content. A release sees its own."""
    at, before = wanted.after or (None, None)
    writes = await tx.all(
        LateWrite, sql.late_writes, capability=capability, release_id=access.caller.release_id, size=wanted.fetch,
        before_at=datetime.fromisoformat(at) if at else None, before_id=UUID(before) if before else None,
    )  # fmt: skip
    note(tx, access, "read", detail={"late_writes": len(writes[: wanted.size])})
    return writes


async def read_late_write(tx: Tx, access: Access, late_id: UUID) -> LateContent:
    """A late write with its content. Raises NotFound; also where the permit does not cover the type."""
    late = await tx.one(LateContent, sql.late_write, id=late_id)
    declared = await tx.one(RecordType, sql.record_type, capability=late.capability, name=late.content["type"])
    if not access.covers(declared.category):
        raise NotFound
    person_id = late.content["person_id"]
    note(tx, access, "read", [UUID(person_id)] if person_id else [], detail={"late_write": str(late_id)})
    return late


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


def _validator(declared: RecordType) -> Any:
    known, validator = _validators.get((declared.capability, declared.name), (None, None))
    if known != declared.schema:  # compared whole: a contract may have replaced it meanwhile
        try:
            validator = jsonschema_rs.Draft202012Validator(declared.schema, validate_formats=True)
        except (jsonschema_rs.ValidationError, ValueError) as error:
            raise RecordInvalid(reason="schema") from error
        _validators[declared.capability, declared.name] = declared.schema, validator
    return validator
