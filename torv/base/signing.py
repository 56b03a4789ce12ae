"""Signatures: strict JSON, JWS and tokens. Ours are ES256; others may also sign with ES384.

Whoever verifies states every claim that must hold. The algorithm follows from the key, never from what was sent.
"""

import base64
import hashlib
import hmac
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rfc8785
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import ECKey

from torv.base import clock
from torv.base.errors import InvalidInput, NotIdentified, SignatureInvalid, TokenExpired
from torv.base.keyring import HeadKeys, TokenKeys, load_key, load_secret

ALGORITHMS = {"P-256": "ES256", "P-384": "ES384"}  #: curve -> the one algorithm of its keys
DEPTH = 32  #: how deep JSON from outside may nest
LONGEST = 8_192  #: characters of a token
_MAY_BE_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # half a character (surrogate), which no database and no hash can take


@dataclass(frozen=True, slots=True)
class Keys:
    """The municipality's own private keys."""

    signing: ECKey  #: agreements and receipts
    token_keys: TokenKeys  #: access tokens and calls to modules
    call_secret: bytes = field(repr=False)  #: see call_mark
    heads: HeadKeys  #: heads of the audit log, and nothing else

    @property
    def tokens(self) -> ECKey:
        """The key that tokens are made with now; another one after a rotation."""
        return self.token_keys.current

    def call_mark(self, text: str) -> str:
        """A mark that only Torv's own processes can make, for what travels through modules and comes back."""
        return hmac.digest(self.call_secret, text.encode(), "sha256").hex()

    @property
    def cursor_secret(self) -> bytes:
        """The key that cursors are encrypted with, 32 bytes."""
        return hmac.new(self.call_secret, b"torv cursors", hashlib.sha256).digest()

    def token_jwks(self) -> dict[str, Any]:
        """The public parts of the token keys whose tokens may be alive, the one in use first, as a JWK set."""
        return {"keys": [{**public(each), "use": "sig", "alg": "ES256"} for each in self.token_keys.every()]}


def load_keys(folder: Path) -> Keys:
    """The keys of an installation, made at first use and readable by their owner only."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Keys(
        signing=load_key(folder / "signing.pem"), token_keys=TokenKeys(folder),
        call_secret=load_secret(folder / "calls.secret"), heads=HeadKeys(folder),
    )  # fmt: skip


def public(key: ECKey) -> dict[str, Any]:
    """The public JWK with its thumbprint (RFC 7638) as `kid`."""
    return {**key.as_dict(private=False), "kid": key.thumbprint()}


def read_public_key(jwk: dict[str, Any]) -> ECKey:
    """A P-256 or P-384 public key from outside. Raises InvalidInput for anything else, private keys included."""
    if jwk.get("kty") != "EC" or jwk.get("crv") not in list(ALGORITHMS) or "d" in jwk:
        raise InvalidInput(reason="the key must be a public EC key on P-256 or P-384")
    try:
        return ECKey.import_key({name: str(jwk[name]) for name in ("kty", "crv", "x", "y")})
    except (JoseError, KeyError, ValueError):
        raise InvalidInput(reason="the key cannot be read") from None


def algorithm_of(key: ECKey) -> str:
    """The one algorithm a key signs with: the curve decides (RFC 7518, section 3.4)."""
    return ALGORITHMS[key.curve_name]


def fingerprint(key: ECKey) -> str:
    """The key's thumbprint as people compare it."""
    return readable(key.thumbprint())


def readable(thumbprint: str) -> str:
    """A thumbprint as people compare it: its first 160 bits in base32, eight groups of four."""
    text = base64.b32encode(base64.urlsafe_b64decode(thumbprint + "=")[:20]).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def sign(payload: dict[str, Any], key: ECKey) -> str:
    """A compact JWS over the canonical JSON of the payload."""
    header = {"alg": algorithm_of(key), "kid": key.thumbprint()}
    return jws.serialize_compact(header, rfc8785.dumps(payload), key, algorithms=[header["alg"]])


