"""What attacks share: what a refusal must leave behind, agreements to attack, and a module that can be asked."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.cast import (
    ANNA,
    BO,
    CALLER,
    CLAUSES,
    KVIK,
    MUNICIPALITY,
    NORDLYS,
    Cast,
    Grant,
    Part,
    content_of,
    enter_agreement,
)
from tests.ecosystem.conftest import standing_in
from tests.sdk.loopback import Loopback
from tests.served import Api, Reply
from torv.base import clock
from torv.base.db import Database, Tx
from torv.base.signing import Keys
from torv.ecosystem.agreements import Parties, confirm, propose_agreement, sign_by_partner, sub_supplier
from torv_sdk.canonical import canonical
from torv_sdk.keys import sign_agreement

AGREEMENTS = "/api/v1/agreements"
Refused = Callable[..., AbstractAsyncContextManager[None]]
LINKS = "/api/v1/partners/supply-links"
Enter = Callable[[dict[str, Any]], Awaitable[UUID]]
EnterChain = Callable[..., Awaitable["Chain"]]

#: tables that change although nothing is done: the trail, what processes say of themselves, and who is signed in
RESTLESS = ("base.trail", "base.leases", "identity.sessions", "modules.assertions")
TABLES = (
    "select schemaname || '.' || tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
)


async def contents(connection: asyncpg.Connection) -> dict[str, str]:
    """What every table holds, as a hash each."""
    names = sorted({row[0] for row in await connection.fetch(TABLES)} - set(RESTLESS))
    assert len(names) > 20
    hashes = (f"select '{name}', md5(string_agg(t::text, '' order by t::text)) from {name} t" for name in names)
    return {row[0]: row[1] for row in await connection.fetch(" union all ".join(hashes))}


@pytest.fixture
def refused(cast: Cast) -> Refused:
    """Within the block one thing is tried and refused: one entry that names who tried, and no row is another.

    `by` is a login, a module or an id; a stranger (None) leaves no entry.
    """

    @asynccontextmanager
    async def watch(api: Api, by: str | UUID | None, result: str) -> AsyncIterator[None]:
        if isinstance(by, str):
            await api.token(by)
        connection = await asyncpg.connect(api.dsn)
        try:
            before, last = await contents(connection), await connection.fetchval("select max(seq) from base.trail")
            yield
            assert await contents(connection) == before
            rows = await connection.fetch("select * from base.trail where seq > coalesce($1, 0)", last)
        finally:
            await connection.close()
        entries = [(row["kind"], row["result"], row["user_id"] or row["release_id"]) for row in rows]
        who = (cast.releases.get(by) or cast.users[by].id) if isinstance(by, str) else by
        assert entries == ([] if by is None else [("refusal", result, who)])

    return watch


def granting(part: Part, *grants: Grant) -> Part:
    """A partner whose agreement grants something else."""
    return replace(part, grants=grants)


@pytest.fixture
def enter(database: Database, cast: Cast, keys: Keys) -> Enter:
    """Brings an agreement into force: proposed, signed by its partner, confirmed by two users."""

    async def bring_into_force(content: dict[str, Any]) -> UUID:
        async with database.transaction() as tx:
            return await enter_agreement(tx, cast, content, keys)

    return bring_into_force


async def happen(api: Api, agreement: Any, verb: str, *, by: str = ANNA) -> Reply:
    """Let something happen to an agreement, on the municipality's side."""
    reason = {"reason": "Aftalt på mødet"} if verb in ("reject", "notice", "revoke", "oversight", "close") else None
    return await api.post(f"{AGREEMENTS}/{agreement}/{verb}", reason, by=by)


def check_of(reply: Reply) -> tuple[int, str, str]:
    """Status and code of a refusal, and the check that failed."""
    return (*reply.code, reply.json["check"])


async def until_learnt(api: Api, outsider: asyncpg.Connection) -> None:
    """Until the process decides by the present generation."""
    generation = await outsider.fetchval("select number from base.generation")
    deadline = clock.ticks() + 5
    while (await api.get("/health/ready")).json.get("generation", -1) < generation:
        assert clock.ticks() < deadline


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """Kvik works for Nordlys: the main supplier's agreement, the one under it, and the link between them."""

    above: dict[str, Any]
    below: dict[str, Any]
    link: str

    @property
    def parent(self) -> str:
        return str(self.above["id"])


