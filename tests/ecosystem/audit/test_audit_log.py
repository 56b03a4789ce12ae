"""The log proves itself: what is sealed verifies, and whatever is changed afterwards is named."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import rfc8785
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.ecosystem.sealing import NOON, entry, may, seal, unlogged, verified, write
from torv.base import feed, signing
from torv.base.db import Database
from torv.base.feed import sequence
from torv.base.ids import new_id
from torv.base.signing import Keys, load_keys
from torv.base.trail import Entry
from torv.ecosystem.audit import (
    STREAM,
    NotYetSealed,
    PositionUnknown,
    prove_consistency,
    prove_inclusion,
    sign_heads,
    verify_log,
)
from torv.ecosystem.audit.tree import is_consistent, is_included, leaf_hash


@pytest.fixture
def dsn(dsn_of_tables: str) -> str:
    """The log of nobody yet."""
    return dsn_of_tables


@pytest.fixture
async def tamperer(database: Database, dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody with all rights over the database, who switches its guards off."""
    connection = await asyncpg.connect(dsn.replace("//torv@", "//postgres@"))
    await connection.execute("set session_replication_role = replica")
    yield connection
    connection.terminate()


# ---- sealing ---------------------------------------------------------------------------------------------------------
async def test_every_entry_with_a_position_has_its_leaf(
    database: Database, keys: Keys, outsider: asyncpg.Connection
) -> None:
    await seal(database, keys, 700)
    assert await outsider.fetchval("select count(*) from base.trail t join audit.leaves l using (position)") == 700
    assert await outsider.fetchval("select count(*) from audit.nodes where level = 8") == 2
    verdict = await verified(database, keys)
    assert (verdict.size, verdict.heads, verdict.flaws) == (700, 1, ())


async def test_an_empty_log_verifies_and_has_a_head(database: Database, keys: Keys) -> None:
    await seal(database, keys)
    verdict = await verified(database, keys)
    assert (verdict.size, verdict.heads, verdict.holds) == (0, 1, True)


async def test_a_leaf_can_be_made_by_hand_from_the_entry_and_its_salt(
    database: Database, keys: Keys, outsider: asyncpg.Connection
) -> None:
    """As docs/reference/audit-log.md says it, with a canonical JSON that is not ours."""
    detail = {"b": [1, 'æ\n"\\'], "aa": {"x": None, "y": 2.50}, "é": True}
    one = entry(
        "persons.read", new_id(), new_id(), user_id=new_id(), request_id=new_id(), purpose="SEL § 83 \x7f \u2028",
        category="person", detail=detail,
    )  # fmt: skip
    await write(database, one)
    await seal(database, keys)
    row = await outsider.fetchrow(
        "select l.salt, l.hash, t.detail::text as detail from audit.leaves l join base.trail t using (position)"
    )
    record = {
        "agreement_id": None, "at": "2026-03-02T11:00:00.000000Z", "call_id": None, "category": "person",
        "detail": row["detail"], "grant_id": None, "id": str(one.id), "kind": "read", "operation": "persons.read",
        "purpose": one.purpose, "release_id": None, "request_id": str(one.request_id), "result": "permitted",
        "subjects": [str(each) for each in one.subjects], "user_id": str(one.user_id), "v": 1,
    }  # fmt: skip
    assert json.loads(row["detail"]) == detail
    assert len(row["salt"]) == 16
    assert leaf_hash(sha256(row["salt"] + rfc8785.dumps(record)).digest()) == row["hash"]


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    entries=st.lists(
        st.builds(
            Entry, kind=TEXT, operation=TEXT, result=TEXT, purpose=st.none() | TEXT, grant_id=st.none() | TEXT,
            at=st.datetimes(min_value=NOON.replace(year=1, tzinfo=None), timezones=st.just(UTC)),
            subjects=st.lists(st.uuids(), max_size=3), call_id=st.none() | st.uuids(),
            detail=st.none() | st.dictionaries(TEXT, VALUES, max_size=3),
        ),
        max_size=5,
    )
)  # fmt: skip
async def test_the_record_is_canonical_json_whatever_is_in_the_entry(
    database: Database, outsider: asyncpg.Connection, entries: list[Entry]
) -> None:
    await write(database, *entries)
    rows = await outsider.fetch(
        "select record, detail::text as detail, at from audit.v_records join base.trail using (seq)"
    )
    for row in rows:
        content = json.loads(row["record"])
        assert rfc8785.dumps(content) == row["record"].encode()
        assert content["detail"] == row["detail"]
        assert content["at"] == row["at"].strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


