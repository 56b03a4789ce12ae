"""The key of the log's heads has a life: another one follows it, and all that was ever signed verifies, offline."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner, Result

from tests.ecosystem.sealing import may, seal, unlogged, verified
from torv.base import signing
from torv.base.db import Database
from torv.base.errors import SignatureInvalid
from torv.base.signing import Keys, load_keys
from torv.cli import commands
from torv.ecosystem.audit import (
    HeadKeyMissing,
    HeadKeyOutsidePeriod,
    Succession,
    check_bundle,
    check_witness,
    declare_break,
    export_bundle,
    hear_witness,
    lines_for_witness,
    list_successions,
    published_keys,
    rotate_key,
    sign_head,
    trust_in,
    trusting,
)
from torv.ecosystem.audit.rotating import key_in_force
from torv.ecosystem.audit.succession import read, state

HOUR = timedelta(hours=1)


@pytest.fixture
def dsn(dsn_of_tables: str) -> str:
    """The log of nobody yet."""
    return dsn_of_tables


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Keys of the test's own."""
    return load_keys(tmp_path / "keys")


async def rotate(database: Database, keys: Keys, **how: bool) -> Succession:
    async with database.transaction() as tx:
        said = await rotate_key(tx, may("rotate_key"), keys.heads, **how)
    keys.heads.take_up(said.kid)
    return said


async def witnessed(database: Database, keys: Keys, known: list[str]) -> list[str]:
    """What a witness has, with one head more."""
    async with database.transaction() as tx:
        return [*known, *await lines_for_witness(tx, keys.heads, known)]


async def bundle(database: Database, keys: Keys, first: int, last: int) -> list[str]:
    async with unlogged(database) as tx:
        return [line async for line in export_bundle(tx, may("export"), keys.heads, first=first, last=last)]


# ---- a rotation ------------------------------------------------------------------------------------------------------
async def test_after_a_rotation_the_new_key_signs_and_everything_still_verifies(
    database: Database, keys: Keys, outsider: asyncpg.Connection, tmp_path: Path
) -> None:
    first = keys.heads.current
    await seal(database, keys, 20)
    said = await rotate(database, keys)
    await seal(database, keys, 20)
    assert keys.heads.current.thumbprint() == said.kid != first.thumbprint()
    kids = [json_of(each["jws"])["kid"] for each in await outsider.fetch("select jws from audit.heads order by number")]
    assert kids == [first.thumbprint(), said.kid]
    verdict = await verified(database, keys)
    assert (verdict.heads, verdict.flaws) == (2, ())
    assert [each.name for each in (tmp_path / "keys").glob("heads*")] == ["heads.pem"]  # the former one is destroyed


def json_of(jws: str) -> dict[str, Any]:
    """The header of a JWS."""
    return {"kid": signing.key_id(jws)}


async def test_a_rotation_is_an_entry_of_the_log_and_signed_by_both_keys(
    database: Database, keys: Keys, outsider: asyncpg.Connection
) -> None:
    first = keys.heads.current
    await seal(database, keys, 1)
    said = await rotate(database, keys)
    detail = json.loads(await outsider.fetchval("select detail from base.trail where operation = 'audit.rotate_key'"))
    assert detail == {"key": said.kid, "former": first.thumbprint(), "statement": said.statement, "signed": True}
    assert said.former_jws is not None
    assert signing.verify(said.former_jws, first) == signing.verify(said.jws, keys.heads.current)


async def test_a_rotation_the_log_does_not_mention_is_found(database: Database, keys: Keys) -> None:
    await seal(database, keys, 1)
    async with unlogged(database) as tx:
        said = await rotate_key(tx, may("rotate_key"), keys.heads)
    keys.heads.take_up(said.kid)
    assert [each.english for each in (await verified(database, keys)).flaws if "key 2" in each.english] == [
        "The change to key 2 is not validly signed, or the log does not mention it."
    ]


