"""Digests of records: 4,096 buckets by hash of id, each a sum, so that two parties can compare what they hold.

The sequencer keeps them in the transaction that gives the positions: a digest is always that of a position.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import rfc8785

from torv.base import clock
from torv.base.db import Tx
from torv.base.feed import Stream
from torv.base.sql import load
from torv.kernel.records.holding import key_of
from torv.kernel.records.models import Bucket, Numbered, RecordType

sql = load(__file__)

BUCKETS = 4096
_MODULUS = 1 << 256


def bucket_of(record_id: UUID) -> int:
    """The bucket of a record: the first 12 bits of SHA-256 over its id."""
    return int.from_bytes(hashlib.sha256(record_id.bytes).digest()[:2], "big") >> 4


def digest_of(record_id: UUID, version: int, person_id: UUID | None, body: dict[str, Any]) -> bytes:
    """SHA-256 over id, version (8 bytes big endian) and the canonical JSON (RFC 8785) of body and person."""
    content = rfc8785.dumps({"body": body, "person_id": str(person_id) if person_id else None})
    return hashlib.sha256(record_id.bytes + version.to_bytes(8, "big") + content).digest()


def sum_digests(digests: Iterable[bytes]) -> bytes:
    """The digest of a bucket that holds exactly these versions."""
    return (sum(int.from_bytes(each, "big") for each in digests) % _MODULUS).to_bytes(32, "big")


async def read_buckets(tx: Tx, capability: str, record_type: str) -> dict[int, Bucket]:
    """The digests of a type in all units together, by number; a bucket without records is not there."""
    by_number: dict[int, list[Bucket]] = defaultdict(list)
    for each in await tx.all(Bucket, sql.all_buckets, capability=capability, type=record_type):
        by_number[each.number].append(each)
    return {
        number: Bucket(number=number, total=sum_digests(each.total for each in some), count=sum(b.count for b in some))
        for number, some in by_number.items()
    }


async def touched_buckets(
    tx: Tx, kind: RecordType, *, after: int, until: int, unit_id: UUID | None = None
) -> list[int]:
    """The buckets of a holding with versions in the range of positions (after, until]."""
    found = await tx.value(
        sql.touched_buckets, capability=kind.capability, type=kind.name, key=key_of(kind.capability, unit_id),
        after=after, until=until, day=clock.today(),
    )  # fmt: skip
    return sorted(found or ())


async def _number(tx: Tx, last: int, size: int) -> int:
    numbered = await tx.all(Numbered, sql.number_versions, last=last, size=size)
    by_kind: dict[tuple[str, str, UUID | None], list[Numbered]] = defaultdict(list)
    for each in numbered:
        by_kind[each.capability, each.type, each.unit_id].append(each)
    for (capability, record_type, unit_id), versions in by_kind.items():
        await _add_to_buckets(tx, capability, record_type, unit_id, versions)
    return len(numbered)


async def _add_to_buckets(
    tx: Tx, capability: str, record_type: str, unit_id: UUID | None, versions: list[Numbered]
) -> None:
    numbers = sorted({each.bucket for each in versions})
    known = await tx.all(
        Bucket, sql.buckets_of, capability=capability, type=record_type, unit_id=unit_id, numbers=numbers
    )
    last = {each.bucket: each.position for each in versions}  # they come in the order of their positions
    totals = {each.number: int.from_bytes(each.total, "big") for each in known}
    counts = {each.number: each.count for each in known}
    for each in versions:
        previous = int.from_bytes(each.previous, "big") if each.previous else 0
        change = int.from_bytes(each.digest, "big") - previous
        totals[each.bucket] = (totals.get(each.bucket, 0) + change) % _MODULUS
        counts[each.bucket] = counts.get(each.bucket, 0) + (each.previous is None)
    for number in numbers:
        total = totals[number].to_bytes(32, "big")
        await tx.run(
            sql.upsert_bucket, capability=capability, type=record_type, unit_id=unit_id, number=number, total=total,
            count=counts[number], position=last[number],
        )  # fmt: skip


STREAM = Stream(name="records", waiting=sql.versions_are_waiting, number=_number)
