"""Bundles that an auditor checks alone, witnesses that expose a restored database, and breaks that are declared."""

import json
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from joserfc.jwk import ECKey

from tests.conftest import execute
from tests.ecosystem.sealing import entry, may, seal, unlogged, verified, write
from torv.base.db import Database
from torv.base.embedded import Server
from torv.base.errors import SignatureInvalid
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.ecosystem.audit import (
    BundleInvalid,
    Checked,
    Hearing,
    NothingLost,
    NotTheSameLog,
    PositionUnknown,
    check_bundle,
    declare_break,
    export_bundle,
    hear_witness,
    keys_in,
    lines_for_witness,
    trusting,
)


@pytest.fixture
def dsn(dsn_of_tables: str) -> str:
    """The log of nobody yet."""
    return dsn_of_tables


# ---- bundles ---------------------------------------------------------------------------------------------------------
async def export(database: Database, keys: Keys, first: int, last: int) -> list[str]:
    async with unlogged(database) as tx:
        return [line async for line in export_bundle(tx, may("export"), keys.heads, first=first, last=last)]


def check(lines: list[str], keys: Keys) -> Checked:
    return check_bundle(iter(lines), trusting(keys.heads.current))


def changed(line: str, **values: Any) -> str:
    return json.dumps(json.loads(line) | values)


async def test_a_bundle_verifies_with_nothing_but_itself_and_the_key(database: Database, keys: Keys) -> None:
    await seal(database, keys, 600)
    lines = await export(database, keys, 250, 520)
    checked = check(lines, keys)
    assert (checked.entries, checked.erased, checked.holds, checked.head.size) == (271, 0, True, 600)
    record = json.loads(json.loads(lines[1])["record"])
    assert record["operation"] == "test.249"
    assert {each.thumbprint() for each in keys_in(lines[0])} == {keys.heads.current.thumbprint()}


async def test_a_bundle_of_what_is_not_there_is_refused(database: Database, keys: Keys) -> None:
    await seal(database, keys, 3)
    for first, last in ((0, 1), (2, 1), (1, 4)):
        with pytest.raises(PositionUnknown):
            await export(database, keys, first, last)


async def test_68_every_change_to_a_bundle_is_found(database: Database, keys: Keys) -> None:
    await seal(database, keys, 40)
    opening, *entries = await export(database, keys, 11, 20)
    [one, two] = [json.loads(each) for each in entries[4:6]]
    record = one["record"].replace("test.14", "test.41")
    wrong = {
        "another record": changed(entries[4], record=record),
        "another salt": changed(entries[4], salt="00" * 16),
        "another place": changed(entries[4], path=two["path"]),
        "a shorter path": changed(entries[4], path=one["path"][:-1]),
        "a longer path": changed(entries[4], path=[*one["path"], one["path"][0]]),
        "no path": changed(entries[4], path=[]),
        "a bare leaf": json.dumps({"position": 15, "path": one["path"], "leaf": "00" * 32}),
    }
    for what, line in wrong.items():
        checked = check([opening, *entries[:4], line, *entries[5:]], keys)
        assert checked.wrong == [15], what
    assert check([opening, *entries[:4], *entries[5:]], keys).missing == [15]
    assert check([opening, *entries[:-1]], keys).missing == [20]
    assert check([opening], keys).missing == [11]


async def test_68_a_bundle_that_cannot_be_read_names_its_line(database: Database, keys: Keys) -> None:
    await seal(database, keys, 5)
    opening, *entries = await export(database, keys, 1, 5)
    longer = changed(
        entries[1], record=json.loads(entries[1])["record"][1:], salt=json.loads(entries[1])["salt"] + "7b"
    )
    for line in (
        "", "x", "[]", '{"position":2,"position":2}', changed(entries[1], path="x"), changed(entries[1], salt="x"),
        changed(entries[1], path=["00"]), changed(entries[1], position="2"), changed(entries[1], record=2), longer,
        "[" * 100_000, changed(entries[1], path=["00" * 32] * 65),
    ):  # fmt: skip
        with pytest.raises(BundleInvalid) as refused:
            check([opening, entries[0], line, *entries[2:]], keys)
        assert refused.value.facts == {"line": 3}
    for first in (
        "",
        "x",
        "{}",
        changed(opening, first=0),
        changed(opening, last=6),
        changed(opening, log=str(new_id())),
    ):
        with pytest.raises(BundleInvalid):
            check([first, *entries], keys)
    with pytest.raises(BundleInvalid):
        check([], keys)


async def test_a_head_that_no_trusted_key_made_is_refused(database: Database, keys: Keys) -> None:
    await seal(database, keys, 5)
    lines = await export(database, keys, 1, 5)
    with pytest.raises(SignatureInvalid):
        check_bundle(iter(lines), trusting(ECKey.generate_key("P-256")))
    head = json.loads(lines[0])["head"]
    for other in (head[:-4] + "AAAA", head.replace(".", "..", 1), "", "a.b.c", head.split(".")[0] + ".e30."):
        with pytest.raises(SignatureInvalid):
            check([changed(lines[0], head=other), *lines[1:]], keys)


# ---- witnesses -------------------------------------------------------------------------------------------------------
async def witness(database: Database, keys: Keys, heads: list[str]) -> Hearing:
    async with database.reading() as tx:
        return await hear_witness(tx, keys.heads, heads)


async def head_of(database: Database, keys: Keys) -> str:
    async with database.transaction() as tx:
        return (await lines_for_witness(tx, keys.heads, []))[-1]


