"""Attacks on assertions and access tokens, by their numbers in the attack list: 40, 41, 42, 44 and 48.

Each is denied with the right code and does nothing. A stranger is counted and leaves no entry.
"""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from joserfc.jwk import ECKey

from tests.cast import Cast
from tests.conftest import ServeApi
from tests.forging import forge, part, unsigned, with_shared_secret
from tests.sdk.loopback import loopback
from tests.security.traces import STRANGER, fetch, form_of, good, identity, leaving, proof, shown
from tests.served import Api
from torv.base import signing
from torv.base.errors import TorvError
from torv.base.signing import Keys
from torv.ecosystem.modules import read_access_token

YEAR_3000 = 32_503_680_000


def test_the_forger_can_make_a_good_token() -> None:
    """Otherwise everything here would be refused for the wrong reason."""
    now = int(time.time())
    claims = {"iss": "a", "aud": "b", "iat": now, "exp": now + 60}
    for key, algorithm in ((STRANGER, "ES256"), (ECKey.generate_key("P-384"), "ES384")):
        token = forge({"alg": algorithm}, claims, key)
        assert signing.read_token(token, key, issuer="a", audience="b") == claims


# ---- 40: algorithms, curves, headers ---------------------------------------------------------------------------------
def _zeros(claims: dict[str, Any], key: ECKey) -> str:
    return f"{part(good(key))}.{part(claims)}.{part(bytes(64))}"


def _on_another_curve(claims: dict[str, Any], _: ECKey) -> str:
    other = ECKey.generate_key("P-384")
    return forge({"alg": "ES384", "kid": other.thumbprint()}, claims, other)


def _swapped_algorithm(claims: dict[str, Any], key: ECKey) -> str:
    return forge(good(key) | {"alg": "ES384"}, claims, key)


ALG_40: dict[str, Callable[[dict[str, Any], ECKey], str]] = {
    "alg none": lambda claims, _: unsigned(claims),
    "alg None": lambda claims, _: unsigned(claims, "None"),
    "alg none with a signature": lambda claims, key: forge(good(key) | {"alg": "none"}, claims, key),
    "HS256 with the public key as PEM": lambda claims, key: with_shared_secret(
        claims, key.as_pem(private=False), kid=key.thumbprint()
    ),
    "HS256 with an empty secret": lambda claims, key: with_shared_secret(claims, b"", kid=key.thumbprint()),
    "ES256 of zeros": _zeros,
    "another curve": _on_another_curve,
    "another curve's algorithm": _swapped_algorithm,
    "unknown crit": lambda claims, key: forge(good(key, crit=["x"], x=1), claims, key),
    "empty crit": lambda claims, key: forge(good(key, crit=[]), claims, key),
    "a list of algorithms": lambda claims, key: forge(good(key) | {"alg": ["ES256"]}, claims, key),
    "no algorithm": lambda claims, key: forge({"kid": key.thumbprint()}, claims, key),
    "two algorithms": lambda claims, key: forge(
        f'{{"alg": "none", "alg": "ES256", "kid": "{key.thumbprint()}"}}', claims, key
    ),
    "its own key in the header": lambda claims, key: forge(
        good(key, jwk=STRANGER.as_dict(private=False)), claims, STRANGER
    ),
}
each_of_40 = pytest.mark.parametrize("attack", [pytest.param(each, id=name) for name, each in ALG_40.items()])


@each_of_40
async def test_40_an_assertion_made_in_another_way_is_refused(
    shared_api: Api, cast: Cast, attack: Callable[[dict[str, Any], ECKey], str]
) -> None:
    token = attack(proof(shared_api, cast), cast.release_keys["nordnote"])
    async with leaving(shared_api, "invalid_client", entries=0, assertions=0, strangers=1):
        assert (await fetch(shared_api, form_of(token))).code == (401, "invalid_client")


@each_of_40
async def test_40_an_access_token_made_in_another_way_is_refused(
    shared_api: Api, cast: Cast, keys: Keys, attack: Callable[[dict[str, Any], ECKey], str]
) -> None:
    token = attack(identity(shared_api, cast), keys.tokens)
    async with leaving(shared_api, "not_identified", entries=0, assertions=0, strangers=1):
        assert (await shown(shared_api, token)).code == (401, "not_identified")


KID_40: list[Any] = [
    "../../../../tokens.pem", "tokens.pem", "file:///dev/null", "' union select 1 --", "\0", "", "x" * 5_000, None, 7,
    ["x"], {"a": 1},
]  # fmt: skip


