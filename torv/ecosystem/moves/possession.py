"""Possession: does the candidate hold the records, from its own store, bucket by bucket?

A bucket is proved at the kernel's position P when the candidate, having read at least to P, gives records whose digest
is the kernel's, or when they differ only because the bucket was written to after P: then it is asked about again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from torv.base import clock
from torv.base.db import Database, Tx
from torv.base.errors import InvalidInput, ModuleUnavailable
from torv.base.signing import strict_json
from torv.base.sql import load
from torv.base.trail import Entry
from torv.ecosystem.gateway import ModuleClient
from torv.ecosystem.modules import Release
from torv.kernel.records import BUCKETS, RecordType, bucket_of, digest_of, key_of, sum_digests, touched_buckets

sql = load(__file__)
AT_ONCE = 512  #: buckets asked for in one request
EMPTY = bytes(32)


class RecordsDiffer(Exception):
    """The candidate holds other records than the kernel: no amount of waiting mends that."""


@dataclass(kw_only=True, slots=True)
class Progress:
    """What has been proved of one record type."""

    record_type: RecordType
    unit_id: UUID | None = None  #: the binding's; records of other bindings are left aside
    position: int = 0  #: everything outside `pending` is proved at this position
    pending: set[int] = field(default_factory=lambda: set(range(BUCKETS)))
    records: int = 0  #: records seen in the last full comparison


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    """What the kernel has."""

    position: int  #: how far the feed had come
    last: int  #: the last position of anything of the binding
    digests: dict[int, bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Exported:
    """What the candidate gave, and how far it had read."""

    position: int
    records: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    digests: dict[int, bytes]
    records: int


async def prove(database: Database, client: ModuleClient, candidate: Release, progress: Progress) -> bool:
    """Compare what is pending and what was touched since; True when everything is proved at the kernel's position.

    Raises RecordsDiffer, or ModuleUnavailable if the candidate does not answer.
    """
    kind, unit_id = progress.record_type, progress.unit_id
    async with database.reading() as tx:
        known = await _known(tx, kind, unit_id)
        touched = await touched_buckets(tx, kind, after=progress.position, until=known.position, unit_id=unit_id)
    position, wanted = known.position, sorted(progress.pending | set(touched))
    exported = await _export(client, candidate, kind, wanted)
    if exported.position < known.last:
        return False  # it has not read that far
    held = await _held(database, exported, kind, unit_id)
    unequal = {number for number in wanted if held.digests.get(number, EMPTY) != known.digests.get(number, EMPTY)}
    async with database.transaction() as tx:
        tx.notes.append(_entry(candidate, kind, position, held.records, len(unequal)))
        excused = set[int]()
        if unequal:
            excused = set(await touched_buckets(tx, kind, after=position, until=1 << 62, unit_id=unit_id))
    if unequal - excused:
        raise RecordsDiffer(f"{len(unequal - excused)} buckets")
    progress.records = max(progress.records, held.records)
    progress.position, progress.pending = position, unequal
    return not unequal


async def _known(tx: Tx, kind: RecordType, unit_id: UUID | None) -> _Known:
    rows: list[dict[str, Any]] = await tx.all(
        dict, sql.record_digests, capability=kind.capability, type=kind.name, key=key_of(kind.capability, unit_id),
        day=clock.today(),
    )  # fmt: skip
    totals: dict[int, list[bytes]] = {}
    for row in rows:
        if row["number"] is not None:
            totals.setdefault(row["number"], []).append(row["total"])
    return _Known(
        position=rows[0]["position"] if rows else 0,
        last=max((row["last"] for row in rows if row["last"] is not None), default=0),
        digests={number: sum_digests(some) for number, some in totals.items()},
    )


async def _export(client: ModuleClient, candidate: Release, kind: RecordType, wanted: list[int]) -> _Exported:
    position, records = 1 << 62, list[dict[str, Any]]()
    for start in range(0, max(len(wanted), 1), AT_ONCE):
        page = await client.export(
            candidate, kind.capability, kind.name, ranges(wanted[start : start + AT_ONCE]) or "0"
        )
        reached, some = _parse(page.status, page.body)
        position = min(position, reached)
        records += some
    return _Exported(position=position, records=records)


async def _held(database: Database, exported: _Exported, kind: RecordType, unit_id: UUID | None) -> _Held:
    """What is the binding's of what was exported. A record that the kernel does not know counts: it ought not to be."""
    others = set[UUID]()
    async with database.reading() as tx:
        if await tx.value(sql.is_split, capability=kind.capability):
            rows = await tx.all(
                dict, sql.elsewhere, capability=kind.capability, type=kind.name, key=key_of(kind.capability, unit_id),
                ids=[_id_of(each) for each in exported.records], day=clock.today(),
            )  # fmt: skip
            others = {row["id"] for row in rows}
    own = [each for each in exported.records if _id_of(each) not in others]
    return _Held(digests=_digests(own), records=len(own))


def _id_of(record: dict[str, Any]) -> UUID:
    try:
        return UUID(record["id"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordsDiffer("a record cannot be read") from error


def _parse(status: int, body: bytes) -> tuple[int, list[dict[str, Any]]]:
    try:
        page = strict_json(body)
        if status != 200 or not isinstance(page["position"], int):
            raise ModuleUnavailable
        return page["position"], list(page["records"])
    except (InvalidInput, KeyError, TypeError):
        raise ModuleUnavailable from None


def _digests(records: Iterable[dict[str, Any]]) -> dict[int, bytes]:
    by_bucket: dict[int, list[bytes]] = {}
    try:
        for record in records:
            record_id = UUID(record["id"])
            person_id = UUID(record["person_id"]) if record["person_id"] else None
            digest = digest_of(record_id, record["version"], person_id, record["body"])
            by_bucket.setdefault(bucket_of(record_id), []).append(digest)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RecordsDiffer("a record cannot be read") from error
    return {number: sum_digests(digests) for number, digests in by_bucket.items()}


def ranges(numbers: list[int]) -> str:
    """Sorted numbers as the export takes them: `3,9,4000-4095`."""
    spans: list[tuple[int, int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1] = (spans[-1][0], number)
        else:
            spans.append((number, number))
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def _entry(candidate: Release, kind: RecordType, position: int, records: int, unequal: int) -> Entry:
    detail = {"type": kind.name, "position": position, "records": records, "unequal_buckets": unequal}
    return Entry(
        kind="system", operation="moves.compare", release_id=candidate.id, category=kind.category, detail=detail
    )
