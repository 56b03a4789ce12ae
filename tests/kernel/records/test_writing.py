"""Writing records: once per key, by the contract, in versions; what is not ours to see is not there."""

import asyncio
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import ANNA, Cast
from tests.served import Api
from torv.base.db import Database
from torv.base.errors import VersionMismatch
from torv.base.ids import new_id
from torv.kernel.records import NewRecord, Record, RecordType, declare_type, read_record, write_record
from torv.kernel.records.service import sql

NOTE = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "maxLength": 4000}}}


async def write(api: Api, key: str = "1", by: str = "nordnote", **more: Any) -> Any:
    return await api.post(api.RECORDS, api.note(**more), by=by, Idempotency_Key=key)


# ---- once per key ----------------------------------------------------------------------------------------------------
async def test_the_same_write_under_the_same_key_gives_the_same_record(api: Api, outsider: Connection) -> None:
    first, again = await write(api), await write(api)
    assert (first.status, again.status) == (201, 200)
    assert {**again.json, "position": None} == {**first.json, "position": None}
    assert await outsider.fetchval("select count(*) from records.versions") == 1


async def test_a_key_that_was_used_for_something_else_is_refused(api: Api, outsider: Connection) -> None:
    await write(api, text="Et")
    assert (await write(api, text="Et andet")).code == (409, "idempotency_key_reused")
    assert await outsider.fetchval("select count(*) from records.versions") == 1


@pytest.mark.parametrize("key", ["", "x" * 201])
async def test_a_write_needs_a_key_of_reasonable_length(api: Api, key: str) -> None:
    assert (await write(api, key=key)).code == (400, "idempotency_key_required")


async def test_equal_writes_with_an_id_of_their_own_are_one_too(api: Api) -> None:
    record = str(new_id())
    replies = await asyncio.gather(*(write(api, id=record) for _ in range(8)))
    assert sorted(reply.status for reply in replies) == [200] * 7 + [201]
    assert {reply.json["id"] for reply in replies} == {record}


async def test_what_bears_a_key_is_found_by_the_key_before_anything_is_known_of_the_tables(
    outsider: Connection,
) -> None:
    arguments = {"capability": "notes", "key": "1", "type": "note", "day": date(2026, 11, 1), "release_id": new_id()}
    query = sql.holder
    statement = await outsider.prepare(query.text)
    plan = await statement.explain(*query.arguments({"id": new_id(), "unit_id": None, **arguments}))
    reads = [node for node in nodes(plan[0]["Plan"]) if node.get("Relation Name") == "versions"]
    assert {node.get("Index Name") for node in reads} == {"versions_follow", "versions_key"}
    assert ["idempotency_key" in node["Index Cond"] for node in reads if node["Index Name"] == "versions_key"] == [True]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


# ---- versions --------------------------------------------------------------------------------------------------------
async def test_a_record_has_one_version_after_the_other(api: Api) -> None:
    first = (await write(api, key="1")).json
    second = await write(api, key="2", text="Ny tekst", id=first["id"], expected_version=1)
    assert (second.status, second.json["version"], second.headers["etag"]) == (201, 2, '"2"')
    stale = await write(api, key="3", text="For sent", id=first["id"], expected_version=1)
    assert stale.code == (412, "version_mismatch")
    latest = await api.get(f"{api.RECORDS}/{first['id']}", by="nordnote")
    assert (latest.json["version"], latest.json["body"]) == (2, {"text": "Ny tekst"})


async def test_a_record_cannot_be_made_by_a_later_version(api: Api) -> None:
    assert (await write(api, id=str(new_id()), expected_version=3)).code == (412, "version_mismatch")


async def test_two_who_change_the_same_version_are_not_both_right(api: Api) -> None:
    record = (await write(api)).json["id"]
    changes = [write(api, key=f"c{n}", text=f"{n}", id=record, expected_version=1) for n in range(5)]
    replies = await asyncio.gather(*changes)
    assert sorted(reply.status for reply in replies) == [201, 412, 412, 412, 412]