def verify(compact: str, key: ECKey) -> dict[str, Any]:
    """The payload of a JWS made with this key. Raises SignatureInvalid."""
    try:
        return _verified(compact, key)
    except InvalidInput:
        raise SignatureInvalid(reason="its content is not an object") from None
    except (JoseError, ValueError):
        raise SignatureInvalid(reason="it was not made with the key of the party") from None


def mint(claims: dict[str, Any], key: ECKey) -> str:
    """A token."""
    header = {"alg": algorithm_of(key), "typ": "JWT", "kid": key.thumbprint()}
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


def read_token(token: str, key: ECKey, *, issuer: str, audience: str, required: Sequence[str] = ()) -> dict[str, Any]:
    """The claims of a token, all checked. Raises TokenExpired or NotIdentified."""
    needed: Any = {name: {"essential": True} for name in ("iat", "exp", *required)}
    expected: Any = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}}
    rules = jwt.JWTClaimsRegistry(now=int(clock.seconds()), leeway=5, **expected, **needed)
    try:
        claims = _verified(_short(token), key)
        rules.validate(claims)
        _check_claims(claims)
    except ExpiredTokenError:
        raise TokenExpired from None
    except (JoseError, InvalidInput, ValueError, TypeError):
        raise NotIdentified from None
    return claims


def unverified_claims(token: str) -> dict[str, Any]:
    """What a token says before anything of it is believed. Raises ValueError or InvalidInput."""
    return _part(_short(token), 1)


def key_id(token: str) -> str:
    """The `kid` that a token names, to look a key up by. Raises NotIdentified if it names none."""
    try:
        kid = _part(_short(token), 0).get("kid")
    except (ValueError, InvalidInput):
        raise NotIdentified from None
    if not isinstance(kid, str):
        raise NotIdentified
    return kid


def _short(token: str) -> str:
    """A token that may be looked at. Raises ValueError."""
    if len(token) > LONGEST:
        raise ValueError("too long for a token")
    return token


def _part(token: str, number: int) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3:
        raise ValueError("not a compact token")
    padded = parts[number] + "=" * (-len(parts[number]) % 4)
    content = strict_json(base64.b64decode(padded, altchars=b"-_", validate=True))
    if not isinstance(content, dict):
        raise InvalidInput(reason="not an object")
    return content


def _verified(compact: str, key: ECKey) -> dict[str, Any]:
    """What a compact JWS says, made with this key. Raises JoseError, ValueError, or InvalidInput for what it says.

    A header that two programs read differently, or that asks for more than we know, is refused. A key or an address in
    it (`jwk`, `jku`, `x5u`) is never looked at: whoever verifies knows the key.
    """
    header, algorithm = _part(compact, 0), algorithm_of(key)
    if header.get("alg") != algorithm or "crit" in header:
        raise ValueError("header")
    content = strict_json(jws.deserialize_compact(compact, key, algorithms=[algorithm]).payload)
    if not isinstance(content, dict):
        raise InvalidInput(reason="not an object")
    return content


def _check_claims(claims: dict[str, Any]) -> None:
    """Raises InvalidInput for times that are no whole seconds or in no order, and for more than one audience."""
    times = [claims[name] for name in ("nbf", "iat", "exp") if name in claims]
    if any(type(each) is not int for each in times) or max(times) != claims["exp"]:
        raise InvalidInput(reason="times")
    if not isinstance(claims["aud"], str):
        raise InvalidInput(reason="aud")


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
        super().__init__(object_pairs_hook=_no_twins, parse_constant=_no_constant, parse_float=_finite)


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise InvalidInput(reason="a name stands twice in the JSON")
    return content


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise InvalidInput(reason="a number is too large")
    return number


def _no_constant(name: str) -> Any:
    raise InvalidInput(reason=f"{name} is not JSON")


def _depth(content: Any) -> int:
    if isinstance(content, dict):
        return 1 + max(map(_depth, content.values()), default=0)
    if isinstance(content, list):
        return 1 + max(map(_depth, content), default=0)
    return 0
