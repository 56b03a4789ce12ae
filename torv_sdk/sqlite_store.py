"""A store in one SQLite file."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

from torv_sdk.records import Record, bucket
from torv_sdk.store import SortKey, when_recorded

SCHEMA = """
pragma journal_mode = wal; pragma synchronous = normal;
create table if not exists record (
    id text primary key, type text not null, bucket integer not null, version integer not null, person_id text,
    body text not null, at text not null, sort_at text not null
) without rowid;
create index if not exists record_by_person on record (person_id, type, sort_at desc, id desc);
create index if not exists record_by_time on record (type, sort_at desc, id desc);
create index if not exists record_by_bucket on record (type, bucket);
create table if not exists place (only integer primary key check (only = 1), position integer not null);
insert or ignore into place values (1, 0);
"""
SAVE = """
insert into record values (?, ?, ?, ?, ?, ?, ?, ?)
on conflict (id) do update set version = excluded.version, person_id = excluded.person_id, body = excluded.body,
    at = excluded.at, sort_at = excluded.sort_at where excluded.version > record.version
"""
COLUMNS = "select id, type, version, person_id, body, at from record"


class SqliteStore:
    """Every record's latest version, in one SQLite file, with the position it belongs to: a start goes on from there.

    One thread of its own writes, for a checkpoint may wait for the disk; reading finds everything by an index.
    `sort_key` says what "newest" means (default: when the kernel took the record), as a text that sorts. It is kept
    with the record: a release that sorts otherwise takes a new file, which is filled from the feed.
    """

    def __init__(self, file: Path, sort_key: SortKey = when_recorded) -> None:
        """Open the file, or make it and its folder. Raises OSError or sqlite3.Error if that cannot be."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._sort_key = sort_key
        self._writer = sqlite3.connect(file, check_same_thread=False)
        self._writer.executescript(SCHEMA)
        self._reader = sqlite3.connect(file)
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._position = int(self._reader.execute("select position from place").fetchone()[0])

    def position(self) -> int:
        return self._position

    async def apply(self, records: Sequence[Record], position: int) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._save, records, position)
        self._position = position

    async def put(self, record: Record) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._save, [record], None)

    def latest(self, record_type: str, buckets: Set[int]) -> Iterator[Record]:
        for number in sorted(buckets):  # read to its end before we pause: an open query would hide newer records
            yield from self._found("where type = ? and bucket = ?", record_type, number)

    def find(self, record_type: str, record_id: UUID) -> Record | None:
        """A record's latest version; None if there is none of this type."""
        return next(iter(self._found("where id = ? and type = ?", str(record_id), record_type)), None)

    def newest(self, record_type: str, *, person_id: UUID | None = None, limit: int | None = None) -> list[Record]:
        """At most `limit` records of a type, the newest first: those about a person, or else all of them."""
        order, most = "order by sort_at desc, id desc limit ?", -1 if limit is None else limit
        if person_id is None:
            return self._found(f"where type = ? {order}", record_type, most)
        return self._found(f"where type = ? and person_id = ? {order}", record_type, str(person_id), most)

    def close(self) -> None:
        """Finish what is being written, and close the file. Killed instead, the file is whole all the same."""
        self._thread.shutdown()
        self._writer.close()
        self._reader.close()

    def _found(self, condition: str, *values: Any) -> list[Record]:
        return [_record(row) for row in self._reader.execute(f"{COLUMNS} {condition}", values).fetchall()]

    def _save(self, records: Sequence[Record], position: int | None) -> None:
        with self._writer:
            self._writer.executemany(SAVE, map(self._row, records))
            self._writer.execute("update place set position = coalesce(?, position)", (position,))

    def _row(self, record: Record) -> tuple[Any, ...]:
        person, place = None if record.person_id is None else str(record.person_id), bucket(record.id)
        facts = (str(record.id), record.type, place, record.version, person)
        return (*facts, json.dumps(record.body), record.at, self._sort_key(record))


def _record(row: tuple[Any, ...]) -> Record:
    key, record_type, version, person, body, at = row
    person_id = None if person is None else UUID(person)
    return Record(id=UUID(key), type=record_type, version=version, person_id=person_id, body=json.loads(body), at=at)
