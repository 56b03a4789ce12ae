"""Records: the municipality's own copy of what a module produces, written kernel first and followed from the feed."""

import asyncio
import logging
import random
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from torv_sdk.canonical import canonical
from torv_sdk.client import KernelClient
from torv_sdk.instants import instant
from torv_sdk.problems import KernelRefusal

if TYPE_CHECKING:
    from torv_sdk.store import Store

BUCKETS = 4096
LONG_POLL = 20  #: seconds the kernel may hold an empty answer back
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One version of one record, as the kernel acknowledged it."""

    id: UUID
    type: str
    version: int
    person_id: UUID | None
    body: Mapping[str, Any]
    at: str  #: when the kernel took it, as `instant` writes it

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        """Raises KeyError, TypeError or ValueError if this is not a record."""
        person, at = data["person_id"], instant(data["at"])
        if not isinstance(data["body"], dict) or at is None:
            raise ValueError("not a record")
        return cls(
            id=UUID(data["id"]),
            type=data["type"],
            version=int(data["version"]),
            person_id=None if person is None else UUID(person),
            body=data["body"],
            at=at,
        )

    def exported(self) -> dict[str, Any]:
        """The record as an export shows it."""
        person = None if self.person_id is None else str(self.person_id)
        return {"id": str(self.id), "version": self.version, "person_id": person, "body": self.body}


def bucket(record_id: UUID) -> int:
    """Which of the 4,096 buckets a record belongs to: the first 12 bits of the SHA-256 of its id's 16 bytes."""
    return int.from_bytes(sha256(record_id.bytes).digest()[:2], "big") >> 4


def digest(record: Record) -> bytes:
    """SHA-256 over id, version (8 bytes, big endian) and the canonical JSON of body and person."""
    person = None if record.person_id is None else str(record.person_id)
    content = canonical({"body": record.body, "person_id": person})
    return sha256(record.id.bytes + record.version.to_bytes(8, "big") + content).digest()


def bucket_digest(records: Iterable[Record]) -> int:
    """The sum of the digests modulo 2^256: the same for the same records in any order."""
    return sum(int.from_bytes(digest(record), "big") for record in records) % 2**256


def parse_buckets(text: str) -> Set[int]:
    """Read `3,9,4000-4095`. Raises ValueError for anything else, also for numbers that are no bucket."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not all(number.isascii() and number.isdecimal() for number in ((first, last) if dash else (first,))):
            raise ValueError("a bucket is a number")
        span = range(int(first), int(last if dash else first) + 1)
        if not span or span[-1] >= BUCKETS:
            raise ValueError("no such bucket")
        found.update(span)
    return found


class Records:
    """Writing records while one call is handled."""

    def __init__(
        self, kernel: KernelClient, capability: str, store: "Store", *, key: str, trace: Mapping[str, str]
    ) -> None:
        self._kernel, self._capability, self._store = kernel, capability, store
        self._key, self._trace, self._written = key, trace, 0

    async def write(
        self,
        record_type: str,
        *,
        person_id: UUID | None,
        body: Mapping[str, Any],
        record_id: UUID | None = None,
        expected_version: int = 0,
    ) -> Record:
        """Write a new record, or with `record_id` and `expected_version` a new version of one. Raises KernelRefusal.

        When it returns, the kernel has acknowledged the version and our own store shows it. The caller's idempotency
        key goes along, so a call that is tried again gets the same record; the handler must then write the same things
        in the same order.
        """
        content = {
            "capability": self._capability,
            "type": record_type,
            "expected_version": expected_version,
            "person_id": None if person_id is None else str(person_id),
            "body": body,
            **({} if record_id is None else {"id": str(record_id)}),
        }
        answer = await self._kernel.post("/api/v1/records", content, key=self._next_key(), headers=self._trace)
        record = Record.from_wire(answer)
        await self._store.put(record)
        return record

    async def change(self, record: Record, body: Mapping[str, Any]) -> Record:
        """Write the next version of a record. Raises KernelRefusal.

        A call that is tried again finds the record as it left it, and gets it once more; has somebody changed it since,
        it is refused as the kernel refuses it, and nothing is written.
        """
        try:
            return await self.write(
                record.type, person_id=record.person_id, body=body, record_id=record.id,
                expected_version=record.version,
            )  # fmt: skip
        except KernelRefusal as refusal:
            if refusal.code != "idempotency_key_reused" or record.body != dict(body):
                raise
            return record

    def _next_key(self) -> str:
        """The caller's key for the first record, one derived from it for each further record of the call."""
        self._written += 1
        if self._written == 1:
            return self._key
        return sha256(f"{self._key}/{self._written}".encode()).hexdigest()


async def follow(kernel: KernelClient, capability: str, store: "Store", caught_up: asyncio.Event) -> None:
    """Keep the store in step with the kernel's feed, for ever. Sets `caught_up` when the end was reached once.

    Whatever goes wrong (the kernel restarts, the disk is full) is tried again from the store's position.
    """
    failures = 0
    while True:
        try:
            await _follow_once(kernel, capability, store, caught_up)
        except Exception as error:  # whatever it is: without this loop we would answer with old data
            failures += 1
            if failures == 1:
                log.warning("feed lost", exc_info=error)
            await asyncio.sleep(min(0.05 * 2 ** min(failures, 6), 2) * random.uniform(0.5, 1))  # noqa: S311 not a secret
        else:
            if failures:
                log.warning("feed back", extra={"fields": {"failures": failures}})
            failures = 0


async def _follow_once(kernel: KernelClient, capability: str, store: "Store", caught_up: asyncio.Event) -> None:
    """Take one batch. Nothing is waited for before the end was reached once: an empty feed ends at once."""
    wait = LONG_POLL if caught_up.is_set() else 0
    query: dict[str, str | int] = {"capability": capability, "after": store.position(), "limit": 1000, "wait": wait}
    batch = await kernel.get("/api/v1/records/feed", query, wait=wait, patience=0)
    records, position = [Record.from_wire(record) for record in batch["records"]], int(batch["position"])
    if records or position != store.position():
        await store.apply(records, position)
    if not batch["more"]:
        caught_up.set()
