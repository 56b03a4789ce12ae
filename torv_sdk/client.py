"""Speaking with Torv: one session, one access token, and retries that cannot double anything."""

import asyncio
import json
import random
import time
from collections.abc import Mapping
from typing import Any, Self

import aiohttp
from joserfc.jwk import ECKey

from torv_sdk.problems import KernelRefusal
from torv_sdk.tokens import assertion

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
        self._token, self._renew_at = "", 0.0
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
    ) -> Any:
        """Read. `wait` is how long Torv may hold the answer back on purpose."""
        return await self._patiently(patience, "GET", path, params=query, wait=wait, headers=headers or {})

    async def post(self, path: str, content: Any, *, key: str, headers: Mapping[str, str]) -> Any:
        """Write under an idempotency key: the same key again gives the first answer again."""
        headers = {**headers, "Idempotency-Key": key, "Content-Type": "application/json"}
        data = json.dumps(content, ensure_ascii=False).encode()
        return await self._patiently(PATIENCE, "POST", path, data=data, headers=headers)

    async def public_keys(self) -> Any:
        """Torv's token keys (JWKS); needs no token."""
        return await self._send("GET", "/.well-known/jwks.json")

    async def _patiently(self, patience: float, method: str, path: str, **options: Any) -> Any:
        deadline, pause, renewals = time.monotonic() + patience, 0.05, 0
        while True:
            try:
                headers = {**options["headers"], "Authorization": f"Bearer {await self._access_token()}"}
                return await self._send(method, path, **{**options, "headers": headers})
            except KernelRefusal as refusal:
                if refusal.code == "token_expired" and not renewals:
                    renewals, self._renew_at = 1, 0.0
                    continue
                wait = max(pause, 0 if refusal.code == "kernel_unreachable" else refusal.retry_after or 0)
                if not refusal.is_passing or time.monotonic() + wait > deadline:
                    raise
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311 not a secret
            pause *= 2

    async def _access_token(self) -> str:
        """The token we have, or a new one when 80 % of its life is over."""
        async with self._renewing:
            if time.monotonic() >= self._renew_at:
                asked = time.monotonic()
                answer = await self._send("POST", "/oauth/token", data=assertion(self._key, self._client_id, self._url))
                self._token, self._renew_at = answer["access_token"], asked + 0.8 * answer["expires_in"]
            return self._token

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


def _unreachable() -> KernelRefusal:
    document = {"code": "kernel_unreachable", "title": "The kernel does not answer. Try again with the same key."}
    return KernelRefusal(503, document, retry_after=1)


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; None if it is missing or a date."""
    return float(text) if text and text.isascii() and text.isdecimal() else None
