"""Bronze: only Torv can call the module, and it refuses as the contract says. Needs no Torv, only its keys."""

import base64
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey

from torv_sdk.certifying.rules import Broken, Level, rule
from torv_sdk.certifying.stand import Stand

REFUSED_BODY = {400, 413, 422}  #: what a body that breaks the contract may be answered
VALID = {200, 201, 202, 204, 409, 503}  #: what a valid call may be answered, with a Torv behind it or without


@rule(
    "health", Level.BRONZE,
    danish="Modulet siger på /torv/health, om det har det godt, og hvor langt det er.",
    english="The module says at /torv/health whether it is well, and how far it has come.",
    advice="Answer GET /torv/health without a token: 200 with status, release, position and caught_up.",
)  # fmt: skip
async def health(stand: Stand) -> None:
    answer = await stand.send("GET", "/torv/health", None)
    known = answer.body if isinstance(answer.body, dict) else {}
    if answer.status != 200 or known.get("status") != "ok":
        raise Broken(f"/torv/health answered {answer.status} without status ok")
    kinds = {"release": str, "position": int, "caught_up": bool}
    if wrong := [name for name, kind in kinds.items() if type(known.get(name)) is not kind]:
        raise Broken(f"/torv/health lacks {', '.join(wrong)}, or has it in another form")
    if known["release"] != stand.client_id:
        raise Broken("/torv/health names another release than the one Torv registered")


@rule(
    "valid_call_admitted", Level.BRONZE,
    danish="Et gyldigt kald lukkes ind.",
    english="A valid call is let in.",
    advice="Fetch Torv's keys from TORV_URL/.well-known/jwks.json, by kid; iss is TORV_URL and aud is TORV_CLIENT_ID.",
)  # fmt: skip
async def valid_call_admitted(stand: Stand) -> None:
    for operation in stand.writing():
        answer = await stand.write(operation)
        if answer.status not in VALID:
            raise Broken(f"{operation.name} answered a valid call with {answer.status}{answer.code}")


@rule(
    "operations_there", Level.BRONZE,
    danish="Hver af kontraktens operationer findes.",
    english="Every operation of the contract is there.",
    advice="Answer each of them; to Torv, 404 (without a variable in the address), 405 and 501 say that it is missing.",
)  # fmt: skip
async def operations_there(stand: Stand) -> None:
    for operation in stand.contract.operations.values():
        await stand.check_there(operation)


async def _expect_401(stand: Stand, token: str | None, what: str) -> None:
    """Every operation must refuse; none of what is sent could be refused for another reason."""
    for operation in stand.contract.operations.values():
        content = b"" if operation.is_safe else json.dumps(stand.example(operation) or {}).encode()
        query = stand.query(operation) if operation.is_safe else None
        key = None if operation.is_safe else str(uuid4())
        answer = await stand.call(operation, token, content=content, key=key, query=query)
        if answer.status != 401:
            raise Broken(f"{operation.name} answered {answer.status} to {what}, not 401")


@rule(
    "token_missing", Level.BRONZE,
    danish="Et kald uden adgangsbevis afvises.",
    english="A call without a token is refused.",
    advice="Answer 401 when there is no Authorization header, before anything else is done.",
)  # fmt: skip
async def token_missing(stand: Stand) -> None:
    await _expect_401(stand, None, "a call without a token")


@rule(
    "token_audience", Level.BRONZE,
    danish="Et adgangsbevis til et andet modul afvises.",
    english="A token for another module is refused.",
    advice="Compare aud with TORV_CLIENT_ID.",
)  # fmt: skip
async def token_audience(stand: Stand) -> None:
    await _expect_401(stand, stand.token(aud=str(uuid4())), "a token for another module")


@rule(
    "token_issuer", Level.BRONZE,
    danish="Et adgangsbevis fra en anden udsteder afvises.",
    english="A token of another issuer is refused.",
    advice="Compare iss with TORV_URL.",
)  # fmt: skip
async def token_issuer(stand: Stand) -> None:
    await _expect_401(stand, stand.token(iss="https://torv.example"), "a token of another issuer")


@rule(
    "token_expired", Level.BRONZE,
    danish="Et udløbet adgangsbevis afvises.",
    english="An expired token is refused.",
    advice="Check exp yourself: some libraries decode a token without looking at it. Allow at most a few seconds.",
)  # fmt: skip
async def token_expired(stand: Stand) -> None:
    then = int(time.time()) - 120
    await _expect_401(stand, stand.token(iat=then, exp=then + 60), "an expired token")
    await _expect_401(stand, stand.token(exp=None), "a token that never expires")


@rule(
    "token_unsigned", Level.BRONZE,
    danish="Et adgangsbevis uden rigtig underskrift afvises.",
    english="A token without a true signature is refused.",
    advice="Accept ES256 alone; never take the algorithm from the token, and never a public key as a secret.",
)  # fmt: skip
async def token_unsigned(stand: Stand) -> None:
    claims = stand.token().split(".")[1]
    await _expect_401(stand, f"{_part({'alg': 'none', 'kid': stand.door.kid})}.{claims}.", "a token with alg none")
    signed = f"{_part({'alg': 'HS256', 'kid': stand.door.kid})}.{claims}"
    mac = hmac.digest(stand.door.key.as_pem(private=False), signed.encode(), "sha256")
    await _expect_401(stand, f"{signed}.{_base64(mac)}", "a token signed with the public key as a secret")


