"""The office: the municipality's own people, working over Torv's public API."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

PASSWORDS = {"anna.holm": "klokkeblomst-17-havn", "bo.lind": "fjordvind-42-bakke"}  #: of the made-up municipality only
NAMES = {"anna.holm": "Anna Holm", "bo.lind": "Bo Lind"}
ANNA, BO = PASSWORDS


class Refused(Exception):
    """Torv refused something the demo needs."""


class Office:
    """Two users who are signed in."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._sessions: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        for login, password in PASSWORDS.items():
            answer = await self._send("POST", "/api/v1/identity/sessions", {"login": login, "password": password}, {})
            self._sessions[login] = answer["token"]
        return self

    async def __aexit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        await self._http.close()

    async def get(self, path: str) -> Any:
        return await self._as(ANNA, "GET", path, None, {})

    async def post(
        self, path: str, content: Any = None, *, user: str = ANNA, headers: Mapping[str, str] | None = None
    ) -> Any:
        return await self._as(user, "POST", path, content, headers or {})

    async def _as(self, user: str, method: str, path: str, content: Any, headers: Mapping[str, str]) -> Any:
        return await self._send(method, path, content, {**headers, "Authorization": f"Bearer {self._sessions[user]}"})

    async def _send(self, method: str, path: str, content: Any, headers: dict[str, str]) -> Any:
        async with self._http.request(method, self._url + path, json=content, headers=headers) as answer:
            if answer.status >= 300:
                raise Refused(f"{method} {path}: {answer.status} {await answer.text()}")
            is_json = answer.content_type == "application/json"
            return await answer.json() if is_json else await answer.text()
