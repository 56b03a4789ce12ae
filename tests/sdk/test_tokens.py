"""Who calls a module: only the gateway's own tokens, for this release, this capability, now."""

import hmac
import json
import time
from base64 import urlsafe_b64encode

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from torv_sdk import Problem
from torv_sdk.tokens import CallerTokens, assertion, exchange

ISSUER, RELEASE = "http://torv.example", "0198c0de-0000-7000-8000-000000000001"
KEY = ECKey.generate_key("P-256", auto_kid=False)
OTHER = ECKey.generate_key("P-256", auto_kid=False)


class Keys:
    """Torv's published keys, and how often somebody looked."""

    def __init__(self, *keys):
        self.looked = 0
        self.published = list(keys)

    async def fetch(self):
        self.looked += 1
        return {"keys": [key.as_dict(private=False) | {"kid": key.thumbprint()} for key in self.published]}


@pytest.fixture
def keys():
    return Keys(KEY)


@pytest.fixture
def tokens(keys):
    return CallerTokens(ISSUER, RELEASE, "notes", keys.fetch)


def claims(**changes):
    now = int(time.time())
    usual = {"iss": ISSUER, "aud": RELEASE, "sub": "user:1", "iat": now, "exp": now + 60, "cap": "notes", "op": "call"}
    return {name: value for name, value in (usual | changes).items() if value is not None}


def bearer(key=KEY, kid=None, **changes):
    header = {"alg": "ES256", "kid": kid or key.thumbprint()}
    return "Bearer " + jwt.encode(header, claims(**changes), key, algorithms=["ES256"])


async def refusal(tokens, authorization, operation="call"):
    with pytest.raises(Problem) as caught:
        await tokens.verify(authorization, operation)
    return caught.value.status, caught.value.code


async def test_the_gateways_token_says_who_calls(tokens):
    caller = await tokens.verify(bearer(), "call")
    assert (caller.subject, caller.operation) == ("user:1", "call")


@pytest.mark.parametrize("name", ["iss", "aud", "sub", "exp", "iat", "cap", "op"])
async def test_every_claim_must_be_there(tokens, name):
    assert await refusal(tokens, bearer(**{name: None})) == (401, "not_identified")


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "http://other.example"},
        {"aud": "0198c0de-0000-7000-8000-000000000002"},
        {"cap": "rostering"},
        {"op": "anything"},
        {"op": "export"},
        {"exp": int(time.time()) - 10, "iat": int(time.time()) - 60},
        {"exp": "tomorrow"},
        {"iat": int(time.time()) + 3600, "exp": int(time.time()) + 3650},
        {"exp": int(time.time()) + 3600},
    ],
    ids=lambda changes: "-".join(f"{name}" for name in changes),
)
async def test_a_token_for_something_else_is_refused(tokens, changes):
    assert await refusal(tokens, bearer(**changes)) == (401, "not_identified")


async def test_a_token_for_an_export_does_not_call(tokens):
    assert (await tokens.verify(bearer(op="export"), "export")).operation == "export"
    assert await refusal(tokens, bearer(op="call"), "export") == (401, "not_identified")


def unsigned(algorithm):
    parts = ({"alg": algorithm, "kid": KEY.thumbprint()}, claims())
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)


async def test_a_token_without_a_signature_is_refused(tokens):
    assert await refusal(tokens, f"Bearer {unsigned('none')}.") == (401, "not_identified")


async def test_a_token_signed_with_the_public_key_as_a_secret_is_refused(tokens):
    signature = hmac.digest(KEY.as_pem(private=False), unsigned("HS256").encode(), "sha256")
    token = f"{unsigned('HS256')}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    assert await refusal(tokens, f"Bearer {token}") == (401, "not_identified")


