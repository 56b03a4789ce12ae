"""Events: what Torv tells a module, verified and handled once; and what a module tells others."""

import asyncio
import base64
import hmac
import logging
import random
import re
import sqlite3
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self
from uuid import UUID

from torv_sdk.canonical import parse
from torv_sdk.client import KernelClient
from torv_sdk.problems import KernelRefusal, Problem

TOLERANCE = 300  #: seconds a message may be old, or ahead of our clock
MOST_SIGNATURES = 10
KEPT = 7 * 24 * 3600  #: seconds for which an event that was handled is remembered; Torv tries for about a day
REFETCH_PAUSE = 3  #: seconds between two look-ups of our secrets
LONG_POLL = 20  #: seconds Torv may hold an empty answer back
_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}")
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened (CloudEvents 1.0). It may come twice, with the same id."""

    id: UUID
    type: str
    source: str
    subject: str  #: what it is about
    sequence: int  #: 1, 2, 3 ... of the subject
    time: str
    position: int  #: in Torv's feed of events
    data: Mapping[str, Any]

    @classmethod
    def from_wire(cls, plain: Any) -> Self:
        """Raises KeyError, TypeError or ValueError if this is not an event."""
        if plain["specversion"] != "1.0" or not isinstance(plain["data"], dict):
            raise ValueError("not a CloudEvent")
        return cls(
            id=UUID(plain["id"]), type=str(plain["type"]), source=str(plain["source"]), subject=str(plain["subject"]),
            sequence=int(plain["sequence"]), time=str(plain["time"]), position=int(plain["position"]),
            data=plain["data"],
        )  # fmt: skip


Handler = Callable[[Event], Awaitable[None]]


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], *, now: float) -> str:
    """The id of a pushed message whose signature is good (Standard Webhooks, HMAC-SHA-256) and whose time is near.

    Any of several signatures by any of our secrets will do. Raises Problem (401) for everything else.
    """
    message, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not _ID.fullmatch(message) or not re.fullmatch(r"[0-9]{1,12}", stamp):
        raise _refused()
    if abs(now - int(stamp)) > TOLERANCE:
        raise _refused()
    content = f"{message}.{stamp}.".encode() + body
    good = [base64.b64encode(hmac.digest(_raw(each), content, "sha256")) for each in secrets]
    shown = [each.partition(",") for each in headers.get("webhook-signature", "").split(" ")[:MOST_SIGNATURES]]
    marks = [mark.encode() for version, _, mark in shown if version == "v1"]
    if not any(hmac.compare_digest(mark, each) for mark in marks for each in good):
        raise _refused()
    return message


def _raw(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


def _refused() -> Problem:
    return Problem(401, "signature_invalid", "The message is not signed as it must be.")


class Seen(Protocol):
    """Which events were handled already."""

    async def has(self, event_id: UUID) -> bool: ...

    async def add(self, event_id: UUID) -> None: ...


class SeenEvents:
    """Which events were handled, in a SQLite file of the module's own: also after a restart."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(file, check_same_thread=False)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("create table if not exists seen (id text primary key, at real not null) without rowid")
        self._thread = ThreadPoolExecutor(max_workers=1)

    async def has(self, event_id: UUID) -> bool:
        """Whether an event was handled before."""
        return bool(await self._apart("select 1 from seen where id = ?", str(event_id)))

    async def add(self, event_id: UUID) -> None:
        """Remember an event that was handled, and forget those that cannot come again."""
        await self._apart("insert or ignore into seen values (?, ?)", str(event_id), time.time())
        if random.random() < 0.01:  # noqa: S311 not a secret
            await self._apart("delete from seen where at < ?", time.time() - KEPT)

    async def _apart(self, statement: str, *values: Any) -> list[Any]:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, statement, values)

    def _run(self, statement: str, values: tuple[Any, ...]) -> list[Any]:
        with self._database:
            return self._database.execute(statement, values).fetchall()


