"""Tokens for modules: OAuth 2.0 client credentials with `private_key_jwt` (RFC 7523), and token exchange (RFC 8693).

Tokens say who, never what: the decision is taken on the live agreement at every request. A program proves who it is
with an assertion made with its own key, which counts once. With a token that the gateway sent along with a user's call
it may ask for one that names that user: `sub` is the user on whose behalf, `act.sub` the release that acts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from torv.base import clock, db, signing
from torv.base.db import Tx
from torv.base.errors import InvalidClient, InvalidInput, NotIdentified, TokenExpired
from torv.base.signing import Keys
from torv.base.sql import load
from torv.ecosystem.modules.errors import SubjectTokenInvalid
from torv.ecosystem.modules.models import Release

sql = load(__file__)
db.names_constraint("assertions_once", InvalidClient)

LIFE = 300  #: seconds an access token lives
ASSERTION_LIFE = 60  #: seconds an assertion may live
CALL_LIFE = 60  #: seconds the gateway's token for one call lives
LONGEST_JTI = 100  #: characters
CREDENTIALS = "client_credentials"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 a name, no secret

_CLIENT = {"grant_type", "client_assertion_type", "client_assertion"}
#: grant type -> the fields its form has; no others are taken, as they would ask for something we do not give
_FIELDS = {CREDENTIALS: _CLIENT, EXCHANGE: {*_CLIENT, "subject_token", "subject_token_type"}}


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessToken:
    """Who shows an access token."""

    release_id: UUID  #: the program that acts
    user_id: UUID | None  #: on whose behalf; None: on its own
    expires: float  #: Unix seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuedToken:
    """An access token as it is given out."""

    token: str
    life: int  #: seconds
    is_exchanged: bool


async def identify_client(tx: Tx, form: dict[str, str], *, issuer: str) -> Release:
    """The release that signed the form's assertion, which is used up by this. Raises InvalidClient."""
    fields = _FIELDS.get(form.get("grant_type", ""))
    if fields is None or set(form) != fields or form["client_assertion_type"] != ASSERTION:
        raise InvalidClient(reason="only client_credentials or a token exchange, with a signed assertion")
    release = await tx.maybe(Release, sql.release_of_client, id=_client_id(form["client_assertion"]))
    if release is None:
        raise InvalidClient(reason="unknown client")
    claims = _claims(form["client_assertion"], release, issuer)
    await tx.run(
        sql.insert_assertion, release_id=release.id, jti=claims["jti"],
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
    )  # fmt: skip
    return release


def issue_token(release: Release, form: dict[str, str], *, issuer: str, keys: Keys) -> IssuedToken:
    """An access token for an identified release; in an exchange on behalf of the user of the call it was sent.

    Raises SubjectTokenInvalid. A token on a user's behalf ends when the call's own token does.
    """
    now, me = int(clock.seconds()), f"release:{release.id}"
    claims: dict[str, Any] = {"iss": issuer, "aud": issuer, "sub": me, "iat": now, "exp": now + LIFE}
    is_exchanged = form["grant_type"] == EXCHANGE
    if is_exchanged:
        if form["subject_token_type"] != JWT:
            raise _not_exchanged("its type", "typen")
        user_id, expires = _user_of_call(form["subject_token"], release, issuer=issuer, keys=keys)
        claims |= {"sub": f"user:{user_id}", "act": {"sub": me}, "exp": expires}
    token = signing.mint(claims, keys.tokens)
    return IssuedToken(token=token, life=max(claims["exp"] - now, 0), is_exchanged=is_exchanged)


def read_access_token(token: str, *, issuer: str, keys: Keys) -> AccessToken:
    """Who shows an access token of ours. Raises TokenExpired or NotIdentified.

    A release on its own stands in `sub`; one on a user's behalf in `act.sub`, and the user in `sub`. Nothing else is
    taken: not a user who acts for a release, nor a user alone, nor a chain of actors.
    """
    claims = _read_own(token, issuer=issuer, audience=issuer, keys=keys, life=LIFE)
    if "act" not in claims:
        return AccessToken(release_id=_named("release", claims["sub"]), user_id=None, expires=claims["exp"])
    actor = claims["act"]
    if not isinstance(actor, dict) or set(actor) != {"sub"}:
        raise NotIdentified
    return AccessToken(
        release_id=_named("release", actor["sub"]), user_id=_named("user", claims["sub"]), expires=claims["exp"]
    )  # fmt: skip


async def forget_old_assertions(tx: Tx) -> None:
    """Forget assertions that have expired by more than an hour: they are refused anyway."""
    await tx.run(sql.forget_assertions)


def _client_id(assertion: str) -> UUID:
    """Whom the assertion claims to be from; believed only after `_claims`."""
    try:
        return UUID(signing.unverified_claims(assertion)["sub"])
    except (ValueError, KeyError, TypeError, AttributeError, InvalidInput):
        raise InvalidClient(reason="the assertion cannot be read") from None


def _claims(assertion: str, release: Release, issuer: str) -> dict[str, Any]:
    key, me = signing.read_public_key(release.jwk), str(release.id)
    try:
        claims = signing.read_token(assertion, key, issuer=me, audience=issuer, required=("jti", "sub"))
    except (NotIdentified, TokenExpired):
        raise InvalidClient(reason="signature, audience or time is wrong") from None
    jti = claims["jti"]
    if claims["sub"] != me or claims["exp"] - claims["iat"] > ASSERTION_LIFE or len(jti) > LONGEST_JTI or "\0" in jti:
        raise InvalidClient(reason="it lives too long, or has no proper sub or jti")
    return claims


def _user_of_call(token: str, release: Release, *, issuer: str, keys: Keys) -> tuple[UUID, int]:
    """The user whose call the gateway sent to this very release with this token, and when the token ends."""
    try:
        claims = _read_own(token, issuer=issuer, audience=str(release.id), keys=keys, life=CALL_LIFE)
    except TokenExpired:
        raise _not_exchanged("it has expired", "det er udløbet") from None
    except NotIdentified:
        raise _not_exchanged("Torv did not give it to this program", "Torv har ikke givet programmet det") from None
    if claims.get("op") not in ("call", "page") or "act" in claims:
        raise _not_exchanged("it is not that of a call", "det hører ikke til et kald")
    try:
        return _named("user", claims["sub"]), claims["exp"]
    except NotIdentified:
        raise _not_exchanged("no user stands behind the call", "der står ingen bruger bag kaldet") from None


def _read_own(token: str, *, issuer: str, audience: str, keys: Keys, life: int) -> dict[str, Any]:
    """The claims of a token that we made ourselves, with a key that is still known. Raises as `read_token`."""
    key = keys.token_keys.find(signing.key_id(token))
    if key is None:
        raise NotIdentified
    claims = signing.read_token(token, key, issuer=issuer, audience=audience, required=("sub",))
    if claims["exp"] - claims["iat"] > life:
        raise NotIdentified
    return claims


def _named(kind: str, subject: Any) -> UUID:
    """The id of a subject such as `user:<id>`. Raises NotIdentified for one of another kind."""
    stated, _, text = subject.partition(":") if isinstance(subject, str) else ("", "", "")
    try:
        found = UUID(text)
    except ValueError:
        raise NotIdentified from None
    if stated != kind or str(found) != text:
        raise NotIdentified
    return found


def _not_exchanged(reason: str, reason_da: str) -> SubjectTokenInvalid:
    return SubjectTokenInvalid(reason=reason, reason_da=reason_da)
