"""Traffic: a program that calls Torv's gateway by a seeded plan, and keeps a ledger of what it was told.

Run as a process of its own; `program` gives the command.
"""

import asyncio
import json
import random
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from torv.base.processes import Program, python
from torv.demo.ledger import Ledger, Line
from torv_sdk.keys import read_key
from torv_sdk.tokens import assertion

LANES = 6  #: calls at a time
PAUSE = 0.04  #: seconds between two calls of a lane, on average
IN_PROGRESS = (409, "call_in_progress")  #: the one answer after which every well-behaved caller comes again
LONGEST_WAIT = 40.0  #: seconds a caller comes again for that
PASSING = frozenset({0, 409, 502, 503, 504})  #: after these the same call may be made again, with the same key


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
    patience: float = 0.0  #: seconds in which a call that was cut off is made again


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A call to be made, as often as it takes."""

    operation: str
    method: str
    path: str
    person: str
    key: str | None = None
    text: str | None = None
    content: Mapping[str, Any] | None = None
    query: Mapping[str, str] | None = None
    known: frozenset[str] = frozenset()  #: notes that a list must show


class Caller:
    """One program with its token, its ledger and its memory of what it was told."""

    def __init__(self, plan: Plan, http: aiohttp.ClientSession) -> None:
        self._plan, self._http = plan, http
        self._ledger = Ledger(Path(plan.ledger))
        self._key = read_key(Path(plan.key_file))
        self._token, self._renew_at = "", 0.0
        self._written: list[tuple[str, str, str, str]] = []  #: key, person, text, note id
        self._number = 0

    async def access_token(self) -> str:
        """The token we have, or a new one."""
        if time.monotonic() >= self._renew_at:
            form = assertion(self._key, self._plan.client_id, self._plan.url)
            async with self._http.post(f"{self._plan.url}/oauth/token", data=form, raise_for_status=True) as answer:
                self._token, self._renew_at = (await answer.json())["access_token"], time.monotonic() + 200
        return self._token

    async def lane(self, number: int, stopped: asyncio.Event) -> None:
        """Call until told to stop."""
        chance = random.Random(f"{self._plan.seed} {number}")
        while not stopped.is_set():
            await self._call(chance)
            await asyncio.sleep(chance.expovariate(1 / PAUSE))

    async def write_directly(self, person: str) -> None:
        """Write a record into the kernel as a module does, and once more under the same key."""
        text = self._next_text()
        body = {"capability": "notes", "type": "note", "person_id": person, "body": {"text": text}}
        ask = Ask(
            operation="direct", method="POST", path="/api/v1/records", person=person, key=f"key-{text}", text=text,
            content=body,
        )  # fmt: skip
        await self._ask(ask)
        await self._ask(ask)

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
        text = self._next_text()
        await self._post(operation, f"key-{text}", person, text)

    async def _write_twice(self, person: str) -> None:
        """Two equal calls at once, as an impatient client makes them."""
        text = self._next_text()
        await asyncio.gather(*(self._post("write", f"key-{text}", person, text) for _ in range(2)))

    def _next_text(self) -> str:
        self._number += 1
        return f"{self._plan.name} {self._plan.seed}-{self._number}"

    async def _post(self, operation: str, key: str, person: str, text: str) -> None:
        line = await self._ask(
            Ask(
                operation=operation, method="POST", path="/c/notes/v1/notes", person=person, key=key, text=text,
                content={"person_id": person, "text": text},
            )
        )  # fmt: skip
        if line.note_id and operation == "write":
            self._written.append((key, person, text, line.note_id))

    async def _list(self, person: str) -> None:
        known = frozenset(note_id for _, of, _, note_id in self._written if of == person)
        query = {"person_id": person, "limit": "200"}
        await self._ask(
            Ask(operation="list", method="GET", path="/c/notes/v1/notes", person=person, query=query, known=known)
        )

    async def _ask(self, ask: Ask) -> Line:
        """Call until there is an answer to stand by; each one is a line of the ledger."""
        began = time.monotonic()
        while True:
            line = await self._try(ask)
            waited = time.monotonic() - began
            if (line.status, line.code) != IN_PROGRESS or waited > LONGEST_WAIT:
                self._ledger.add(line)
                if line.status not in PASSING or waited > self._plan.patience:
                    return line
            await asyncio.sleep(0.1)

    async def _try(self, ask: Ask) -> Line:
        started = time.time()
        status, answer, call_id = await self._send(ask)
        listed = {note["id"] for note in answer.get("notes", [])}
        is_list = ask.operation == "list" and status == 200
        return Line(
            caller=self._plan.name, operation=ask.operation, key=ask.key, person=ask.person, text=ask.text,
            status=status, code=answer.get("code"), check=answer.get("check"),
            note_id=answer.get("id") if status in (200, 201) else None, call_id=call_id or answer.get("call_id"),
            started=started, ended=time.time(), is_stale=is_list and len(listed) < 200 and not ask.known <= listed,
        )  # fmt: skip

    async def _send(self, ask: Ask) -> tuple[int, dict[str, Any], str | None]:
        try:
            headers = {"Authorization": f"Bearer {await self.access_token()}"}
            if ask.key:
                headers["Idempotency-Key"] = ask.key
            url = self._plan.url + ask.path
            async with self._http.request(
                ask.method, url, json=ask.content, params=ask.query, headers=headers
            ) as answer:
                return answer.status, await answer.json(content_type=None), answer.headers.get("torv-call-id")
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            return 0, {"code": type(error).__name__}, None


def program(plan: Plan, folder: Path) -> Program:
    """The process that calls by a plan, which is put into a file in `folder`."""
    file = folder / f"{plan.name}.plan"
    file.write_text(json.dumps(asdict(plan)), encoding="utf-8")
    start = "from torv.demo import traffic; traffic.main()"  # as -m, the package would have imported it already
    return Program(name=plan.name, argv=python("-c", start, str(file)))


async def run(plan: Plan) -> None:
    """Call until SIGTERM, then finish what is under way."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as http:
        caller = Caller(plan, http)
        await caller.access_token()
        await asyncio.gather(*(caller.lane(number, stopped) for number in range(LANES)))


def main() -> None:
    """Run the plan in the file that the command line names."""
    asyncio.run(run(Plan(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
