"""Routes of service levels. A partner's program reads its own partner's without a grant: it is a party."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from pydantic import AwareDatetime

from torv.base.errors import InvalidInput
from torv.base.http import Answer, Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.ecosystem.service_levels import service, wording
from torv.ecosystem.service_levels.models import LevelStatement, Month, NewNotice, Notice, NoticeKind

routes = Routes("/api/v1/service-levels", "service_levels")

AGREEMENT = "agreement"  #: the data category: about partners, never about citizens
_MONTH = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
MonthAsked = Annotated[str | None, Query(pattern=_MONTH, description="Such as 2026-10.")]
MonthRead = Annotated[str, Path(pattern=_MONTH, description="Such as 2026-10.")]
Version = Annotated[int | None, Query(ge=1, le=9_999, description="Of the sealed statement; the newest if left out.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedWork:
    """Work that will disturb a service; to be announced as long before as the agreement says."""

    agreement_id: UUID
    service: str
    begins: AwareDatetime
    ends: AwareDatetime


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnFault:
    """A time in which the municipality itself, or somebody it answers for, disturbed a service."""

    agreement_id: UUID
    service: str
    begins: AwareDatetime
    ends: AwareDatetime


@routes.reads("", "read", AGREEMENT, own=True)
async def list_statements(
    call: Call, agreement: UUID | None = None, month: MonthAsked = None, limit: Size = DEFAULT_SIZE,
    cursor: Cursor = None,
) -> Page[LevelStatement]:  # fmt: skip
    """Sealed statements of what was promised and measured, the last sealed first; every version."""
    wanted = call.page(limit, cursor, agreement=agreement, month=month)
    first = None if month is None else month_of(month).first
    rows = await service.list_statements(call.tx, call.access, wanted=wanted, agreement_id=agreement, month=first)
    return call.paged(rows, wanted, lambda each: [str(each.id)])


@routes.reads("/notices", "read", AGREEMENT, own=True)
async def list_notices(call: Call, agreement: UUID, limit: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[Notice]:
    """What was announced or declared under an agreement, newest first."""
    wanted = call.page(limit, cursor, agreement=agreement)
    rows = await service.list_notices(call.tx, call.access, agreement, wanted=wanted)
    return call.paged(rows, wanted, lambda each: [str(each.id)])


@routes.writes("/maintenance", "announce", AGREEMENT, own=True, status_code=201)
async def announce_maintenance(call: Call, work: PlannedWork) -> Notice:
    """Announce planned work; it does not count if it was announced in time."""
    return await service.announce(call.tx, call.access, new=_notice(work, NoticeKind.MAINTENANCE))


@routes.writes("/own-faults", "declare", AGREEMENT, status_code=201)
async def declare_own_fault(call: Call, fault: OwnFault) -> Notice:
    """Declare that a disturbance was the municipality's own doing: the time does not count against the supplier."""
    return await service.declare(call.tx, call.access, new=_notice(fault, NoticeKind.OWN_FAULT))


@routes.reads("/{agreement_id}/{month}", "read", AGREEMENT, own=True)
async def read_statement(call: Call, agreement_id: UUID, month: MonthRead, version: Version = None) -> LevelStatement:
    """The statement of a month; before it is sealed, how it stands so far."""
    return await service.read_statement(call.tx, call.access, agreement_id, month_of(month), version=version)


@routes.reads("/{agreement_id}/{month}/text", "read", AGREEMENT, own=True, response_model=str)
async def read_statement_as_text(call: Call, agreement_id: UUID, month: MonthRead, version: Version = None) -> Answer:
    """The same in plain Danish."""
    found = await service.read_statement(call.tx, call.access, agreement_id, month_of(month), version=version)
    return Answer(body=wording.text_of(found).encode(), media_type="text/plain; charset=utf-8")


def month_of(text: str) -> Month:
    """A month from its text. Raises InvalidInput."""
    try:
        found = datetime.strptime(text, "%Y-%m")
    except ValueError:
        raise InvalidInput(reason="month: such as 2026-10") from None
    return Month(year=found.year, month=found.month)


def _notice(stated: PlannedWork | OwnFault, kind: NoticeKind) -> NewNotice:
    return NewNotice(
        agreement_id=stated.agreement_id, service=stated.service, begins=stated.begins, ends=stated.ends, kind=kind
    )
