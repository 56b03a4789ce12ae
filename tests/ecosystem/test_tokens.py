"""Tokens: a program proves who it is with its own key, each proof once; and nothing else is taken for a proof."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from asyncpg import Connection
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.cast import Cast
from tests.served import Api, Reply
from torv.base import signing
from torv.base.errors import NotIdentified, TokenExpired
from torv_sdk.tokens import assertion

FORM = "application/x-www-form-urlencoded"
WRONG_KEY = ECKey.generate_key("P-256")


async def fetch(api: Api, form: dict[str, str] | list[tuple[str, str]]) -> Reply:
    return await api.post("/oauth/token", urlencode(form).encode(), Content_Type=FORM)


def proof(api: Api, cast: Cast, **changes: Any) -> dict[str, Any]:
    """The claims of a good assertion, and what is changed in it."""
    now, me = int(time.time()), str(cast.releases["nordnote"])
    return {"iss": me, "sub": me, "aud": api.url, "iat": now, "exp": now + 60, "jti": str(uuid4())} | changes


def form_of(token: str) -> dict[str, str]:
    return {**assertion(WRONG_KEY, "", ""), "client_assertion": token}


def signed(claims: dict[str, Any], key: ECKey, **header: str) -> str:
    return jwt.encode({"alg": "ES256", **header}, claims, key)


def encoded(content: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


async def test_a_good_proof_gives_a_token_that_works(api: Api, cast: Cast) -> None:
    reply = await fetch(api, form_of(signed(proof(api, cast), cast.release_keys["nordnote"])))
    assert (reply.status, reply.json["token_type"], reply.json["expires_in"]) == (200, "Bearer", 300)
    token = reply.json["access_token"]
    feed = await api.get(f"{api.RECORDS}/feed?capability=notes", Authorization=f"Bearer {token}")
    assert feed.status == 200
    assert set(signing.unverified_claims(token)) == {"iss", "aud", "sub", "iat", "exp"}


BAD_CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"iat": int(time.time()) - 120, "exp": int(time.time()) - 60},
    "lives too long": {"exp": int(time.time()) + 3_600},
    "from the future": {"iat": int(time.time()) + 3_600, "exp": int(time.time()) + 3_630},
    "not yet valid": {"nbf": int(time.time()) + 3_600},
    "for somebody else": {"aud": "https://elsewhere.example"},
    "by somebody else": {"iss": "someone"},
    "an unknown client": {"sub": str(uuid4())},
    "no client": {"sub": "nordnote"},
    "a long jti": {"jti": "x" * 101},
    "a number as jti": {"jti": 7},
    "no end": {"exp": None},
    "text as end": {"exp": "tomorrow"},
}


@pytest.mark.parametrize("changes", [pytest.param(each, id=name) for name, each in BAD_CLAIMS.items()])
async def test_a_proof_that_says_something_wrong_is_refused(
    shared_api: Api, cast: Cast, changes: dict[str, Any]
) -> None:
    claims = {name: value for name, value in proof(shared_api, cast, **changes).items() if value is not None}
    reply = await fetch(shared_api, form_of(signed(claims, cast.release_keys["nordnote"])))
    assert reply.code == (401, "invalid_client")


@pytest.mark.parametrize("missing", ["iss", "sub", "aud", "iat", "exp", "jti"])
async def test_a_proof_says_everything(shared_api: Api, cast: Cast, missing: str) -> None:
    claims = proof(shared_api, cast)
    del claims[missing]
    reply = await fetch(shared_api, form_of(signed(claims, cast.release_keys["nordnote"])))
    assert reply.code == (401, "invalid_client")


def _none(claims: dict[str, Any], _: ECKey) -> str:
    return f"{encoded({'alg': 'none'})}.{encoded(claims)}."


def _hs256(claims: dict[str, Any], key: ECKey) -> str:
    """Signed with the public key as a shared secret, which everybody knows."""
    text = f"{encoded({'alg': 'HS256'})}.{encoded(claims)}"
    mark = hmac.new(key.as_pem(private=False), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mark).rstrip(b'=').decode()}"


FORGERIES: dict[str, Callable[[dict[str, Any], ECKey], str]] = {
    "another key": lambda claims, _: signed(claims, WRONG_KEY),
    "a key of its own in the header": lambda claims, _: jwt.encode(
        {"alg": "ES256", "kid": WRONG_KEY.thumbprint(), "typ": "JWT"}, claims, WRONG_KEY
    ),
    "alg none": _none,
    "HS256 with the public key": _hs256,
    "no signature": lambda claims, key: signed(claims, key).rpartition(".")[0] + ".",
    "other claims under the signature": lambda claims, key: ".".join(
        (signed(claims, key).split(".")[0], encoded(claims | {"jti": "other"}), signed(claims, key).split(".")[2])
    ),
    "two parts": lambda claims, key: signed(claims, key).rpartition(".")[0],
    "nothing": lambda claims, key: "",
    "very long": lambda claims, key: signed(claims | {"x": "y" * 9_000}, key),
}


@pytest.mark.parametrize("forge", [pytest.param(each, id=name) for name, each in FORGERIES.items()])
async def test_what_was_not_made_with_the_releases_own_key_is_refused(
    shared_api: Api, cast: Cast, forge: Callable[[dict[str, Any], ECKey], str]
) -> None:
    reply = await fetch(shared_api, form_of(forge(proof(shared_api, cast), cast.release_keys["nordnote"])))
    assert reply.code == (401, "invalid_client")


async def test_a_proof_counts_once_also_at_the_same_moment(api: Api, cast: Cast, outsider: Connection) -> None:
    token = signed(proof(api, cast), cast.release_keys["nordnote"])
    replies = await asyncio.gather(*(fetch(api, form_of(token)) for _ in range(6)))
    assert sorted(reply.status for reply in replies) == [200] + [401] * 5
    assert await outsider.fetchval("select count(*) from modules.assertions") == 1


async def test_two_programs_may_use_the_same_words(api: Api, cast: Cast) -> None:
    for module in ("nordnote", "kviknote"):
        me = str(cast.releases[module])
        claims = proof(api, cast, iss=me, sub=me, jti="the same")
        assert (await fetch(api, form_of(signed(claims, cast.release_keys[module])))).status == 200


@pytest.mark.parametrize(
    "form",
    [
        [],
        [("grant_type", "password")],
        [("grant_type", "client_credentials"), ("client_assertion_type", "other"), ("client_assertion", "x.y.z")],
        [*form_of("x.y.z").items(), ("client_assertion", "x.y.z")],
        [(f"f{number}", "x") for number in range(20)],
    ],
    ids=["empty", "password", "another type", "a field twice", "many fields"],
)
async def test_a_form_of_another_kind_is_refused(shared_api: Api, form: list[tuple[str, str]]) -> None:
    assert (await fetch(shared_api, form)).code == (401, "invalid_client")


async def test_an_access_token_is_not_taken_from_a_module_and_not_after_its_time(shared_api: Api, cast: Cast) -> None:
    now, me = int(time.time()), f"release:{cast.releases['nordnote']}"
    claims = {"iss": shared_api.url, "aud": shared_api.url, "sub": me, "iat": now, "exp": now + 300}
    for token in (signed(claims, cast.release_keys["nordnote"]), signed(claims, WRONG_KEY), _none(claims, WRONG_KEY)):
        reply = await shared_api.get(f"{shared_api.RECORDS}/feed?capability=notes", Authorization=f"Bearer {token}")
        assert reply.code == (401, "not_identified")


def test_an_expired_token_is_called_expired() -> None:
    claims = {"iss": "a", "aud": "b", "iat": 1, "exp": int(time.time()) - 10}
    with pytest.raises(TokenExpired):
        signing.read_token(signed(claims, WRONG_KEY), WRONG_KEY, issuer="a", audience="b")


@given(
    st.text(max_size=60) | st.binary(max_size=40).map(lambda raw: ".".join([encoded({"alg": "ES256"}), raw.hex(), ""]))
)
def test_nonsense_is_refused_and_breaks_nothing(token: str) -> None:
    with pytest.raises(NotIdentified):
        signing.read_token(token, WRONG_KEY, issuer="a", audience="b")


async def test_the_keys_that_tokens_are_made_with_are_published_without_their_secret(shared_api: Api) -> None:
    [key] = (await shared_api.get("/.well-known/jwks.json")).json["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("EC", "P-256", "ES256")
    assert "d" not in key
