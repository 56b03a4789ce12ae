"""A month that is over, with a supplier who has promised something about it."""

from datetime import timedelta
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.cast import Cast
from tests.ecosystem.made_up_months import answered
from tests.ecosystem.measuring import log, promised_last_month
from torv.base.db import Database
from torv.base.signing import Keys
from torv.ecosystem.service_levels import Month


@pytest.fixture
async def last_month(database: Database, outsider: Connection, cast: Cast, keys: Keys) -> tuple[UUID, Month]:
    """An agreement of Nordlys that was in force all of last month, with a day in it that the log knows."""
    agreement_id, month = await promised_last_month(database, outsider, cast, keys)
    await log(
        database,
        [answered(month.begins + timedelta(hours=hour), 90_000, agreement=agreement_id) for hour in range(24)],
    )
    return agreement_id, month
