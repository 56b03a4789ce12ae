"""Users, sessions and roles over the API: what an administrator changes holds from the next request on."""

import asyncio
import hashlib
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from argon2 import PasswordHasher

from tests.cast import ANNA, BO, PASSWORDS, Cast
from tests.conftest import ServeApi
from tests.served import Api, Reply
from torv.base import clock
from torv.base.ids import new_id
from torv.kernel.identity import ADMINISTRATOR
from torv.kernel.identity.known import TRUST

BASE = "/api/v1/identity"
READER = {
    "name": "Læser", "permits": {"persons": ["read"], "organisation": ["read"]},
    "categories": ["person", "organisation.employee", "organisation.unit"],
}  # fmt: skip
CLARA, SECRET = "clara.dahl", "det er en god dag i dag"


async def sign_in(api: Api, login: str, password: str, **headers: str) -> Reply:
    return await api.post(f"{BASE}/sessions", {"login": login, "password": password}, **headers)


async def as_clara(api: Api) -> dict[str, str]:
    """The header of a session of Clara's."""
    reply = await sign_in(api, CLARA, SECRET)
    assert reply.status == 201, reply.body
    return {"Authorization": f"Bearer {reply.json['token']}"}


@pytest.fixture
async def clara(api: Api) -> Any:
    """A user without any role."""
    reply = await api.post(f"{BASE}/users", {"login": CLARA, "name": "Clara Dahl", "password": SECRET}, by=ANNA)
    assert reply.status == 201, reply.body
    return reply.json


async def give(api: Api, user: Any, role_id: str, **limits: Any) -> Reply:
    return await api.post(f"{BASE}/users/{user['id']}/assignments", {"role_id": role_id, **limits}, by=ANNA)


async def new_role(api: Api, **changes: Any) -> Any:
    reply = await api.post(f"{BASE}/roles", {**READER, **changes}, by=ANNA)
    assert reply.status == 201, reply.body
    return reply.json


# ---- roles -----------------------------------------------------------------------------------------------------------
async def test_a_role_holds_from_the_next_request_until_it_is_taken_back(api: Api, cast: Cast, clara: Any) -> None:
    me, alma = await as_clara(api), f"/api/v1/persons/{cast.alma.id}"
    assert (await api.get(alma, **me)).code == (403, "denied")
    given = await give(api, clara, (await new_role(api))["id"])
    assert given.status == 201
    read = await api.get(alma, **me)
    assert (read.status, read.json["cpr"]) == (200, None)
    await api.post(f"{BASE}/assignments/{given.json['id']}/end", by=ANNA)
    assert (await api.get(alma, **me)).json["check"] == "role"
    listed = (await api.get(f"{BASE}/users/{clara['id']}/assignments", by=ANNA)).json
    assert [bool(each["ended_at"]) for each in listed] == [True]


async def test_a_changed_role_holds_for_everybody_who_has_it(api: Api, cast: Cast, clara: Any) -> None:
    role = await new_role(api)
    await give(api, clara, role["id"])
    me, alma = await as_clara(api), f"/api/v1/persons/{cast.alma.id}"
    content = {**READER, "categories": ["person", "person.cpr"]}
    changed = await api.ask("PUT", f"{BASE}/roles/{role['id']}", content, by=ANNA, If_Match='"1"')
    assert (changed.status, changed.json["version"]) == (200, 2)
    assert (await api.get(alma, **me)).json["cpr"] is not None
    late = await api.ask("PUT", f"{BASE}/roles/{role['id']}", content, by=ANNA, If_Match='"1"')
    assert late.code == (412, "version_mismatch")


async def test_a_role_outside_its_period_permits_nothing(api: Api, cast: Cast, clara: Any) -> None:
    role, today = await new_role(api), clock.today()
    me, alma = await as_clara(api), f"/api/v1/persons/{cast.alma.id}"
    await give(api, clara, role["id"], valid_from=str(today + timedelta(days=2)))
    past = {"valid_from": str(today - timedelta(days=9)), "valid_to": str(today - timedelta(days=1))}
    await give(api, clara, role["id"], **past)
    assert (await api.get(alma, **me)).json["check"] == "role"
    await give(api, clara, role["id"], valid_to=str(today + timedelta(days=2)))
    assert (await api.get(alma, **me)).status == 200


