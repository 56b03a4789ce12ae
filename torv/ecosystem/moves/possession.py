"""Possession: does the candidate hold the records, from its own store, bucket by bucket?

A bucket is proved at the kernel's position P when the candidate, having read at least to P, gives records whose digest
is the kernel's, or when they differ only because the bucket was written to after P: then it is asked about again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from torv.base.db import Database, Tx
from torv.base.errors import InvalidInput, ModuleUnavailable
from torv.base.signing import strict_json
from torv.base.sql import load
from torv.base.trail import Entry
from torv.ecosystem.gateway import ModuleClient
from torv.ecosystem.modules import Release
from torv.kernel.records import BUCKETS, RecordType, bucket_of, digest_of, sum_digests, touched_buckets

sql = load(__file__)
AT_ONCE = 512  #: buckets asked for in one request
EMPTY = bytes(32)


class RecordsDiffer(Exception):
    """The candidate holds other records than the kernel: no amount of waiting mends that."""


@dataclass(kw_only=True, slots=True)
class Progress:
    """What has been proved of one record type."""

    record_type: RecordType
    position: int = 0  #: everything outside `pending` is proved at this position
    pending: set[int] = field(default_factory=lambda: set(range(BUCKETS)))
    records: int = 0  #: records seen in the last full comparison


@dataclass(frozen=True, kw_only=True, slots=True)
class _Held:
    position: int
    digests: dict[int, bytes]
    records: int


async def prove(database: Database, client: ModuleClient, candidate: Release, progress: Progress) -> bool:
    """Compare what is pending and what was touched since; True when everything is proved at the kernel's position.

    Raises RecordsDiffer, or ModuleUnavailable if the candidate does not answer.
    """
    kind = progress.record_type
    async with database.reading() as tx:
        known, position = await _known(tx, kind)
        touched = await touched_buckets(tx, kind, after=progress.position, until=position)
    wanted = sorted(progress.pending | set(touched))
    held = await _held(client, candidate, kind, wanted)
    if held.position < position:
        return False  # it has not read that far
    unequal = {number for number in wanted if held.digests.get(number, EMPTY) != known.get(number, EMPTY)}
    async with database.transaction() as tx:
        tx.notes.append(_entry(candidate, kind, position, held.records, len(unequal)))
        excused = set(await touched_buckets(tx, kind, after=position, until=1 << 62)) if unequal else set()
    if unequal - excused:
        raise RecordsDiffer(f"{len(unequal - excused)} buckets")
    progress.records = max(progress.records, held.records)
    progress.position, progress.pending = position, unequal
    return not unequal


async def _known(tx: Tx, kind: RecordType) -> tuple[dict[int, bytes], int]:
    rows: list[dict[str, Any]] = await tx.all(dict, sql.record_digests, capability=kind.capability, type=kind.name)
    digests = {row["number"]: row["total"] for row in rows if row["number"] is not None}
    return digests, rows[0]["position"] if rows else 0


async def _held(client: ModuleClient, candidate: Release, kind: RecordType, wanted: list[int]) -> _Held:
    position, digests, count = 1 << 62, {}, 0
    for start in range(0, max(len(wanted), 1), AT_ONCE):
        page = await client.export(
            candidate, kind.capability, kind.name, ranges(wanted[start : start + AT_ONCE]) or "0"
        )
        reached, records = _parse(page.status, page.body)
        position, count = min(position, reached), count + len(records)
        digests.update(_digests(records))
    return _Held(position=position, digests=digests, records=count)


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