@rule(
    "token_forged", Level.BRONZE,
    danish="Et adgangsbevis, som en anden har underskrevet, afvises.",
    english="A token that somebody else has signed is refused.",
    advice="Verify the signature with the key whose kid the token names; keys inside the token count for nothing.",
)  # fmt: skip
async def token_forged(stand: Stand) -> None:
    other = ECKey.generate_key("P-256", auto_kid=False)
    header = {"alg": "ES256", "kid": stand.door.kid, "jwk": other.as_dict(private=False)}
    claims = json.loads(base64.urlsafe_b64decode(stand.token().split(".")[1] + "=="))
    await _expect_401(stand, jwt.encode(header, claims, other, algorithms=["ES256"]), "a forged token")


@rule(
    "token_purpose", Level.BRONZE,
    danish="Et adgangsbevis gælder kun det, det er udstedt til.",
    english="A token counts only for what it was made for.",
    advice="Compare cap with the capability, and op: call for the contract's operations, export for /torv/export.",
)  # fmt: skip
async def token_purpose(stand: Stand) -> None:
    await _expect_401(stand, stand.token(cap="another-capability"), "a token for another capability")
    await _expect_401(stand, stand.token("export"), "a token for an export")
    for record_type in stand.contract.record_types:
        for token, what in ((stand.token(), "a token for a call"), (None, "nobody")):
            answer = await stand.send("GET", f"/torv/export/{record_type}?bucket=0", token)
            if answer.status != 401:
                raise Broken(f"the export of {record_type} answered {answer.status} to {what}, not 401")


@rule(
    "key_required", Level.BRONZE,
    danish="Et kald, der ændrer noget, afvises uden Idempotency-Key.",
    english="A call that changes something is refused without an Idempotency-Key.",
    advice="Answer 400 with the code idempotency_key_required.",
)  # fmt: skip
async def key_required(stand: Stand) -> None:
    for operation in stand.writing():
        content = json.dumps(stand.example(operation)).encode()
        answer = await stand.call(operation, stand.token(), content=content)
        if answer.status != 400:
            raise Broken(f"{operation.name} answered {answer.status} to a call without an Idempotency-Key, not 400")


@rule(
    "body_refused", Level.BRONZE,
    danish="Indhold, der ikke følger kontrakten, afvises.",
    english="A body that does not follow the contract is refused.",
    advice="Check every field of the contract's schema before anything is written, and answer 422 (400 for no JSON).",
)  # fmt: skip
async def body_refused(stand: Stand) -> None:
    for operation in stand.writing():
        valid, schema = stand.example(operation) or {}, stand.contract.body_schema(operation.name) or {}
        for what, content in wrong_bodies(valid, schema):
            answer = await stand.call(operation, stand.token(), content=content, key=str(uuid4()))
            if answer.status not in REFUSED_BODY:
                raise Broken(f"{operation.name} answered {answer.status} to a body with {what}, not 422")


@rule(
    "refusals_described", Level.BRONZE,
    danish="Enhver afvisning er et problemdokument, som kontrakten beskriver det.",
    english="Every refusal is a problem document, as the contract describes it.",
    advice="Answer refusals as application/problem+json with type, title, status and code, by openapi.yaml.",
)  # fmt: skip
async def refusals_described(stand: Stand) -> None:
    for answer in [each for each in stand.answered if each.status >= 400]:
        complaint = stand.contract.answer_complaint(answer.operation, answer.status, answer.media_type, answer.body)
        if complaint:
            raise Broken(complaint)


def wrong_bodies(valid: dict[str, Any], schema: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Bodies that break one rule of the contract each, with what is wrong with them."""
    yield "no JSON", b'{"'
    yield "a list instead of an object", b"[]"
    for name in schema.get("required", []):
        yield f"no {name}", json.dumps({key: value for key, value in valid.items() if key != name}).encode()
    for name, rules in schema.get("properties", {}).items():
        for what, value in _wrong_values(rules):
            yield f"{what} as {name}", json.dumps({**valid, name: value}).encode()


def _wrong_values(rules: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Values a property may not have."""
    kind = rules.get("type")
    if isinstance(kind, str):
        yield "a value of another type", 17 if kind in ("string", "array", "object", "boolean") else "seventeen"
    if "maxLength" in rules:
        yield "too long a text", "x" * (rules["maxLength"] + 1)
    if rules.get("minLength"):
        yield "an empty text", ""
    if rules.get("format") in ("date-time", "date", "uuid"):
        yield f"no {rules['format']}", "in the forenoon"
    if "maximum" in rules:
        yield "too large a number", rules["maximum"] + 1
    if "minimum" in rules:
        yield "too small a number", rules["minimum"] - 1
    if "enum" in rules:
        yield "an unknown value", "no-such-value"


def _part(value: Any) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
