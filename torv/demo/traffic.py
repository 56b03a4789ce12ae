"""Traffic: a program that calls Torv's gateway by a seeded plan, and keeps a ledger of what it was told.

Run as a process of its own: python -m torv.demo.traffic PLAN.json
"""

import asyncio
import json
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from torv.demo.ledger import Ledger, Line
from torv_sdk.keys import read_key
from torv_sdk.tokens import assertion

LANES = 6  #: calls at a time
PAUSE = 0.04  #: seconds between two calls of a lane, on average
RETRY_AFTER = (409, "call_in_progress")  #: the one answer that asks a well-behaved caller to come again


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What a traffic process is told."""

    url: str
    name: str
    client_id: str
    key_file: str
    seed: int
    persons: list[str]
    ledger: str


class Caller:
    """One program with its token, its ledger and its memory of what it was told."""

    def __init__(self, plan: Plan, http: aiohttp.ClientSession) -> None:
        self._plan, self._http = plan, http
        self._ledger = Ledger(Path(plan.ledger))
        self._key = read_key(Path(plan.key_file))
        self._token, self._renew_at = "", 0.0
        self._written: list[tuple[str, str, str, str]] = []  #: key, person, text, note id
        self._number = 0

    async def lane(self, number: int, stopped: asyncio.Event) -> None:
        """Call until told to stop."""
        chance = random.Random(f"{self._plan.seed} {number}")
        while not stopped.is_set():
            await self._call(chance)
            await asyncio.sleep(chance.expovariate(1 / PAUSE))

    async def _call(self, chance: random.Random) -> None:
        dice, person = chance.random(), chance.choice(self._plan.persons)
        if dice < 0.40:
            await self._write("write", person)
        elif dice < 0.46:
            await self._write("stranger", str(uuid4()))
        elif dice < 0.50:
            await self._write_twice(person)
        elif dice < 0.60 and self._written:
            key, person, text, _ = chance.choice(self._written)
            await self._post("retry", key, person, text)
        else:
            await self._list(person)

    async def _write(self, operation: str, person: str) -> None:
        self._number += 1
        text = f"{self._plan.name} {self._plan.seed}-{self._number}"
        await self._post(operation, f"key-{text}", person, text)

    async def _write_twice(self, person: str) -> None:
        """Two equal calls at once, as an impatient client makes them."""
        self._number += 1
        text = f"{self._plan.name} {self._plan.seed}-{self._number}"
        await asyncio.gather(*(self._post("write", f"key-{text}", person, text) for _ in range(2)))

    async def _post(self, operation: str, key: str, person: str, text: str) -> None:
        content = {"person_id": person, "text": text}
        while True:
            started = time.time()
            status, answer, call_id = await self._send("POST", "/notes", key, content, {})
            if (status, answer.get("code")) != RETRY_AFTER:
                break
            await asyncio.sleep(0.1)
        note_id = answer.get("id") if status in (200, 201) else None
        if note_id and operation == "write":
            self._written.append((key, person, text, note_id))
        self._keep(operation, key, person, text, status, answer, note_id, call_id, started)

    async def _list(self, person: str) -> None:
        known = {note_id for _, of, _, note_id in self._written if of == person}
        started = time.time()
        status, answer, call_id = await self._send("GET", "/notes", None, None, {"person_id": person, "limit": "200"})
        listed = {note["id"] for note in answer.get("notes", [])}
        is_stale = status == 200 and len(listed) < 200 and not known <= listed
        self._keep("list", None, person, None, status, answer, None, call_id, started, is_stale)

    def _keep(
        self, operation: str, key: str | None, person: str, text: str | None, status: int, answer: dict[str, Any],
        note_id: str | None, call_id: str | None, started: float, is_stale: bool = False,
    ) -> None:  # fmt: skip
        line = Line(
            caller=self._plan.name, operation=operation, key=key, person=person, text=text, status=status,
            code=answer.get("code"), check=answer.get("check"), note_id=note_id, call_id=call_id, started=started,
            ended=time.time(), is_stale=is_stale,
        )  # fmt: skip
        self._ledger.add(line)

    async def _send(
        self, method: str, path: str, key: str | None, content: Any, query: dict[str, str]
    ) -> tuple[int, dict[str, Any], str | None]:
        headers = {"Authorization": f"Bearer {await self._access_token()}"} | ({"Idempotency-Key": key} if key else {})
        url = f"{self._plan.url}/c/notes/v1{path}"
        try:
            async with self._http.request(method, url, json=content, params=query, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None), answer.headers.get("torv-call-id")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return 0, {"code": type(error).__name__}, None

    async def _access_token(self) -> str:
        if time.monotonic() >= self._renew_at:
            self._renew_at = time.monotonic() + 200
            form = assertion(self._key, self._plan.client_id, self._plan.url)
            async with self._http.post(f"{self._plan.url}/oauth/token", data=form) as answer:
                self._token = (await answer.json())["access_token"]
        return self._token


async def run(plan: Plan) -> None:
    """Call until SIGTERM, then finish what is under way."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        caller = Caller(plan, http)
        await caller._access_token()
        await asyncio.gather(*(caller.lane(number, stopped) for number in range(LANES)))


if __name__ == "__main__":
    asyncio.run(run(Plan(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
