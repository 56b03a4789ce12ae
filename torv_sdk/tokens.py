"""Tokens: the one we show Torv, and the ones Torv's gateway shows us."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import uuid4

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from torv_sdk.keys import algorithm_of, thumbprint
from torv_sdk.problems import Problem

LONGEST_LIFE = 60  #: seconds; the gateway never gives longer
LEEWAY = 5  #: seconds two clocks may differ
REFETCH_PAUSE = 3  #: seconds between two look-ups of Torv's keys
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def assertion(key: ECKey, client_id: str, audience: str) -> dict[str, str]:
    """The form a module sends for an access token: who it is, proved with its own key (private_key_jwt), used once."""
    now = int(time.time())
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "iat": now, "exp": now + 60, "jti": str(uuid4())}
    header = {"alg": algorithm_of(key), "kid": thumbprint(key)}
    proof = jwt.encode(header, claims, key, algorithms=[header["alg"]])
    return {"grant_type": "client_credentials", "client_assertion_type": ASSERTION, "client_assertion": proof}


def exchange(key: ECKey, client_id: str, audience: str, caller: "Caller") -> dict[str, str]:
    """The form for an access token on behalf of a user who calls us (RFC 8693): our proof, and the call's token."""
    subject = {"subject_token": caller.token, "subject_token_type": JWT}
    return {**assertion(key, client_id, audience), "grant_type": EXCHANGE, **subject}


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf the gateway calls us."""

    subject: str  #: `user:<id>` or `release:<id>`
    operation: str  #: `call`, `export` or `page`
    expires: float
    token: str = field(repr=False)  #: as the gateway sent it; to be shown to nobody but Torv
    major: int | None = None  #: of the contract, for a call; None where Torv did not say


class CallerTokens:
    """Verifies the gateway's tokens: signed by Torv (ES256), for exactly this release and capability, and in time."""

    def __init__(self, issuer: str, audience: str, capability: str, fetch_keys: Callable[[], Awaitable[Any]]) -> None:
        self._fetch_keys = fetch_keys
        self._claims = jwt.JWTClaimsRegistry(
            leeway=LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
            cap={"essential": True, "value": capability},
            op={"essential": True, "values": ["call", "export", "page"]},
        )
        self._keys: Mapping[str, ECKey] = {}
        self._fetched = -float(REFETCH_PAUSE)
        self._lock = asyncio.Lock()
        self._verified: dict[bytes, Caller] = {}

    async def verify(self, authorization: str, operation: str) -> Caller:
        """Who calls. Raises Problem: 401 if the token is not valid for the operation, 503 without Torv's keys."""
        scheme, _, token = authorization.partition(" ")
        name = sha256(token.encode()).digest()
        caller = self._verified.get(name)
        if scheme.lower() != "bearer":
            raise _not_identified()
        if caller is None or caller.expires <= time.time():
            caller = self._remember(name, await self._check(token))
        if caller.operation != operation:
            raise _not_identified()
        return caller

    async def refresh(self) -> None:
        """Fetch Torv's keys, unless that was tried a moment ago: invented key ids must not become a flood."""
        if time.monotonic() - self._fetched < REFETCH_PAUSE:
            return
        self._fetched = time.monotonic()
        found = [
            key for key in (await self._fetch_keys())["keys"] if (key.get("kty"), key.get("crv")) == ("EC", "P-256")
        ]
        self._keys = {key["kid"]: ECKey.import_key(key) for key in found if "kid" in key}

    async def _check(self, token: str) -> Caller:
        try:
            kid = jws.extract_compact(token.encode()).headers().get("kid")
            claims = jwt.decode(token, await self._key(str(kid)), algorithms=["ES256"]).claims
            self._claims.validate(claims)  # decode alone accepts an expired token
        except (JoseError, ValueError):
            raise _not_identified() from None
        if claims["exp"] - claims["iat"] > LONGEST_LIFE:
            raise _not_identified()
        major = claims.get("maj")
        if not (major is None or type(major) is int):
            raise _not_identified()
        return Caller(claims["sub"], claims["op"], claims["exp"], token, major)

    async def _key(self, kid: str) -> ECKey:
        if kid not in self._keys:
            async with self._lock:
                if kid not in self._keys:
                    await self.refresh()
        if not self._keys:
            raise Problem(503, "keys_unknown", "Torv's keys could not be fetched yet.", retry_after=1)
        if kid not in self._keys:
            raise _not_identified()
        return self._keys[kid]

    def _remember(self, name: bytes, caller: Caller) -> Caller:
        """Checking a signature costs more than all else here, and the gateway shows the same token for a while."""
        if len(self._verified) >= 1000:
            self._verified = {key: known for key, known in self._verified.items() if known.expires > time.time()}
        if len(self._verified) < 1000:
            self._verified[name] = caller
        return caller


def _not_identified() -> Problem:
    return Problem(401, "not_identified", "The token is not valid here.")
