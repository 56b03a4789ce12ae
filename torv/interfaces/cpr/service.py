"""Importing an extract: the whole file is checked first, then it comes in by parts, each in one transaction.

Whatever kills the import leaves whole parts; running it again does the rest. The next part is read while the database
works on this one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from torv.base.access import Access
from torv.base.db import Database, Tx
from torv.base.errors import Busy, NotFound
from torv.base.sql import load
from torv.interfaces.cpr.checking import check_file, mark_of
from torv.interfaces.cpr.errors import CprFileChanged, CprFileOutdated
from torv.interfaces.cpr.layouts import ENCODING, FIRST, LAST, layouts
from torv.interfaces.cpr.lines import USED, split_records
from torv.interfaces.cpr.models import Extract, Imported, Report, Stage
from torv.interfaces.cpr.reading import read_person
from torv.kernel.persons import ImportedPerson, ImportResult, find_person_by_cpr, import_persons

sql = load(__file__)

SOURCE = "cpr"  #: how facts from the register are marked in the kernel
TRIES = 5  #: of a part that meets somebody who works on the same persons


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of a file, ready to be imported."""

    number: int
    persons: list[ImportedPerson]
    unknown: list[dict[str, object]]


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """How far a file is."""

    parts: int
    is_finished: bool


async def import_extract(database: Database, access: Access, path: Path, report: Report) -> Imported:
    """Check an extract and import what is not in yet. A file that is in already is left alone.

    Raises CprFileInvalid (nothing is imported then), CprFileOutdated, CprFileChanged, or OSError.
    """
    extract = await asyncio.to_thread(check_file, path, report)
    async with database.reading() as tx:
        known = await tx.maybe(_File, sql.file_of, file=extract.sha256)
    if known and known.parts != len(extract.stretches):
        extract = await asyncio.to_thread(check_file, path, report, known.parts)
    is_new = known is None or not known.is_finished
    if is_new:
        await _begin(database, extract)
        await _import_parts(database, access, extract, report)
        await _import_superseded(database, access, extract)
        async with database.transaction() as tx:
            await tx.run(sql.finish_file, file=extract.sha256)
    return await _summary(database, extract, is_new)


async def _begin(database: Database, extract: Extract) -> None:
    facts = {"file": extract.sha256, "task": extract.task, "produced_on": extract.produced_on}
    async with database.transaction() as tx:
        if await tx.value(sql.later_file, **facts):
            raise CprFileOutdated
        await tx.run(sql.begin_file, **facts, persons=extract.persons, parts=len(extract.stretches))


async def _import_parts(database: Database, access: Access, extract: Extract, report: Report) -> None:
    async with database.reading() as tx:
        done = {row["part"] for row in await tx.all(dict, sql.done_parts, file=extract.sha256)}
    total = len(extract.stretches)
    waiting = [number for number in range(total) if number not in done]
    report(Stage.IMPORT, total - len(waiting), total)
    with extract.path.open("rb") as file:
        following = _read_ahead(file, extract, waiting, 0)
        try:
            for index in range(len(waiting)):
                part = await following
                following = _read_ahead(file, extract, waiting, index + 1)
                await _import_part(database, access, extract, part)
                report(Stage.IMPORT, total - len(waiting) + index + 1, total)
        finally:
            await asyncio.gather(following, return_exceptions=True)  # it reads from the file that closes now


def _read_ahead(file: BinaryIO, extract: Extract, waiting: Sequence[int], index: int) -> "asyncio.Task[Part]":
    number = waiting[index] if index < len(waiting) else -1
    return asyncio.create_task(asyncio.to_thread(read_part, file, extract, number))


def read_part(file: BinaryIO, extract: Extract, number: int) -> Part:
    """The persons and the unknown records of a part; -1 is an empty one. Raises CprFileChanged."""
    if mark_of(file) != extract.mark:
        raise CprFileChanged
    if number < 0:
        return Part(number=number, persons=[], unknown=[])
    persons = read_persons(file, extract, number)
    present = [person for cpr, person in persons.items() if cpr not in extract.superseded]
    return Part(number=number, persons=present, unknown=_read_unknown(file, extract, number))


