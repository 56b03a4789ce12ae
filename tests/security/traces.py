"""What attacks on tokens share: good claims to start from, ways to show them, and what a refusal leaves behind."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import asyncpg
from joserfc.jwk import ECKey

from tests.cast import Cast
from tests.served import Api, Reply
from torv_sdk.tokens import assertion

FORM = "application/x-www-form-urlencoded"
STRANGER = ECKey.generate_key("P-256")
FEED = "/api/v1/records/feed?capability=notes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Traces:
    """What a refusal leaves behind."""

    entries: int  #: in the trail
    assertions: int  #: used up
    strangers: float  #: counted

    def since(self, before: "Traces") -> tuple[int, int, float]:
        return (
            self.entries - before.entries, self.assertions - before.assertions, self.strangers - before.strangers,
        )  # fmt: skip


async def traces(api: Api, code: str) -> Traces:
    connection = await asyncpg.connect(api.dsn)
    try:
        entries = await connection.fetchval("select count(*) from base.trail")
        assertions = await connection.fetchval("select count(*) from modules.assertions")
    finally:
        await connection.close()
    strangers = await api.metric("torv_refusals_of_strangers_total", code=code)
    return Traces(entries=entries, assertions=assertions, strangers=strangers)


@asynccontextmanager
async def leaving(api: Api, code: str, *, entries: int, assertions: int, strangers: int) -> AsyncIterator[None]:
    """What is done inside leaves exactly this."""
    before = await traces(api, code)
    yield
    assert (await traces(api, code)).since(before) == (entries, assertions, strangers)


async def fetch(api: Api, form: dict[str, str]) -> Reply:
    return await api.post("/oauth/token", urlencode(form).encode(), Content_Type=FORM)


async def shown(api: Api, token: str) -> Reply:
    return await api.get(FEED, Authorization=f"Bearer {token}")


def proof(api: Api, cast: Cast, **changes: Any) -> dict[str, Any]:
    """The claims of a good assertion of Nordnote's; what is changed to None is left out."""
    now, me = int(time.time()), str(cast.releases["nordnote"])
    claims = {"iss": me, "sub": me, "aud": api.url, "iat": now, "exp": now + 60, "jti": str(uuid4())} | changes
    return {name: value for name, value in claims.items() if value is not None}


def identity(api: Api, cast: Cast, **changes: Any) -> dict[str, Any]:
    """The claims of a good access token of Nordnote's."""
    now = int(time.time())
    subject = f"release:{cast.releases['nordnote']}"
    claims = {"iss": api.url, "aud": api.url, "sub": subject, "iat": now, "exp": now + 300} | changes
    return {name: value for name, value in claims.items() if value is not None}


def form_of(token: str) -> dict[str, str]:
    return {**assertion(STRANGER, "", ""), "client_assertion": token}


def good(key: ECKey, **more: Any) -> dict[str, Any]:
    return {"alg": "ES256", "kid": key.thumbprint(), **more}