@pytest.mark.parametrize("kid", KID_40, ids=lambda kid: str(kid)[:20])
async def test_40_a_kid_is_a_name_and_never_a_path_or_a_statement(
    shared_api: Api, cast: Cast, keys: Keys, kid: Any
) -> None:
    for key in (keys.tokens, STRANGER):
        token = forge({"alg": "ES256", "kid": kid}, identity(shared_api, cast), key)
        async with leaving(shared_api, "not_identified", entries=0, assertions=0, strangers=1):
            assert (await shown(shared_api, token)).code == (401, "not_identified")


async def test_40_a_token_of_ours_without_a_kid_is_refused(shared_api: Api, cast: Cast, keys: Keys) -> None:
    token = forge({"alg": "ES256"}, identity(shared_api, cast), keys.tokens)
    assert (await shown(shared_api, token)).code == (401, "not_identified")


@pytest.mark.parametrize("member", ["jku", "x5u"])
async def test_40_an_address_in_the_header_is_never_fetched(shared_api: Api, cast: Cast, member: str) -> None:
    async with loopback() as server:
        server.answer("/keys", 200, {"keys": [signing.public(STRANGER)]})
        header = good(STRANGER, **{member: f"{server.url}/keys"})
        access = forge(header, identity(shared_api, cast), STRANGER)
        assert (await shown(shared_api, access)).code == (401, "not_identified")
        token = forge(header, proof(shared_api, cast), STRANGER)
        assert (await fetch(shared_api, form_of(token))).code == (401, "invalid_client")
        assert server.asked == []


# ---- 41: times -------------------------------------------------------------------------------------------------------
def _times_41(life: int) -> dict[str, dict[str, Any]]:
    now = int(time.time())
    return {
        "expired": {"iat": now - 2 * life, "exp": now - life},
        "no exp": {"exp": None},
        "no iat": {"iat": None},
        "year 3000": {"exp": YEAR_3000},
        "year 3000 all through": {"iat": YEAR_3000 - 1, "exp": YEAR_3000},
        "nbf after exp": {"nbf": now + 2 * life},
        "nbf to come": {"nbf": now + life - 1},
        "iat to come": {"iat": now + 3_600, "exp": now + 3_600 + life},
        "iat after exp": {"iat": now + life + 1},
        "exp as text": {"exp": str(now + life)},
        "exp as a word": {"exp": "tomorrow"},
        "exp as a fraction": {"exp": now + life - 0.5},
        "exp as truth": {"exp": True},
        "exp as a list": {"exp": [now + life]},
        "exp beyond numbers": {"exp": 10**30},
        "exp below zero": {"exp": -1},
        "iat as text": {"iat": str(now)},
        "nbf as text": {"nbf": str(now)},
    }


@pytest.mark.parametrize("name", _times_41(60))
async def test_41_an_assertion_with_wrong_times_is_refused(shared_api: Api, cast: Cast, name: str) -> None:
    key = cast.release_keys["nordnote"]
    token = forge(good(key), proof(shared_api, cast, **_times_41(60)[name]), key)
    async with leaving(shared_api, "invalid_client", entries=0, assertions=0, strangers=1):
        assert (await fetch(shared_api, form_of(token))).code == (401, "invalid_client")


@pytest.mark.parametrize("name", _times_41(300))
async def test_41_an_access_token_with_wrong_times_is_refused_even_if_we_had_made_it(
    shared_api: Api, cast: Cast, keys: Keys, name: str
) -> None:
    token = forge(good(keys.tokens), identity(shared_api, cast, **_times_41(300)[name]), keys.tokens)
    code = "token_expired" if name in ("expired", "exp below zero") else "not_identified"
    async with leaving(shared_api, code, entries=0, assertions=0, strangers=1):
        assert (await shown(shared_api, token)).code == (401, code)


# ---- 42: who it is by and for ----------------------------------------------------------------------------------------
def _parties_42(api: Api, cast: Cast) -> dict[str, dict[str, Any]]:
    other = str(cast.releases["kviknote"])
    return {
        "by somebody else": {"iss": "https://elsewhere.example"},
        "by nobody": {"iss": None},
        "for somebody else": {"aud": "https://elsewhere.example"},
        "for nobody": {"aud": None},
        "for us and others": {"aud": [api.url, "https://elsewhere.example"]},
        "for us in a list": {"aud": [api.url]},
        "for us with a slash": {"aud": api.url + "/"},
        "about another program": {"sub": other},
        "by another program": {"iss": other},
        "about nobody": {"sub": None},
        "about a list": {"sub": [other]},
    }


PARTIES_42 = [
    "by somebody else", "by nobody", "for somebody else", "for nobody", "for us and others", "for us in a list",
    "for us with a slash", "about another program", "by another program", "about nobody", "about a list",
]  # fmt: skip