def read_persons(file: BinaryIO, extract: Extract, number: int) -> dict[int, ImportedPerson]:
    lines: dict[int, list[str]] = {}
    stretches = extract.stretches[number]
    for cpr, start, end in zip(stretches[0::3], stretches[1::3], stretches[2::3], strict=True):
        found = split_records(_text(file, start, end), is_fixed=extract.is_fixed)
        lines.setdefault(cpr >> 1, []).extend(found)
    return {cpr: read_person(found) for cpr, found in lines.items()}


def _read_unknown(file: BinaryIO, extract: Extract, number: int) -> list[dict[str, object]]:
    places = extract.unknown[number]
    found = zip(places[0::3], places[1::3], places[2::3], strict=True)
    texts = [(line, _text(file, start, end)) for line, start, end in found]
    return [{"line": line, "record": text[:3], "content": text} for line, text in texts]


def _text(file: BinaryIO, start: int, end: int) -> str:
    file.seek(start)
    return file.read(end - start).decode(ENCODING)


async def _import_part(database: Database, access: Access, extract: Extract, part: Part) -> None:
    """Import a part, if nobody has. Raises Busy if somebody holds the same persons for long."""
    for left in reversed(range(TRIES)):
        try:
            async with database.transaction() as tx:
                if await tx.value(sql.claim_part, file=extract.sha256, part=part.number) is not None:
                    await _write_part(tx, access, extract, part)
            return
        except Busy:
            if not left:
                raise
            await asyncio.sleep(1)


async def _write_part(tx: Tx, access: Access, extract: Extract, part: Part) -> None:
    result = ImportResult(added=0, changed=0, unchanged=0)
    if part.persons:
        result = await import_persons(tx, access, part.persons, source=SOURCE)
    if part.unknown:
        await tx.run(sql.keep_unknown, file=extract.sha256, records=part.unknown)
    await tx.run(
        sql.note_part, file=extract.sha256, part=part.number,
        added=result.added, changed=result.changed, unchanged=result.unchanged,
    )  # fmt: skip


async def _import_superseded(database: Database, access: Access, extract: Extract) -> None:
    """Numbers that the register has replaced come last: whoever has the new number brings the old one along.

    Only where the new number is unknown too, the old one is a person, marked with the new number.
    """
    number = len(extract.stretches)
    persons = await asyncio.to_thread(_read_superseded, extract)
    async with database.transaction() as tx:
        if persons and await tx.value(sql.claim_part, file=extract.sha256, part=number) is not None:
            alone = [person for person in persons if not await _is_known_by_another(tx, access, person)]
            await _write_part(tx, access, extract, Part(number=number, persons=alone, unknown=[]))


def _read_superseded(extract: Extract) -> list[ImportedPerson]:
    persons: list[ImportedPerson] = []
    if extract.superseded:
        with extract.path.open("rb") as file:
            for number in range(len(extract.stretches)):
                found = read_persons(file, extract, number)
                persons += [person for cpr, person in found.items() if cpr in extract.superseded]
    return persons


async def _is_known_by_another(tx: Tx, access: Access, person: ImportedPerson) -> bool:
    try:
        return (await find_person_by_cpr(tx, access, person.cpr)).cpr != person.cpr
    except NotFound:
        return False


async def _summary(database: Database, extract: Extract, is_new: bool) -> Imported:
    async with database.reading() as tx:
        totals = (await tx.all(dict, sql.totals, file=extract.sha256))[0]
    kept = {FIRST, LAST, *USED}
    unused = {record: count for record, count in sorted(extract.counts.items()) if record not in kept}
    return Imported(
        is_new=is_new, persons=extract.persons, superseded=len(extract.superseded), **totals,
        unused={record: count for record, count in unused.items() if record in layouts()},
        unknown={record: count for record, count in unused.items() if record not in layouts()},
    )  # fmt: skip
