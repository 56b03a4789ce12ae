"""The verbs of classification; the only writer of the schema `classification`."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import EditionRefused, InvalidInput
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.text import search_key, sort_key
from torv.base.trail import note
from torv.kernel.classification import rules, suggestions
from torv.kernel.classification.models import (
    ChangeKind,
    CodeList,
    Edition,
    Entry,
    EntryFilter,
    Import,
    Keyword,
    ListedEntry,
    NewEdition,
    NewEntry,
    Suggestion,
)
from torv.kernel.classification.suggestions import Index, Searched

sql = load(__file__)
TEXT_LENGTH = 2_000  #: characters of a text that suggestions are asked for

#: the newest index of each list, perhaps still being made, under the edition and the day it is for
_indexes: dict[CodeList, tuple[tuple[UUID | None, date], asyncio.Future[Index]]] = {}


async def import_edition(tx: Tx, access: Access, *, new: NewEdition, accepts_endings: bool = False) -> Import:
    """Take an edition in; once imported, it changes nothing more. Raises EditionRefused."""
    await tx.value(sql.take_turn, code_list=new.code_list)
    digest = hashlib.sha256(json.dumps([_row(each) for each in new.entries]).encode()).digest()
    earlier = await tx.maybe(Edition, sql.edition_by_digest, code_list=new.code_list, digest=digest)
    if earlier:
        note(tx, access, "write", detail={"edition": earlier.number, "is_new": False})
        return Import(edition=earlier, is_new=False, changes=(), unchanged=len(new.entries))
    await _check_age(tx, new)
    known = await _known_entries(tx, new.code_list)
    rules.check_edition(known, new)
    changed = rules.compare(known, new)
    if not accepts_endings:
        rules.check_endings(known, new, changed)
    edition = await _keep(tx, new, digest, [entry for entry, _ in changed])
    changes = tuple(change for _, change in changed)
    touched = {change.code for change in changes}
    done = Import(
        edition=edition, is_new=True, changes=changes,
        unchanged=sum(each.code not in touched for each in new.entries),
    )  # fmt: skip
    note(tx, access, "write", detail={"edition": edition.number, **{kind: done.count(kind) for kind in ChangeKind}})
    return done


async def _check_age(tx: Tx, new: NewEdition) -> None:
    newest = await tx.value(sql.newest_published, code_list=new.code_list, levels=sorted(new.levels))
    if newest is not None and new.published < newest:
        raise EditionRefused(
            reason=f"it is from {new.published}, and one from {newest} has been imported",
            reason_da=f"den er fra {new.published}, og en fra {newest} er indlæst",
        )


async def _known_entries(tx: Tx, code_list: CodeList) -> dict[str, NewEntry]:
    rows = await tx.all(dict, sql.known_entries, code_list=code_list)
    return {row["code"]: NewEntry(**row | {"keywords": _keywords(row["keywords"])}) for row in rows}


async def _keep(tx: Tx, new: NewEdition, digest: bytes, entries: Sequence[NewEntry]) -> Edition:
    edition = await tx.one(
        Edition, sql.insert_edition, id=new_id(), code_list=new.code_list, published=new.published, source=new.source,
        levels=sorted(new.levels), digest=digest,
    )  # fmt: skip
    rows = [_row(each) for each in entries]
    await tx.run(sql.insert_entries, code_list=new.code_list, rows=rows)
    await tx.run(
        sql.insert_versions, code_list=new.code_list, edition=edition.number, effective_from=new.published, rows=rows
    )
    return edition


async def read_entry(
    tx: Tx, access: Access, code_list: CodeList, code: str, *, edition: int | None = None, valid_at: date | None = None
) -> Entry:
    """A code as it was known in an edition and held on a day; without them, as it is. Raises NotFound."""
    entry = await tx.one(Entry, sql.entry, code_list=code_list, code=code, edition=edition, valid_at=valid_at)
    note(tx, access, "read", detail={"code": entry.code})
    return entry


async def list_entries(
    tx: Tx, access: Access, code_list: CodeList, *, like: EntryFilter, wanted: Wanted
) -> list[ListedEntry]:
    """The codes in force: by code, or alphabetically by title where words were searched for, with typing errors."""
    place, code = wanted.after or (None, None)
    entries = await tx.all(
        ListedEntry, sql.entries, code_list=code_list, words=search_key(like.text).split(), prefix=like.prefix,
        parent=like.parent, level=like.level, edition=like.edition, valid_at=like.valid_at,
        in_force_on=like.valid_at or clock.today(), after_place=place, after_code=code, size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", detail={"entries": len(entries)})
    return entries


async def list_editions(tx: Tx, access: Access, code_list: CodeList, *, wanted: Wanted) -> list[Edition]:
    """The editions that have been imported, newest first."""
    before = wanted.after[0] if wanted.after else None
    editions = await tx.all(Edition, sql.editions, code_list=code_list, before=before, size=wanted.fetch)
    note(tx, access, "read", detail={"editions": len(editions)})
    return editions


async def find_index(tx: Tx, code_list: CodeList) -> asyncio.Future[Index]:
    """The index of the newest edition, perhaps still being made: await it, shielded, when no connection is held."""
    key = await tx.value(sql.newest_edition, code_list=code_list), clock.today()
    if code_list not in _indexes or _indexes[code_list][0] != key:
        rows = await tx.all(dict, sql.searched, code_list=code_list, in_force_on=key[1])
        searched = [Searched(**row | {"keywords": _keywords(row["keywords"])}) for row in rows]
        making = asyncio.to_thread(suggestions.make_index, searched)
        _indexes[code_list] = key, asyncio.ensure_future(making)
    return _indexes[code_list][1]


async def suggest_entries(tx: Tx, access: Access, *, index: Index, text: str) -> list[Suggestion]:
    """Up to five entries that a text may be about; the text itself is kept nowhere. Raises InvalidInput."""
    if not 0 < len(text.strip()) <= TEXT_LENGTH:
        raise InvalidInput(reason=f"text has 1 to {TEXT_LENGTH} characters")
    found = await asyncio.to_thread(suggestions.suggest, index, text)
    note(tx, access, "read", detail={"suggested": [each.code for each in found]})
    return found


def _row(entry: NewEntry) -> dict[str, Any]:
    """An entry as the statements take it."""
    return {
        "code": entry.code, "level": entry.level, "parent": entry.parent, "title": entry.title,
        "has_derived_title": entry.has_derived_title, "valid_from": _text(entry.valid_from),
        "valid_to": _text(entry.valid_to), "official_id": _text(entry.official_id),
        "keywords": [[each.text, each.weight] for each in entry.keywords or ()],
        "sort_key": sort_key(entry.title), "search_key": search_key(entry.title),
    }  # fmt: skip


def _text(value: date | UUID | None) -> str | None:
    return None if value is None else str(value)


def _keywords(rows: list[tuple[str, int]]) -> tuple[Keyword, ...]:
    return tuple(Keyword(text=text, weight=weight) for text, weight in rows)