async def test_a_batch_that_fails_gives_neither_positions_nor_leaves(
    database: Database, keys: Keys, outsider: asyncpg.Connection
) -> None:
    """Numbering and sealing are one transaction: there is no moment at which a kill could part them."""
    await seal(database, keys, 3)
    await outsider.execute("alter table audit.leaves add constraint full_disk check (position < 4) not valid")
    await write(database, entry("too much"))
    async with database.line() as line:
        with pytest.raises(Exception, match="refused the change"):
            await sequence(line, STREAM)
    assert await outsider.fetchval("select max(position) from base.trail") == 3
    await outsider.execute("alter table audit.leaves drop constraint full_disk")
    await seal(database, keys)
    assert (await verified(database, keys)).size == 4


async def test_entries_from_before_there_was_a_tree_get_their_leaves(database: Database, keys: Keys) -> None:
    await write(database, *(entry("old") for _ in range(1_500)))
    async with database.line() as line:
        while await sequence(line, feed.TRAIL):
            pass
    await seal(database, keys, 1)
    verdict = await verified(database, keys)
    assert (verdict.size, verdict.holds) == (1_501, True)


async def test_a_head_is_signed_when_there_is_something_new_and_only_then(
    database: Database, keys: Keys, outsider: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torv.ecosystem.audit.keeping.LOOK_EVERY", 0.02)
    monkeypatch.setattr("torv.ecosystem.audit.keeping.HEAD_EVERY", 0.1)
    signing_heads = asyncio.create_task(sign_heads(database, keys.heads))
    await asyncio.sleep(0.4)
    assert await outsider.fetchval("select count(*) from audit.heads") == 1
    await write(database, entry("new"))
    async with database.line() as line:
        await sequence(line, STREAM)
    async with asyncio.timeout(5):
        while await outsider.fetchval("select max(size) from audit.heads") != 1:
            await asyncio.sleep(0.02)
    signing_heads.cancel()
    await asyncio.gather(signing_heads, return_exceptions=True)
    head = signing.verify(
        await outsider.fetchval("select jws from audit.heads order by number desc"), keys.heads.current
    )
    assert head.keys() == {"format", "log", "size", "root", "at", "breaks"}


# ---- proofs ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 600])
async def test_proofs_from_the_database_hold(
    database: Database, keys: Keys, outsider: asyncpg.Connection, size: int
) -> None:
    await seal(database, keys, size)
    head = await outsider.fetchrow("select root from audit.heads where size = $1", size)
    await seal(database, keys, 300)
    later = await outsider.fetchrow("select root, size from audit.heads order by number desc limit 1")
    async with unlogged(database) as tx:
        proof = await prove_consistency(tx, may("read_heads"), earlier=size, later=later["size"])
        for position in {1, size // 2 + 1, size}:
            found = await prove_inclusion(tx, may("read_heads"), position=position, size=size)
            path = [bytes.fromhex(each) for each in found.path]
            assert is_included(bytes.fromhex(found.leaf), position - 1, size, path, head["root"])
    path = [bytes.fromhex(each) for each in proof.path]
    assert is_consistent(size, later["size"], head["root"], later["root"], path)


async def test_68_what_the_log_has_not_is_not_proved(database: Database, keys: Keys) -> None:
    wrong: list[dict[str, Any]] = [
        {"position": 4},
        {"position": 0},
        {"position": 1, "size": 4},
        {"position": 3, "size": 2},
    ]
    async with unlogged(database) as tx:
        with pytest.raises((NotYetSealed, PositionUnknown)):
            await prove_inclusion(tx, may("read_heads"), position=1)
    await seal(database, keys, 3)
    async with unlogged(database) as tx:
        for each in wrong:
            with pytest.raises((NotYetSealed, PositionUnknown)):
                await prove_inclusion(tx, may("read_heads"), **each)
        for earlier, later in ((0, 2), (3, 2), (1, 4)):
            with pytest.raises(PositionUnknown):
                await prove_consistency(tx, may("read_heads"), earlier=earlier, later=later)


# ---- what is changed is named ----------------------------------------------------------------------------------------
TAMPERINGS = {
    "update base.trail set user_id = gen_random_uuid() where position = 300": (300, "Entry 300 does not fit its seal"),
    "update base.trail set subjects = '{}' where position = 300": (300, "Entry 300 does not fit its seal"),
    "update base.trail set at = at - interval '1 microsecond' where position = 300": (
        300,
        "Entry 300 does not fit its seal",
    ),
    "update base.trail set detail = '{}' where position in (310, 300)": (300, "Entry 300 does not fit its seal"),
    "delete from base.trail where position = 300": (300, "Entry 300 is missing"),
    "delete from audit.leaves where position = 300": (300, "Entry 300 has no seal"),
    "update audit.leaves set hash = sha256('x') where position = 300": (300, "Entry 300 does not fit its seal"),
    "update audit.leaves set salt = null where position = 300": (300, "lost its salt"),
    "update audit.nodes set hash = sha256('x') where index = 1": (257, "between entries 257 and 512"),
    "update audit.heads set root = sha256('x') where size = 600": (600, "something else than was signed"),
    "update audit.heads set jws = jws || 'x' where size = 600": (600, "signature on the head over 600"),
    "delete from base.trail where position = 650; delete from audit.leaves where position = 650": (650, "end is gone"),
    "update base.streams set position = 651 where name = 'trail'": (651, "651 positions were given"),
}


@pytest.mark.parametrize("statement", TAMPERINGS)
async def test_a_change_is_found_and_its_place_named(
    database: Database, keys: Keys, tamperer: asyncpg.Connection, statement: str
) -> None:
    await seal(database, keys, 600)
    await seal(database, keys, 50)
    assert (await verified(database, keys)).holds
    await tamperer.execute(statement)
    verdict = await verified(database, keys)
    position, words = TAMPERINGS[statement]
    assert not verdict.holds
    assert verdict.flaws[0].position == position
    assert any(words in each.english for each in verdict.flaws), verdict.flaws


async def test_a_change_made_with_all_hashes_above_it_is_found_by_the_next_head(
    database: Database, keys: Keys, tamperer: asyncpg.Connection
) -> None:
    """Whoever knows the salt can make a new leaf; only what is signed stays out of reach."""
    await seal(database, keys, 40)
    await seal(database, keys, 40)
    await seal(database, keys, 40)
    await tamperer.execute("update base.trail set operation = 'nothing at all' where position = 50")
    row = await tamperer.fetchrow(
        "select record, salt from audit.v_records join audit.leaves using (position) where position = 50"
    )
    leaf = leaf_hash(sha256(row["salt"] + row["record"].encode()).digest())
    await tamperer.execute("update audit.leaves set hash = $1 where position = 50", leaf)
    [first, *_] = (await verified(database, keys)).flaws
    assert "over 80 entries does not fit: something between 41 and 80 was changed" in first.english
    assert "Linje 41 til 80" in first.danish


@pytest.mark.parametrize("statement", list(TAMPERINGS)[::3])
async def test_a_log_of_many_stretches_and_heads_is_read_piece_by_piece(
    database: Database, keys: Keys, tamperer: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    monkeypatch.setattr("torv.ecosystem.audit.verifying.STRETCH", 100)
    monkeypatch.setattr("torv.ecosystem.audit.verifying.HEADS", 2)
    for _ in range(6):
        await seal(database, keys, 100)
    await seal(database, keys, 50)
    verdict = await verified(database, keys)
    assert (verdict.size, verdict.heads, verdict.holds) == (650, 7, True)
    await tamperer.execute(statement)
    position, words = TAMPERINGS[statement]
    flaws = (await verified(database, keys)).flaws
    assert flaws[0].position == position
    assert any(words in each.english for each in flaws), flaws


async def test_heads_of_another_key_do_not_count(database: Database, keys: Keys, tmp_path: Path) -> None:
    await seal(database, keys, 5)
    verdict = await verify_log(database, load_keys(tmp_path).heads)
    assert {"signature" in each.english or "key 1" in each.english for each in verdict.flaws} == {True}
    assert len(verdict.flaws) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "update base.trail set operation = 'x'", "update base.trail set position = position + 10",
        "update base.trail set subjects = '{}'", "update base.trail set user_id = null",
        "update base.trail set erased_at = now(), detail = null, operation = 'x'",
        "update base.trail set erased_at = now(), detail = null, subjects = array[gen_random_uuid()]",
        "delete from audit.leaves", "truncate audit.heads", "update audit.leaves set hash = ''",
        "update audit.leaves set salt = sha256(salt)", "update audit.nodes set hash = ''", "delete from audit.heads",
        "update audit.heads set size = 1", "delete from audit.breaks",
    ],
)  # fmt: skip
async def test_the_database_itself_refuses_to_change_what_is_sealed(
    database: Database, keys: Keys, outsider: asyncpg.Connection, statement: str
) -> None:
    await seal(database, keys, 300)
    with pytest.raises(asyncpg.RaiseError, match="append-only"):
        await outsider.execute(statement)
