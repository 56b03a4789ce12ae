"""Following records: in order, gap-free, as long as the permit lasts; and digests that two parties can compare."""

import asyncio
import hashlib
import time
from typing import Any
from uuid import UUID

import rfc8785
from asyncpg import Connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cast import ANNA, Cast
from tests.served import Api
from torv.base import feed
from torv.base.db import Database
from torv.base.ids import new_id
from torv.kernel.records import (
    BUCKETS,
    STREAM,
    NewRecord,
    Record,
    bucket_of,
    read_buckets,
    touched_buckets,
    write_record,
)
from torv.kernel.records.models import RecordType

FEED = "/api/v1/records/feed?capability=notes"
NOTES = RecordType(capability="notes", name="note", category="notes", schema={})


async def follow(api: Api, after: int = 0, wait: float = 5, limit: int = 500, by: str = "kviknote") -> Any:
    return await api.get(f"{FEED}&after={after}&wait={wait}&limit={limit}", by=by)


async def write(api: Api, number: int) -> str:
    reply = await api.post(api.RECORDS, api.note(f"{number}"), by="nordnote", Idempotency_Key=f"{number}")
    return str(reply.json["id"])


async def test_a_follower_gets_every_version_in_order_and_page_by_page(api: Api, worker: None) -> None:
    written = [await write(api, number) for number in range(7)]
    seen: list[str] = []
    position, more = 0, True
    while more or len(seen) < 7:
        page = (await follow(api, position, limit=3)).json
        seen += [record["id"] for record in page["records"]]
        position, more = page["position"], page["more"]
    assert seen == written
    assert position == 7


async def test_a_follower_who_waits_gets_news_at_once(api: Api, worker: None) -> None:
    await follow(api, wait=0)
    waiting = asyncio.create_task(follow(api, wait=10))
    await asyncio.sleep(0.3)
    began = time.monotonic()
    await write(api, 1)
    reply = await waiting
    assert len(reply.json["records"]) == 1
    assert time.monotonic() - began < 2


async def test_a_follower_who_waits_in_vain_gets_an_empty_page_and_leaves_no_entry(
    api: Api, outsider: Connection
) -> None:
    began = time.monotonic()
    page = (await follow(api, after=5, wait=0.5)).json
    assert page == {"records": [], "position": 5, "more": False}
    assert 0.4 < time.monotonic() - began < 3
    assert await outsider.fetchval("select count(*) from base.trail where operation = 'records.follow'") == 0


async def test_what_is_not_numbered_yet_is_not_in_the_feed(api: Api) -> None:
    await write(api, 1)
    assert (await follow(api, wait=0)).json["records"] == []


async def test_a_page_is_one_entry_about_everybody_in_it(
    api: Api, worker: None, outsider: Connection, cast: Cast
) -> None:
    await write(api, 1)
    await follow(api)
    row = await outsider.fetchrow("select * from base.trail where operation = 'records.follow'")
    assert (row["subjects"], row["release_id"]) == ([cast.bjorn.id], cast.releases["kviknote"])


async def test_a_follower_needs_the_grant(api: Api) -> None:
    assert (await follow(api, wait=0, by="borgerblik")).code == (403, "denied")


async def test_a_follower_who_waits_is_decided_on_again(api: Api, cast: Cast) -> None:
    await follow(api, wait=0)
    waiting = asyncio.create_task(follow(api, wait=15))
    await asyncio.sleep(0.2)
    agreement = cast.agreements["kviknote"]
    await api.post(f"/api/v1/agreements/{agreement}/suspend", by=ANNA, Idempotency_Key="suspend")
    async with asyncio.timeout(4):
        reply = await waiting
    assert (reply.code, reply.json["check"]) == ((403, "denied"), "suspended")


# ---- digests: an oracle ----------------------------------------------------------------------------------------------
class Oracle:
    """The digests by the words of the contract: all the latest versions, one after the other."""

    def __init__(self) -> None:
        self.latest: dict[UUID, tuple[int, str | None, dict[str, Any]]] = {}

    def totals(self) -> dict[int, tuple[int, int]]:
        """Bucket -> sum and count."""
        buckets: dict[int, tuple[int, int]] = {}
        for record, (version, person, body) in self.latest.items():
            number = int(hashlib.sha256(record.bytes).hexdigest()[:3], 16)
            canonical = rfc8785.dumps({"person_id": person, "body": body})
            digest = hashlib.sha256(record.bytes + version.to_bytes(8, "big") + canonical).digest()
            total, count = buckets.get(number, (0, 0))
            buckets[number] = ((total + int.from_bytes(digest, "big")) % 2**256, count + 1)
        return buckets


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
bodies = st.fixed_dictionaries({"text": texts.filter(bool)}, optional={"x": st.floats(-1e9, 1e9) | st.none() | texts})
#: which record (of a few), what it says, whether it is about Bjørn, and whether the sequencer runs afterwards
steps = st.lists(st.tuples(st.integers(0, 4), bodies, st.booleans(), st.booleans()), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plan=steps)
async def test_the_digests_are_those_of_the_latest_versions_however_they_came_about(
    database: Database, cast: Cast, plan: list[tuple[int, dict[str, Any], bool, bool]]
) -> None:
    access, oracle = cast.program("nordnote", "records.write", "notes"), Oracle()
    ids = [new_id() for _ in range(5)]
    async with database.reading() as tx:
        before = await read_buckets(tx, "notes", "note")
    for which, body, is_about_bjorn, is_sequenced in plan:
        record, person = ids[which], cast.bjorn.id if is_about_bjorn else None
        version = oracle.latest.get(record, (0,))[0]
        new = NewRecord(
            capability="notes", type="note", body=body, id=record, expected_version=version, person_id=person
        )
        async with database.transaction() as tx:
            assert isinstance(await write_record(tx, access, new=new, key=str(new_id())), Record)
        oracle.latest[record] = (version + 1, str(person) if person else None, body)
        if is_sequenced:
            await _sequence(database)
    await _sequence(database)
    async with database.reading() as tx:
        after = await read_buckets(tx, "notes", "note")
    for number, (total, count) in oracle.totals().items():
        known, earlier = after[number], before.get(number)
        grown = int.from_bytes(known.total, "big") - (int.from_bytes(earlier.total, "big") if earlier else 0)
        assert (grown % 2**256, known.count - (earlier.count if earlier else 0)) == (total, count)
    assert after.keys() == before.keys() | oracle.totals().keys()


async def test_the_buckets_that_were_touched_are_those_of_the_records_written(database: Database, cast: Cast) -> None:
    access, written = cast.program("nordnote", "records.write", "notes"), []
    for number in range(6):
        async with database.transaction() as tx:
            new = NewRecord(capability="notes", type="note", body={"text": f"{number}"})
            record = await write_record(tx, access, new=new, key=f"{number}")
        assert isinstance(record, Record)
        written.append(bucket_of(record.id))
        await _sequence(database)
    async with database.reading() as tx:
        assert await touched_buckets(tx, NOTES, after=2, until=4) == sorted(set(written[2:4]))
        assert await touched_buckets(tx, NOTES, after=6, until=9) == []


@given(st.uuids())
def test_a_bucket_is_one_of_4096(record: UUID) -> None:
    assert 0 <= bucket_of(record) < BUCKETS == 4096


async def _sequence(database: Database) -> None:
    async with database.line() as line:
        await feed.sequence(line, STREAM)
