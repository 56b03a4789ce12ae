"""Every list and search of people, walked page by page with three users, against what each may see.

The oracle reads the tables as somebody at a terminal would, and knows one rule only: what is protected and not covered
by the permit is not there, neither as a row nor in a count nor in the order.
"""

from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from tests.cast import ANNA, Cast
from tests.served import Api
from torv.base.db import Database
from torv.kernel.persons import NewPerson, register_person

pytestmark = pytest.mark.anyio

SECRET = "det er en god dag i dag"
SEES = {
    "clara": ["person"],
    "dorte": ["person", "person.protected_address"],
    "erik": ["person", "person.protected_address", "person.protected_name", "person.cpr"],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """A user, the header of their session, and the categories their role covers."""

    headers: dict[str, str]
    sees: list[str]


@pytest.fixture
async def people(database: Database, cast: Cast) -> None:
    """Twelve Petersens in one street: every third with a protected address, every fourth with a protected name."""
    access = cast.user("persons.register", *SEES["erik"])
    async with database.transaction() as tx:
        for number in range(12):
            new = NewPerson(
                given_names=f"Petra{number:02}", family_name="Petersen", cpr=f"1405901{number:03}",
                address=f"Ærøgade {number}, 6200 Fjordby", has_protected_address=number % 3 == 0,
                has_protected_name=number % 4 == 0,
            )  # fmt: skip
            await register_person(tx, access, new=new)


@pytest.fixture(params=sorted(SEES))
async def reader(request: pytest.FixtureRequest, api: Api, people: None) -> Reader:
    """One of the three, with a role of their own."""
    name, base = request.param, "/api/v1/identity"
    user = (await api.post(f"{base}/users", {"login": name, "name": name, "password": SECRET}, by=ANNA)).json
    content = {"name": f"Rolle {name}", "permits": {"persons": ["read", "search", "lookup"]}, "categories": SEES[name]}
    role = (await api.post(f"{base}/roles", content, by=ANNA)).json
    await api.post(f"{base}/users/{user['id']}/assignments", {"role_id": role["id"]}, by=ANNA)
    token = (await api.post(f"{base}/sessions", {"login": name, "password": SECRET})).json["token"]
    return Reader(headers={"Authorization": f"Bearer {token}"}, sees=SEES[name])


async def walk(api: Api, reader: Reader, search: dict[str, str]) -> list[dict[str, Any]]:
    """Every row of a search, two at a time."""
    rows, cursor = [], ""
    while True:
        reply = await api.post(f"/api/v1/persons/search?limit=2{cursor}", search, **reader.headers)
        assert reply.status == 200, reply.body
        rows += reply.json["items"]
        if reply.json["next"] is None:
            return rows
        cursor = f"&cursor={reply.json['next']}"


async def expected(outsider: asyncpg.Connection, reader: Reader, *, by_address: bool) -> list[str]:
    """The ids that the reader may find, in Danish order of what they may see."""
    rows = await outsider.fetch("select * from persons.persons where family_name = 'Petersen' order by name_sort")
    hidden_name = "person.protected_name" not in reader.sees
    hidden_address = "person.protected_address" not in reader.sees
    return [
        str(row["id"])
        for row in rows
        if not (hidden_name and row["hides_name"]) and not (by_address and hidden_address and row["hides_address"])
    ]


@pytest.mark.parametrize(
    ("search", "by_address"),
    [
        ({"name": "Petersen"}, False),
        ({"birth_date": "1990-05-14"}, False),
        ({"birth_date": "1990-05-14", "name": "petersen"}, False),
        ({"address": "Ærøgade"}, True),
        ({"address": "Ærøgade", "name": "Petersen"}, True),
    ],
)
async def test_a_search_gives_each_reader_their_rows_and_no_trace_of_the_others(
    api: Api, reader: Reader, outsider: asyncpg.Connection, search: dict[str, str], by_address: bool
) -> None:
    rows = await walk(api, reader, search)
    assert [row["id"] for row in rows] == await expected(outsider, reader, by_address=by_address)
    for row in rows:
        assert (row["cpr"] is None) == ("person.cpr" not in reader.sees)
        if row["has_protected_address"]:
            assert (row["address"] is None) == ("person.protected_address" not in reader.sees)


async def test_a_person_is_masked_the_same_way_wherever_they_are_shown(
    api: Api, reader: Reader, outsider: asyncpg.Connection
) -> None:
    for row in await outsider.fetch("select id, hides_name, hides_address from persons.persons"):
        shown = (await api.get(f"/api/v1/persons/{row['id']}", **reader.headers)).json
        kinds = {fact["kind"] for fact in (await api.get(f"/api/v1/persons/{row['id']}/facts", **reader.headers)).json}
        hides_name = row["hides_name"] and "person.protected_name" not in reader.sees
        hides_address = row["hides_address"] and "person.protected_address" not in reader.sees
        assert (shown["family_name"] is None, "name" not in kinds) == (hides_name, hides_name)
        assert (shown["address"] is None, "address" not in kinds) == (hides_address, hides_address)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/partners", "/api/v1/bindings", "/api/v1/records/late?capability=notes", "/api/v1/organisation/units",
        "/api/v1/organisation/employees", "/api/v1/identity/users", "/api/v1/identity/roles",
        "/api/v1/classification/kle/entries", "/api/v1/records/feed?capability=notes",
    ],
)  # fmt: skip
async def test_a_list_of_something_else_is_closed(api: Api, reader: Reader, path: str) -> None:
    reply = await api.get(path, **reader.headers)
    assert reply.code == (403, "denied")


async def test_the_trail_tells_who_was_shown_and_nobody_else(
    api: Api, reader: Reader, outsider: asyncpg.Connection
) -> None:
    shown = {row["id"] for row in await walk(api, reader, {"name": "Petersen"})}
    entries = await outsider.fetch("select subjects from base.trail where operation = 'persons.search'")
    assert {str(subject) for entry in entries for subject in entry["subjects"]} == shown
