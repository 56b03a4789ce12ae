"""Kviknote: notes about people, by Kvik Systemer A/S. Its store is memory, filled from the kernel's feed."""

import logging
from html import escape
from typing import Any

from torv_sdk import Answer, Call, Event, GoTo, MemoryStore, Module, Page, Record, Settings, Shown, instant, invalid

PAGE = """<!DOCTYPE html><html lang="da"><head><meta charset="utf-8"><title>Notater - Kviknote</title></head>
<body><main><h1>Notater</h1><p><a href="/persons/{person}">Tilbage til borgeren</a></p>
<form method="post" action="{action}">{field}<input type="hidden" name="person_id" value="{person}">
<label for="text">Nyt notat</label> <input id="text" name="text" maxlength="4000" required> <button>Gem</button></form>
<table><thead><tr><th>Dag</th><th>Notat</th></tr></thead><tbody>{rows}</tbody></table></main></body></html>"""

log = logging.getLogger(__name__)


def written_at(note: Record) -> str:
    """When it was written, or else recorded; in a form that sorts."""
    return instant(note.body.get("written_at")) or note.at


def as_note(record: Record) -> dict[str, Any]:
    """A note as the contract describes it."""
    facts = {"id": str(record.id), "person_id": str(record.person_id), "version": record.version}
    return {**facts, "text": record.body["text"], "written_at": written_at(record)}


def checked(body: dict[str, Any], complaint: str = "text must be 1 to 4000 characters") -> dict[str, Any]:
    """The body of a record, if it keeps the contract's rules; fields we do not know stay in it."""
    text = body.get("text")
    if not isinstance(text, str) or not 1 <= len(text) <= 4000:
        raise invalid(complaint)
    if "written_at" in body and instant(body["written_at"]) is None:
        raise invalid("written_at must be a time (RFC 3339)")
    return body


def build(settings: Settings) -> Module:
    """The module, ready to run."""
    memory = MemoryStore(written_at)
    module = Module(settings, "notes", 1, memory)

    @module.operation("write_note")
    async def write_note(call: Call) -> Answer:
        body = call.json()
        person_id = call.uuid("person_id", body.pop("person_id", None))
        record = await call.records.write("note", person_id=person_id, body=checked(body))
        await call.tell("note.written", record, {"note_id": str(record.id), "version": record.version})
        return Answer(as_note(record), status=201)

    @module.operation("list_notes")
    async def list_notes(call: Call) -> Answer:
        person_id = call.uuid("person_id", call.query.get("person_id"))
        limit = call.number("limit", default=50, most=200)
        return Answer({"notes": [as_note(note) for note in memory.newest("note", person_id=person_id, limit=limit)]})

    @module.page("/citizen")
    async def show_notes(page: Page) -> Shown:
        person_id = Call.uuid("person_id", page.query.get("person_id"))
        return Shown(PAGE.format(
            person=person_id, action=page.link("/citizen"), field=page.field,
            rows="".join(
                f"<tr><td>{escape(written_at(note)[:10])}</td><td>{escape(note.body['text'])}</td></tr>"
                for note in memory.newest("note", person_id=person_id, limit=50)
            ),
        ))  # fmt: skip

    @module.page("/citizen", takes_form=True)
    async def take_note(page: Page) -> GoTo:
        person_id = Call.uuid("person_id", page.form.get("person_id"))
        body = checked({"text": page.form.get("text", "").strip()}, "Notatet skal have 1 til 4000 tegn.")
        record = await page.records.write("note", person_id=person_id, body=body)
        await page.tell("note.written", record, {"note_id": str(record.id), "version": record.version})
        return GoTo("/citizen", {"person_id": str(person_id)})

    module.event("notes.note.written")(hear)
    return module


async def hear(event: Event) -> None:
    """Torv tells of every note, whoever wrote it: reminders would begin here. The log has ids alone."""
    log.info("note heard of", extra={"fields": {"note": event.data["note_id"], "version": event.data["version"]}})


def main() -> None:
    build(Settings.from_environment()).run()
