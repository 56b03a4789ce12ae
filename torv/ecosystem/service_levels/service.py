"""The verbs of service levels: statements to read, work to announce, and what the municipality takes upon itself."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import InvalidInput, NotFound
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import entry_of, note
from torv.ecosystem.agreements import agreements_with_promises, check_party, in_force
from torv.ecosystem.service_levels.models import LevelStatement, Month, NewNotice, Notice, NoticeKind
from torv.ecosystem.service_levels.reading import reckon
from torv.ecosystem.service_levels.reckoning import hash_of, named_units, services_of
from torv.kernel.organisation import names_of_units

sql = load(__file__)

LONGEST = timedelta(days=31)  #: of a notice
_NEWEST = UUID(int=2**128 - 1)


async def list_statements(
    tx: Tx, access: Access, *, wanted: Wanted, agreement_id: UUID | None = None, month: date | None = None
) -> list[LevelStatement]:
    """Sealed statements, the last sealed first; a program sees its own partner's."""
    before = UUID(wanted.after[0]) if wanted.after else _NEWEST
    found = await tx.all(
        LevelStatement, sql.statements_in_order, before=before, agreement_id=agreement_id, month=month,
        party=access.party, size=wanted.fetch,
    )  # fmt: skip
    note(tx, access, "read", detail={"statements": len(found[: wanted.size])})
    return [await _with_units(tx, each) for each in found]


async def list_promising(tx: Tx, access: Access) -> list[UUID]:
    """The agreements that promise something about a service; for people."""
    if access.party is not None:
        raise NotFound
    found = await agreements_with_promises(tx)
    note(tx, access, "read", detail={"agreements": len(found)})
    return found


async def read_statement(
    tx: Tx, access: Access, agreement_id: UUID, month: Month, *, version: int | None = None
) -> LevelStatement:
    """The statement of a month: the newest that is sealed, or a version of it; or how it stands so far.

    Raises NotFound: no such agreement or version, or another partner's; or the month has not begun.
    """
    await check_partner(tx, access, agreement_id)
    note(tx, access, "read", detail={"agreement": str(agreement_id), "month": str(month)})
    sealed = await tx.maybe(
        LevelStatement, sql.statement_of, agreement_id=agreement_id, month=month.first, version=version
    )
    return await _with_units(tx, sealed or await _so_far(tx, agreement_id, month, version))


async def check_partner(tx: Tx, access: Access, agreement_id: UUID) -> None:
    """Raises NotFound unless the agreement is there and, for a program, its own partner's."""
    await check_party(tx, access, agreement_id)
    if access.party is not None and (await in_force(tx, agreement_id)).partner_id != access.party:
        raise NotFound  # the supplier above signs a sub-supplier's agreement, but is not measured by it


async def announce(tx: Tx, access: Access, *, new: NewNotice) -> Notice:
    """Announce planned work; it counts from this instant, which the log keeps. Raises NotFound or InvalidInput."""
    if new.kind != NoticeKind.MAINTENANCE:
        raise InvalidInput(reason="kind: only planned work is announced")
    return await _note(tx, access, new)


async def declare(tx: Tx, access: Access, *, new: NewNotice) -> Notice:
    """Declare that what happened in some time was the municipality's own doing. Raises NotFound or InvalidInput."""
    if new.kind != NoticeKind.OWN_FAULT:
        raise InvalidInput(reason="kind: only an own fault is declared")
    return await _note(tx, access, new)


async def list_notices(tx: Tx, access: Access, agreement_id: UUID, *, wanted: Wanted) -> list[Notice]:
    """What was announced under an agreement, newest first; a notice stands here once the log has given it its place."""
    await check_partner(tx, access, agreement_id)
    before = UUID(wanted.after[0]) if wanted.after else _NEWEST
    found = await tx.all(Notice, sql.notices_after, agreement_id=agreement_id, before=before, size=wanted.fetch)
    note(tx, access, "read", detail={"agreement": str(agreement_id), "notices": len(found[: wanted.size])})
    return [replace(each, kind=NoticeKind(each.kind)) for each in found]


async def _so_far(tx: Tx, agreement_id: UUID, month: Month, version: int | None) -> LevelStatement:
    """How a month stands that is not sealed: as far as whole minutes have passed. Raises NotFound."""
    agreement, now = await in_force(tx, agreement_id), clock.now()
    until = min(month.ends, now.replace(second=0, microsecond=0))
    is_in_force = agreement.begins is not None and agreement.begins < month.ends and agreement.ends > month.begins
    is_gone = month.first < await tx.value(sql.forgotten_before)
    if version not in (None, 0) or is_gone or until <= month.begins or not is_in_force or not services_of(agreement):
        raise NotFound
    gathered: int = await tx.value(sql.progress)
    content = await reckon(tx, agreement, month, until)
    return LevelStatement(
        id=None, agreement_id=agreement_id, partner_id=agreement.partner_id, month=month.first, version=0,
        reason="not_over", hash=hash_of(content), content=content, gathered_to=gathered, sealed_at=None,
    )  # fmt: skip


async def _with_units(tx: Tx, statement: LevelStatement) -> LevelStatement:
    """A statement with the names of the units that it names by their ids; as they were when its month ended."""
    ids = named_units(statement.content)
    if not ids:
        return statement
    month = Month(year=statement.month.year, month=statement.month.month)
    day = min(month.next.first - timedelta(days=1), clock.today())
    return replace(statement, units=await names_of_units(tx, ids, day))


async def _note(tx: Tx, access: Access, new: NewNotice) -> Notice:
    """The entry in the log is the notice: statements are made from it, and from nothing else."""
    await check_partner(tx, access, new.agreement_id)
    agreement = await in_force(tx, new.agreement_id)
    _check(new, services_of(agreement))
    detail = {
        "notice": str(notice_id := new_id()), "agreement": str(new.agreement_id), "service": new.service,
        "kind": str(new.kind), "begins": _text(new.begins), "ends": _text(new.ends),
    }  # fmt: skip
    entry = entry_of(access, "write", detail=detail)
    tx.notes.append(entry)
    return Notice(
        id=notice_id, agreement_id=new.agreement_id, service=new.service, kind=new.kind, begins=new.begins,
        ends=new.ends, announced_at=entry.at, position=None,
    )  # fmt: skip


def _check(new: NewNotice, services: list[str]) -> None:
    if new.service not in services:
        raise InvalidInput(reason="service: the agreement promises nothing about it")
    if not timedelta(0) < new.ends - new.begins <= LONGEST:
        raise InvalidInput(reason="ends: after begins, by 31 days at most")


def _text(instant: datetime) -> str:
    return instant.isoformat()
