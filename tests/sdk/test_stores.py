"""Both stores keep the same promises, and the modules that use them give the same answers for the same notes."""

import random
import subprocess
import sys
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sdk.modules_under_test import kviknote, nordnote
from torv_sdk import MemoryStore, Record, SqliteStore, bucket

ALICE, BENT = UUID("0198c0de-0000-7000-8000-00000000a11c"), UUID("0198c0de-0000-7000-8000-00000000be27")
ALL = frozenset(range(4096))
WRITER = """
import asyncio, sys
from pathlib import Path
from uuid import uuid4
from torv_sdk import Record, SqliteStore

async def write():
    store = SqliteStore(Path(sys.argv[1]))
    while True:
        records = [Record(id=uuid4(), type="note", version=1, person_id=None, body={}, at="") for _ in range(3)]
        await store.apply(records, store.position() + 3)
        print(store.position(), flush=True)

asyncio.run(write())
"""  #: applies pieces of three records, each with its position, until it is killed


def open_file(folder):
    return SqliteStore(folder / "a folder" / "notes.sqlite", nordnote.written_at)


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    opened = open_file(tmp_path) if request.param == "file" else MemoryStore(kviknote.written_at)
    yield opened
    if isinstance(opened, SqliteStore):
        opened.close()


def note(text="hello", *, person_id=ALICE, version=1, record_id=None, at="2026-03-01T09:30:00.000000Z", **body):
    return Record(
        id=record_id or uuid4(), type="note", version=version, person_id=person_id, body={"text": text, **body}, at=at
    )


def texts(store, person_id=ALICE, limit=50):
    return [record.body["text"] for record in store.newest("note", person_id=person_id, limit=limit)]


async def test_an_empty_store_begins_at_the_beginning(store):
    assert (store.position(), texts(store), list(store.latest("note", ALL))) == (0, [], [])


async def test_a_piece_of_the_feed_moves_the_position(store):
    await store.apply([note("one"), note("two", person_id=BENT)], 17)
    assert (store.position(), texts(store), texts(store, BENT)) == (17, ["one"], ["two"])
    await store.apply([], 20)
    assert store.position() == 20


async def test_a_note_just_written_is_there_and_the_position_stays(store):
    await store.apply([], 5)
    await store.put(note("mine"))
    assert (store.position(), texts(store)) == (5, ["mine"])


async def test_an_old_version_never_replaces_a_newer_one(store):
    new, old = note("new", version=2), None
    old = note("old", version=1, record_id=new.id)
    await store.put(new)
    await store.apply([old], 1)
    await store.put(old)
    assert texts(store) == ["new"]
    assert [record.version for record in store.latest("note", ALL)] == [2]


async def test_a_note_that_changes_person_leaves_the_first_one(store):
    first = note("moved")
    await store.put(first)
    await store.apply([note("moved", version=2, record_id=first.id, person_id=BENT)], 1)
    assert (texts(store), texts(store, BENT)) == ([], ["moved"])


async def test_unknown_fields_survive_in_the_export(store):
    record = note("æøå", extra={"deep": [1, 2.5, None, True, "\u2028"]}, big=2**53 - 1)
    await store.apply([record], 1)
    assert [found.exported() for found in store.latest("note", ALL)] == [record.exported()]


async def test_an_export_has_the_buckets_it_was_asked_for(store):
    records = [note(str(number)) for number in range(300)]
    await store.apply(records, 300)
    wanted = frozenset(range(0, 4096, 3))
    expected = {record.id for record in records if bucket(record.id) in wanted}
    assert {record.id for record in store.latest("note", wanted)} == expected
    assert list(store.latest("other", ALL)) == []


async def test_a_write_between_two_steps_of_an_export_is_harmless_and_seen_at_once(store):
    await store.apply([note(str(number)) for number in range(50)], 50)
    export = store.latest("note", ALL)
    next(export)
    await store.put(note("meanwhile", person_id=BENT))
    assert texts(store, BENT) == ["meanwhile"]
    assert len(list(export)) >= 49


async def test_newest_first_whatever_the_time_zone_then_by_id(store):
    same = [note("same", record_id=UUID(int=number)) for number in (1, 3, 2)]
    early = note("early", written_at="2026-03-01T10:00:00+02:00")
    late = note("late", written_at="2026-03-01T09:00:00-02:00")
    await store.apply([*same, early, late], 5)
    found = store.newest("note", person_id=ALICE)
    assert [record.body["text"] for record in found] == ["late", "same", "same", "same", "early"]
    assert [record.id.int for record in found[1:4]] == [3, 2, 1]
    assert [record.id for record in store.newest("note", person_id=ALICE, limit=2)] == [
        record.id for record in found[:2]
    ]


