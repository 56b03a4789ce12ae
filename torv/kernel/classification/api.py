"""Routes of classification. What is public elsewhere still needs a caller here, and is logged."""

import asyncio
from dataclasses import asdict, dataclass
from datetime import date
from typing import Annotated

from fastapi import Query

from torv.base.http import Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.kernel.classification import service
from torv.kernel.classification.models import CodeList, Edition, Entry, EntryFilter, ListedEntry, Suggestion

routes = Routes("/api/v1/classification", "classification")

EditionNumber = Annotated[int | None, Query(ge=1, le=2**31 - 1, description="As this edition knew it.")]
Day = Annotated[date | None, Query(description="As it was on this day.")]
Part = Annotated[str | None, Query(min_length=1, max_length=50)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Wording:
    """What somebody said, in their own words."""

    text: str


@routes.reads("/{code_list}/editions", "read", "classification")
async def list_editions(
    call: Call, code_list: CodeList, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[Edition]:
    """The editions that have been imported, newest first."""
    wanted = call.page(limit, cursor, code_list=code_list)
    editions = await service.list_editions(call.tx, call.access, code_list, wanted=wanted)
    return call.paged(editions, wanted, key=lambda each: [each.number])


@routes.reads("/{code_list}/entries", "read", "classification")
async def list_entries(
    call: Call, code_list: CodeList,
    text: Annotated[str, Query(max_length=200, description="Words of the title; typing errors are forgiven.")] = "",
    prefix: Part = None, parent: Part = None, level: Part = None, edition: EditionNumber = None, valid_at: Day = None,
    limit: Size = DEFAULT_SIZE, cursor: Cursor = None,
) -> Page[ListedEntry]:  # fmt: skip
    """The codes in force, by code; alphabetically by title where `text` is searched for."""
    like = EntryFilter(
        text=text, prefix=prefix, parent=parent, level=level, edition=edition, valid_at=valid_at
    )  # fmt: skip
    wanted = call.page(limit, cursor, code_list=code_list, **asdict(like))
    entries = await service.list_entries(call.tx, call.access, code_list, like=like, wanted=wanted)
    return call.paged(entries, wanted, key=lambda each: [each.place, each.code])


@routes.reads("/{code_list}/entries/{code}", "read", "classification")
async def read_entry(
    call: Call, code_list: CodeList, code: str, edition: EditionNumber = None, valid_at: Day = None
) -> Entry:
    """One code, such as `27`, `27.15`, `27.15.12` or `G01`; also one that has ended, unless a day is asked for."""
    return await service.read_entry(call.tx, call.access, code_list, code, edition=edition, valid_at=valid_at)


@routes.reads("/{code_list}/suggest", "suggest", "classification", method="POST", keeps_own_time=True)
async def suggest_entries(call: Call, code_list: CodeList, wording: Wording) -> list[Suggestion]:
    """Up to five entries that a text may be about, likeliest first."""
    async with call.reading() as tx:
        making = await service.find_index(tx, code_list)
    index = await asyncio.shield(making)
    async with call.reading() as tx:
        return await service.suggest_entries(tx, call.access, index=index, text=wording.text)
