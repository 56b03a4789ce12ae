"""`torv events` as somebody at a terminal meets it."""

import asyncio
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from tests.cast import Cast
from tests.ecosystem.districts import enter_districts, key
from tests.ecosystem.following import WRITTEN
from torv.base.db import Database
from torv.base.ids import new_id
from torv.cli import commands

pytestmark = pytest.mark.anyio


async def torv(dsn: str, state_dir: Path, *arguments: object) -> Result:
    """The command in a thread, where it can have an event loop of its own."""
    environment = {"TORV_DATABASE_URL": dsn, "TORV_STATE_DIR": str(state_dir)}
    return await asyncio.to_thread(CliRunner().invoke, commands, ["events", *map(str, arguments)], env=environment)


@pytest.fixture
async def letter(outsider: asyncpg.Connection, cast: Cast) -> str:
    """A dead letter of the notes' subscription; gives its id."""
    event, subscription, found = new_id(), new_id(), new_id()
    await outsider.execute(
        "insert into events.events (position, sequence, id, type, capability, subject, category, data) "
        "values (1, 1, $1, $2, 'notes', 'x', 'notes', '{}')", event, WRITTEN,
    )  # fmt: skip
    await outsider.execute(
        "insert into events.subscriptions (id, key, capability, types, mode, path, cursor, secret_changed_at) "
        "values ($1, 'notes', 'notes', array[$2], 'push', '/torv/events', 1, now())", subscription, WRITTEN,
    )  # fmt: skip
    await outsider.execute(
        "insert into events.parked (id, subscription_id, position, subject, attempts, next_at, last_status, dead_at) "
        "values ($1, $2, 1, 'x', 9, now(), 422, now())", found, subscription,
    )  # fmt: skip
    return str(found)


async def test_what_is_dead_is_listed_and_tried_again(
    dsn: str, state_dir: Path, letter: str, outsider: asyncpg.Connection
) -> None:
    shown = await torv(dsn, state_dir, "subscriptions")
    assert (shown.exit_code, "notes  push  dead_letters  0 waiting" in shown.output) == (1, True), shown.output
    listed = await torv(dsn, state_dir, "dead-letters")
    assert listed.exit_code == 0
    assert letter in listed.output
    assert "422" in listed.output
    assert (await torv(dsn, state_dir, "redeliver", "notes", "--letter", letter)).exit_code == 0
    assert (await torv(dsn, state_dir, "dead-letters")).output == ""
    assert (await torv(dsn, state_dir, "subscriptions")).exit_code == 0
    assert await outsider.fetchval("select attempts from events.parked") == 0


async def test_the_unit_of_a_districts_binding_is_named(
    dsn: str, state_dir: Path, letter: str, outsider: asyncpg.Connection, database: Database, cast: Cast
) -> None:
    nord = (await enter_districts(database, cast)).nord
    await outsider.execute("update events.subscriptions set key = $1, unit_id = $2", key(nord), nord)
    assert "notes (Distrikt Nord)  push" in (await torv(dsn, state_dir, "subscriptions")).output
    assert f"{letter}  notes (Distrikt Nord)  " in (await torv(dsn, state_dir, "dead-letters")).output


async def test_all_are_tried_again_and_it_begins_again(
    dsn: str, state_dir: Path, letter: str, outsider: asyncpg.Connection
) -> None:
    assert (await torv(dsn, state_dir, "redeliver", "notes")).exit_code == 0
    assert await outsider.fetchval("select count(*) from events.parked where dead_at is null") == 1
    assert (await torv(dsn, state_dir, "replay", "notes", "--after", "0")).exit_code == 0
    assert await outsider.fetchval("select cursor from events.subscriptions") == 0
    assert await outsider.fetchval("select count(*) from events.parked") == 0
    entries = "select operation from base.trail where operation in ('events.redeliver', 'events.replay') order by seq"
    assert {row["operation"] for row in await outsider.fetch(entries)} == {"events.redeliver", "events.replay"}


async def test_what_cannot_be_is_one_sentence(dsn: str, state_dir: Path, letter: str) -> None:
    for arguments in (("replay", "notes"), ("replay", "nobody", "--after", 0), ("redeliver", "nobody")):
        done = await torv(dsn, state_dir, *arguments)
        assert done.exit_code == 1, arguments
        assert "Traceback" not in done.output
    assert (await torv(dsn, state_dir, "redeliver", "notes", "--letter", new_id())).exit_code == 1
