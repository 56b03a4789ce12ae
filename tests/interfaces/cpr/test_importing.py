"""An extract comes in whole or by whole parts, once, and says what it did."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.interfaces.cpr.conftest import WriteFile
from torv.base.access import Access
from torv.base.db import Database
from torv.interfaces.cpr import (
    CprFileChanged,
    CprFileInvalid,
    CprFileOutdated,
    Imported,
    Stage,
    forget_unknown_records,
    import_extract,
    write_extract,
)
from torv.interfaces.cpr.layouts import layouts
from torv.kernel.persons import find_person_by_cpr

CPR, NEW_CPR = "0205761235", "0205769996"
IMPORT_ALONE = """
import asyncio, sys
from pathlib import Path
from uuid import UUID
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database
from torv.base.ids import new_id
from torv.interfaces.cpr import checking, import_extract, parts

checking.PART_SIZE, parts.LARGE = 10_000, int(sys.argv[3])

async def main():
    operator = Caller(kind=CallerKind.OPERATOR, id=UUID(int=0), name="operator")
    access = Access(caller=operator, service="persons", operation="import", category="person", request_id=new_id())
    database = await Database.open(sys.argv[1], 2)
    await import_extract(database, access, Path(sys.argv[2]), lambda *_: None)

asyncio.run(main())
"""


class BrokenOff(Exception):
    """Somebody pressed Ctrl-C."""


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torv.interfaces.cpr.checking.PART_SIZE", 10_000)


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """300 people who do not exist."""
    path = tmp_path / "made_up.txt"
    write_extract(path, persons=300, seed=11)
    return path


async def bring_in(database: Database, access: Access, path: Path) -> Imported:
    return await import_extract(database, access, path, lambda *_: None)


async def number_of(outsider: asyncpg.Connection, table: str) -> int:
    count: int = await outsider.fetchval(f"select count(*) from {table}")
    return count


def children(pid: str) -> set[str]:
    return set(Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def own_children() -> set[str]:
    return children(str(os.getpid()))


def is_running(pid: str) -> bool:
    """Whether there is such a process that has not ended; one that nobody has waited for yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def numbers_in(path: Path) -> set[str]:
    return {text[3:13] for text in path.read_text("iso-8859-1").splitlines()}


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-12])


def line(record: str, **values: str) -> str:
    return layouts()[record].write(**{"cpr": CPR, **values})


async def test_the_test_persons_arrive(
    database: Database, access: Access, test_extract: Path, outsider: asyncpg.Connection
) -> None:
    done = await bring_in(database, access, test_extract)
    assert (done.persons, done.added, done.superseded, done.unknown) == (80, 76, 4, {})
    assert done.unused["099"] == 116
    numbers = {row["cpr"] for row in await outsider.fetch("select cpr from persons.numbers")}
    assert len(numbers & numbers_in(test_extract)) == 80


async def test_a_replaced_number_finds_whoever_has_the_new_one(
    database: Database, access: Access, test_extract: Path
) -> None:
    await bring_in(database, access, test_extract)
    async with database.reading() as tx:
        assert (await find_person_by_cpr(tx, access, "0101520013")).cpr == "0107529039"


async def test_a_replaced_number_whose_successor_is_unknown_is_a_person_until_it_comes(
    database: Database, access: Access, write_file: WriteFile, outsider: asyncpg.Connection
) -> None:
    old = line("001", status="60", current_cpr=NEW_CPR)
    assert (await bring_in(database, access, write_file(old))).added == 1
    new = line("001", cpr=NEW_CPR, status="01"), line("022", cpr=NEW_CPR, former_cpr=CPR)
    done = await bring_in(database, access, write_file(*new, old))
    assert (done.added, done.changed) == (0, 1)
    assert await outsider.fetch("select cpr, status from persons.persons") == [(NEW_CPR, "resident")]


@pytest.mark.usefixtures("small_parts")
async def test_a_part_is_a_transaction_with_an_entry_that_names_its_persons(
    database: Database, access: Access, made_up: Path, outsider: asyncpg.Connection
) -> None:
    done = await bring_in(database, access, made_up)
    assert done.added == 300
    parts = [row["added"] for row in await outsider.fetch("select added from cpr.parts where added > 0")]
    assert len(parts) > 5
    told = await outsider.fetch(
        "select cardinality(subjects) as subjects from base.trail where operation = 'persons.import'"
    )
    assert sorted(row["subjects"] for row in told) == sorted(parts)


