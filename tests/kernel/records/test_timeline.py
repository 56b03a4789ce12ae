"""The timeline: derived where the record is written, shown to those who may see it, derived anew by slices."""

import asyncio
from contextvars import Context
from datetime import UTC, datetime
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.served import Api
from torv.base.access import Access
from torv.base.db import Database
from torv.base.errors import PersonUnknown
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.kernel.records import NewRecord, RecordType, declare_type, derive_again, list_timeline, write_record
from torv.kernel.records import timeline as module
from torv.kernel.records.timeline import instant_of, line_of, pointed

POINTERS = {"instant": "/written_at", "text": "/text"}


async def write(api: Api, key: str, **more: Any) -> Any:
    return (await api.post(api.RECORDS, api.note(**more), by="nordnote", Idempotency_Key=key)).json


async def lines(api: Api, cast: Cast, by: str = ANNA, person: Any = None) -> list[dict[str, Any]]:
    reply = await api.get(f"{api.RECORDS}/timeline?person={person or cast.bjorn.id}", by=by)
    assert reply.status == 200
    return list(reply.json["items"])


# ---- pure ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-03-01T10:30:00+01:00", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-03-01t09:30:00z", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("2026-07-01", datetime(2026, 6, 30, 22, tzinfo=UTC)),
        ("2026-03-01T10:30:00", None),
        ("2026-02-30", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("i går", None),
        (7, None),
        (None, None),
    ],
)
def test_an_instant_is_a_time_with_its_offset_or_a_day_in_denmark(text: Any, instant: datetime | None) -> None:
    assert instant_of(text) == instant


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("/a/b", 1), ("/a~1b", 2), ("/m~0n", 3), ("/a/c", None), ("/a/b/c", None), ("/list/0", None), (None, None)],
)
def test_a_pointer_leads_through_objects(pointer: str | None, found: Any) -> None:
    assert pointed({"a": {"b": 1}, "a/b": 2, "m~n": 3, "list": [1]}, pointer) == found


def test_a_line_is_one_short_line() -> None:
    assert line_of({"text": " To\n linjer "}, POINTERS) == (None, "To linjer")
    _, shown = line_of({"text": "x" * 900}, POINTERS) or (None, "")
    assert (len(shown), shown[-1]) == (500, "…")
    assert [line_of({"text": each}, POINTERS) for each in ("", "  ", 7, None)] == [None] * 4


# ---- derived in the record's own transaction -------------------------------------------------------------------------
async def test_a_record_has_its_line_at_once_and_one_only(api: Api, cast: Cast) -> None:
    first = await write(api, "1", text="Første")
    await write(api, "2", body={"text": "Tidligere", "written_at": "2020-01-01T12:00:00+01:00"})
    await write(api, "3", text="Første, rettet", id=first["id"], expected_version=1)
    shown = await lines(api, cast)
    assert [(each["text"], each["version"], each["at"]) for each in shown] == [
        ("Første, rettet", 2, first["at"]),
        ("Tidligere", 1, "2020-01-01T11:00:00Z"),
    ]


async def test_a_line_follows_its_record_to_another_person_and_away(api: Api, cast: Cast) -> None:
    first = await write(api, "1")
    await write(api, "2", id=first["id"], expected_version=1, person_id=str(cast.alma.id))
    assert (await lines(api, cast), len(await lines(api, cast, person=cast.alma.id))) == ([], 1)
    await write(api, "3", id=first["id"], expected_version=2, person_id=None)
    assert await lines(api, cast, person=cast.alma.id) == []


async def test_a_write_that_fails_at_commit_leaves_no_line(database: Database, cast: Cast) -> None:
    access, new = cast.program("nordnote", "records.write", "notes"), new_id()
    record = NewRecord(capability="notes", type="note", body={"text": "x"}, person_id=new)
    with pytest.raises(PersonUnknown):
        assert await _seen_within(database, access, record) == ["x"]
    async with database.reading() as tx:
        assert await list_timeline(tx, cast.user("records.read_timeline", "*"), new, wanted=ALL) == []


async def _seen_within(database: Database, access: Access, record: NewRecord) -> list[str]:
    """What the transaction that writes a record sees of the timeline."""
    async with database.transaction() as tx:
        await write_record(tx, access, new=record, key="1")
        assert record.person_id is not None
        return [each.text for each in await list_timeline(tx, access, record.person_id, wanted=ALL)]


