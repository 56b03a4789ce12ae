"""Kviknote: notes about people, by Kvik Systemer A/S. Its store is memory, filled from the kernel's feed."""

from collections import defaultdict
from collections.abc import Iterator, Sequence, Set
from html import escape
from typing import Any
from uuid import UUID

from torv_sdk import Answer, Call, Module, Page, Record, Settings, Shown, bucket, instant, invalid


class Memory:
    """Every record's latest version, by bucket for the export and by person for the list.

    Nothing here awaits, so each change is seen whole or not at all.
    """

    def __init__(self) -> None:
        self._position = 0
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

    def notes(self, person_id: UUID, limit: int) -> list[Record]:
        """The newest notes about a person."""
        notes = [record for record in self._people.get(person_id, {}).values() if record.type == "note"]
        return sorted(notes, key=lambda note: (written_at(note), note.id), reverse=True)[:limit]

    def _keep(self, record: Record) -> None:
        known = self._buckets[bucket(record.id)].get(record.id)
        if known and known.version >= record.version:
            return
        if known:
            self._people[known.person_id].pop(record.id)
        self._buckets[bucket(record.id)][record.id] = record
        self._people[record.person_id][record.id] = record


def written_at(note: Record) -> str:
    """When it was written, or else recorded; in a form that sorts."""
    return instant(note.body.get("written_at")) or note.at


def as_note(record: Record) -> dict[str, Any]:
    """A note as the contract describes it."""
    return {
        "id": str(record.id),
        "person_id": str(record.person_id),
        "text": record.body["text"],
        "version": record.version,
        "written_at": written_at(record),
    }


def checked(body: dict[str, Any]) -> dict[str, Any]:
    """The body of a record, if it keeps the contract's rules; fields we do not know stay in it."""
    text = body.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= 4000:
        raise invalid("text must be 1 to 4000 characters")
    if "written_at" in body and instant(body["written_at"]) is None:
        raise invalid("written_at must be a time (RFC 3339)")
    return body


def build(settings: Settings) -> Module:
    """The module, ready to run."""
    memory = Memory()
    module = Module(settings, "notes", 1, memory)

    @module.operation("write_note")
    async def write_note(call: Call) -> Answer:
        body = call.json()
        person_id = call.uuid("person_id", body.pop("person_id", None))
        record = await call.records.write("note", person_id=person_id, body=checked(body))
        return Answer(as_note(record), status=201)

    @module.operation("list_notes")
    async def list_notes(call: Call) -> Answer:
        person_id = call.uuid("person_id", call.query.get("person_id"))
        limit = call.number("limit", default=50, most=200)
        return Answer({"notes": [as_note(note) for note in memory.notes(person_id, limit)]})

    @module.page("/citizen")
    async def read_notes(page: Page) -> Shown:
        """The notes about a citizen, to be read; Kviknote's own program is where they are written."""
        person_id = Call.uuid("person_id", page.query.get("person_id"))
        rows = "".join(
            f"<tr><td>{escape(written_at(note)[:10])}</td><td>{escape(note.body['text'])}</td></tr>"
            for note in memory.notes(person_id, 50)
        )
        table = f"<table><thead><tr><th>Dag</th><th>Notat</th></tr></thead><tbody>{rows}</tbody></table>"
        head = '<!DOCTYPE html><html lang="da"><head><meta charset="utf-8"><title>Notater - Kviknote</title></head>'
        back = f'<p><a href="/persons/{person_id}">Tilbage til borgeren</a></p>'
        return Shown(f"{head}<body><main><h1>Notater</h1>{back}{table}</main></body></html>")

    return module


def main() -> None:
    build(Settings.from_environment()).run()
