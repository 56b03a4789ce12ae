"""Routes of records: the modules' road into the kernel, and the feed they follow."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Query

from torv.base import clock
from torv.base.errors import BindingMoved
from torv.base.http import Answer, Call, Routes
from torv.base.marks import read_mark, read_unit
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.kernel.records import service, timeline
from torv.kernel.records.buckets import STREAM
from torv.kernel.records.models import LateContent, LateWrite, NewRecord, Record, TimelineLine

routes = Routes("/api/v1/records", "records")


@dataclass(frozen=True, kw_only=True, slots=True)
class FeedPage:
    records: list[Record]
    position: int  #: continue from here
    more: bool


def named_unit(call: Call) -> UUID | None:
    """The unit that what is written belongs to: of the call it follows from, by our own mark, else as Torv-Unit says.

    Raises MalformedRequest.
    """
    headers = call.request.headers
    marked = read_mark(call.engine.keys, headers.get("torv-call")).unit_id
    return marked or read_unit(headers.get("torv-unit"))


@routes.writes("", "write", None, keeps_own_keys=True, status_code=201, response_model=Record)
async def write_record(call: Call, new: NewRecord) -> Answer | BindingMoved:
    """Write a version of a record; the same Idempotency-Key gives the same answer again."""
    unit_id = named_unit(call)
    record = await service.write_record(call.tx, call.access, new=new, key=call.idempotency_key(), unit_id=unit_id)
    if isinstance(record, BindingMoved):
        return record
    replayed = any((entry.detail or {}).get("replayed") for entry in call.tx.notes)
    return Answer(body=record, status=200 if replayed else 201)


@routes.reads("/feed", "follow", None, keeps_own_time=True)
async def follow_records(
    call: Call,
    capability: str,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    wait: Annotated[float, Query(ge=0, le=20)] = 0,
) -> FeedPage:
    """The versions of a capability beyond a position; waits up to `wait` seconds for the first."""
    deadline = clock.ticks() + wait
    while True:
        news = call.engine.listener.news(STREAM.name)
        async with call.reading() as tx:
            found = await service.follow_records(tx, call.access, capability=capability, after=after, size=limit)
        left, after = deadline - clock.ticks(), found.position
        if found.records or left <= 0:
            return FeedPage(records=found.records, position=after, more=len(found.records) == limit)
        await news.within(min(left, 1.0))
        await call.renew_permit()


@routes.reads("/late", "read_late", None, own=True)
async def late_writes(
    call: Call, capability: str | None = None, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[LateWrite]:
    """Writes by modules that did not hold the capability, newest first; without what they would have written.

    A release sees its own.
    """
    wanted = call.page(limit, cursor, capability=capability)
    writes = await service.late_writes(call.tx, call.access, capability=capability, wanted=wanted)
    return call.paged(writes, wanted, lambda each: [each.at.isoformat(), str(each.id)])


@routes.reads("/late/{late_id}", "read_late", None)
async def read_late_write(call: Call, late_id: UUID) -> LateContent:
    """One of them with what it would have written."""
    return await service.read_late_write(call.tx, call.access, late_id)


@routes.reads("/timeline", "read_timeline", None)
async def list_timeline(
    call: Call, person: UUID, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[TimelineLine]:
    """What the capabilities' records tell about a person, newest first; only of categories you may see."""
    wanted = call.page(limit, cursor, person=person)
    lines = await timeline.list_timeline(call.tx, call.access, person, wanted=wanted)
    return call.paged(lines, wanted, lambda each: [each.at.isoformat(), str(each.record_id)])


@routes.reads("/{record_id}", "read", None)
async def read_record(call: Call, record_id: UUID) -> Record:
    """The latest version of a record."""
    return await service.read_record(call.tx, call.access, record_id)
