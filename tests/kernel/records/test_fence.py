"""The fence around who may write: a write that began before the flip counts, one that comes after it is late."""

import asyncio
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.served import Api
from torv.base.db import Database
from torv.base.errors import BindingMoved, Busy, NotFound
from torv.base.pages import Wanted
from torv.kernel.records import NewRecord, Record, hand_over, late_writes, read_late_write, write_record

HELLO = NewRecord(capability="notes", type="note", body={"text": "Hej"})


async def test_the_flip_waits_for_a_write_in_progress_and_the_next_one_is_late(
    database: Database, cast: Cast, outsider: Connection
) -> None:
    old, new = cast.program("nordnote", "records.write", "notes"), cast.releases["kviknote"]
    began, finish = asyncio.Event(), asyncio.Event()

    async def write_slowly() -> Record | BindingMoved:
        async with database.transaction() as tx:
            written = await write_record(tx, old, new=HELLO, key="before")
            began.set()
            await finish.wait()
        return written

    async def flip() -> int:
        async with database.transaction() as tx:
            return await hand_over(tx, "notes", new)

    writing = asyncio.create_task(write_slowly())
    await began.wait()
    flipping = asyncio.create_task(flip())
    await asyncio.sleep(0.3)
    assert not flipping.done()
    finish.set()
    written, epoch = await writing, await flipping
    assert isinstance(written, Record)
    assert epoch == written.epoch + 1
    async with database.transaction() as tx:
        assert isinstance(await write_record(tx, old, new=HELLO, key="after"), BindingMoved)
    assert await outsider.fetchval("select count(*) from records.versions") == 1


async def test_a_write_that_waits_for_the_flip_is_judged_by_what_it_led_to(database: Database, cast: Cast) -> None:
    old = cast.program("nordnote", "records.write", "notes")

    async def write() -> Record | BindingMoved:
        async with database.transaction() as tx:
            return await write_record(tx, old, new=HELLO, key="1")

    async with database.line() as line, line.transaction() as tx:
        await hand_over(tx, "notes", cast.releases["kviknote"])
        writing = asyncio.create_task(write())
        await asyncio.sleep(0.3)
        assert not writing.done()
    assert isinstance(await writing, BindingMoved)


async def test_a_flip_that_cannot_get_in_gives_up_after_a_while(database: Database, cast: Cast) -> None:
    async def flip() -> None:
        async with database.transaction() as tx:
            await hand_over(tx, "notes", cast.releases["kviknote"])

    async with database.line() as line, line.transaction() as tx:
        await write_record(tx, cast.program("nordnote", "records.write", "notes"), new=HELLO, key="1")
        with pytest.raises(Busy):
            await flip()


async def test_writes_of_a_capability_do_not_wait_for_each_other(database: Database, cast: Cast) -> None:
    access = cast.program("nordnote", "records.write", "notes")

    async def write(key: str) -> Record | BindingMoved:
        async with database.transaction() as tx:
            return await write_record(tx, access, new=HELLO, key=key)

    async with database.line() as line, line.transaction() as tx:
        await write_record(tx, access, new=HELLO, key="1")
        async with asyncio.timeout(1):
            assert isinstance(await write("2"), Record)


async def test_a_late_write_is_kept_shown_and_never_the_truth(api: Api, cast: Cast, outsider: Connection) -> None:
    for _ in range(2):  # a second try under the same key is the same late write
        reply = await api.post(api.RECORDS, api.note("For sent"), by="kviknote", Idempotency_Key="late")
        assert reply.code == (409, "binding_moved")
    kept = await outsider.fetch("select * from records.late_writes")
    assert [row["release_id"] for row in kept] == [cast.releases["kviknote"]]
    assert "For sent" in kept[0]["content"]
    assert await outsider.fetchval("select count(*) from records.versions") == 0
    entry = await outsider.fetchrow("select * from base.trail where result = 'binding_moved' and kind = 'write'")
    assert entry["subjects"] == [cast.bjorn.id]


async def test_a_late_write_is_listed_without_its_content(database: Database, cast: Cast) -> None:
    async with database.transaction() as tx:
        await write_record(tx, cast.program("kviknote", "records.write", "notes"), new=HELLO, key="late")
    wanted = Wanted(size=50, after=None, binding=b"")
    async with database.reading() as tx:
        [late] = await late_writes(tx, cast.user("records.read_late"), capability="notes", wanted=wanted)
        assert await late_writes(tx, cast.user("records.read_late"), capability="other", wanted=wanted) == []
        assert len(tx.notes) == 2
    assert (late.release_id, late.idempotency_key) == (cast.releases["kviknote"], "late")
    assert not hasattr(late, "content")


async def test_late_writes_come_by_pages_and_each_once(api: Api) -> None:
    for number in range(5):
        await api.post(api.RECORDS, api.note(), by="kviknote", Idempotency_Key=f"late {number}")
    keys, path = [], f"{api.RECORDS}/late?limit=2"
    while path:
        page = (await api.get(path, by=ANNA)).json
        keys += [each["idempotency_key"] for each in page["items"]]
        path = f"{api.RECORDS}/late?limit=2&cursor={page['next']}" if page["next"] else ""
    assert keys == [f"late {number}" for number in reversed(range(5))]


async def test_what_came_too_late_can_be_read_by_whoever_may_and_is_logged(
    api: Api, database: Database, cast: Cast, outsider: Connection
) -> None:
    await api.post(api.RECORDS, api.note("For sent"), by="kviknote", Idempotency_Key="late")
    [late] = (await api.get(f"{api.RECORDS}/late", by=ANNA)).json["items"]
    shown = (await api.get(f"{api.RECORDS}/late/{late['id']}", by=ANNA)).json
    assert (shown["content"]["body"]["text"], shown["idempotency_key"]) == ("For sent", "late")
    told = await outsider.fetchval(
        "select subjects from base.trail where operation = 'records.read_late' and detail ? 'late_write'"
    )
    assert told == [cast.bjorn.id]
    with pytest.raises(NotFound):
        async with database.reading() as tx:
            await read_late_write(tx, cast.user("records.read_late", "person"), UUID(late["id"]))


async def test_the_epoch_comes_from_who_calls_and_not_from_what_is_said(api: Api) -> None:
    claimed = api.note(epoch=99, release_id="0198c0de-0000-7000-8000-000000000001")
    reply = await api.post(api.RECORDS, claimed, by="nordnote", Idempotency_Key="1")
    assert reply.json["epoch"] == 1
    assert (await api.post(api.RECORDS, claimed, by="kviknote", Idempotency_Key="2")).code == (409, "binding_moved")


async def test_a_retry_after_the_flip_gives_the_record_written_before_it(
    database: Database, cast: Cast, api: Api
) -> None:
    first = await api.post(api.RECORDS, api.note(), by="nordnote", Idempotency_Key="1")
    async with database.transaction() as tx:
        await hand_over(tx, "notes", cast.releases["kviknote"])
    again = await api.post(api.RECORDS, api.note(), by="kviknote", Idempotency_Key="1")
    assert (again.status, again.json["id"]) == (200, first.json["id"])


async def test_nobody_writes_for_a_capability_that_nobody_provides(api: Api, outsider: Connection) -> None:
    await outsider.execute("delete from records.holders")
    reply = await api.post(api.RECORDS, api.note(), by="nordnote", Idempotency_Key="1")
    assert reply.code == (409, "binding_moved")
    [late] = (await api.get(f"{api.RECORDS}/late?capability=notes", by=ANNA)).json["items"]
    assert late["idempotency_key"] == "1"