async def test_a_role_limited_to_a_unit_shows_the_people_there(api: Api, clara: Any) -> None:
    place, start = "/api/v1/organisation", {"valid_from": "2026-01-01"}
    units, names = {}, {"Øst": "Åse Lind", "Vest": "Bodil Holm"}
    for unit, name in names.items():
        units[unit] = (await api.post(f"{place}/units", {"name": unit, "kind": "distrikt", **start}, by=ANNA)).json[
            "id"
        ]
        employee = (await api.post(f"{place}/employees", {"name": name, **start}, by=ANNA)).json["id"]
        position = {"employee_id": employee, "unit_id": units[unit], "job_function": "Leder", **start}
        assert (await api.post(f"{place}/positions", position, by=ANNA)).status == 201
    role = await new_role(api)
    await give(api, clara, role["id"], units=[units["Øst"]])
    me = await as_clara(api)
    seen = (await api.get(f"{place}/employees?valid_at=2026-03-01", **me)).json
    assert ([each["name"] for each in seen["items"]], seen["next"]) == (["Åse Lind"], None)
    assert (await api.get(f"{place}/units/{units['Vest']}/employees?valid_at=2026-03-01", **me)).json["items"] == []
    everyone = (await api.get(f"{place}/employees?valid_at=2026-03-01&limit=1", by=ANNA)).json
    following = (
        await api.get(f"{place}/employees?valid_at=2026-03-01&limit=1&cursor={everyone['next']}", by=ANNA)
    ).json
    assert [each["name"] for each in everyone["items"] + following["items"]] == ["Bodil Holm", "Åse Lind"]


async def test_wrong_assignments_are_refused(api: Api, clara: Any) -> None:
    role = await new_role(api)
    nobody = {"id": str(new_id())}
    assert (await give(api, nobody, role["id"])).code == (404, "not_found")
    assert (await give(api, clara, str(new_id()))).code == (422, "role_unknown")
    assert (await give(api, clara, role["id"], units=[str(new_id())])).code == (422, "unit_unknown")
    assert (await give(api, clara, role["id"], kle=["2"])).code == (422, "invalid_input")
    assert (await give(api, clara, role["id"], sensitivity=4)).code == (422, "invalid_input")
    assert (await give(api, clara, str(ADMINISTRATOR), kle=["27"])).code == (422, "invalid_input")


async def test_the_administrators_role_is_fixed(api: Api) -> None:
    reply = await api.ask("PUT", f"{BASE}/roles/{ADMINISTRATOR}", READER, by=ANNA, If_Match='"1"')
    assert reply.code == (409, "role_is_fixed")
    roles = (await api.get(f"{BASE}/roles", by=ANNA)).json["items"]
    assert [each["is_fixed"] for each in roles] == [True]


async def test_somebody_who_can_give_roles_is_always_left(api: Api, cast: Cast) -> None:
    await asyncio.gather(api.token(ANNA), api.token(BO))  # both are in before either is locked
    both = [f"{BASE}/users/{cast.users[login].id}/lock" for login in (BO, ANNA)]
    replies = await asyncio.gather(*(api.post(path, by=by) for path, by in zip(both, (ANNA, BO), strict=True)))
    assert sum(reply.status == 200 for reply in replies) == 1
    left = ANNA if replies[0].status == 200 else BO
    given = (await api.get(f"{BASE}/users/{cast.users[left].id}/assignments", by=left)).json
    ended = await api.post(f"{BASE}/assignments/{given[0]['id']}/end", by=left)
    assert ended.code == (409, "last_administrator")


