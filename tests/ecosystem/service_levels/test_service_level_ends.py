"""What a statement says of calls whose end nobody knows, and what becomes of the minutes it was made from."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from asyncpg import Connection

from tests.ecosystem.made_up_months import answered, begun, failed
from tests.ecosystem.measuring import log, versions
from torv.base import clock
from torv.base.db import Database
from torv.ecosystem.agreements import in_force
from torv.ecosystem.service_levels import Month, forget_old_minutes, gather_all, seal_months
from torv.ecosystem.service_levels.reading import reckon


# ---- calls that began, and nobody knows how they ended ---------------------------------------------------------------
async def excluded(database: Database, agreement_id: UUID, month: Month, until: datetime) -> dict[str, Any]:
    async with database.reading() as tx:
        content = await reckon(tx, await in_force(tx, agreement_id), month, until)
    return dict(content["lines"][0]["excluded"])


async def test_a_call_without_an_outcome_is_unknown_until_its_outcome_comes(
    last_month: tuple[UUID, Month], database: Database, outsider: Connection
) -> None:
    agreement_id, month = last_month
    call = begun(month.begins + timedelta(days=2))
    await log(database, [call])
    await gather_all(database)
    await seal_months(database)
    assert await excluded(database, agreement_id, month, month.ends) == {"unknown": {"calls": 1}}
    await log(database, [replace(answered(call.at, 90_000, agreement=agreement_id), call_id=call.call_id)])
    await gather_all(database)
    assert await seal_months(database) == 1
    assert await excluded(database, agreement_id, month, month.ends) == {}
    assert [each[:2] for each in await versions(outsider, agreement_id)] == [(1, "month_over"), (2, "late_entries")]


async def test_a_call_that_may_still_be_under_way_is_not_unknown_yet(
    last_month: tuple[UUID, Month], database: Database
) -> None:
    agreement_id, month = last_month
    noon = month.begins + timedelta(days=2)
    await log(database, [begun(noon)])
    await gather_all(database)
    for minutes, found in ((30, {}), (59, {}), (61, {"unknown": {"calls": 1}})):
        assert await excluded(database, agreement_id, month, noon + timedelta(minutes=minutes)) == found


@pytest.mark.parametrize("result", ["mirrored", "replayed"])
async def test_what_never_was_a_call_to_the_supplier_is_none(
    last_month: tuple[UUID, Month], database: Database, result: str
) -> None:
    agreement_id, month = last_month
    await log(database, [replace(begun(month.begins + timedelta(days=2)), result=result)])
    await gather_all(database)
    assert await excluded(database, agreement_id, month, month.ends) == {}


# ---- how long minutes are kept ---------------------------------------------------------------------------------------
async def test_minutes_of_old_sealed_months_are_deleted_and_nothing_is_made_anew_without_them(
    last_month: tuple[UUID, Month], database: Database, outsider: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreement_id, month = last_month
    await log(database, [begun(month.begins + timedelta(days=2))])
    await gather_all(database)
    await seal_months(database)
    assert await forget_old_minutes(database) == 0
    rows = await outsider.fetchval("select count(*) from service_levels.minutes")
    assert rows > 0
    years_on = clock.now() + timedelta(days=366 * 4)
    monkeypatch.setattr("torv.base.clock.today", years_on.date)
    monkeypatch.setattr("torv.ecosystem.service_levels.sealing.AT_ONCE", 7)
    assert await forget_old_minutes(database) == rows
    assert await forget_old_minutes(database) == 0
    assert await outsider.fetchval("select count(*) from service_levels.open_calls") == 0
    late = [failed(month.begins + timedelta(days=2), "module_timeout", agreement=agreement_id)]
    await log(database, late)
    await gather_all(database)
    assert await seal_months(database) == 0  # else it would be a month with one call
    assert [each[:2] for each in await versions(outsider, agreement_id)] == [(1, "month_over")]


async def test_how_long_minutes_are_kept_has_a_date_and_a_source(database: Database, outsider: Connection) -> None:
    assert await outsider.fetchval("select months from service_levels.retentions") == 36
    await outsider.execute("insert into service_levels.retentions values ('2020-01-01', 60, 'Byrådets beslutning')")
    await forget_old_minutes(database)
    here = clock.today()
    assert (await outsider.fetchval("select before from service_levels.forgotten")) == here.replace(
        year=here.year - 5, day=1
    )
