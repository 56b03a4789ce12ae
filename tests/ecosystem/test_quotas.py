"""Quotas: across all processes never more than was agreed, whatever runs at once, dies, is slow or comes in bits."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncpg import Connection

from tests.cast import ANNA, BORGERBLIK, NORDLYS, Cast, Part, content_of, enter_agreement
from tests.conftest import ServeApi
from tests.ecosystem.spending import permitted
from tests.served import Api, Reply
from torv.base import clock
from torv.base.access import Limit
from torv.base.db import Database
from torv.base.errors import QuotaExceeded
from torv.base.signing import Keys
from torv.ecosystem.agreements import Quotas
from torv.ecosystem.agreements.quotas import BLOCKS, PATIENCE

ROOT = Path(__file__).parents[2]
DAY = 86_400


class Spender:
    """A process of its own that spends the same limits."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def permitted(self, amount: int, times: int) -> int:
        """How many of so many requests at once it permits under the limit of this amount."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{amount} {times}\n".encode())
        return int(await self.said())

    async def said(self) -> str:
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            return (await self.process.stdout.readline()).decode().strip()


@asynccontextmanager
async def spenders(dsn: str, count: int) -> AsyncIterator[list[Spender]]:
    """Processes that share their limits, ended when the block ends."""
    command = (sys.executable, "-m", "tests.ecosystem.spending", dsn)
    pipe = asyncio.subprocess.PIPE
    running = [
        Spender(await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=pipe, stdout=pipe)) for _ in range(count)
    ]
    try:
        for each in running:
            assert await each.said() == "ready"
        yield running
    finally:
        for each in running:
            if each.process.returncode is None:
                each.process.stdin.close()  # type: ignore[union-attr]  # it has one: see above
            await each.process.wait()


# ---- never more ------------------------------------------------------------------------------------------------------
async def test_three_processes_never_permit_more_together_touch_a_row_a_block_and_lose_a_block_at_most(
    dsn: str, outsider: Connection
) -> None:
    async with spenders(dsn, 3) as processes:
        for amount in (1, 3, 37, 100):
            first = await asyncio.gather(*(each.permitted(amount, 64) for each in processes))
            later = await asyncio.gather(*(each.permitted(amount, 5) for each in processes))
            assert sum(first) + sum(later) <= amount
            assert sum(first) + sum(later) >= amount - 2 * (amount // BLOCKS)  # the rest is in others' blocks
        await outsider.execute(COUNTING)
        assert sum(await asyncio.gather(*(each.permitted(4_000, 1_000) for each in processes))) == 3_000
        statements = await outsider.fetchval("select last_value from public.touches")
        assert 15 <= statements / 2 <= BLOCKS  # an insert that meets the row is an update too: both are counted
        doomed, other, _ = processes
        assert await doomed.permitted(200, 1) == 1
        doomed.process.kill()
        await doomed.process.wait()
        assert await other.permitted(200, 200) == 200 - 200 // BLOCKS


#: counts every statement that would touch the table, whatever comes of it
COUNTING = """
create sequence public.touches;
create function public.count_touch() returns trigger language plpgsql
    as $$ begin perform nextval('public.touches'); return null; end $$;
create trigger count_touches before insert or update on agreements.quotas execute function public.count_touch();
"""


async def test_what_one_process_leaves_another_gets(database: Database) -> None:
    limit = Limit(key="k", kind="calls", amount=10, seconds=DAY)
    assert [await permitted(Quotas(database), limit, times) for times in (4, 4, 4)] == [4, 4, 2]


# ---- windows ---------------------------------------------------------------------------------------------------------
class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> Clock:
    hand = Clock()
    monkeypatch.setattr(clock, "now", hand.now)
    return hand


@pytest.mark.parametrize("seconds", [1, DAY])
async def test_a_new_window_begins_with_the_whole_limit(database: Database, moved: Clock, seconds: int) -> None:
    limit, quotas = Limit(key="k", kind="calls", amount=5, seconds=seconds), Quotas(database)
    assert await permitted(quotas, limit, 9) == 5
    moved.at += timedelta(seconds=seconds)
    assert await permitted(quotas, limit, 9) == 5
    moved.at -= timedelta(seconds=seconds)  # a clock set back finds the window as it was left
    assert await permitted(quotas, limit, 9) == 0


async def test_a_refusal_says_when_the_window_ends(database: Database, moved: Clock) -> None:
    limit, quotas = Limit(key="k", kind="calls", amount=1, seconds=DAY), Quotas(database)
    await quotas.spend((limit,), "calls")
    with pytest.raises(QuotaExceeded) as refusal:
        await quotas.spend((limit,), "calls")
    left = datetime(2026, 3, 3, tzinfo=UTC) - moved.at
    assert left.total_seconds() <= refusal.value.facts["retry_after"] <= left.total_seconds() + 1


async def test_every_limit_counts_and_only_those_of_the_kind(database: Database, moved: Clock) -> None:
    second = Limit(key="k", kind="calls", amount=2, seconds=1)
    day = Limit(key="k", kind="calls", amount=3, seconds=DAY)
    persons, quotas = Limit(key="k", kind="persons", amount=1, seconds=DAY), Quotas(database)
    passed = 0
    for _ in range(4):
        try:
            await quotas.spend((second, day, persons), "calls")
            passed += 1
        except QuotaExceeded:
            moved.at += timedelta(seconds=1)
    assert passed == 3
    await quotas.spend((persons,), "persons", 0)
    await quotas.spend((persons,), "persons", 1)
    with pytest.raises(QuotaExceeded):
        await quotas.spend((persons,), "persons", 1)


# ---- over HTTP -------------------------------------------------------------------------------------------------------
Limited = Callable[..., Awaitable[None]]


@pytest.fixture
def limited(database: Database, cast: Cast, keys: Keys) -> Limited:
    """Replaces a partner's agreement by a version whose grants have limits."""

    async def enter(part: Part, **limits: int) -> None:
        content: dict[str, Any] = content_of(part, version=2, supersedes=str(cast.agreements[part.module]))
        for grant in content["grants"]:
            grant["limits"] = limits
            if grant["service"] == "persons":
                grant["operations"] = ["read", "search"]
        async with database.transaction() as tx:
            await enter_agreement(tx, cast, content, keys)

    return enter


