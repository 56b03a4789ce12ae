"""Tokens for modules: OAuth 2.0 client credentials with `private_key_jwt` (RFC 7523). They say who, never what."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from joserfc.jwk import ECKey

from torv.base import db, signing
from torv.base.db import Tx
from torv.base.errors import InvalidClient, InvalidInput, NotIdentified, TokenExpired
from torv.base.sql import load
from torv.ecosystem.modules.models import Release

sql = load(__file__)
db.names_constraint("assertions_once", InvalidClient)

LIFE = 300  #: seconds an access token lives
ASSERTION_LIFE = 60  #: seconds an assertion may live
GRANT = "client_credentials"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


async def token_for_module(tx: Tx, form: dict[str, str], *, issuer: str, key: ECKey) -> str:
    """An access token for the release that signed the assertion, which counts once. Raises InvalidClient."""
    if form.get("grant_type") != GRANT or form.get("client_assertion_type") != ASSERTION:
        raise InvalidClient(reason="only client_credentials with a signed assertion")
    assertion = form.get("client_assertion", "")
    release = await tx.maybe(Release, sql.release_by_id, id=_client_id(assertion))
    if release is None:
        raise InvalidClient(reason="unknown client")
    claims = _claims(assertion, release, issuer)
    await tx.run(
        sql.insert_assertion,
        release_id=release.id,
        jti=claims["jti"],
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )
    now = int(time.time())
    return signing.mint(
        {"iss": issuer, "aud": issuer, "sub": f"release:{release.id}", "iat": now, "exp": now + LIFE}, key
    )


async def forget_old_assertions(tx: Tx) -> None:
    """Forget assertions that have expired by more than an hour: they are refused anyway."""
    await tx.run(sql.forget_assertions)


def _client_id(assertion: str) -> UUID:
    """Whom the assertion claims to be from; believed only after `_claims`."""
    try:
        payload = signing.unverified_claims(assertion)
        return UUID(str(payload["sub"]))
    except (ValueError, KeyError, InvalidInput):
        raise InvalidClient(reason="the assertion cannot be read") from None


def _claims(assertion: str, release: Release, issuer: str) -> dict[str, Any]:
    key = signing.read_public_key(release.jwk)
    try:
        claims = signing.read_token(assertion, key, issuer=str(release.id), audience=issuer, required=("jti", "sub"))
    except (NotIdentified, TokenExpired):
        raise InvalidClient(reason="signature, audience or time is wrong") from None
    if claims["exp"] - claims["iat"] > ASSERTION_LIFE or not isinstance(claims["jti"], str) or len(claims["jti"]) > 100:
        raise InvalidClient(reason="it lives too long or has no proper jti")
    return claims
