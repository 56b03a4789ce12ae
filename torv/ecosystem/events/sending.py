"""Sending: one worker pushes events to the modules that provide the capabilities that follow them.

Every batch is decided on just before it leaves, by the agreement as it is at that instant, and is in the trail before
that. A receiver that does not answer keeps its place; one event that is refused is laid aside alone. Whoever takes over
from a worker that was killed begins where the last answer was noted: an event may come twice, and none is left out.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import Protocol
from uuid import UUID

import aiohttp
from structlog import get_logger

from torv.base import clock
from torv.base.access import Access, Demand
from torv.base.db import Database, Tx
from torv.base.errors import Denied, NotIdentified, QuotaExceeded, TorvError
from torv.base.feed import Listener
from torv.base.ids import new_id
from torv.base.signing import Keys
from torv.ecosystem.events import delivering, rules
from torv.ecosystem.events.models import Batch, Reaction, Subscription
from torv.ecosystem.events.sequencing import STREAM
from torv.ecosystem.events.service import persons_of
from torv.ecosystem.modules import PublicResolver, Release, release_by_id, release_in_service

log = get_logger("torv.events")

BATCH = 100  #: events in one request
TIMEOUT = 10.0  #: seconds a receiver has to answer
LOOK_EVERY = 1.0  #: seconds between two looks when nothing wakes us
STOP_PAUSE = timedelta(seconds=0.5)  #: until an agreement that stops delivery is asked again
AT_ONCE = 50  #: subscriptions served at the same time
ANSWER_LIMIT = 65_536  #: bytes of an answer that are read, so that the connection can be used again


class May(Protocol):
    """Decides whether a release may do something just now. Raises Denied or StateUnconfirmed."""

    def __call__(self, release: Release, demand: Demand) -> Access: ...


class Quota(Protocol):
    """Uses up a part of a permit's limits. Raises QuotaExceeded."""

    async def spend(self, access: Access, kind: str, amount: int) -> None: ...


RECEIVE = Demand(service="events", operation="receive", category=None)