# ---- users -----------------------------------------------------------------------------------------------------------
async def test_a_locked_user_is_out_at_once_and_for_as_long(api: Api, clara: Any) -> None:
    me = await as_clara(api)
    assert (await api.get(f"{BASE}/me/sessions", **me)).status == 200
    await api.post(f"{BASE}/users/{clara['id']}/lock", by=ANNA)
    assert (await api.get(f"{BASE}/me/sessions", **me)).code == (401, "not_identified")
    assert (await sign_in(api, CLARA, SECRET)).code == (403, "user_locked")
    assert (await sign_in(api, CLARA, "noget helt andet")).code == (401, "wrong_password")
    await api.post(f"{BASE}/users/{clara['id']}/unlock", by=ANNA)
    assert (await api.get(f"{BASE}/me/sessions", **me)).code == (401, "not_identified")
    assert (await sign_in(api, CLARA, SECRET)).status == 201


async def test_users_are_listed_and_changed(api: Api, clara: Any) -> None:
    path = f"{BASE}/users/{clara['id']}"
    changed = await api.ask("PUT", path, {"name": "Østen Dahl"}, by=ANNA, If_Match='"1"')
    assert (changed.status, changed.headers["etag"]) == (200, '"2"')
    assert (await api.ask("PUT", path, {"name": "X"}, by=ANNA, If_Match='"1"')).code == (412, "version_mismatch")
    unknown = {"name": "X", "employee_id": str(new_id())}
    assert (await api.ask("PUT", path, unknown, by=ANNA, If_Match='"2"')).code == (422, "employee_unknown")
    first = (await api.get(f"{BASE}/users?limit=2", by=ANNA)).json
    rest = (await api.get(f"{BASE}/users?limit=2&cursor={first['next']}", by=ANNA)).json
    assert [each["name"] for each in first["items"] + rest["items"]] == ["Anna Holm", "Bo Lind", "Østen Dahl"]


@pytest.mark.parametrize("login", ["", "a b", "x" * 101, "a\u0000", "<a>"])
async def test_a_login_is_a_plain_word(api: Api, login: str) -> None:
    reply = await api.post(f"{BASE}/users", {"login": login, "name": "X", "password": SECRET}, by=ANNA)
    assert reply.code == (422, "invalid_input")


async def test_capitals_do_not_count_in_a_login(api: Api, clara: Any) -> None:
    assert (await sign_in(api, " Clara.DAHL", SECRET)).status == 201
    again = await api.post(f"{BASE}/users", {"login": CLARA.upper(), "name": "X", "password": SECRET}, by=ANNA)
    assert again.code == (409, "already_exists")


# ---- sessions and passwords ------------------------------------------------------------------------------------------
async def test_a_new_password_ends_every_other_session_and_turns_this_one(api: Api, clara: Any) -> None:
    here, there = await as_clara(api), await as_clara(api)
    change = {"current": SECRET, "new": "en helt ny og lang en"}
    wrong = await api.post(f"{BASE}/me/password", {**change, "current": "x" * 12}, **here)
    assert wrong.code == (401, "wrong_password")
    reply = await api.post(f"{BASE}/me/password", change, **here)
    assert reply.status == 200
    for former in (here, there):
        assert (await api.get(f"{BASE}/me/sessions", **former)).code == (401, "not_identified")
    now = {"Authorization": f"Bearer {reply.json['token']}"}
    assert [each["is_this"] for each in (await api.get(f"{BASE}/me/sessions", **now)).json] == [True]
    assert (await sign_in(api, CLARA, SECRET)).code == (401, "wrong_password")
    assert (await sign_in(api, CLARA, change["new"])).status == 201


async def test_ones_own_sessions_can_be_ended_and_nobody_elses(api: Api, clara: Any) -> None:
    here, there = await as_clara(api), await as_clara(api)
    sessions = (await api.get(f"{BASE}/me/sessions", **here)).json
    other = next(each["id"] for each in sessions if not each["is_this"])
    assert (await api.ask("DELETE", f"{BASE}/me/sessions/{other}", by=ANNA)).code == (404, "not_found")
    assert (await api.ask("DELETE", f"{BASE}/me/sessions/{other}", **here)).status == 200
    assert (await api.get(f"{BASE}/me/sessions", **there)).status == 401
    there = await as_clara(api)
    await api.ask("DELETE", f"{BASE}/me/sessions", **here)
    assert (await api.get(f"{BASE}/me/sessions", **there)).status == 401
    assert (await api.get(f"{BASE}/me/sessions", **here)).status == 200


