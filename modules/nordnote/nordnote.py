"""Nordnote: notes about people, by Nordlys Omsorg ApS. Its store is a SQLite file."""

import html
import logging
from typing import Any

from torv_sdk import Answer, Call, Event, GoTo, Module, Page, Record, Settings, Shown, SqliteStore, instant, invalid

log = logging.getLogger(__name__)


def written_at(record: Record) -> str:
    """When it was written, or else recorded."""
    return instant(record.body.get("written_at")) or record.at


def show(record: Record) -> dict[str, Any]:
    """A note as the contract describes it."""
    facts = {"id": str(record.id), "person_id": str(record.person_id), "version": record.version}
    return {**facts, "text": record.body["text"], "written_at": written_at(record)}


def build(settings: Settings) -> Module:
    """The module, ready to run."""
    store = SqliteStore(settings.data / "nordnote.sqlite", written_at)
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
        await call.tell("note.written", record, {"note_id": str(record.id), "version": record.version})
        return Answer(show(record), status=201)

    @module.operation("list_notes")
    async def list_notes(call: Call) -> Answer:
        person_id = call.uuid("person_id", call.query.get("person_id"))
        limit = call.number("limit", default=50, most=200)
        return Answer({"notes": [show(record) for record in store.newest("note", person_id=person_id, limit=limit)]})

    @module.event("notes.note.written")
    async def hear(event: Event) -> None:
        """Torv tells of every note, whoever wrote it: reminders would begin here. The log has ids alone."""
        log.info("note heard of", extra={"fields": {"note": event.data["note_id"], "version": event.data["version"]}})

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


def declare_pages(module: Module, store: SqliteStore) -> None:
    """What caseworkers see: the notes about a citizen, and a form for a new one."""

    @module.page("/citizen")
    async def show_notes(page: Page) -> Shown:
        person_id = Call.uuid("person_id", page.query.get("person_id"))
        lines = "".join(
            f"<li><time>{html.escape(written_at(each)[:10])}</time>{html.escape(each.body['text'])}</li>"
            for each in store.newest("note", person_id=person_id, limit=50)
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
        record = await page.records.write("note", person_id=person_id, body={"text": text})
        await page.tell("note.written", record, {"note_id": str(record.id), "version": record.version})
        return GoTo("/citizen", {"person_id": str(person_id)})

    @module.page("/style.css")
    async def show_style(_: Page) -> Shown:
        return Shown(STYLE, media_type="text/css")


def main() -> None:
    build(Settings.from_environment()).run()
