"""Nordnote: notes about people, by Nordlys Omsorg ApS. Its store is a SQLite file."""

import asyncio
import html
import json
import sqlite3
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

from torv_sdk import Answer, Call, GoTo, Module, Page, Record, Settings, Shown, bucket, instant, invalid

SCHEMA = """
pragma journal_mode = wal; pragma synchronous = normal;
create table if not exists record (
    id text primary key, type text not null, bucket integer not null, version integer not null, person_id text,
    body text not null, at text not null, sort_at text not null
) without rowid;
create index if not exists record_by_person on record (person_id, type, sort_at desc, id desc);
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


class NoteStore:
    """A copy of the notes in one SQLite file. One thread of its own writes: a checkpoint may wait for the disk."""

    def __init__(self, file: Path) -> None:
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
        for number in sorted(buckets):  # read to its end before we pause: an open query would hide newer notes
            query = self._reader.execute(f"{COLUMNS} where type = ? and bucket = ?", (record_type, number))
            yield from map(_record, query.fetchall())

    def notes(self, person_id: UUID, limit: int) -> list[Record]:
        """The newest notes about a person."""
        order = "where person_id = ? and type = 'note' order by sort_at desc, id desc limit ?"
        return [_record(row) for row in self._reader.execute(f"{COLUMNS} {order}", (str(person_id), limit))]

    def _save(self, records: Sequence[Record], position: int | None) -> None:
        with self._writer:
            self._writer.executemany(SAVE, map(_row, records))
            self._writer.execute("update place set position = coalesce(?, position)", (position,))


def _row(record: Record) -> tuple[Any, ...]:
    person = None if record.person_id is None else str(record.person_id)
    key, body = str(record.id), json.dumps(record.body)
    return (key, record.type, bucket(record.id), record.version, person, body, record.at, written_at(record))


def _record(row: tuple[Any, ...]) -> Record:
    key, record_type, version, person, body, at = row
    person_id = None if person is None else UUID(person)
    return Record(id=UUID(key), type=record_type, version=version, person_id=person_id, body=json.loads(body), at=at)


def written_at(record: Record) -> str:
    """When it was written, or else recorded."""
    return instant(record.body.get("written_at")) or record.at


def show(record: Record) -> dict[str, Any]:
    """A note as the contract describes it."""
    facts = {"id": str(record.id), "person_id": str(record.person_id), "version": record.version}
    return {**facts, "text": record.body["text"], "written_at": written_at(record)}


def build(settings: Settings) -> Module:
    """The module, ready to run."""
    settings.data.mkdir(parents=True, exist_ok=True)
    store = NoteStore(settings.data / "nordnote.sqlite")
    module = Module(settings, "notes", 1, store)

    @module.operation("write_note")
    async def write_note(call: Call) -> Answer:
        body = call.json()
        person_id = call.uuid("person_id", body.pop("person_id", None))
        text = body.get("text")
        if not isinstance(text, str) or not 1 <= len(text) <= 4000:
            raise invalid("text must be 1 to 4000 characters")
        if "written_at" in body and instant(body["written_at"]) is None:
            raise invalid("written_at must be a time (RFC 3339)")
        record = await call.records.write("note", person_id=person_id, body=body)
        return Answer(show(record), status=201)

    @module.operation("list_notes")
    async def list_notes(call: Call) -> Answer:
        person_id = call.uuid("person_id", call.query.get("person_id"))
        limit = call.number("limit", default=50, most=200)
        return Answer({"notes": [show(record) for record in store.notes(person_id, limit)]})

    declare_pages(module, store)
    return module


STYLE = """body{font:16px/1.5 sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}li{margin:0 0 1rem}
time{display:block;color:#595959}textarea{display:block;width:100%;font:inherit}button{font:inherit;margin-top:.5rem}"""
PAGE = """<!DOCTYPE html><html lang="da"><head><meta charset="utf-8"><title>Notater - Nordnote</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="{style}"></head>
<body><main><h1>Notater</h1><p><a href="/persons/{person}">Tilbage til borgeren</a></p>
<form method="post" action="{action}">{field}<input type="hidden" name="person_id" value="{person}">
<label for="text">Nyt notat</label><textarea id="text" name="text" rows="4" maxlength="4000" required></textarea>
<button type="submit">Gem notat</button></form>{notes}</main></body></html>"""


def declare_pages(module: Module, store: NoteStore) -> None:
    """What caseworkers see: the notes about a citizen, and a form for a new one."""

    @module.page("/citizen")
    async def show_notes(page: Page) -> Shown:
        person_id = Call.uuid("person_id", page.query.get("person_id"))
        lines = "".join(
            f"<li><time>{html.escape(written_at(each)[:10])}</time>{html.escape(each.body['text'])}</li>"
            for each in store.notes(person_id, 50)
        )
        notes = f"<ul>{lines}</ul>" if lines else "<p>Der er ingen notater endnu.</p>"
        body = PAGE.format(
            style=page.link("/style.css"), action=page.link("/citizen"), field=page.field, person=person_id, notes=notes
        )
        return Shown(body)

    @module.page("/citizen", takes_form=True)
    async def take_note(page: Page) -> GoTo:
        person_id, text = Call.uuid("person_id", page.form.get("person_id")), page.form.get("text", "").strip()
        if not 1 <= len(text) <= 4000:
            raise invalid("Notatet skal have 1 til 4000 tegn.")
        await page.records.write("note", person_id=person_id, body={"text": text})
        return GoTo("/citizen", {"person_id": str(person_id)})

    @module.page("/style.css")
    async def show_style(_: Page) -> Shown:
        return Shown(STYLE, media_type="text/css")


def main() -> None:
    build(Settings.from_environment()).run()
