"""`torv levels` as somebody at a terminal meets it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from asyncpg import Connection
from typer.testing import CliRunner, Result

from tests.cast import NORDLYS, Cast, content_of, enter_agreement
from tests.ecosystem.districts import enter_districts
from tests.ecosystem.measuring import give_positions, promised_last_month
from torv.base import clock
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.cli import commands
from torv.ecosystem.modules import split_binding
from torv.ecosystem.service_levels import Month, gather_all, hash_of, seal_months

Torv = Callable[..., Awaitable[Result]]


@pytest.fixture
def torv(dsn: str, state_dir: Path) -> Torv:
    """The command of an installation with the cast in it, in a thread where it can have an event loop of its own."""

    async def run(*arguments: object) -> Result:
        settings = {"TORV_DATABASE_URL": dsn, "TORV_STATE_DIR": str(state_dir)}
        texts = ["levels", "show", *map(str, arguments)]
        return await asyncio.to_thread(CliRunner().invoke, commands, texts, env=settings)

    return run


async def test_a_month_is_shown_in_danish_or_as_it_is_sealed_and_logged(
    torv: Torv, database: Database, cast: Cast, keys: Keys, outsider: Connection
) -> None:
    promises = [{"metric": "availability", "service": "notes", "target": 99.9}]
    month = Month.of(clock.now())
    validity = {"not_before": month.begins.isoformat(), "not_after": "2099-01-01T00:00:00Z", "options": []}
    async with database.transaction() as tx:
        agreement = await enter_agreement(
            tx, cast, content_of(NORDLYS, service_levels=promises, validity=validity), keys
        )  # fmt: skip
    shown = await torv("--agreement", agreement, "--month", month)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert "Oppetid, notes: lovet mindst 99,9 %" in shown.stdout
    assert "Foreløbig: måneden er ikke opgjort endnu" in shown.stdout
    content = json.loads((await torv("--agreement", agreement, "--month", month, "--json")).stdout)["content"]
    assert (content["agreement"], content["month"]) == (str(agreement), str(month))
    logged = "select count(*) from base.trail where operation = 'service_levels.read' and kind = 'read'"
    assert await outsider.fetchval(logged) == 2


async def test_a_unit_with_a_binding_of_its_own_is_named(
    torv: Torv, database: Database, cast: Cast, keys: Keys, outsider: Connection
) -> None:
    agreement, month = await promised_last_month(database, outsider, cast, keys)
    nord = (await enter_districts(database, cast)).nord
    async with database.transaction() as tx:
        await split_binding(tx, "notes", nord)
        tx.notes[-1] = replace(tx.notes[-1], at=month.ends - timedelta(days=1))
    await give_positions(database)
    await gather_all(database)
    await seal_months(database)
    shown = await torv("--agreement", agreement, "--month", month)
    assert "\n  Distrikt Nord: 0 kald i 1440 minutter\n  Resten af kommunen: 0 kald i " in shown.stdout
    plain = json.loads((await torv("--agreement", agreement, "--month", month, "--json")).stdout)
    assert (plain["version"], plain["units"]) == (1, {str(nord): "Distrikt Nord"})
    assert plain["hash"] == hash_of(plain["content"])


@pytest.mark.parametrize("month", ["2026-13", "1900-01", "i går"])
async def test_what_is_not_there_is_told_in_one_sentence(torv: Torv, month: str) -> None:
    for asked in (month, "2026-01"):
        shown = await torv("--agreement", new_id(), "--month", asked)
        assert shown.exit_code == 1
        assert shown.stderr.startswith("torv: ")
        assert shown.stderr.count("\n") == 1