async def test_a_file_that_is_in_is_left_alone(
    database: Database, access: Access, made_up: Path, outsider: asyncpg.Connection
) -> None:
    first = await bring_in(database, access, made_up)
    told = await number_of(outsider, "base.trail")
    again = await bring_in(database, access, made_up)
    assert (first.is_new, again.is_new) == (True, False)
    assert (again.added, again.persons) == (300, 300)
    assert await number_of(outsider, "base.trail") == told


@pytest.mark.usefixtures("small_parts")
async def test_an_import_that_is_broken_off_goes_on_where_it_was(
    database: Database, access: Access, made_up: Path, outsider: asyncpg.Connection
) -> None:
    def break_off(stage: Stage, done: int, _: int) -> None:
        if stage is Stage.IMPORT and done == 3:
            raise BrokenOff

    with pytest.raises(BrokenOff):
        await import_extract(database, access, made_up, break_off)
    assert await number_of(outsider, "cpr.parts") == 3
    before = await number_of(outsider, "persons.persons")
    assert 0 < before < 300
    done = await bring_in(database, access, made_up)
    assert (done.is_new, done.added) == (True, 300)
    assert await number_of(outsider, "persons.persons") == 300


@pytest.mark.parametrize("large", [10**9, 0], ids=["one process", "another process reads"])
async def test_an_import_that_is_killed_leaves_whole_parts_and_can_be_finished(
    database: Database, access: Access, tmp_path: Path, dsn: str, outsider: asyncpg.Connection,
    monkeypatch: pytest.MonkeyPatch, large: int,
) -> None:  # fmt: skip
    path = tmp_path / "many.txt"
    write_extract(path, persons=1_500, seed=12)
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", IMPORT_ALONE, dsn, str(path), str(large),
        env={**os.environ, "PYTHONPATH": "."},
    )  # fmt: skip
    while await number_of(outsider, "cpr.parts") < 4:
        assert running.returncode is None
        await asyncio.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    await running.wait()
    while await outsider.fetchval(
        "select count(*) from pg_stat_activity where state <> 'idle' and pid <> pg_backend_pid()"
    ):
        await asyncio.sleep(0.01)  # the server notices that nobody is there any more
    kept = await number_of(outsider, "persons.persons")
    assert kept == await outsider.fetchval("select sum(added) from cpr.parts")
    assert 0 < kept < 1_500
    monkeypatch.setattr("torv.interfaces.cpr.checking.PART_SIZE", 600_000)  # a later version may cut otherwise
    assert (await bring_in(database, access, path)).added == 1_500