@pytest.mark.parametrize("name", PARTIES_42)
async def test_42_an_assertion_by_or_for_somebody_else_is_refused(shared_api: Api, cast: Cast, name: str) -> None:
    key = cast.release_keys["nordnote"]
    token = forge(good(key), proof(shared_api, cast, **_parties_42(shared_api, cast)[name]), key)
    async with leaving(shared_api, "invalid_client", entries=0, assertions=0, strangers=1):
        assert (await fetch(shared_api, form_of(token))).code == (401, "invalid_client")


@pytest.mark.parametrize("name", [each for each in PARTIES_42 if each != "about another program"])
async def test_42_an_access_token_by_or_for_somebody_else_is_refused(
    shared_api: Api, cast: Cast, keys: Keys, name: str
) -> None:
    token = forge(good(keys.tokens), identity(shared_api, cast, **_parties_42(shared_api, cast)[name]), keys.tokens)
    async with leaving(shared_api, "not_identified", entries=0, assertions=0, strangers=1):
        assert (await shown(shared_api, token)).code == (401, "not_identified")


async def test_42_another_programs_key_does_not_speak_for_this_one(shared_api: Api, cast: Cast) -> None:
    token = forge(good(cast.release_keys["kviknote"]), proof(shared_api, cast), cast.release_keys["kviknote"])
    assert (await fetch(shared_api, form_of(token))).code == (401, "invalid_client")


async def test_42_an_assertion_is_no_access_token_and_an_access_token_no_assertion(
    shared_api: Api, cast: Cast, keys: Keys
) -> None:
    key = cast.release_keys["nordnote"]
    assert (await shown(shared_api, forge(good(key), proof(shared_api, cast), key))).code == (401, "not_identified")
    access = forge(good(keys.tokens), identity(shared_api, cast), keys.tokens)
    assert (await fetch(shared_api, form_of(access))).code == (401, "invalid_client")


# ---- 44: replay ------------------------------------------------------------------------------------------------------
async def test_44_an_assertion_counts_once_over_two_servers_at_the_same_moment(
    serve_api: ServeApi, cast: Cast, outsider: asyncpg.Connection
) -> None:
    key = cast.release_keys["nordnote"]
    public = "https://torv.example"
    async with serve_api(public_url=public) as one, serve_api(public_url=public) as other:
        for _ in range(3):
            before = await outsider.fetchval("select count(*) from modules.assertions")
            form = form_of(forge(good(key), proof(one, cast, aud=public), key))
            replies = await asyncio.gather(*(fetch(api, form) for api in (one, other) * 4))
            assert sorted(reply.status for reply in replies) == [200] + [401] * 7
            assert {reply.json["code"] for reply in replies if reply.status == 401} == {"invalid_client"}
            assert await outsider.fetchval("select count(*) from modules.assertions") == before + 1


async def test_44_a_replayed_assertion_is_a_strangers(api: Api, cast: Cast) -> None:
    key = cast.release_keys["nordnote"]
    form = form_of(forge(good(key), proof(api, cast), key))
    assert (await fetch(api, form)).status == 200
    async with leaving(api, "invalid_client", entries=0, assertions=0, strangers=1):
        assert (await fetch(api, form)).code == (401, "invalid_client")


# ---- 48: claims that stand twice -------------------------------------------------------------------------------------
def _twice(claims: dict[str, Any], name: str, first: Any) -> str:
    text = json.dumps(claims)
    return f'{{"{name}":{json.dumps(first)},{text[1:]}'


@pytest.mark.parametrize("name", ["sub", "iss", "aud", "exp", "jti"])
async def test_48_a_claim_that_stands_twice_is_refused(shared_api: Api, cast: Cast, keys: Keys, name: str) -> None:
    key, claims = cast.release_keys["nordnote"], proof(shared_api, cast)
    for first in (claims[name], "other"):
        token = forge(good(key), _twice(claims, name, first), key)
        async with leaving(shared_api, "invalid_client", entries=0, assertions=0, strangers=1):
            assert (await fetch(shared_api, form_of(token))).code == (401, "invalid_client")
    access = identity(shared_api, cast, jti="x")
    token = forge(good(keys.tokens), _twice(access, name, access[name]), keys.tokens)
    async with leaving(shared_api, "not_identified", entries=0, assertions=0, strangers=1):
        assert (await shown(shared_api, token)).code == (401, "not_identified")


def test_every_refusal_is_one_of_ours(keys: Keys) -> None:
    """Whatever stands in a token, reading it never fails in another way."""
    for claims in ("[]", "7", '"x"', "{", "\x00", b"\xff", "null", '{"exp": 1e999}', "[" * 5_000):
        with pytest.raises(TorvError):
            read_access_token(forge(good(keys.tokens), claims, keys.tokens), issuer="a", keys=keys)
