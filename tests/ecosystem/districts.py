"""Fjordby's units: the district of Nord with its school, and that of Syd; and agreements that are for one of them."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from tests.cast import Cast, Part, content_of, enter_agreement, grant_of
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.kernel.organisation import NewUnit, create_unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Districts:
    """The ids of the units."""

    town: UUID
    nord: UUID
    school: UUID
    syd: UUID


async def enter_unit(database: Database, cast: Cast, name: str, parent: UUID | None = None) -> UUID:
    """A unit that has been there since 2020."""
    new = NewUnit(name=name, kind="afdeling", parent_id=parent, valid_from=date(2020, 1, 1), valid_to=None)
    async with database.transaction() as tx:
        return (await create_unit(tx, cast.user("organisation.create_unit"), new=new)).id


async def enter_districts(database: Database, cast: Cast) -> Districts:
    """Enter them all."""
    town = await enter_unit(database, cast, "Fjordby")
    nord = await enter_unit(database, cast, "Distrikt Nord", town)
    return Districts(
        town=town, nord=nord, school=await enter_unit(database, cast, "Nordskolen", nord),
        syd=await enter_unit(database, cast, "Distrikt Syd", town),
    )  # fmt: skip


async def agree_for(database: Database, cast: Cast, keys: Keys, part: Part, *units: UUID) -> UUID:
    """An agreement with a partner whose every grant that can be kept to units is for these alone; gives its id."""
    limited = {"reach": {"units": [str(each) for each in units]}}
    grants = [
        grant_of(part.module, number, grant, **(limited if grant[0] in ("notes", "records") else {}))
        for number, grant in enumerate(part.grants, 1)
    ]
    content = content_of(part, id=str(new_id()), grants=grants)
    async with database.transaction() as tx:
        return await enter_agreement(tx, cast, content, keys)


def key(unit: UUID) -> str:
    """Of the binding of notes in a unit."""
    return f"notes@{unit}"


def unit_of(binding: dict[str, Any]) -> str | None:
    """What a listed binding is for."""
    return None if binding["unit_id"] is None else str(binding["unit_name"])