async def test_a_token_by_another_key_is_refused_whatever_it_calls_itself(tokens):
    assert await refusal(tokens, bearer(OTHER)) == (401, "not_identified")
    assert await refusal(tokens, bearer(OTHER, kid=KEY.thumbprint())) == (401, "not_identified")


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer a.b.c", "Bearer ....", "Basic eDp5", "Bearer æ"]
)
async def test_what_is_no_token_is_refused(tokens, authorization):
    assert await refusal(tokens, authorization) == (401, "not_identified")


async def test_a_tampered_token_is_refused_also_after_the_true_one_was_seen(tokens):
    token = bearer()
    await tokens.verify(token, "call")
    header, _, signature = token.split(".")
    payload = urlsafe_b64encode(json.dumps(claims(sub="user:2")).encode()).rstrip(b"=").decode()
    assert await refusal(tokens, f"{header}.{payload}.{signature}") == (401, "not_identified")


async def test_a_verified_token_is_remembered_only_until_it_expires(tokens, monkeypatch):
    token = bearer()
    await tokens.verify(token, "call")
    later = time.time() + 70
    monkeypatch.setattr(time, "time", lambda: later)
    assert await refusal(tokens, token) == (401, "not_identified")


async def test_unknown_key_ids_do_not_become_a_flood_of_look_ups(tokens, keys):
    for number in range(20):
        await refusal(tokens, bearer(OTHER, kid=f"invented-{number}"))
    assert keys.looked == 1


async def test_a_new_key_of_torv_is_found_and_an_old_one_forgotten(tokens, keys, monkeypatch):
    await tokens.verify(bearer(), "call")
    keys.published = [OTHER]
    later = time.monotonic() + 10
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert (await tokens.verify(bearer(OTHER), "call")).subject == "user:1"
    assert await refusal(tokens, bearer(sub="user:3")) == (401, "not_identified")


async def test_without_torvs_keys_nobody_is_let_in():
    tokens = CallerTokens(ISSUER, RELEASE, "notes", Keys().fetch)
    assert await refusal(tokens, bearer()) == (503, "keys_unknown")


def test_an_assertion_is_short_lived_and_used_once():
    forms = [assertion(KEY, RELEASE, ISSUER) for _ in range(2)]
    read = [jwt.decode(form["client_assertion"], KEY, algorithms=["ES256"]) for form in forms]
    assert read[0].header == {"alg": "ES256", "typ": "JWT", "kid": KEY.thumbprint()}
    assert (read[0].claims["iss"], read[0].claims["sub"], read[0].claims["aud"]) == (RELEASE, RELEASE, ISSUER)
    assert read[0].claims["exp"] - read[0].claims["iat"] <= 60
    assert read[0].claims["jti"] != read[1].claims["jti"]


async def test_an_exchange_shows_the_calls_own_token_beside_our_proof(tokens):
    authorization = bearer()
    caller = await tokens.verify(authorization, "call")
    form = exchange(KEY, RELEASE, ISSUER, caller)
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"
    assert (f"Bearer {form['subject_token']}", form["subject_token_type"].rpartition(":")[2]) == (authorization, "jwt")
    assert jwt.decode(form["client_assertion"], KEY, algorithms=["ES256"]).claims["sub"] == RELEASE
    assert form["subject_token"] not in repr(caller)


def test_a_key_on_another_curve_proves_with_its_own_algorithm():
    key = ECKey.generate_key("P-384", auto_kid=False)
    proof = jwt.decode(assertion(key, RELEASE, ISSUER)["client_assertion"], key, algorithms=["ES384"])
    assert proof.header["alg"] == "ES384"


@pytest.mark.parametrize("major", [1, 12])
async def test_the_token_says_which_major_version_is_meant(tokens, major):
    assert (await tokens.verify(bearer(maj=major), "call")).major == major
    assert (await tokens.verify(bearer(), "call")).major is None


@pytest.mark.parametrize("major", ["1", 1.5, True, [1]])
async def test_a_major_version_that_is_no_whole_number_is_refused(tokens, major):
    assert await refusal(tokens, bearer(maj=major)) == (401, "not_identified")