class Poster:
    """Posts to modules; to private addresses only if `private`."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, url: str, headers: dict[str, str], body: bytes) -> Reaction:
        """What the receiver did; never raises for what the receiver does."""
        try:
            async with self._opened().post(url, headers=headers, data=body, allow_redirects=False) as answer:
                with suppress(aiohttp.ClientError):
                    await answer.content.read(ANSWER_LIMIT)
                return Reaction(status=answer.status, retry_after=_seconds(answer.headers.get("Retry-After")))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
            return Reaction(status=None)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=TIMEOUT, connect=2.0), cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(limit=AT_ONCE, resolver=None if self._private else PublicResolver()),
                auto_decompress=False, skip_auto_headers=("User-Agent", "Accept-Encoding"),
                max_line_size=8190, max_field_size=8190,
            )  # fmt: skip
        return self._session


class Sender:
    """Sends the events of one municipality; only the leading worker has one running."""

    def __init__(
        self, database: Database, keys: Keys, poster: Poster, may: May, listener: Listener, *, quota: Quota
    ) -> None:
        self._database, self._keys, self._poster, self._may, self._listener = database, keys, poster, may, listener
        self._quota = quota
        self._serving: set[UUID] = set()
        self._alone: dict[UUID, int] = {}  #: subscription -> events that are still to be sent one by one
        self._refusals: dict[UUID, int] = {}  #: subscription -> refusals in a row
        self._room: dict[UUID, int] = {}  #: subscription -> events its receiver can take in time

    async def run(self) -> None:
        """Send until cancelled."""
        self._serving.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                news = self._listener.news(STREAM.name)
                async with self._database.reading() as tx:
                    due = await delivering.due_subscriptions(tx)
                for each in due:
                    if each not in self._serving and len(self._serving) < AT_ONCE:
                        self._serving.add(each)
                        group.create_task(self._serve(each))
                await news.within(LOOK_EVERY if not due else 0.05)

    async def _serve(self, subscription_id: UUID) -> None:
        """Send until there is nothing more to send now. What goes wrong here is tried again with the next look."""
        try:
            while await self._step(subscription_id):
                pass
        except TorvError as error:
            log.warning("events_not_sent", subscription=str(subscription_id), code=error.code)
            await asyncio.sleep(0.25)
        except Exception:  # one subscription's trouble is not the others'
            log.exception("events_not_sent", subscription=str(subscription_id))
            await asyncio.sleep(LOOK_EVERY)
        finally:
            self._serving.discard(subscription_id)

    async def _step(self, subscription_id: UUID) -> bool:
        """Take one batch from its decision to what came of it; whether there may be more at once."""
        async with self._database.reading() as tx:
            found = await delivering.subscription_by_id(tx, subscription_id)
            if found is None or (found.retry_at is not None and found.retry_at > clock.now()):
                return False
            release = await self._receiver(tx, found)
            if release is None:
                return False
        try:
            access = self._may(release, RECEIVE)
            async with self._database.reading() as tx:
                batch = await delivering.next_batch(tx, found, access, self._size(found))
            if not batch.events:
                return await self._pass_over(found, batch, release)
            await self._spend(access, batch)
        except (Denied, NotIdentified) as denial:
            return await self._stop(found, str(denial.facts.get("check", denial.code)), STOP_PAUSE)
        except QuotaExceeded as exceeded:
            if len(batch.events) > 1:  # fewer may still be within the limit
                self._room[found.id] = len(batch.events) // 2
                return True
            return await self._stop(found, exceeded.code, timedelta(seconds=exceeded.retry_after or 1))
        async with self._database.transaction() as tx:
            delivering.note_batch(tx, access, found, batch)
        self._may(release, RECEIVE)  # the log may have taken its time
        return await self._send(found, release, batch)

    async def _receiver(self, tx: Tx, found: Subscription) -> Release | None:
        """Whoever has the binding at this instant; None if nobody does."""
        release_id = await release_in_service(tx, found.capability, found.unit_id)
        return None if release_id is None else await release_by_id(tx, release_id)

    async def _stop(self, found: Subscription, check: str, pause: timedelta) -> bool:
        async with self._database.transaction() as tx:
            await delivering.note_stop(tx, found, check, clock.now() + pause)
        return False

    async def _pass_over(self, found: Subscription, batch: Batch, release: Release) -> bool:
        async with self._database.transaction() as tx:
            await delivering.settle(tx, found, batch, release.id)
        return bool(batch.waiting or batch.parked or batch.is_cut)

    async def _spend(self, access: Access, batch: Batch) -> None:
        if access.limits:
            await self._quota.spend(access, "calls", 1)
            await self._quota.spend(access, "persons", len(persons_of(batch.events)))

    def _size(self, found: Subscription) -> int:
        """One while the receiver fails or has refused a batch; else a whole batch."""
        return 1 if found.failures or self._alone.get(found.id, 0) > 0 else self._room.get(found.id, BATCH)

    async def _send(self, found: Subscription, release: Release, batch: Batch) -> bool:
        reaction = await self._poster.post(f"{release.url}{found.path}", *self._message(found, release, batch))
        async with self._database.transaction() as tx:
            if reaction.is_taken:
                self._alone[found.id] = max(0, self._alone.get(found.id, 0) - 1)
                self._refusals.pop(found.id, None)
                if len(batch.events) == self._room.get(found.id, BATCH):
                    self._room[found.id] = min(BATCH, len(batch.events) + len(batch.events) // 4 + 1)
                await delivering.settle(tx, found, batch, release.id)
                return True
            if reaction.is_absent:
                if len(batch.events) > 1:  # it may be that it is slow: then less at a time gets through
                    self._room[found.id] = max(1, len(batch.events) // 2)
                await delivering.note_absence(tx, found, batch, reaction)
                return False
            if len(batch.events) > 1:
                self._alone[found.id] = len(batch.events)  # find out which of them it is
                return True
            self._refusals[found.id] = self._refusals.get(found.id, 0) + 1
            await delivering.note_refusal(tx, found, batch, reaction, self._refusals[found.id])
            return self._refusals[found.id] < delivering.BREAKS_AFTER

    def _message(self, found: Subscription, release: Release, batch: Batch) -> tuple[dict[str, str], bytes]:
        body = rules.body_of(batch.events)
        numbers = rules.secrets_in_force(found, clock.now())
        secrets = [rules.secret_of(self._keys, found.capability, release.id, number) for number in numbers]
        message = rules.message_id(found.id, batch.events)
        headers = rules.signed_headers(secrets, message, int(clock.seconds()), body)
        return {**headers, "Content-Type": "application/cloudevents-batch+json", "X-Request-Id": str(new_id())}, body


def _seconds(text: str | None) -> float | None:
    """Retry-After in seconds; None if it is missing or a date."""
    return float(text) if text and text.isascii() and text.isdecimal() and len(text) < 10 else None
