"""Attack 27, and 42 where a call's token is exchanged: the user and the one who acts are never taken for each other.

Each attempt is denied and does nothing; the program that made it has shown who it is and is named in exactly one entry.
"""

import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.cast import ANNA, Cast
from tests.ecosystem.conftest import standing_in
from tests.forging import forge, unsigned
from tests.sdk.loopback import Loopback
from tests.security.traces import fetch, good, identity, leaving, shown
from tests.served import Api
from torv.base import signing
from torv.base.errors import NotIdentified
from torv.base.signing import Keys
from torv.ecosystem.modules import read_access_token
from torv_sdk.tokens import Caller, exchange

USER, RELEASE = f"user:{uuid4()}", f"release:{uuid4()}"
ACTORS_27: dict[str, dict[str, Any]] = {
    "a user who acts for a release": {"sub": RELEASE, "act": {"sub": USER}},
    "a user who acts for a user": {"sub": USER, "act": {"sub": f"user:{uuid4()}"}},
    "a release that acts for a release": {"sub": RELEASE, "act": {"sub": f"release:{uuid4()}"}},
    "a user alone": {"sub": USER},
    "Torv itself": {"sub": "torv"},
    "an actor without a name": {"sub": USER, "act": {}},
    "an actor that is nothing": {"sub": USER, "act": None},
    "an actor that is a text": {"sub": USER, "act": RELEASE},
    "a chain of actors": {"sub": USER, "act": {"sub": RELEASE, "act": {"sub": RELEASE}}},
    "an id without a kind": {"sub": RELEASE.partition(":")[2]},
    "an id in another spelling": {"sub": RELEASE.upper()},
    "two kinds": {"sub": f"release:{USER}"},
}


@pytest.mark.parametrize("claims", [pytest.param(each, id=name) for name, each in ACTORS_27.items()])
def test_27_user_and_actor_are_never_swapped(keys: Keys, claims: dict[str, Any]) -> None:
    now = int(time.time())
    whole = {"iss": "torv", "aud": "torv", "iat": now, "exp": now + 60, **claims}
    with pytest.raises(NotIdentified):
        read_access_token(signing.mint(whole, keys.tokens), issuer="torv", keys=keys)


def test_27_a_release_on_its_own_and_one_for_a_user_are_told_apart(keys: Keys) -> None:
    now = int(time.time())
    whole = {"iss": "torv", "aud": "torv", "iat": now, "exp": now + 60}
    alone = read_access_token(signing.mint({**whole, "sub": RELEASE}, keys.tokens), issuer="torv", keys=keys)
    acting = signing.mint({**whole, "sub": USER, "act": {"sub": RELEASE}}, keys.tokens)
    found = read_access_token(acting, issuer="torv", keys=keys)
    assert (str(alone.release_id), alone.user_id) == (RELEASE.partition(":")[2], None)
    assert (str(found.release_id), f"user:{found.user_id}") == (RELEASE.partition(":")[2], USER)


@pytest.fixture
async def nordnote(outsider: asyncpg.Connection, cast: Cast) -> AsyncIterator[Loopback]:
    async with standing_in(outsider, cast, "nordnote") as server:
        server.answer("/notes", 200, {"notes": []})
        yield server


async def called(api: Api, cast: Cast, nordnote: Loopback, *, by: str = ANNA) -> Caller:
    """A call through the gateway, as Nordnote gets it."""
    reply = await api.get(f"/c/notes/v1/notes?person_id={cast.bjorn.id}", by=by)
    assert reply.status == 200, reply.body
    token = nordnote.seen("/notes")[-1][0]["Authorization"].removeprefix("Bearer ")
    claims = signing.unverified_claims(token)
    return Caller(claims["sub"], claims["op"], claims["exp"], token)


def exchanged(api: Api, cast: Cast, caller: Caller, module: str = "nordnote") -> dict[str, str]:
    return exchange(cast.release_keys[module], str(cast.releases[module]), api.url, caller)


async def test_27_a_call_is_exchanged_for_a_token_that_names_the_user_and_who_acts(
    nordnote: Loopback, api: Api, cast: Cast, keys: Keys
) -> None:
    caller = await called(api, cast, nordnote)
    reply = await fetch(api, exchanged(api, cast, caller))
    assert (reply.status, reply.json["issued_token_type"]) == (200, "urn:ietf:params:oauth:token-type:access_token")
    token = reply.json["access_token"]
    claims = signing.unverified_claims(token)
    assert claims["sub"] == f"user:{cast.users[ANNA].id}"
    assert claims["act"] == {"sub": f"release:{cast.releases['nordnote']}"}
    assert set(claims) == {"iss", "aud", "sub", "act", "iat", "exp"}  # who, never what
    assert claims["exp"] == caller.expires
    assert 0 < reply.json["expires_in"] <= 60
    found = read_access_token(token, issuer=api.url, keys=keys)
    assert (found.user_id, found.release_id) == (cast.users[ANNA].id, cast.releases["nordnote"])
    assert (await shown(api, token)).status == 200