async def entries(outsider: Connection, result: str) -> int:
    return int(await outsider.fetchval("select count(*) from base.trail where result = $1", result))


async def test_beyond_the_limit_429_says_when_to_come_again_and_is_logged_once(
    limited: Limited, serve_api: ServeApi, cast: Cast, outsider: Connection
) -> None:
    await limited(BORGERBLIK, calls_per_day=3)
    path = f"/api/v1/persons/{cast.bjorn.id}"
    async with serve_api() as one, serve_api() as other:
        replies = [await api.get(path, by="borgerblik") for api in (one, other, one)]
        assert [reply.status for reply in replies] == [200, 200, 200]
        assert await entries(outsider, "quota") == 0
        refused = await other.get(path, by="borgerblik")
    assert refused.code == (429, "quota_exceeded")
    assert 0 < int(refused.headers["retry-after"]) <= DAY + 1
    assert "Aagaard" not in refused.body.decode()
    assert await entries(outsider, "quota") == 1
    assert "3 kald" in refused.json["title"]


async def test_sixty_four_requests_at_once_through_two_apis_get_no_more_than_agreed(
    limited: Limited, serve_api: ServeApi, cast: Cast, outsider: Connection
) -> None:
    await limited(BORGERBLIK, calls_per_day=7)
    path = f"/api/v1/persons/{cast.bjorn.id}"
    async with serve_api() as one, serve_api() as other:
        asked = [api.get(path, by="borgerblik") for api in (one, other) for _ in range(32)]
        statuses = [reply.status for reply in await asyncio.gather(*asked)]
    assert (statuses.count(200), statuses.count(429)) == (7, 57)
    assert await entries(outsider, "quota") == 57


async def test_calls_through_the_gateway_count_too(limited: Limited, api: Api, outsider: Connection) -> None:
    await limited(BORGERBLIK, calls_per_day=1)
    await _until_learnt(api, outsider)
    first, second = [await api.get("/c/notes/v1/notes", by="borgerblik") for _ in range(2)]
    assert first.status != 429
    assert second.code == (429, "quota_exceeded")
    assert await entries(outsider, "quota") == 1


@pytest.mark.parametrize(("size", "shown"), [(1, 5), (2, 4)])
async def test_many_small_pages_show_no_more_persons_than_agreed(
    limited: Limited, api: Api, outsider: Connection, size: int, shown: int
) -> None:
    await limited(BORGERBLIK, person_views_per_day=5)
    await _until_learnt(api, outsider)
    seen: list[str] = []
    for _ in range(9):
        reply = await _search(api, size)
        if reply.status == 429:
            break
        seen += [each["id"] for each in reply.json["items"]]
    assert reply.code == (429, "quota_exceeded")
    assert len(seen) == shown
    assert await entries(outsider, "quota") == 1
    told = "select coalesce(sum(cardinality(subjects)), 0) from base.trail where operation = 'persons.search'"
    assert await outsider.fetchval(told) == shown  # the log and the count are about the same


async def _search(api: Api, size: int) -> Reply:
    return await api.post(f"/api/v1/persons/search?limit={size}", {"birth_year": 1976, "name": "a"}, by="borgerblik")


async def test_a_route_that_keeps_its_own_time_counts_the_persons_it_shows(
    limited: Limited, api: Api, worker: None, outsider: Connection
) -> None:
    written = [await api.post(Api.RECORDS, api.note(str(n)), by="nordnote", Idempotency_Key=str(n)) for n in range(3)]
    assert {reply.status for reply in written} == {201}
    path = f"{Api.RECORDS}/feed?capability=notes&after=0"
    async with asyncio.timeout(5):
        while len((await api.get(path, by="nordnote")).json["records"]) < 3:
            await asyncio.sleep(0.05)
    await limited(NORDLYS, person_views_per_day=2)
    await _until_learnt(api, outsider)
    replies = [await api.get(path, by="nordnote") for _ in range(3)]  # each page is about one person
    assert [reply.status for reply in replies] == [200, 200, 429]
    assert "records" not in replies[-1].json


async def test_when_the_count_cannot_be_kept_nothing_is_shown(
    limited: Limited, api: Api, cast: Cast, outsider: Connection
) -> None:
    await limited(BORGERBLIK, calls_per_day=1_000)
    await _until_learnt(api, outsider)
    path = f"/api/v1/persons/{cast.bjorn.id}"
    async with outsider.transaction():
        await outsider.execute("lock table agreements.quotas in access exclusive mode")
        began = time.monotonic()
        replies = await asyncio.gather(*(api.get(path, by="borgerblik") for _ in range(20)))
        assert time.monotonic() - began < PATIENCE + 2  # they do not wait behind each other
        assert {reply.code for reply in replies} == {(503, "overloaded")}
        assert (await api.get(path, by=ANNA)).status == 200  # who has no limit is not held up
    assert (await api.get(path, by="borgerblik")).status == 200


async def _until_learnt(api: Api, outsider: Connection) -> None:
    """Until the process decides by the present generation."""
    generation = await outsider.fetchval("select number from base.generation")
    async with asyncio.timeout(5):
        while (await api.get("/health/ready")).json["generation"] < generation:
            await asyncio.sleep(0.02)