async def test_a_process_that_dies_after_the_commit_leaves_a_key_that_the_next_one_takes_up(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    await seal(database, keys, 1)
    async with database.transaction() as tx:
        said = await rotate_key(tx, may("rotate_key"), keys.heads)
    again = load_keys(tmp_path / "keys")
    await seal(database, again, 1)
    assert again.heads.current.thumbprint() == said.kid
    assert (await verified(database, again)).holds


async def test_a_process_that_dies_before_the_commit_leaves_a_draft_that_means_nothing(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    await seal(database, keys, 1)
    draft = keys.heads.prepare()
    await seal(database, load_keys(tmp_path / "keys"), 1)
    said = await rotate(database, keys)
    assert said.kid != draft.thumbprint()
    assert (await verified(database, keys)).holds


async def test_a_process_that_knew_the_former_key_signs_with_the_new_one(database: Database, keys: Keys) -> None:
    await seal(database, keys, 1)
    running = load_keys(keys.heads._in_use.parent)
    said = await rotate(database, keys)
    async with database.transaction() as tx:
        head = await sign_head(tx, running.heads)
    assert signing.key_id(head.jws) == said.kid


async def test_nobody_signs_while_the_key_changes(database: Database, keys: Keys) -> None:
    await seal(database, keys, 1)
    async with database.transaction() as tx:
        said = await rotate_key(tx, may("rotate_key"), keys.heads)
        async with database.line() as other:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(key_in_force(other, keys.heads), 0.5)
    keys.heads.take_up(said.kid)
    await seal(database, keys)
    assert (await verified(database, keys)).holds


async def test_without_its_private_half_nothing_is_signed_until_the_loss_is_stated(
    database: Database, keys: Keys, tmp_path: Path
) -> None:
    await seal(database, keys, 3)
    (tmp_path / "keys/heads.pem").unlink()
    found = load_keys(tmp_path / "keys")  # makes a new key, which the log knows nothing of
    with pytest.raises(HeadKeyMissing):
        await seal(database, found, 1)
    with pytest.raises(HeadKeyMissing):
        await rotate(database, found)
    said = await rotate(database, found, former_is_lost=True)
    await seal(database, found, 1)
    assert (said.number, said.former_jws) == (2, None)
    assert (await verified(database, found)).holds


# ---- verifying across a rotation -------------------------------------------------------------------------------------
async def test_a_head_by_a_key_outside_its_period_is_refused_by_name(database: Database, keys: Keys) -> None:
    first = keys.heads.current
    await seal(database, keys, 5)
    said = await rotate(database, keys)
    await seal(database, keys, 1)
    lines = await bundle(database, keys, 1, 2)
    payload = signing.verify(json.loads(lines[0])["head"], keys.heads.current)
    for late, key in ((said.since, first), (said.since + HOUR, first), (said.since - HOUR, keys.heads.current)):
        head = signing.sign(payload | {"at": late.isoformat()}, key)
        with pytest.raises(HeadKeyOutsidePeriod) as refused:
            check_bundle([json.dumps(json.loads(lines[0]) | {"head": head}), *lines[1:]], trusting(first))
        assert key.thumbprint() in refused.value.message("da")
        with pytest.raises(HeadKeyOutsidePeriod):
            async with database.reading() as tx:
                await hear_witness(tx, keys.heads, [head])


async def test_verifying_the_database_names_a_head_outside_its_keys_period(
    database: Database, keys: Keys, dsn: str
) -> None:
    first = keys.heads.current
    await seal(database, keys, 5)
    said = await rotate(database, keys)
    tamperer = await asyncpg.connect(dsn.replace("//torv@", "//postgres@"))
    payload = signing.verify(await tamperer.fetchval("select jws from audit.heads"), first)
    forged = signing.sign(payload | {"at": (said.since + HOUR).isoformat()}, first)
    await tamperer.execute("set session_replication_role = replica")
    await tamperer.execute("update audit.heads set jws = $1", forged)
    await tamperer.close()
    [flaw] = (await verified(database, keys)).flaws[:1]
    assert flaw.english == (
        f"The head over 5 entries is signed with the key {first.thumbprint()} outside the period it was in force."
    )


async def test_a_bundle_verifies_by_any_key_the_log_has_had(database: Database, keys: Keys) -> None:
    held = [keys.heads.current]
    await seal(database, keys, 10)
    older = await bundle(database, keys, 1, 10)
    for _ in range(2):
        await rotate(database, keys)
        held.append(keys.heads.current)
        await seal(database, keys, 2)
    lines = await bundle(database, keys, 1, 12)
    async with database.reading() as tx:
        published = json.dumps(await published_keys(tx, keys.heads))
    for each in held:
        assert check_bundle(lines, trusting(each)).holds
    assert check_bundle(older, trusting(held[0])).holds  # made before the rotations
    assert check_bundle(older, trust_in(published)).holds
    with pytest.raises(SignatureInvalid):
        check_bundle(older, trusting(held[2]))  # nothing in that file leads from the last key to the first
    with pytest.raises(SignatureInvalid):
        check_bundle(lines, trusting(ECKey.generate_key("P-256")))


async def test_the_file_of_a_witness_verifies_alone_across_a_rotation(database: Database, keys: Keys) -> None:
    first, kept = keys.heads.current, list[str]()
    for _ in range(3):
        await seal(database, keys, 4)
        kept = await witnessed(database, keys, kept)
        await rotate(database, keys)
    kept = await witnessed(database, keys, kept)
    for key in (first, keys.heads.current):
        found = check_witness(kept, trusting(key))
        assert ([each.size for each in found.heads], found.keys) == ([4, 8 + 1, 12 + 2, 12 + 2], 4)
    async with database.reading() as tx:
        assert (await hear_witness(tx, keys.heads, kept)).holds
    without_keys = [line for line in kept if " " not in line]
    with pytest.raises(SignatureInvalid):
        check_witness(without_keys, trusting(first))


async def test_a_key_that_nobody_vouches_for_is_not_believed(database: Database, keys: Keys) -> None:
    """Whoever has the database may write any statement into it, and has none of the keys."""
    await seal(database, keys, 3)
    lines, evil = await bundle(database, keys, 1, 3), ECKey.generate_key("P-256")
    opening = json.loads(lines[0])
    [own] = [read(each) for each in opening["keys"]]
    mine = state(2, own.log, own.since + HOUR, evil, own.kid)
    stolen = state(2, own.log, own.since + HOUR, evil, ECKey.generate_key("P-256"))
    forged = read(f"{mine.jws} {stolen.former_jws}")
    later = {"at": (own.since + 2 * HOUR).isoformat()}
    head = signing.sign(signing.verify(opening["head"], keys.heads.current) | later, evil)
    for said in (mine, stolen, forged):
        opening |= {"head": head, "keys": [own.text, said.text]}
        with pytest.raises(SignatureInvalid):
            check_bundle([json.dumps(opening), *lines[1:]], trusting(keys.heads.current))
    intact = json.loads(lines[0]) | {"keys": [own.text, mine.text]}  # nor does such a statement end the key's period
    assert check_bundle([json.dumps(intact), *lines[1:]], trusting(keys.heads.current)).holds


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.e30 -", " ", "{}"])
def test_what_is_no_statement_of_a_key_is_refused(text: str) -> None:
    with pytest.raises(SignatureInvalid):
        read(text)


async def test_after_a_restore_across_a_rotation_the_witness_still_leads_to_the_lost_heads(
    database: Database, keys: Keys, dsn: str, tmp_path: Path
) -> None:
    """The database is as it was before the rotation; the folder of keys, and the witness, are not."""
    await seal(database, keys, 10)
    kept = await witnessed(database, keys, [])
    await rotate(database, keys)
    await seal(database, keys, 5)
    kept = await witnessed(database, keys, kept)
    tamperer = await asyncpg.connect(dsn.replace("//torv@", "//postgres@"))
    await tamperer.execute(
        """set session_replication_role = replica;
           delete from base.trail where position > 10; delete from audit.leaves where position > 10;
           delete from audit.heads where size > 10; delete from audit.keys where number > 1;
           update base.streams set position = 10 where name = 'trail'"""
    )
    await tamperer.close()
    after = load_keys(tmp_path / "keys")
    await rotate(database, after, former_is_lost=True)
    async with database.reading() as tx:
        heard = await hear_witness(tx, after.heads, kept)
    assert (heard.agreed, heard.holds) == (10, False)
    async with database.transaction() as tx:
        await declare_break(tx, may("declare_break"), after.heads, heads=kept, reason="Genskabt")
    async with database.reading() as tx:
        assert (await hear_witness(tx, after.heads, kept)).holds
    await seal(database, after, 1)
    assert (await verified(database, after)).holds


# ---- at a terminal ---------------------------------------------------------------------------------------------------
@pytest.fixture
def torv(database: Database, dsn: str, tmp_path: Path) -> Callable[..., Any]:
    async def run(*arguments: object, **settings: str) -> Result:
        environment = {"TORV_DATABASE_URL": dsn, "TORV_STATE_DIR": str(tmp_path), **settings}
        texts = ["audit", *map(str, arguments)]
        return await asyncio.to_thread(lambda: CliRunner().invoke(commands, texts, env=environment))

    return run


async def test_at_a_terminal_a_key_is_rotated_and_files_verify_with_no_database(
    torv: Callable[..., Any], database: Database, keys: Keys, tmp_path: Path
) -> None:
    first, kept, made = keys.heads.current.thumbprint(), tmp_path / "kept", tmp_path / "bundle"
    await seal(database, keys, 5)
    assert (await torv("witness", kept)).exit_code == 0
    done = await torv("key", "rotate")
    assert (done.exit_code, f"signed by its predecessor {first}, too" in done.stderr) == (0, True), done.stderr
    assert (await torv("witness", kept)).exit_code == 0
    assert (await torv("export", made, "--from", 1, "--to", 5)).exit_code == 0
    assert next(line.split()[1] for line in (await torv("key", "list")).stderr.splitlines()) == first
    nowhere = {"TORV_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "TORV_STATE_DIR": str(tmp_path / "none")}
    for file, says in ((kept, "2 heads over 5 to 5 entries, 2 keys"), (made, "5 entries (0 erased)")):
        checked = await torv("verify", file, "--fingerprint", first, **nowhere)
        assert (checked.exit_code, checked.stderr.startswith(says)) == (0, True), checked.stderr
        assert (await torv("verify", file, "--fingerprint", "x" * 43, **nowhere)).exit_code == 1
    assert (await torv("verify")).exit_code == 0


async def test_the_published_keys_are_all_there_have_been(database: Database, keys: Keys) -> None:
    first = keys.heads.current.thumbprint()
    async with database.reading() as tx:
        assert [each["kid"] for each in (await published_keys(tx, keys.heads))["keys"]] == [first]
    await seal(database, keys, 1)
    said = await rotate(database, keys)
    async with database.reading() as tx:
        published = await published_keys(tx, keys.heads)
        assert published["successions"] == [each.text for each in await list_successions(tx)]
    assert [each["kid"] for each in published["keys"]] == [said.kid, first]
    assert published["keys"][1]["until"] == published["keys"][0]["since"] == said.since.isoformat()
    assert not any("d" in each for each in published["keys"])