async def test_the_newest_about_anybody_and_a_record_by_its_id(store):
    early, late = note("early", at="2026-03-01T09:00:00.000000Z"), note("late", person_id=BENT)
    nobodys = note("about nobody", person_id=None, at="2026-03-01T09:10:00.000000Z")
    await store.apply([early, late, nobodys], 3)
    assert store.newest("note") == [late, nobodys, early]
    assert store.newest("note", limit=1) == [late]
    assert store.newest("other") == []
    assert store.find("note", early.id) == early
    assert store.find("other", early.id) is None
    assert store.find("note", uuid4()) is None


async def test_what_is_newest_is_when_the_kernel_took_it_unless_the_module_says_otherwise(tmp_path):
    file, memory = SqliteStore(tmp_path / "notes.sqlite"), MemoryStore()
    first = note("first", at="2026-03-01T09:00:00.000000Z", written_at="2027-01-01T00:00:00Z")
    second = note("second")
    for each in (file, memory):
        await each.apply([second, first], 2)
        assert each.newest("note") == [second, first]
    file.close()


async def test_a_file_finds_everything_by_an_index(tmp_path):
    store = open_file(tmp_path)
    asked: list[str] = []
    store._reader.set_trace_callback(asked.append)
    store.newest("note"), store.newest("note", person_id=ALICE, limit=5), store.find("note", uuid4())
    list(store.latest("note", {7}))
    store._reader.set_trace_callback(None)
    plans = [row[3] for each in asked for row in store._reader.execute(f"explain query plan {each}")]
    store.close()
    assert len(plans) == 4
    assert all(plan.startswith("SEARCH record USING") for plan in plans), plans


def test_a_file_whose_program_is_killed_keeps_records_and_position_together(tmp_path):
    file = tmp_path / "notes.sqlite"
    program = subprocess.Popen([sys.executable, "-c", WRITER, str(file)], stdout=subprocess.PIPE)
    assert program.stdout is not None
    told = [program.stdout.readline() for _ in range(50)]
    program.kill()
    program.wait()
    program.stdout.close()
    store = SqliteStore(file)
    position, records = store.position(), store.newest("note")
    store.close()
    assert position >= int(told[-1])
    assert len(records) == position


async def test_a_file_takes_all_of_a_piece_or_nothing(tmp_path):
    store = open_file(tmp_path)
    await store.apply([note("kept")], 1)
    with pytest.raises(TypeError):
        await store.apply([note("lost"), note("broken", never={1, 2})], 3)
    assert (store.position(), texts(store)) == (1, ["kept"])
    store.close()
    again = open_file(tmp_path)
    assert (again.position(), texts(again)) == (1, ["kept"])
    again.close()


TIMES = st.sampled_from(
    ["2026-03-01T09:30:00.000000Z", "2026-03-01T10:30:00+01:00", "2026-03-02T00:00:00Z", "nonsense"]
)
VERSIONS = st.tuples(st.integers(0, 3), st.integers(1, 3), st.sampled_from([ALICE, BENT]), st.none() | TIMES)
HISTORIES = st.lists(VERSIONS, max_size=12, unique_by=lambda version: version[:2])


@settings(max_examples=50, deadline=None)
@given(HISTORIES, st.integers(0, 2**32))
async def test_both_answer_alike_in_whatever_order_they_learn_it(tmp_path_factory, versions, seed):
    records = [
        note(f"{number}-{version}", record_id=UUID(int=number), version=version, person_id=person,
             **({} if written is None else {"written_at": written}))
        for number, version, person, written in versions
    ]  # fmt: skip
    north, quick = open_file(tmp_path_factory.mktemp("alike")), MemoryStore(kviknote.written_at)
    await north.apply(records, 1)
    for record in random.Random(seed).sample(records, len(records)):
        await quick.put(record)
    for person in (ALICE, BENT):
        one = [nordnote.show(record) for record in north.newest("note", person_id=person)]
        other = [kviknote.as_note(record) for record in quick.newest("note", person_id=person)]
        assert one == other
    exports = [{str(record.exported()) for record in store.latest("note", ALL)} for store in (north, quick)]
    north.close()
    assert exports[0] == exports[1]
