"""Signatures: strict JSON, JWS and tokens, ES256 throughout. Whoever verifies states every claim that must hold."""

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rfc8785
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey

from torv.base.errors import InvalidInput, NotIdentified, SignatureInvalid, TokenExpired

ALGORITHMS = ["ES256"]
DEPTH = 32  #: how deep JSON from outside may nest
_MAY_BE_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # half a character (surrogate), which no database and no hash can take


@dataclass(frozen=True, slots=True)
class Keys:
    """The municipality's own private keys."""

    signing: ECKey  #: agreements and receipts
    tokens: ECKey  #: access tokens and calls to modules
    call_secret: bytes  #: see call_mark

    def call_mark(self, text: str) -> str:
        """A mark that only Torv's own processes can make, for what travels through modules and comes back."""
        return hmac.digest(self.call_secret, text.encode(), "sha256").hex()

    @property
    def cursor_secret(self) -> bytes:
        """The key that cursors are encrypted with, 32 bytes."""
        return hmac.new(self.call_secret, b"torv cursors", hashlib.sha256).digest()

    def token_jwks(self) -> dict[str, Any]:
        """The public part of the token key, as a JWK set."""
        return {"keys": [{**public(self.tokens), "use": "sig", "alg": "ES256"}]}


def load_keys(folder: Path) -> Keys:
    """The keys of an installation, made at first use and readable by their owner only."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    tokens = _load(folder / "tokens.pem")
    secret = hashlib.sha256(b"torv call mark" + tokens.as_pem(private=True)).digest()
    return Keys(_load(folder / "signing.pem"), tokens, secret)


def _load(file: Path) -> ECKey:
    if not file.exists():
        draft = file.with_suffix(f".{secrets.token_hex(8)}")  # containers that share the folder share process ids too
        draft.touch(mode=0o600)
        draft.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
        with suppress(FileExistsError):  # whoever comes first wins; nobody ever sees half a key
            os.link(draft, file)
        draft.unlink()
    return ECKey.import_key(file.read_bytes())


def public(key: ECKey) -> dict[str, Any]:
    """The public JWK with its thumbprint (RFC 7638) as `kid`."""
    return {**key.as_dict(private=False), "kid": key.thumbprint()}


def read_public_key(jwk: dict[str, Any]) -> ECKey:
    """A P-256 public key from outside. Raises InvalidInput for anything else, private keys included."""
    if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256" or "d" in jwk:
        raise InvalidInput(reason="the key must be a public EC key on P-256")
    try:
        return ECKey.import_key({name: str(jwk[name]) for name in ("kty", "crv", "x", "y")})
    except (JoseError, KeyError, ValueError):
        raise InvalidInput(reason="the key cannot be read") from None


def sign(payload: dict[str, Any], key: ECKey) -> str:
    """A compact JWS over the canonical JSON of the payload."""
    header = {"alg": "ES256", "kid": key.thumbprint()}
    return jws.serialize_compact(header, rfc8785.dumps(payload), key)


def verify(compact: str, key: ECKey) -> dict[str, Any]:
    """The payload of a JWS made with this key. Raises SignatureInvalid."""
    try:
        payload = jws.deserialize_compact(compact, key, algorithms=ALGORITHMS).payload
        content = strict_json(payload)
    except (JoseError, InvalidInput, ValueError):
        raise SignatureInvalid(reason="it was not made with the key of the party") from None
    if not isinstance(content, dict):
        raise SignatureInvalid(reason="its content is not an object")
    return content


def mint(claims: dict[str, Any], key: ECKey) -> str:
    """A token."""
    return jwt.encode({"alg": "ES256", "typ": "JWT", "kid": key.thumbprint()}, claims, key)


def read_token(token: str, key: ECKey, *, issuer: str, audience: str, required: Sequence[str] = ()) -> dict[str, Any]:
    """The claims of a token, all checked. Raises TokenExpired or NotIdentified."""
    needed: Any = {name: {"essential": True} for name in ("iat", "exp", *required)}
    expected: Any = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}}
    rules = jwt.JWTClaimsRegistry(leeway=5, **expected, **needed)
    try:
        claims = jwt.decode(token, key, algorithms=ALGORITHMS, decoder_cls=_StrictDecoder).claims
        rules.validate(claims)  # decoding alone accepts an expired token
    except ExpiredTokenError:
        raise TokenExpired from None
    except (JoseError, InvalidInput, ValueError, TypeError):
        raise NotIdentified from None
    return claims


def unverified_claims(token: str) -> dict[str, Any]:
    """What a token says before anything of it is believed. Raises ValueError."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > 8_192:
        raise ValueError("not a compact token")
    claims = strict_json(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    if not isinstance(claims, dict):
        raise InvalidInput(reason="claims")
    return claims


def strict_json(text: bytes | str) -> Any:
    """JSON as everybody reads it: no duplicate keys, NaN or half characters, not too deep. Raises InvalidInput."""
    try:
        content = json.loads(text, cls=_StrictDecoder)
        if _MAY_BE_HALF.search(text if isinstance(text, bytes) else text.encode()):
            json.dumps(content, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise InvalidInput(reason="not valid JSON") from None
    if _depth(content) > DEPTH:
        raise InvalidInput(reason="nested too deep")
    return content


class _StrictDecoder(json.JSONDecoder):
    def __init__(self, **_: Any) -> None:
        super().__init__(object_pairs_hook=_no_twins, parse_constant=_no_constant)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise InvalidInput(reason="a name stands twice in the JSON")
    return content


def _no_constant(name: str) -> Any:
    raise InvalidInput(reason=f"{name} is not JSON")


def _depth(content: Any) -> int:
    if isinstance(content, dict):
        return 1 + max(map(_depth, content.values()), default=0)
    if isinstance(content, list):
        return 1 + max(map(_depth, content), default=0)
    return 0
