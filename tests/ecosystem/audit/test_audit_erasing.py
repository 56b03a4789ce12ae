"""Erasing: what is older than its time loses the person, the tree keeps the leaf, and nobody can do it in silence."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from tests.ecosystem.sealing import may, seal, unlogged, verified, write
from torv.base.db import Database
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.base.trail import Entry
from torv.ecosystem.audit import check_bundle, erase_entries, export_bundle, prove_inclusion, read_retention, trusting
from torv.ecosystem.audit.erasing import spans_of
from torv.ecosystem.audit.tree import is_included

IDA, OLE, ANNA = new_id(), new_id(), new_id()


@pytest.fixture
def dsn(dsn_of_tables: str) -> str:
    """The log of nobody yet."""
    return dsn_of_tables


def old(*subjects: UUID, years: int = 6) -> Entry:
    return Entry(
        kind="read", operation="persons.read", subjects=subjects, user_id=ANNA, request_id=new_id(), call_id=new_id(),
        purpose="SEL § 83", detail={"shown": "cpr"}, at=datetime.now(UTC) - timedelta(days=365 * years + 5),
    )  # fmt: skip


async def erase(database: Database, person: UUID) -> int:
    async with database.transaction() as tx:
        return await erase_entries(tx, may("erase"), person)


async def test_old_entries_about_a_person_lose_everything_that_leads_to_somebody(
    database: Database, keys: Keys, outsider: asyncpg.Connection
) -> None:
    await write(database, old(IDA), old(OLE), old(IDA, years=1), old(IDA, OLE))
    await seal(database, keys)
    assert await erase(database, IDA) == 2
    assert await erase(database, IDA) == 0
    gone, other, recent, shared = await outsider.fetch(
        "select * from base.trail where operation = 'persons.read' order by seq"
    )
    assert [gone[name] for name in ("subjects", "user_id", "request_id", "call_id", "detail")] == [
        [],
        None,
        None,
        None,
        None,
    ]
    assert (gone["kind"], gone["result"], gone["purpose"]) == ("read", "permitted", "SEL § 83")
    assert gone["erased_at"] is not None
    assert (other["subjects"], recent["subjects"]) == ([OLE], [IDA])
    assert (shared["subjects"], shared["user_id"], shared["detail"]) == ([OLE], ANNA, None)
    assert await outsider.fetchval("select array_agg(position) from audit.leaves where salt is null") == [1, 4]


async def test_proofs_still_hold_and_verifying_counts_what_was_erased(
    database: Database, keys: Keys, outsider: asyncpg.Connection
) -> None:
    await write(database, *(old(IDA) for _ in range(30)))
    await seal(database, keys, 10)
    root = await outsider.fetchval("select root from audit.heads")
    await erase(database, IDA)
    await seal(database, keys)
    verdict = await verified(database, keys)
    assert (verdict.size, verdict.erased, verdict.holds) == (41, 30, True)
    async with unlogged(database) as tx:
        proof = await prove_inclusion(tx, may("read_heads"), position=7, size=40)
        lines = [line async for line in export_bundle(tx, may("export"), keys.heads, first=25, last=35)]
    assert is_included(bytes.fromhex(proof.leaf), 6, 40, [bytes.fromhex(each) for each in proof.path], root)
    checked = check_bundle(iter(lines), trusting(keys.heads.current))
    assert (checked.entries, checked.erased, checked.holds) == (11, 6, True)
    assert str(IDA) not in "".join(lines[1:7])


async def test_an_entry_of_two_can_lose_the_other_one_too(
    database: Database, keys: Keys, outsider: asyncpg.Connection
) -> None:
    await write(database, old(IDA, OLE))
    await seal(database, keys)
    assert (await erase(database, IDA), await erase(database, OLE)) == (1, 1)
    row = await outsider.fetchrow("select subjects, user_id from base.trail where position = 1")
    assert (row["subjects"], row["user_id"]) == ([], None)
    assert (await verified(database, keys)).holds


async def test_who_erases_in_silence_is_found_out(database: Database, keys: Keys, outsider: asyncpg.Connection) -> None:
    await write(database, old(IDA), old(IDA))
    await seal(database, keys)
    await outsider.execute("select audit.erase_subject($1, array[2])", IDA)
    [flaw] = (await verified(database, keys)).flaws
    assert (flaw.position, flaw.danish) == (2, "Personoplysninger er fjernet fra linje 2, uden at loggen siger det.")


async def test_an_erasure_says_of_whom_and_where(database: Database, keys: Keys, outsider: asyncpg.Connection) -> None:
    await write(database, old(IDA), old(IDA), old(OLE), old(IDA))
    await seal(database, keys)
    async with database.transaction() as tx:
        await erase_entries(tx, may("erase"), IDA)
        [said] = tx.notes
    assert (said.operation, said.subjects, said.detail) == (
        "audit.erase",
        [IDA],
        {"erased": [[1, 2], [4, 4]], "months": 60},
    )


async def test_what_has_no_position_yet_is_left_alone(database: Database) -> None:
    await write(database, old(IDA))
    assert await erase(database, IDA) == 0


async def test_the_rule_is_data_with_a_date_and_a_source(database: Database, outsider: asyncpg.Connection) -> None:
    async with database.reading() as tx:
        rule = await read_retention(tx)
        assert rule.months == 60
        assert "artikel 5" in rule.source
        await outsider.execute(
            "insert into audit.retentions values (current_date, 12, 'Byrådet'), (current_date + 2, 6, 'Senere')"
        )
        assert (await read_retention(tx)).months == 12


def test_positions_are_told_in_spans() -> None:
    assert spans_of([]) == []
    assert spans_of([1, 2, 3, 5, 7, 8]) == [[1, 3], [5, 5], [7, 8]]