def _subjects(api: Api, cast: Cast, caller: Caller, keys: Keys) -> dict[str, str]:
    """What may stand in the place of the call's own token, and must not be taken."""
    claims = signing.unverified_claims(caller.token)

    def mint(**changes: Any) -> str:
        return signing.mint(claims | changes, keys.tokens)

    return {
        "sent to another program": mint(aud=str(cast.releases["kviknote"])),
        "sent to Torv": mint(aud=api.url),
        "an access token of its own": signing.mint(identity(api, cast), keys.tokens),
        "a program's call": mint(sub=f"release:{cast.releases['borgerblik']}"),
        "Torv's own call": mint(sub="torv", op="export"),
        "an export": mint(op="export"),
        "a swapped actor": mint(sub=f"release:{cast.releases['nordnote']}", act={"sub": claims["sub"]}),
        "a user through another": mint(act={"sub": f"release:{cast.releases['nordnote']}"}),
        "expired": mint(iat=int(time.time()) - 120, exp=int(time.time()) - 60),
        "a long life": mint(exp=claims["iat"] + 3_600),
        "made by itself": forge(good(keys.tokens), claims, cast.release_keys["nordnote"]),
        "unsigned": unsigned(claims),
        "nonsense": "a.b.c",
    }


@pytest.mark.parametrize(
    "name",
    [
        "sent to another program", "sent to Torv", "an access token of its own", "a program's call", "Torv's own call",
        "an export", "a swapped actor", "a user through another", "expired", "a long life", "made by itself",
        "unsigned", "nonsense",
    ],
)  # fmt: skip
async def test_27_42_nothing_else_is_exchanged_and_the_program_is_named_in_one_entry(
    nordnote: Loopback, api: Api, cast: Cast, keys: Keys, outsider: asyncpg.Connection, name: str
) -> None:
    caller = await called(api, cast, nordnote)
    subjects = _subjects(api, cast, caller, keys)
    assert len(subjects) == 13
    form = exchanged(api, cast, caller) | {"subject_token": subjects[name]}
    async with leaving(api, "invalid_grant", entries=1, assertions=1, strangers=0):
        assert (await fetch(api, form)).code == (400, "invalid_grant")
    entry = await outsider.fetchrow("select * from base.trail order by at desc limit 1")
    assert (entry["kind"], entry["operation"], entry["result"]) == ("refusal", "modules.fetch_token", "invalid_grant")
    assert entry["release_id"] == cast.releases["nordnote"]
    async with leaving(api, "invalid_client", entries=0, assertions=0, strangers=1):
        replayed = form | {"subject_token": caller.token}  # the assertion is used up, also by a refusal
        assert (await fetch(api, replayed)).code == (401, "invalid_client")


async def test_27_another_program_cannot_exchange_a_call_it_was_not_sent(
    nordnote: Loopback, api: Api, cast: Cast
) -> None:
    caller = await called(api, cast, nordnote)
    assert (await fetch(api, exchanged(api, cast, caller, "kviknote"))).code == (400, "invalid_grant")


async def test_27_a_call_by_a_program_has_no_user_to_act_for(nordnote: Loopback, api: Api, cast: Cast) -> None:
    caller = await called(api, cast, nordnote, by="borgerblik")
    assert (await fetch(api, exchanged(api, cast, caller))).code == (400, "invalid_grant")


@pytest.mark.parametrize(
    "changes",
    [
        {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
        {"actor_token": "x"},
        {"scope": "*"},
        {"audience": "https://elsewhere.example"},
        {"requested_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
        {"grant_type": "client_credentials"},
    ],
    ids=str,
)
async def test_27_an_exchange_that_asks_for_something_else_is_refused(
    nordnote: Loopback, api: Api, cast: Cast, changes: dict[str, str]
) -> None:
    reply = await fetch(api, exchanged(api, cast, await called(api, cast, nordnote)) | changes)
    assert reply.json["code"] in ("invalid_client", "invalid_grant")
    assert reply.status in (400, 401)