@pytest.fixture
def reads_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is large enough for a process of its own that reads it."""
    monkeypatch.setattr("torv.interfaces.cpr.parts.LARGE", 0)


@pytest.mark.usefixtures("small_parts", "reads_apart")
async def test_another_process_that_reads_makes_no_difference(
    database: Database, access: Access, made_up: Path, outsider: asyncpg.Connection
) -> None:
    done = await bring_in(database, access, made_up)
    assert (done.persons, done.added, done.unknown) == (300, 300, {})
    parts = await number_of(outsider, "cpr.parts")
    assert await outsider.fetchval("select count(*) from base.trail where operation = 'persons.import'") == parts > 5
    assert (await bring_in(database, access, made_up)).is_new is False


@pytest.mark.usefixtures("small_parts", "reads_apart")
async def test_another_process_notices_too_that_somebody_touches_the_file(
    database: Database, access: Access, tmp_path: Path, outsider: asyncpg.Connection
) -> None:
    path = tmp_path / "many.txt"
    write_extract(path, persons=3_000, seed=12)  # more than may wait between the processes

    def touch(stage: Stage, done: int, _: int) -> None:
        if stage is Stage.IMPORT and done == 2:
            path.touch()

    with pytest.raises(CprFileChanged):
        await import_extract(database, access, path, touch)
    assert await outsider.fetchval("select finished_at from cpr.files") is None
    assert await number_of(outsider, "persons.persons") < 3_000


@pytest.mark.usefixtures("small_parts", "reads_apart")
async def test_the_processes_that_read_end_with_the_import(database: Database, access: Access, tmp_path: Path) -> None:
    path = tmp_path / "many.txt"
    write_extract(path, persons=6_000, seed=12)
    before, readers = own_children(), set[str]()

    def break_off(stage: Stage, done: int, _: int) -> None:
        if stage is Stage.IMPORT and done == 2:
            (first,) = own_children() - before
            readers.update({first}, children(first))
            raise BrokenOff

    with pytest.raises(BrokenOff):
        await import_extract(database, access, path, break_off)
    assert len(readers) == 2
    assert own_children() == before
    async with asyncio.timeout(60):
        while any(map(is_running, readers)):
            await asyncio.sleep(0.05)


async def test_two_who_import_the_same_file_import_it_once(
    database: Database, access: Access, made_up: Path, outsider: asyncpg.Connection
) -> None:
    await asyncio.gather(*(asyncio.create_task(bring_in(database, access, made_up)) for _ in range(2)))
    assert await outsider.fetchval("select sum(added) from cpr.parts") == 300
    assert await number_of(outsider, "persons.persons") == 300


async def test_a_file_with_a_flaw_at_its_end_changes_nothing(
    database: Database, access: Access, made_up: Path, outsider: asyncpg.Connection
) -> None:
    cut(made_up)
    with pytest.raises(CprFileInvalid):
        await bring_in(database, access, made_up)
    for table in ("persons.persons", "cpr.files", "cpr.parts", "base.trail"):
        assert await number_of(outsider, table) == 0


@pytest.mark.usefixtures("small_parts")
async def test_a_file_that_somebody_touches_is_not_imported_further(
    database: Database, access: Access, made_up: Path, outsider: asyncpg.Connection
) -> None:
    def touch(stage: Stage, done: int, _: int) -> None:
        if stage is Stage.IMPORT and done == 2:
            made_up.write_bytes(made_up.read_bytes().replace(b"Fjordby", b"Fjernby"))

    with pytest.raises(CprFileChanged):
        await import_extract(database, access, made_up, touch)
    assert await outsider.fetchval("select finished_at from cpr.files") is None
    assert await number_of(outsider, "cpr.parts") <= 4


async def test_records_we_do_not_know_are_kept_and_told_of(
    database: Database, access: Access, write_file: WriteFile, outsider: asyncpg.Connection
) -> None:
    strange = "123" + CPR + " noget nyt fra registret æøå"
    done = await bring_in(database, access, write_file(line("001", status="01"), strange))
    assert (done.added, done.unknown) == (1, {"123": 1})
    kept = await outsider.fetch("select line, record, content from cpr.unknown_records")
    assert kept == [(3, "123", strange)]


async def test_records_we_do_not_know_are_gone_ninety_days_after_the_import(
    database: Database, access: Access, write_file: WriteFile, outsider: asyncpg.Connection
) -> None:
    await bring_in(database, access, write_file(line("001", status="01"), "123" + CPR))
    for days, left in ((89, 1), (91, 0)):
        await outsider.execute("update cpr.files set finished_at = now() - make_interval(days => $1)", days)
        async with database.transaction() as tx:
            await forget_unknown_records(tx)
        assert await number_of(outsider, "cpr.unknown_records") == left


async def test_records_we_know_but_do_not_use_leave_no_trace(
    database: Database, access: Access, write_file: WriteFile, outsider: asyncpg.Connection
) -> None:
    done = await bring_in(database, access, write_file(line("001", status="01"), line("011", church="F")))
    assert done.unused == {"011": 1}
    assert await number_of(outsider, "cpr.unknown_records") == 0


async def test_an_older_extract_does_not_set_people_back(
    database: Database, access: Access, write_file: WriteFile
) -> None:
    await bring_in(database, access, write_file(line("001", status="01"), produced_on="20261101"))
    with pytest.raises(CprFileOutdated):
        await bring_in(database, access, write_file(line("001", status="90"), produced_on="20261031"))
    await bring_in(database, access, write_file(line("001", status="90"), produced_on="20261031", task="654321"))


async def test_a_newer_extract_changes_only_who_has_changed(
    database: Database, access: Access, write_file: WriteFile
) -> None:
    other = line("001", cpr=NEW_CPR, status="01")
    await bring_in(database, access, write_file(line("001", status="01"), other))
    dead = line("001", status="90", status_at="202611021200")
    done = await bring_in(database, access, write_file(dead, other, produced_on="20261102"))
    assert (done.added, done.changed, done.unchanged) == (0, 1, 1)
    async with database.reading() as tx:
        assert (await find_person_by_cpr(tx, access, CPR)).status == "dead"
