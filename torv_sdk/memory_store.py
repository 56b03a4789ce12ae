"""A store in memory, for modules with some thousand records, and to begin with."""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from uuid import UUID

from torv_sdk.records import Record, bucket
from torv_sdk.store import SortKey, when_recorded


class MemoryStore:
    """Every record's latest version, in memory: empty at each start, and filled again from the feed.

    Nothing here awaits, so each change is seen whole or not at all. `sort_key` says what "newest" means (default: when
    the kernel took the record); records with one key come in the order of their ids.
    """

    def __init__(self, sort_key: SortKey = when_recorded) -> None:
        self._position, self._sort_key = 0, sort_key
        self._buckets: defaultdict[int, dict[UUID, Record]] = defaultdict(dict)
        self._people: defaultdict[UUID | None, dict[UUID, Record]] = defaultdict(dict)

    def position(self) -> int:
        return self._position

    async def apply(self, records: Sequence[Record], position: int) -> None:
        for record in records:
            self._keep(record)
        self._position = position

    async def put(self, record: Record) -> None:
        self._keep(record)

    def latest(self, record_type: str, buckets: Set[int]) -> Iterator[Record]:
        for number in sorted(buckets & self._buckets.keys()):
            # A copy: the reader pauses between records, and a write must not change the ground under it.
            yield from [record for record in self._buckets[number].values() if record.type == record_type]

    def find(self, record_type: str, record_id: UUID) -> Record | None:
        """A record's latest version; None if there is none of this type."""
        record = self._buckets.get(bucket(record_id), {}).get(record_id)
        return record if record is not None and record.type == record_type else None

    def newest(self, record_type: str, *, person_id: UUID | None = None, limit: int | None = None) -> list[Record]:
        """At most `limit` records of a type, the newest first: those about a person, or else all of them.

        All of them are sorted anew each time: with more than some thousand, take a store with an index.
        """
        about = [self._people.get(person_id, {})] if person_id is not None else self._people.values()
        found = [record for records in about for record in records.values() if record.type == record_type]
        return sorted(found, key=lambda record: (self._sort_key(record), record.id), reverse=True)[:limit]

    def _keep(self, record: Record) -> None:
        records = self._buckets[bucket(record.id)]
        known = records.get(record.id)
        if known and known.version >= record.version:
            return
        if known:
            self._people[known.person_id].pop(record.id)
        records[record.id] = self._people[record.person_id][record.id] = record