class Events:
    """The handlers of a module, by type. Each event is handled once, unless we are killed in the middle."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self._secrets: list[str] = []
        self._fetched = -float(REFETCH_PAUSE)
        self._one_at_a_time = asyncio.Lock()  # the same event may come over two connections

    async def take(self, events: Sequence[Event], seen: Seen) -> None:
        """Handle events in their order; one of a type without a handler, or handled before, is passed over."""
        async with self._one_at_a_time:
            for event in events:
                handler = self.handlers.get(event.type)
                if handler is not None and not await seen.has(event.id):
                    await handler(event)
                    await seen.add(event.id)

    async def receive(
        self, kernel: KernelClient, capability: str, headers: Mapping[str, str], body: bytes, seen: Seen
    ) -> None:
        """Take a pushed message: whole, or Torv sends it again. Raises Problem: 401 for its signature, 400 for else."""
        await self._verified(kernel, capability, headers, body)
        try:
            plain = parse(body)
            events = [Event.from_wire(each) for each in (plain if isinstance(plain, list) else [plain])]
        except (ValueError, KeyError, TypeError):
            raise Problem(400, "malformed_request", "The message holds no events.") from None
        await self.take(events, seen)

    async def _verified(self, kernel: KernelClient, capability: str, headers: Mapping[str, str], body: bytes) -> None:
        """Try the secrets we have; with new ones, if Torv has any, when they do not fit (it may have changed them)."""
        if self._secrets:
            try:
                verify(headers, body, self._secrets, now=time.time())
            except Problem:
                if time.monotonic() - self._fetched < REFETCH_PAUSE:
                    raise
            else:
                return
        if time.monotonic() - self._fetched >= REFETCH_PAUSE:  # invented signatures must not become a flood
            self._fetched = time.monotonic()
            try:
                answer = await kernel.get("/api/v1/subscriptions/secrets", {"capability": capability})
            except KernelRefusal:  # it is not the message that is wrong: Torv shall wait, not lay it aside
                raise Problem(503, "secrets_unknown", "The secrets could not be fetched yet.", retry_after=5) from None
            self._secrets = [str(each) for each in answer["secrets"]]
        verify(headers, body, self._secrets, now=time.time())

    async def pull(self, kernel: KernelClient, capability: str, seen: Seen) -> None:
        """Ask for events for ever, handle them, and acknowledge what was handled. For modules nobody can push to."""
        failures = 0
        while True:
            try:
                await self._pull_once(kernel, capability, seen, wait=0 if failures else LONG_POLL)
                failures = 0
            except Exception as error:  # whatever it is: without this loop nothing would be heard any more
                failures += 1
                if failures == 1:
                    log.warning("events lost", exc_info=error)
                await asyncio.sleep(min(0.1 * 2 ** min(failures, 8), 20) * random.uniform(0.5, 1))  # noqa: S311

    async def _pull_once(self, kernel: KernelClient, capability: str, seen: Seen, *, wait: int) -> None:
        query: dict[str, str | int] = {"capability": capability, "limit": 200, "wait": wait}
        page = await kernel.get("/api/v1/events", query, wait=wait, patience=0)
        await self.take([Event.from_wire(each) for each in page["events"]], seen)
        given = {"capability": capability, "position": page["position"], "turns": page["turns"]}
        key = f"ack {capability} {page['position']}"
        await kernel.post("/api/v1/events/acknowledgements", given, key=f"{key} {time.time_ns()}", headers={})


async def publish(
    kernel: KernelClient, capability: str, type: str, *, subject: UUID, data: Mapping[str, Any], key: str,  # noqa: A002
    person_id: UUID | None = None, **more: Any,
) -> UUID:  # fmt: skip
    """Tell what happened, as the capability's contract declares it; the same key tells it once. Gives the event's id.

    `more` is what limited grants are held against: `unit_id`, `kle`, `sensitivity`; and `time`. Raises KernelRefusal.
    """
    content = {
        "capability": capability, "type": type, "subject": str(subject), "data": data,
        **({} if person_id is None else {"person_id": str(person_id)}), **more,
    }  # fmt: skip
    return UUID((await kernel.post("/api/v1/events", content, key=key, headers={}))["id"])