ALL = Wanted(size=1000, after=None, binding=b"")


# ---- who sees it -----------------------------------------------------------------------------------------------------
async def test_only_lines_of_covered_categories_are_shown(api: Api, cast: Cast, database: Database) -> None:
    await write(api, "1")
    async with database.reading() as tx:
        seen = await list_timeline(tx, cast.user("records.read_timeline", "notes"), cast.bjorn.id, wanted=ALL)
        hidden = await list_timeline(tx, cast.user("records.read_timeline", "other"), cast.bjorn.id, wanted=ALL)
    assert (len(seen), hidden) == (1, [])


async def test_a_module_without_the_grant_sees_no_timeline(shared_api: Api, cast: Cast) -> None:
    reply = await shared_api.get(f"{shared_api.RECORDS}/timeline?person={cast.bjorn.id}", by="nordnote")
    assert reply.code == (403, "denied")


async def test_it_comes_by_pages_and_is_logged_about_the_person(api: Api, cast: Cast, outsider: Connection) -> None:
    for number in range(5):
        await write(api, f"{number}", body={"text": f"{number}", "written_at": "2026-01-01T00:00:00Z"})
    shown, cursor = list[str](), "&limit=2"
    while cursor:
        page = (await api.get(f"{api.RECORDS}/timeline?person={cast.bjorn.id}{cursor}", by=ANNA)).json
        shown += [each["text"] for each in page["items"]]
        cursor = f"&limit=2&cursor={page['next']}" if page["next"] else ""
    assert sorted(shown) == ["0", "1", "2", "3", "4"]
    assert len(shown) == 5
    logged = "select count(*) from base.trail where operation = 'records.read_timeline' and $1 = any(subjects)"
    assert await outsider.fetchval(logged, cast.bjorn.id) == 3


# ---- derived anew ----------------------------------------------------------------------------------------------------
async def test_a_new_projection_is_derived_for_older_records_by_slices(
    api: Api, cast: Cast, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    first = await write(api, "1", text="0")
    for number in range(1, 5):
        await write(api, f"{number + 1}", text=f"{number}")
    await write(api, "9", text="0, rettet", id=first["id"], expected_version=1)
    before = await lines(api, cast)
    assert await slices(database, None) == 3
    assert await lines(api, cast) == []
    assert await slices(database, POINTERS) == 3
    assert await lines(api, cast) == before
    assert len(before) == 5


async def slices(database: Database, pointers: dict[str, str] | None) -> int:
    """Declare notes with other projections and derive until nothing is left; how many slices it took."""
    async with database.transaction() as tx:
        await declare_type(
            tx, RecordType(capability="notes", name="note", category="notes", schema={}, timeline=pointers)
        )
    count = 0
    while True:
        async with database.transaction() as tx:
            if not await derive_again(tx):
                return count
        count += 1


async def test_a_write_under_way_is_waited_for_and_derived_anew(database: Database, cast: Cast) -> None:
    """Else it would have the line of the former projection for ever, or none."""
    access = cast.program("nordnote", "records.write", "notes")
    record = NewRecord(capability="notes", type="note", body={"text": "x", "more": "y"}, person_id=cast.bjorn.id)
    async with database.transaction() as tx:
        await write_record(tx, access, new=record, key="1")
        declaring = asyncio.create_task(slices(database, {"text": "/more"}), context=Context())
        await asyncio.sleep(0.3)
        assert not declaring.done()
    assert await declaring == 1
    async with database.reading() as tx:
        shown = await list_timeline(tx, cast.user("records.read_timeline", "*"), cast.bjorn.id, wanted=ALL)
    assert [each.text for each in shown] == ["y"]


async def test_the_worker_derives_what_is_behind(api: Api, cast: Cast, worker: None, outsider: Connection) -> None:
    await write(api, "1", text="Alt var vel.")
    await outsider.execute("delete from records.timeline")
    await outsider.execute("update records.types set derived_after = 0 where capability = 'notes'")
    async with asyncio.timeout(5):
        while not await lines(api, cast):
            await asyncio.sleep(0.05)
    assert await outsider.fetchval("select count(*) from records.types where derived_after is not null") == 0