@pytest.mark.parametrize(("column", "age"), [("seen_at", "31 minutes"), ("began_at", "601 minutes")])
async def test_a_session_ends_by_itself(
    api: Api, clara: Any, outsider: asyncpg.Connection, column: str, age: str
) -> None:
    me = await as_clara(api)
    younger = age.replace("31 ", "29 ").replace("601 ", "599 ")
    for old, status in ((younger, 200), (age, 401)):
        await outsider.execute(f"update identity.sessions set {column} = clock_timestamp() - interval '{old}'")
        await asyncio.sleep(TRUST)
        assert (await api.get(f"{BASE}/me/sessions", **me)).status == status


@pytest.mark.parametrize(
    ("elsewhere", "code"),
    [("update identity.sessions set ended_at = clock_timestamp()", (401, "not_identified")),
     ("update identity.users set locked_at = clock_timestamp()", (401, "not_identified")),
     ("update identity.assignments set ended_at = clock_timestamp()", (403, "denied"))],
)  # fmt: skip
async def test_what_another_process_ends_stops_within_a_second(
    api: Api, cast: Cast, clara: Any, outsider: asyncpg.Connection, elsewhere: str, code: tuple[int, str]
) -> None:
    await give(api, clara, (await new_role(api))["id"])
    me, alma = await as_clara(api), f"/api/v1/persons/{cast.alma.id}"
    assert (await api.get(alma, **me)).status == 200
    await outsider.execute(elsewhere)
    await asyncio.sleep(TRUST)
    assert (await api.get(alma, **me)).code == code


async def test_many_requests_in_a_second_ask_the_database_once(
    api: Api, cast: Cast, clara: Any, outsider: asyncpg.Connection
) -> None:
    me = await as_clara(api)
    assert (await api.get(f"{BASE}/me/sessions", **me)).status == 200
    await outsider.execute("update identity.sessions set seen_at = clock_timestamp() - interval '2 minutes'")
    assert (await api.get(f"{BASE}/me/sessions", **me)).status == 200
    aged = "select count(*) from identity.sessions where seen_at < clock_timestamp() - interval '1 minute'"
    assert await outsider.fetchval(aged) > 0  # whoever asks notes that the session is in use
    await asyncio.sleep(TRUST)
    assert (await api.get(f"{BASE}/me/sessions", **me)).status == 200
    assert await outsider.fetchval(f"{aged} and user_id = '{clara['id']}'") == 0


async def test_signing_in_again_in_a_browser_ends_the_session_before(api: Api, clara: Any) -> None:
    token = (await sign_in(api, CLARA, SECRET)).json["token"]
    assert (await sign_in(api, CLARA, SECRET, Cookie=f"torv_session={token}")).status == 201
    assert (await api.get(f"{BASE}/me/sessions", Authorization=f"Bearer {token}")).status == 401


