"""The units that the tests of organisation walk about in."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from torv.base.access import Access
from torv.base.db import Database
from torv.base.pages import Wanted
from torv.kernel.organisation import Moment, Unit, UnitHistory, list_units

START = date(2026, 1, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Town:
    """Its units; all of them begin on 1 January 2026."""

    hall: UnitHistory
    care: UnitHistory  #: below the town hall
    school: UnitHistory  #: below the town hall
    east: UnitHistory  #: below care
    west: UnitHistory  #: below care


def day(month: int, number: int = 1) -> date:
    """A day of 2026."""
    return date(2026, month, number)


def first(size: int = 200) -> Wanted:
    """The first rows of a list."""
    return Wanted(size=size, after=None, binding=b"")


async def names_below(base: Database, access: Access, unit_id: UUID | None, moment: Moment, **more: int) -> list[str]:
    """The names of a unit and of those below it."""
    return [each.name for each in await units_below(base, access, unit_id, moment, **more)]


async def units_below(base: Database, access: Access, unit_id: UUID | None, moment: Moment, **more: int) -> list[Unit]:
    async with base.reading() as tx:
        return await list_units(tx, access, wanted=first(), moment=moment, under=unit_id, **more)
