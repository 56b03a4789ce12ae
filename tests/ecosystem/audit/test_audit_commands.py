"""`torv audit` as somebody at a terminal meets it: a command, a file, and a status."""

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from tests.ecosystem.sealing import seal
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys, public
from torv.cli import commands

Torv = Callable[..., Awaitable[Result]]


@pytest.fixture
def dsn(dsn_of_tables: str) -> str:
    """The log of nobody yet."""
    return dsn_of_tables


@pytest.fixture
async def log(database: Database, keys: Keys) -> Database:
    """A log of 20 entries."""
    await seal(database, keys, 20)
    return database


@pytest.fixture
def torv(log: Database, dsn: str, state_dir: Path) -> Torv:
    async def run(*arguments: object, dsn: str = dsn, **settings: str) -> Result:
        """The command in a thread, where it can have an event loop of its own."""
        environment = {"TORV_DATABASE_URL": dsn, "TORV_STATE_DIR": str(state_dir), **settings}
        texts = ["audit", *map(str, arguments)]
        return await asyncio.to_thread(lambda: CliRunner().invoke(commands, texts, env=environment))

    return run


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def test_a_log_that_holds_ends_with_0_and_one_that_does_not_with_1(torv: Torv, dsn: str) -> None:
    done = await torv("verify")
    assert (done.exit_code, done.stderr) == (0, "20 entries, 0 erased, 1 heads, 0 declared breaks: all of it holds.\n")
    connection = await asyncpg.connect(dsn.replace("//torv@", "//postgres@"))
    await connection.execute("set session_replication_role = replica")
    await connection.execute("update base.trail set user_id = gen_random_uuid() where position = 7")
    await connection.close()
    done = await torv("verify")
    assert done.exit_code == 1
    assert done.stderr.startswith("torv: Linje 7 passer ikke til sit segl. En af dem er ændret.\n")
    assert "Entry 7 does not fit its seal" in (await torv("verify", TORV_LANGUAGE="en")).stderr


async def test_an_auditor_verifies_a_bundle_without_a_database(torv: Torv, keys: Keys, tmp_path: Path) -> None:
    bundle, jwks = tmp_path / "udtræk.jsonl", tmp_path / "keys.json"
    assert (await torv("export", bundle, "--from", 3, "--to", 9)).exit_code == 0
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    assert names_in(tmp_path) == [bundle.name]
    jwks.write_text(json.dumps({"keys": [public(keys.heads.current)]}))
    nowhere = {"dsn": "postgresql://nobody@127.0.0.1:1/nothing", "TORV_STATE_DIR": str(tmp_path / "none")}
    by_key = await torv("verify", bundle, "--key", jwks, **nowhere)
    assert by_key.exit_code == 0, by_key.stderr
    assert by_key.stderr.startswith("7 entries (0 erased) of the log ")
    assert (await torv("verify", bundle, "--fingerprint", keys.heads.current.thumbprint(), **nowhere)).exit_code == 0
    unsure = await torv("verify", bundle, **nowhere)
    assert unsure.exit_code == 1
    assert keys.heads.current.thumbprint() in unsure.stderr
    assert (await torv("verify", bundle, "--fingerprint", "x" * 43, **nowhere)).exit_code == 1
    jwks.write_text(json.dumps(keys.token_jwks()))
    assert (await torv("verify", bundle, "--key", jwks, **nowhere)).exit_code == 1
    bundle.write_text(bundle.read_text().replace("test.4", "test.5"))
    changed = await torv("verify", bundle, "--fingerprint", keys.heads.current.thumbprint(), **nowhere)
    assert (changed.exit_code, changed.stderr.splitlines()[0]) == (1, "torv: Linje 5 er ikke bevist.")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b"[]\n", b"{" * 100_000])
async def test_a_file_that_is_no_bundle_is_one_sentence(torv: Torv, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    done = await torv("verify", tmp_path / "file")
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.stderr.startswith("torv: ")


async def test_what_is_not_in_the_log_is_not_exported(torv: Torv, tmp_path: Path) -> None:
    done = await torv("export", tmp_path / "file", "--from", 3, "--to", 99)
    assert (done.exit_code, names_in(tmp_path)) == (1, [])


@pytest.mark.parametrize("is_folder", [True, False])
async def test_66_a_witness_in_a_file_or_folder_exposes_a_log_that_lost_its_end_until_it_is_declared(
    torv: Torv, dsn: str, tmp_path: Path, database: Database, keys: Keys, is_folder: bool
) -> None:
    place = tmp_path if is_folder else tmp_path / "heads"
    file = tmp_path / "torv-audit.heads" if is_folder else place
    assert (await torv("witness", place)).exit_code == 0
    assert (await torv("witness", place)).exit_code == 0
    assert len(file.read_text().splitlines()) == 3  # the key, and two heads
    connection = await asyncpg.connect(dsn.replace("//torv@", "//postgres@"))
    await connection.execute("set session_replication_role = replica")
    await connection.execute(
        """delete from base.trail where position > 15; delete from audit.leaves where position > 15;
           delete from audit.heads; update base.streams set position = 15 where name = 'trail'"""
    )
    await connection.close()
    assert (await torv("verify")).exit_code == 0
    done = await torv("witness", place)
    assert done.exit_code == 1
    assert done.stderr.startswith("torv: Loggen har 15 linjer, men der er skrevet under på 20. Slutningen er væk.\n")
    assert len(file.read_text().splitlines()) == 3  # the key, and two heads
    done = await torv("declare-break", "--reason", "Genskabt efter diskfejl", "--witness", place)
    assert done.exit_code == 0, done.stderr
    await seal(database, keys)
    assert "1 declared breaks: all of it holds" in (await torv("verify")).stderr
    assert (await torv("witness", place)).exit_code == 0
    assert (await torv("declare-break", "--reason", "igen", "--witness", place)).exit_code == 1


async def test_an_erasure_tells_how_many_and_by_which_rule(torv: Torv) -> None:
    done = await torv("erase", new_id())
    assert done.exit_code == 0
    assert done.stderr.startswith("0 entries older than 60 months have lost the person (Databeskyttelsesforordningen")