def contents_of_chain(**changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A main supplier's agreement that names Kvik, and Kvik's own under it; what is changed is changed in Kvik's."""
    above = content_of(granting(NORDLYS, *CALLER))
    named = {
        "cvr": KVIK.cvr, "country": "DK", "task": "Drift", "categories": ["notes", "person"],
        "approved_from": (clock.today() - timedelta(days=1)).isoformat(),
    }  # fmt: skip
    above["data_processing"]["sub_processors"] = [named]
    parties = Parties(municipality=MUNICIPALITY, partner=KVIK.cvr, partner_name=KVIK.name, clauses=CLAUSES)
    begins = clock.today() - timedelta(days=1)
    below = sub_supplier(above, parties, "kviknote", grants=["1-notes", "2-persons"], begins=begins)
    return above, below | changes


@pytest.fixture
def enter_chain(api: Api, cast: Cast, database: Database, keys: Keys, enter: Enter) -> EnterChain:
    """Brings such a chain into force, Kvik working in a country, while Kvik's own agreement ends."""

    async def bring_into_force(country: str = "DK") -> Chain:
        above, below = contents_of_chain()
        await enter(above)
        async with database.transaction() as tx:
            await propose_agreement(tx, cast.user("agreements.propose"), canonical(below))
            await _sign_all(tx, cast, keys, below)
        new = {
            "capability": "notes", "supplier_id": str(cast.partners["nordnote"]), "country": country, "task": "Drift",
            "sub_supplier_id": str(cast.partners["kviknote"]),
        }  # fmt: skip
        link = (await api.post(LINKS, new, by=ANNA)).json["id"]
        approval = {"approved_from": (clock.today() - timedelta(days=1)).isoformat()}
        assert (await api.post(f"{LINKS}/{link}/approval", approval, by=BO)).status == 200
        assert (await happen(api, cast.agreements["kviknote"], "exit")).status == 200
        return Chain(above=above, below=below, link=link)

    return bring_into_force


async def _sign_all(tx: Tx, cast: Cast, keys: Keys, below: dict[str, Any]) -> None:
    """The main supplier signs, the sub-supplier signs, and two users confirm."""
    for part in (NORDLYS, KVIK):
        signature = sign_agreement(below, key=cast.partner_keys[part.module], signer=part.cvr)
        await sign_by_partner(tx, cast.user("agreements.sign"), UUID(below["id"]), signature)
    for login in (ANNA, BO):
        await confirm(tx, cast.user("agreements.confirm", login=login), UUID(below["id"]), keys.signing)


@pytest.fixture
async def nordnote(outsider: asyncpg.Connection, cast: Cast) -> AsyncIterator[Loopback]:
    """The program that provides notes, and tells what it was asked."""
    async with standing_in(outsider, cast, "nordnote") as server:
        server.answer("/notes", 200, {"notes": []})
        yield server


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """A user of the test's own, and the header of their session."""

    id: UUID
    headers: dict[str, str]


NewReader = Callable[[dict[str, list[str]], list[str]], Awaitable[Reader]]


@pytest.fixture
def new_reader(api: Api) -> NewReader:
    """Enters Clara with a role that permits these operations on these categories, and signs her in."""
    base, secret = "/api/v1/identity", "det er en god dag i dag"

    async def enter_reader(permits: dict[str, list[str]], categories: list[str]) -> Reader:
        new = {"login": "clara.dahl", "name": "Clara Dahl", "password": secret}
        user = (await api.post(f"{base}/users", new, by=ANNA)).json["id"]
        role = {"name": "Læser", "permits": permits, "categories": categories}
        role_id = (await api.post(f"{base}/roles", role, by=ANNA)).json["id"]
        given = await api.post(f"{base}/users/{user}/assignments", {"role_id": role_id}, by=ANNA)
        assert given.status == 201, given.body
        session = await api.post(f"{base}/sessions", {"login": "clara.dahl", "password": secret})
        return Reader(id=UUID(user), headers={"Authorization": f"Bearer {session.json['token']}"})

    return enter_reader
