"""Health: whether the releases that provide something, are tried out or stand by are well, asked again and again.

It informs people and alarms; no call is let through or kept out by it (the gateway's breakers see calls themselves).
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from torv.base import metrics
from torv.base.db import Database, Tx
from torv.base.errors import InvalidInput, TorvError
from torv.base.signing import strict_json
from torv.base.sql import load
from torv.base.trail import Entry
from torv.ecosystem.modules.models import Release

sql = load(__file__)

EVERY = 10.0  #: seconds between two rounds
PATIENCE = 3.0  #: seconds a release has to say how it is
AT_ONCE = 8  #: releases asked at the same time
FAR_BEHIND = 1_000  #: positions of the feed

Ask = Callable[[Release], Awaitable[tuple[int, bytes]]]  #: status and body of /torv/health; raises TorvError


class HealthState(StrEnum):
    WELL = "well"
    BEHIND = "behind"  #: it answers, but has not read the feed to its end, or is far behind
    UNWELL = "unwell"  #: it answers that it is not well, or not in the form agreed, or as another release
    SILENT = "silent"  #: no answer in time


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    release: Release
    state: HealthState
    lag: int | None  #: positions of the feed that it has not read; None where it did not say


@dataclass(frozen=True, kw_only=True, slots=True)
class _Known:
    release_id: UUID
    state: str


class HealthWatch:
    """Asks each release in use how it is; only the leading worker has one running."""

    def __init__(self, database: Database, ask: Ask) -> None:
        self._database, self._ask, self._room = database, ask, asyncio.Semaphore(AT_ONCE)
        self._shown: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """One round."""
        async with self._database.reading() as tx:
            position = await tx.value(sql.feed_position)
            releases = await tx.all(Release, sql.watched_releases)
        found = await asyncio.gather(*(self._ask_one(each, position) for each in releases))
        async with self._database.transaction() as tx:
            await _keep(tx, found)
        self._measure(found)

    def _measure(self, found: list[_Found]) -> None:
        """Show what was found. What is out of use has no number: a gauge of several processes cannot be removed."""
        now = {(each.release.module_name, each.release.version): each for each in found}
        for gone in self._shown - now.keys():
            metrics.module_well.labels(*gone).set(math.nan)
            metrics.module_lag.labels(*gone).set(math.nan)
        for labels, each in now.items():
            metrics.module_well.labels(*labels).set(each.state is HealthState.WELL)
            metrics.module_lag.labels(*labels).set(math.nan if each.lag is None else each.lag)
        self._shown = set(now)

    async def _ask_one(self, release: Release, position: int) -> _Found:
        async with self._room:
            try:
                async with asyncio.timeout(PATIENCE):
                    status, body = await self._ask(release)
            except (TorvError, TimeoutError):
                return _Found(release=release, state=HealthState.SILENT, lag=None)
        return judge(release, status, body, position)


def judge(release: Release, status: int, body: bytes, position: int) -> _Found:
    """What an answer says, when the feed was at `position`."""
    try:
        said = strict_json(body)
    except InvalidInput:
        said = None
    plain: dict[str, Any] = said if isinstance(said, dict) else {}
    reached = plain.get("position")
    lag = max(0, position - reached) if type(reached) is int else None
    if status != 200 or plain.get("status") != "ok" or plain.get("release") != str(release.id) or lag is None:
        return _Found(release=release, state=HealthState.UNWELL, lag=lag)
    is_behind = plain.get("caught_up") is not True or lag > FAR_BEHIND
    return _Found(release=release, state=HealthState.BEHIND if is_behind else HealthState.WELL, lag=lag)


async def _keep(tx: Tx, found: list[_Found]) -> None:
    """Keep what was found; what has changed since the last round stands in the log."""
    known = {each.release_id: each.state for each in await tx.all(_Known, sql.known_health)}
    for each in found:
        await tx.run(sql.set_health, release_id=each.release.id, state=each.state, lag=each.lag)
        if known.get(each.release.id) != each.state:
            detail = {"state": each.state, "lag": each.lag}
            tx.notes.append(Entry(kind="system", operation="modules.health", release_id=each.release.id, detail=detail))
    await tx.run(sql.forget_health, release_ids=[each.release.id for each in found])
