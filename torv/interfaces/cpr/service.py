"""Importing an extract: the whole file is checked first, then it comes in by parts, each in one transaction.

Whatever kills the import leaves whole parts; running it again does the rest. The next parts are read while the
database works on these.
"""

import asyncio
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Database, Tx
from torv.base.errors import Busy, NotFound
from torv.base.sql import load
from torv.interfaces.cpr.checking import check_file
from torv.interfaces.cpr.errors import CprFileOutdated
from torv.interfaces.cpr.layouts import FIRST, LAST, layouts
from torv.interfaces.cpr.lines import USED
from torv.interfaces.cpr.models import Extract, Imported, Report, Stage
from torv.interfaces.cpr.parts import Part, Parts, Reader, read_persons, reader
from torv.kernel.persons import ImportedPerson, ImportResult, find_person_by_cpr, import_packed, pack

sql = load(__file__)

SOURCE = "cpr"  #: how facts from the register are marked in the kernel
UNKNOWN_KEPT = 90  #: days that records we do not know wait for somebody to look at them; they may hold personal data
TRIES = 5  #: of a part that meets somebody who works on the same persons


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    """How far a file is."""

    parts: int
    is_finished: bool


async def import_extract(database: Database, access: Access, path: Path, report: Report) -> Imported:
    """Check an extract and import what is not in yet. A file that is in already is left alone.

    Takes two connections at a time of a large file. Raises CprFileInvalid (nothing is imported then), CprFileOutdated,
    CprFileChanged, or OSError.
    """
    with reader(path) as reads:
        extract = await asyncio.to_thread(check_file, path, report)
        async with database.reading() as tx:
            known = await tx.maybe(_File, sql.file_of, file=extract.sha256)
        if known and known.parts != len(extract.stretches):
            extract = await asyncio.to_thread(check_file, path, report, known.parts)
        is_new = known is None or not known.is_finished
        if is_new:
            await _begin(database, extract)
            await _import_parts(database, access, extract, reads, report)
            await _import_superseded(database, access, extract)
            async with database.transaction() as tx:
                await tx.run(sql.finish_file, file=extract.sha256)
    return await _summary(database, extract, is_new)


async def forget_unknown_records(tx: Tx) -> None:
    """Delete records of kinds we do not know, UNKNOWN_KEPT days after their file came in."""
    await tx.run(sql.forget_unknown, days=UNKNOWN_KEPT)


async def _begin(database: Database, extract: Extract) -> None:
    facts = {"file": extract.sha256, "task": extract.task, "produced_on": extract.produced_on}
    async with database.transaction() as tx:
        if await tx.value(sql.later_file, **facts):
            raise CprFileOutdated
        await tx.run(sql.begin_file, **facts, persons=extract.persons, parts=len(extract.stretches))


async def _import_parts(
    database: Database, access: Access, extract: Extract, reads: Reader, report: Report
) -> None:  # fmt: skip
    async with database.reading() as tx:
        done = {row["part"] for row in await tx.all(dict, sql.done_parts, file=extract.sha256)}
    total = len(extract.stretches)
    waiting = [number for number in range(total) if number not in done]
    report(Stage.IMPORT, total - len(waiting), total)
    ready: asyncio.Queue[Part | None] = asyncio.Queue(reads.writers)

    async def read() -> None:
        async with asyncio.TaskGroup() as reading:
            for parts in await asyncio.to_thread(reads.parts, extract, waiting):
                reading.create_task(_hand_on(parts, ready))
        for _ in range(reads.writers):
            await ready.put(None)

    async def write() -> None:
        while (part := await ready.get()) is not None:
            await _import_part(database, access, extract, part)
            done.add(part.number)
            report(Stage.IMPORT, len(done), total)

    try:
        async with asyncio.TaskGroup() as tasks:
            for work in (read, *[write] * reads.writers):
                tasks.create_task(work())
    except BaseExceptionGroup as group:
        raise _first(group) from None


async def _hand_on(parts: Parts, ready: "asyncio.Queue[Part | None]") -> None:
    with closing(parts):
        while (part := await _following(parts)) is not None:
            await ready.put(part)


def _first(failed: BaseException) -> BaseException:
    """What went wrong first, in groups of groups."""
    while isinstance(failed, BaseExceptionGroup):
        failed = failed.exceptions[0]
    return failed


async def _following(parts: Parts) -> Part | None:
    """The next part, read in a thread; nobody leaves while that is at work. None after the last."""
    reading = asyncio.ensure_future(asyncio.to_thread(next, parts, None))
    try:
        return await asyncio.shield(reading)
    finally:
        await asyncio.wait([reading])


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
    if len(part.persons):
        result = await import_packed(tx, access, part.persons, source=SOURCE)
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
            await _write_part(tx, access, extract, Part(number=number, persons=pack(alone, clock.today()), unknown=[]))


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
