"""A small municipality: the town hall over two departments, one of them with two institutions."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from tests.cast import OPERATOR, permit
from tests.kernel.organisation.small_town import START, Town
from torv.base.access import Access
from torv.base.db import Database
from torv.kernel.organisation import NewUnit, UnitHistory, create_unit


@pytest.fixture
def operator() -> Access:
    """A permit for everything in organisation, of every unit."""
    return permit(OPERATOR, "organisation.test", ("organisation.unit", "organisation.employee"))


@pytest.fixture
async def base(dsn_without_partners: str) -> AsyncIterator[Database]:
    """A database with tables, two users and no units."""
    async with Database.opened(dsn_without_partners, 5) as opened:
        yield opened


@pytest.fixture
async def town(base: Database, operator: Access) -> Town:
    async def unit(name: str, kind: str, parent: UUID | None = None) -> UnitHistory:
        async with base.transaction() as tx:
            return await create_unit(
                tx, operator, new=NewUnit(name=name, kind=kind, valid_from=START, parent_id=parent)
            )

    hall = await unit("Rådhuset", "kommune")
    care = await unit("Omsorg", "forvaltning", hall.id)
    return Town(
        hall=hall, care=care, school=await unit("Skole", "forvaltning", hall.id),
        east=await unit("Øst", "distrikt", care.id), west=await unit("Vest", "distrikt", care.id),
    )  # fmt: skip
