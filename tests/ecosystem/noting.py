"""A small module that keeps notes; with the word `authored` it is its next release, which says who wrote each.

With `counting` it has what the profile `demanding.ADDING` adds to the contract, too.
"""

import os
import sys
from pathlib import Path
from typing import Any

from tests.ecosystem.demanding import ADDING
from tests.ecosystem.lending import Loans
from torv_sdk import Answer, Call, Module, Problem, Record, Settings, instant, invalid


def as_note(record: Record) -> dict[str, Any]:
    """A note as the contract describes it, with what else is in it."""
    when = instant(record.body.get("written_at")) or record.at
    return {
        "id": str(record.id), "person_id": str(record.person_id), "version": record.version, **record.body,
        "written_at": when,
    }  # fmt: skip


def build(settings: Settings, *, says_author: bool, profiles: tuple[Path, ...] = ()) -> Module:
    """The module, ready to run."""
    notes = Loans()
    module = Module(settings, "notes", 1, notes, profiles=profiles)
    if profiles:
        declare_additions(module, notes)

    def shown(record: Record) -> dict[str, Any]:
        note = as_note(record)
        return note if not says_author else {"author": "ukendt", **note}

    @module.operation("write_note")
    async def write_note(call: Call) -> Answer:
        body = call.json()
        person_id = call.uuid("person_id", body.pop("person_id", None))
        if not isinstance(body.get("text"), str) or not 1 <= len(body["text"]) <= 4000:
            raise invalid("text must be 1 to 4000 characters")
        if "written_at" in body and instant(body["written_at"]) is None:
            raise invalid("written_at must be a time (RFC 3339)")
        if says_author or profiles:
            body["author"] = call.caller.subject
        return Answer(shown(await call.records.write("note", person_id=person_id, body=body)), status=201)

    @module.operation("list_notes")
    async def list_notes(call: Call) -> Answer:
        person_id = call.uuid("person_id", call.query.get("person_id"))
        limit = call.number("limit", default=50, most=200)
        found = sorted(map(shown, notes.of(person_id)), key=lambda each: (each["written_at"], each["id"]), reverse=True)
        return Answer({"notes": found[:limit]})

    return module


def declare_additions(module: Module, notes: Loans) -> None:
    """What the profile adds."""

    @module.operation("count_notes")
    async def count_notes(call: Call) -> Answer:
        return Answer({"count": len(notes.of(call.uuid("person_id", call.query.get("person_id"))))})

    @module.operation("strike_note")
    async def strike_note(call: Call) -> Answer:
        note = notes.find(call.uuid("note_id", call.path["note_id"]))
        if note is None:
            raise Problem(404, "not_found", "There is no such note.")
        body = {"author": call.caller.subject, **note.body, "struck": True}
        record = await call.records.write(
            "note", person_id=note.person_id, body=body, record_id=note.id, expected_version=note.version
        )
        return Answer(as_note(record))


def main() -> None:
    settings, profiles = Settings.from_environment(), tuple[Path, ...]()
    if "counting" in sys.argv:
        profiles = (Path(os.environ["TORV_MODULE_DATA"]) / "profile.yaml",)
        profiles[0].write_text(ADDING, encoding="utf-8")
    build(settings, says_author="authored" in sys.argv, profiles=profiles).run()


if __name__ == "__main__":
    main()