async def test_a_record_of_one_type_is_not_continued_as_another(database: Database, cast: Cast) -> None:
    """Else a supplier could take over the records of a capability it has nothing to do with."""
    access = cast.program("nordnote", "records.write", "notes")
    async with database.transaction() as tx:
        await declare_type(tx, RecordType(capability="notes", name="other", category="notes", schema=NOTE))
        first = await write_record(tx, access, new=_new(type="note"), key="1")
    assert isinstance(first, Record)
    with pytest.raises(VersionMismatch):
        async with database.transaction() as tx:
            await write_record(tx, access, new=_new(type="other", id=first.id, expected_version=1), key="2")


# ---- by the contract -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"text": "Hemmelig" * 1000}, "/text (maxLength)"),
        ({"text": 7}, "/text (type)"),
        ({}, "/ (required text)"),
        ({"text": "x", "written_at": "i går, Hemmelig"}, "/written_at (format)"),
    ],
    ids=lambda each: str(each)[:30],
)
async def test_a_body_against_its_contract_is_refused_by_place_and_never_by_content(
    api: Api, body: dict[str, Any], place: str
) -> None:
    reply = await write(api, body=body)
    assert reply.code == (422, "record_invalid")
    assert reply.json["reason"] == place
    assert b"Hemmelig" not in reply.body


@pytest.mark.parametrize("number", [2**60, -(2**53)], ids=str)
async def test_a_number_that_json_cannot_carry_exactly_is_refused(api: Api, number: int) -> None:
    reply = await write(api, body={"text": "x", "number": number})
    assert reply.code == (422, "record_invalid")


async def test_a_type_that_no_contract_declares_is_refused(api: Api) -> None:
    assert (await write(api, type="diary")).code == (422, "record_type_unknown")
    assert (await write(api, capability="diaries")).code == (422, "record_type_unknown")


async def test_fields_that_nobody_knows_survive(api: Api) -> None:
    body = {"text": "æøå 😀", "x": {"y": [1, 2.5, None, True, "  "]}, "": ""}
    record = (await write(api, body=body)).json["id"]
    assert (await api.get(f"{api.RECORDS}/{record}", by="nordnote")).json["body"] == body


# ---- what the permit covers ------------------------------------------------------------------------------------------
async def test_a_write_needs_the_category_of_its_type(api: Api) -> None:
    reply = await write(api, by="borgerblik")
    assert (reply.code, reply.json["check"]) == ((403, "denied"), "service")


async def test_a_write_outside_the_covered_category_is_refused(database: Database, cast: Cast) -> None:
    access = cast.program("nordnote", "records.write", "calendar")
    with pytest.raises(Exception, match="category notes is not granted"):
        async with database.transaction() as tx:
            await write_record(tx, access, new=_new(), key="1")


async def test_a_record_outside_the_covered_category_is_not_there(database: Database, cast: Cast, api: Api) -> None:
    record = UUID((await write(api)).json["id"])
    async with database.reading() as tx:
        with pytest.raises(Exception, match="no such thing"):
            await read_record(tx, cast.program("kviknote", "records.read", "calendar"), record)
        assert (await read_record(tx, cast.program("kviknote", "records.read", "notes"), record)).id == record


async def test_people_read_records_and_do_not_write_them(api: Api) -> None:
    record = (await write(api)).json["id"]
    assert (await api.get(f"{api.RECORDS}/{record}", by=ANNA)).status == 200
    assert (await write(api, key="2", by=ANNA)).code == (403, "denied")


async def test_an_entry_names_the_person_and_the_record_not_the_text(
    api: Api, outsider: Connection, cast: Cast
) -> None:
    record = (await write(api, text="Hemmelig")).json["id"]
    row = await outsider.fetchrow("select * from base.trail where operation = 'records.write'")
    assert row["subjects"] == [cast.bjorn.id]
    assert record in row["detail"]
    assert "Hemmelig" not in str(row)


def _new(**changes: Any) -> NewRecord:
    return NewRecord(**{"capability": "notes", "type": "note", "body": {"text": "Hej"}} | changes)
