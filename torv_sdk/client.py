"""Speaking with Torv: one session, one access token, and retries that cannot double anything."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote

import aiohttp
from joserfc.jwk import ECKey

from torv_sdk.keys import prove_key
from torv_sdk.problems import KernelRefusal
from torv_sdk.tokens import Caller, assertion, exchange

ANSWER_TIME = 5.0  #: seconds Torv has for one answer
PATIENCE = 5.0  #: seconds we go on trying


class KernelClient:
    """Torv's API for one release. Use it as `async with`; every method raises KernelRefusal.

    A failure that passes (no connection, or 409 and 503 with Retry-After) is tried again for a few seconds, a write
    always with the same idempotency key. A KernelRefusal with the code `kernel_unreachable` means that we do not know
    whether a write was done: try it again with the same key.
    """

    def __init__(self, url: str, client_id: str, key: ECKey) -> None:
        self._url, self._client_id, self._key = url, client_id, key
        self._tokens: dict[Caller | None, tuple[str, float]] = {}  # whom for -> token, and when to renew it
        self._renewing = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def get(
        self,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        wait: float = 0,
        patience: float = PATIENCE,
        headers: Mapping[str, str] | None = None,
        on_behalf_of: Caller | None = None,
    ) -> Any:
        """Read. `wait` is how long Torv may hold the answer back on purpose.

        With `on_behalf_of=call.caller`, only what the user behind the call may see too.
        """
        options = {"params": query, "wait": wait, "headers": headers or {}}
        return await self._patiently(patience, on_behalf_of, "GET", path, **options)

    async def post(
        self, path: str, content: Any, *, key: str, headers: Mapping[str, str], on_behalf_of: Caller | None = None
    ) -> Any:
        """Write under an idempotency key: the same key again gives the first answer again."""
        headers = {**headers, "Idempotency-Key": key, "Content-Type": "application/json"}
        data = json.dumps(content, ensure_ascii=False).encode()
        return await self._patiently(PATIENCE, on_behalf_of, "POST", path, data=data, headers=headers)

    async def ask(self, path: str, content: Any, *, on_behalf_of: Caller | None = None) -> Any:
        """Read by a POST, where what is asked for must not stand in an address; changes nothing, so needs no key."""
        data, headers = json.dumps(content, ensure_ascii=False).encode(), {"Content-Type": "application/json"}
        return await self._patiently(PATIENCE, on_behalf_of, "POST", path, data=data, headers=headers)

    async def public_keys(self) -> Any:
        """Torv's token keys (JWKS); needs no token."""
        return await self._send("GET", "/.well-known/jwks.json")

    async def send_key(self, content: Any) -> Any:
        """Send a key under a one-time code; needs no token, and is sent once: a code counts once."""
        return await self._send("POST", "/api/v1/partners/enrolments", json=content)

    async def send_certification(self, release: str, content: Any) -> Any:
        """Hand in a signed report; needs no token, because the signature says whose it is."""
        return await self._send("POST", f"/api/v1/releases/{quote(release, safe='')}/certifications", json=content)

    async def register(self, content: Any) -> Any:
        """Register a release; needs no token: the statement in it is signed. The same again is the same release."""
        return await self._send("POST", "/api/v1/registrations", json=content)

    async def _patiently(self, patience: float, caller: Caller | None, method: str, path: str, **options: Any) -> Any:
        deadline, pause, renewals = time.monotonic() + patience, 0.05, 0
        while True:
            try:
                headers = {**options["headers"], "Authorization": f"Bearer {await self._access_token(caller)}"}
                return await self._send(method, path, **{**options, "headers": headers})
            except KernelRefusal as refusal:
                if refusal.code == "token_expired" and not renewals:
                    renewals = 1
                    self._tokens.pop(caller, None)
                    continue
                wait = max(pause, 0 if refusal.code == "kernel_unreachable" else refusal.retry_after or 0)
                if not refusal.is_passing or time.monotonic() + wait > deadline:
                    raise
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311 not a secret
            pause *= 2

    async def access_token(self) -> str:
        """The token we show Torv just now. Raises KernelRefusal."""
        return await self._access_token(None)

    async def _access_token(self, caller: Caller | None) -> str:
        """The token we have, our own or one on behalf of a caller, or a new one when 80 % of its life is over."""
        async with self._renewing:
            token, renew_at = self._tokens.get(caller, ("", 0.0))
            return token if time.monotonic() < renew_at else await self._fetch_token(caller)

    async def _fetch_token(self, caller: Caller | None) -> str:
        asked, me = time.monotonic(), (self._key, self._client_id, self._url)
        answer = await self._send("POST", "/oauth/token", data=exchange(*me, caller) if caller else assertion(*me))
        self._tokens = {whom: kept for whom, kept in self._tokens.items() if kept[1] > asked}
        self._tokens[caller] = (answer["access_token"], asked + 0.8 * answer["expires_in"])
        return str(answer["access_token"])

    async def _send(self, method: str, path: str, *, wait: float = 0, **options: Any) -> Any:
        """One attempt. Raises KernelRefusal also when there is no answer, or none in JSON."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIME + wait)
        try:
            async with self._http.request(
                method, self._url + path, timeout=timeout, allow_redirects=False, **options
            ) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise _unreachable() from None
        try:
            document = json.loads(content)
        except ValueError:
            document = None
        if answer.status < 300 and document is not None:
            return document
        problem = document if isinstance(document, dict) else {}
        raise KernelRefusal(
            answer.status if answer.status >= 400 else 502, problem, _seconds(answer.headers.get("Retry-After"))
        )


async def enrol(url: str, key: ECKey, code: str) -> Any:
    """Send a key's public part to Torv under a one-time code, with its proof. Raises KernelRefusal."""
    content = {"code": code, "jwk": key.as_dict(private=False), "proof": prove_key(key, code)}
    async with KernelClient(url, "", key) as torv:
        return await torv.send_key(content)


async def send_certification(url: str, release: str, signed: Any) -> Any:
    """Hand in a signed report of a certification; the same again is one. Raises KernelRefusal."""
    async with KernelClient(url, release, ECKey.generate_key("P-256")) as torv:
        return await torv.send_certification(release, signed)


async def register(url: str, key: ECKey, content: Any) -> Any:
    """Register a release by a signed manifest. Raises KernelRefusal."""
    async with KernelClient(url, "", key) as torv:
        return await torv.register(content)


async def access_token(url: str, client_id: str, key: ECKey) -> str:
    """An access token for a release, to try things by hand: it lives five minutes. Raises KernelRefusal."""
    async with KernelClient(url, client_id, key) as torv:
        return await torv.access_token()


def _unreachable() -> KernelRefusal:
    document = {"code": "kernel_unreachable", "title": "The kernel does not answer. Try again with the same key."}
    return KernelRefusal(503, document, retry_after=1)


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; None if it is missing or a date."""
    return float(text) if text and text.isascii() and text.isdecimal() else None
