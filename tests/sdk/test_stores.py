"""Both modules' stores keep the same promises, and give the same answers for the same notes."""

import random
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sdk.modules_under_test import kviknote, nordnote
from torv_sdk import Record, bucket

ALICE, BENT = UUID("0198c0de-0000-7000-8000-00000000a11c"), UUID("0198c0de-0000-7000-8000-00000000be27")
ALL = frozenset(range(4096))


def open_nordnote(folder):
    return nordnote.NoteStore(folder / "notes.sqlite")


def close(store):
    if isinstance(store, nordnote.NoteStore):
        store._thread.shutdown()
        store._writer.close()
        store._reader.close()


@pytest.fixture(params=["nordnote", "kviknote"])
def store(request, tmp_path):
    opened = open_nordnote(tmp_path) if request.param == "nordnote" else kviknote.Memory()
    yield opened
    close(opened)


def note(text="hello", *, person_id=ALICE, version=1, record_id=None, at="2026-03-01T09:30:00.000000Z", **body):
    return Record(
        id=record_id or uuid4(), type="note", version=version, person_id=person_id, body={"text": text, **body}, at=at
    )


def texts(store, person_id=ALICE, limit=50):
    return [record.body["text"] for record in store.notes(person_id, limit)]


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
    found = store.notes(ALICE, 50)
    assert [record.body["text"] for record in found] == ["late", "same", "same", "same", "early"]
    assert [record.id.int for record in found[1:4]] == [3, 2, 1]
    assert [record.id for record in store.notes(ALICE, 2)] == [record.id for record in found[:2]]


async def test_nordnote_takes_all_of_a_piece_or_nothing(tmp_path):
    store = open_nordnote(tmp_path)
    await store.apply([note("kept")], 1)
    with pytest.raises(TypeError):
        await store.apply([note("lost"), note("broken", never={1, 2})], 3)
    assert (store.position(), texts(store)) == (1, ["kept"])
    close(store)
    again = open_nordnote(tmp_path)
    assert (again.position(), texts(again)) == (1, ["kept"])
    close(again)


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
    north, quick = open_nordnote(tmp_path_factory.mktemp("alike")), kviknote.Memory()
    await north.apply(records, 1)
    for record in random.Random(seed).sample(records, len(records)):
        await quick.put(record)
    for person in (ALICE, BENT):
        one = [nordnote.show(record) for record in north.notes(person, 50)]
        other = [kviknote.as_note(record) for record in quick.notes(person, 50)]
        assert one == other
    exports = [{str(record.exported()) for record in store.latest("note", ALL)} for store in (north, quick)]
    close(north)
    assert exports[0] == exports[1]