@pytest.fixture
async def restored(keys: Keys, fast_cluster: Server, dsn: str) -> AsyncIterator[tuple[Database, list[str]]]:
    """The log as a backup had it after 300 entries, and a witness that saw it with 300 and with 350."""
    name = dsn.rpartition("/")[2].partition("?")[0]
    async with Database.opened(dsn, 3) as first:
        await seal(first, keys, 300)
        heads = [await head_of(first, keys)]
    execute(fast_cluster, f"create database backup_{name} template {name}")
    async with Database.opened(dsn, 3) as grown:
        await seal(grown, keys, 50)
        heads.append(await head_of(grown, keys))
    async with Database.opened(fast_cluster.dsn(f"backup_{name}"), 3) as older:
        yield older, heads
    execute(fast_cluster, f"drop database backup_{name} with (force)")


async def test_a_witness_agrees_with_a_log_that_has_only_grown(database: Database, keys: Keys) -> None:
    heads = []
    for _ in range(4):
        await seal(database, keys, 130)
        heads.append(await head_of(database, keys))
    heard = await witness(database, keys, heads)
    assert (heard.heads, heard.agreed, heard.excused, heard.holds) == (4, 520, 0, True)


async def test_66_a_restored_older_database_is_exposed(restored: tuple[Database, list[str]], keys: Keys) -> None:
    database, heads = restored
    assert (await verified(database, keys)).holds  # by itself, nothing is wrong with it
    heard = await witness(database, keys, heads)
    assert (heard.agreed, heard.holds) == (300, False)
    assert heard.flaws[0].danish == "Loggen har 300 linjer, men der er skrevet under på 350. Slutningen er væk."


async def test_67_a_log_that_was_rewritten_is_exposed_also_when_it_is_as_long(
    restored: tuple[Database, list[str]], keys: Keys
) -> None:
    database, heads = restored
    await seal(database, keys, 50)  # the same size, and another root
    heard = await witness(database, keys, heads)
    assert [each.english for each in heard.flaws] == [
        "This is another log than the witness saw: with 350 entries its root was another."
    ]


async def test_a_declared_break_is_reported_and_excuses_what_was_lost_and_nothing_else(
    restored: tuple[Database, list[str]], keys: Keys
) -> None:
    database, heads = restored
    await seal(database, keys, 60)
    async with database.transaction() as tx:
        declared = await declare_break(tx, may("declare_break"), keys.heads, heads=heads, reason="Disken gik i stykker")
    assert (declared.kept_size, declared.lost_size) == (300, 350)
    await seal(database, keys, 1)
    verdict = await verified(database, keys)
    assert (verdict.breaks, verdict.holds) == (1, True)
    heard = await witness(database, keys, heads)
    assert (heard.excused, heard.agreed, heard.holds) == (1, 300, True)
    heads.append(await head_of(database, keys))
    assert (await witness(database, keys, heads)).holds
    with pytest.raises(NothingLost):
        async with database.transaction() as tx:
            await declare_break(tx, may("declare_break"), keys.heads, heads=heads, reason="igen")


async def test_a_second_loss_is_not_excused_by_the_first(
    restored: tuple[Database, list[str]], keys: Keys, dsn: str
) -> None:
    database, heads = restored
    async with database.transaction() as tx:
        await declare_break(tx, may("declare_break"), keys.heads, heads=heads, reason="Disken gik i stykker")
    await seal(database, keys, 20)
    heads.append(await head_of(database, keys))
    tamperer = await asyncpg.connect(dsn.replace("//torv@/", "//postgres@/backup_"))
    await tamperer.execute(
        """set session_replication_role = replica;
           delete from audit.leaves where position > 310; delete from base.trail where position > 310"""
    )
    await tamperer.close()
    heard = await witness(database, keys, heads)
    assert (heard.excused, heard.holds) == (1, False)


async def test_the_reason_of_a_break_stands_in_the_statement_and_not_in_the_log(
    restored: tuple[Database, list[str]], keys: Keys
) -> None:
    database, heads = restored
    async with database.transaction() as tx:
        await declare_break(tx, may("declare_break"), keys.heads, heads=heads, reason="<b>0101010101</b>")
        assert tx.notes[0].detail.keys() == {"break", "statement", "lost", "kept"}


async def test_a_break_that_the_log_does_not_mention_is_none(restored: tuple[Database, list[str]], keys: Keys) -> None:
    database, heads = restored
    async with unlogged(database) as tx:
        await declare_break(tx, may("declare_break"), keys.heads, heads=heads, reason="hemmeligt")
    assert "break 1 is not validly signed" in (await verified(database, keys)).flaws[0].english
    assert not (await witness(database, keys, heads)).holds


async def test_a_witness_of_another_log_is_refused(database: Database, keys: Keys) -> None:
    await seal(database, keys, 2)
    head = await head_of(database, keys)
    async with database.transaction() as tx:
        await tx.script("update audit.log set id = gen_random_uuid()")
    with pytest.raises(NotTheSameLog):
        await witness(database, keys, [head])
    with pytest.raises(SignatureInvalid):
        await witness(database, keys, ["x"])


async def test_what_nobody_wrote_for_a_witness_is_no_secret(database: Database, keys: Keys) -> None:
    """A head tells how much was logged, and nothing of what."""
    person = new_id()
    await write(database, entry("persons.read", person))
    await seal(database, keys)
    assert str(person) not in await head_of(database, keys)