async def test_by_https_the_cookie_belongs_to_this_host_alone(serve_api: ServeApi, cast: Cast) -> None:
    form = f"login={ANNA}&password={PASSWORDS[ANNA].replace('å', '%C3%A5').replace(' ', '+')}".encode()
    async with serve_api(public_url="https://torv.fjordby.dk") as api:
        sent = {"Content_Type": "application/x-www-form-urlencoded", "Origin": "https://torv.fjordby.dk"}
        reply = await api.ask("POST", "/login", form, **sent)
        cookie = reply.headers["set-cookie"]
        assert cookie.startswith("__Host-torv_session=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        value = cookie.partition(";")[0]
        assert (await api.get(f"{BASE}/me/sessions", Cookie=value)).status == 200
        plain = value.replace("__Host-", "")
        assert (await api.get(f"{BASE}/me/sessions", Cookie=plain)).status == 401


# ---- guessing --------------------------------------------------------------------------------------------------------
async def fill(outsider: asyncpg.Connection, login: str, address: str, count: int) -> None:
    """Failures of the last minutes, as if somebody had tried."""
    await outsider.execute(
        "insert into identity.attempts (login_hash, address_hash) select $1, $2 from generate_series(1, $3)",
        hashlib.sha256(login.encode()).digest(), hashlib.sha256(address.encode()).digest(), count,
    )  # fmt: skip


async def test_many_guesses_at_once_count_as_many(api: Api, clara: Any, outsider: asyncpg.Connection) -> None:
    await fill(outsider, CLARA, "127.0.0.1", 7)
    replies = await asyncio.gather(*(sign_in(api, CLARA, f"et gæt nummer {n}") for n in range(6)))
    assert sorted(reply.status for reply in replies) == [401, 401, 401, 429, 429, 429]
    assert (await sign_in(api, CLARA, SECRET)).code == (429, "too_many_failures")


async def test_waiting_helps_even_while_guessing_goes_on(api: Api, clara: Any, outsider: asyncpg.Connection) -> None:
    await fill(outsider, CLARA, "127.0.0.1", 10)
    assert (await sign_in(api, CLARA, SECRET)).status == 429
    await outsider.execute("update identity.attempts set at = at - interval '15 minutes'")
    assert (await sign_in(api, CLARA, SECRET)).status == 201


async def test_strangers_cannot_lock_somebody_out_where_they_usually_sign_in(
    api: Api, clara: Any, outsider: asyncpg.Connection
) -> None:
    await fill(outsider, CLARA, "192.0.2.7", 50)
    assert (await sign_in(api, CLARA, SECRET)).code == (429, "too_many_failures")
    await outsider.execute("delete from identity.attempts")
    assert (await sign_in(api, CLARA, SECRET)).status == 201
    await fill(outsider, CLARA, "192.0.2.7", 500)
    assert (await sign_in(api, CLARA, SECRET)).status == 201


async def test_one_address_cannot_try_every_name(api: Api, clara: Any, outsider: asyncpg.Connection) -> None:
    await fill(outsider, "somebody", "127.0.0.1", 200)
    assert (await sign_in(api, "nobody", SECRET)).code == (429, "too_many_failures")
    assert (await sign_in(api, CLARA, SECRET)).code == (429, "too_many_failures")


async def test_behind_a_proxy_it_is_the_callers_address_that_counts(
    serve_api: ServeApi, outsider: asyncpg.Connection
) -> None:
    async with serve_api(proxies=1) as api:
        await fill(outsider, ANNA, "203.0.113.5", 10)
        guess = "ikke det rigtige kodeord"
        assert (await sign_in(api, ANNA, guess, X_Forwarded_For="203.0.113.5")).status == 429
        assert (await sign_in(api, ANNA, guess, X_Forwarded_For="198.51.100.1, 203.0.113.5")).status == 429
        assert (await sign_in(api, ANNA, guess, X_Forwarded_For="203.0.113.5, 198.51.100.1")).status == 401


async def test_showing_the_password_again_is_no_way_to_guess(
    api: Api, clara: Any, outsider: asyncpg.Connection
) -> None:
    me = await as_clara(api)
    await fill(outsider, CLARA, "confirmation", 9)
    wrong = {"current": "x" * 12, "new": "y" * 12}
    assert (await api.post(f"{BASE}/me/password", wrong, **me)).code == (401, "wrong_password")
    assert (await api.post(f"{BASE}/me/password", wrong, **me)).code == (429, "too_many_failures")


async def test_a_weak_hash_is_made_stronger_at_sign_in(api: Api, clara: Any, outsider: asyncpg.Connection) -> None:
    weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(SECRET)
    await outsider.execute("update identity.users set password_hash = $1 where login = $2", weak, CLARA)
    assert (await sign_in(api, CLARA, SECRET)).status == 201
    stored = await outsider.fetchval("select password_hash from identity.users where login = $1", CLARA)
    assert stored != weak
    assert not PasswordHasher().check_needs_rehash(stored)
    assert (await sign_in(api, CLARA, SECRET)).status == 201
