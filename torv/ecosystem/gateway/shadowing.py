"""Shadowing: a candidate answers a copy of safe calls; only whether and where the answers differ is kept."""

import asyncio
import hashlib
from typing import Any

import rfc8785

from torv.base import clock
from torv.base.errors import InvalidInput, TorvError
from torv.base.http import Engine
from torv.base.signing import strict_json
from torv.base.sql import load
from torv.base.trail import entry_of
from torv.ecosystem.gateway import service
from torv.ecosystem.gateway.forwarding import ModuleClient
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing
from torv.ecosystem.gateway.rules import differing_paths, general_paths
from torv.ecosystem.modules import Release, Route

sql = load(__file__)

STAYS = 3  #: something may be written between two answers: a difference counts when it has stayed so often
UNDECIDED = 8  #: how often the release in service may itself answer differently before and after, and nothing be said
PAUSE = 0.2  #: seconds between the looks, and what the candidate has at least to read what was just written
LOOKS = 10  #: how often it is looked whether both have read the feed
AT_ONCE = 2  #: comparisons per process at a time; more calls than that go unmirrored


class Shadows:
    """The comparisons that one process has under way."""

    def __init__(self, engine: Engine, client: ModuleClient) -> None:
        self._engine, self._client = engine, client
        self._running: set[asyncio.Task[None]] = set()

    def compare(self, route: Route, outgoing: Outgoing, answer: ModuleAnswer) -> None:
        """Mirror a safe call that was answered, unless enough are being mirrored already."""
        if route.shadow is None or len(self._running) >= AT_ONCE:
            return
        if outgoing.demand.major not in route.shadow.provides(outgoing.capability):
            return
        task = asyncio.create_task(self._compare(route, route.shadow, outgoing, answer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _compare(self, route: Route, shadow: Release, outgoing: Outgoing, answer: ModuleAnswer) -> None:
        try:
            await self._engine.trail.write(
                [entry_of(outgoing.access, "intent", call_id=outgoing.call_id, result="mirrored")]
            )
            mirrored = await self._client.forward(shadow, outgoing)
            paths = _telling(route, outgoing, answer, mirrored)
            stayed = undecided = 0
            while paths and stayed < STAYS:
                if undecided > UNDECIDED or not await self._have_caught_up(route, shadow):
                    return
                mirrored = await self._client.forward(shadow, outgoing)
                paths = _telling(route, outgoing, answer, mirrored)
                before, answer = answer, await self._client.forward(route.release, outgoing)
                if _differences(before, answer):
                    undecided += 1  # what is asked about has just changed: that says nothing of the candidate
                else:
                    stayed += 1
            async with self._engine.database.transaction() as tx:
                hashes = (hashlib.sha256(each.body).digest() for each in (answer, mirrored))
                await service.note_comparison(tx, outgoing, shadow.id, paths[:20], *hashes)
        except TorvError:
            pass  # a comparison that could not be made says nothing; a candidate that is down fails on its own account

    async def _have_caught_up(self, route: Route, shadow: Release) -> bool:
        """Wait, for two seconds or so, until both have read what is written by now: being behind is no difference."""
        async with self._engine.database.reading() as tx:
            instant = await tx.value(sql.now)
        for _ in range(LOOKS):
            await asyncio.sleep(PAUSE)
            position = min([await self._client.position(release) for release in (route.release, shadow)])
            async with self._engine.database.reading() as tx:
                if not await tx.value(
                    sql.is_unread, capability=route.capability, key=route.key, position=position, instant=instant,
                    day=clock.today(),
                ):  # fmt: skip
                    return True
        return False


def _telling(route: Route, outgoing: Outgoing, answer: ModuleAnswer, mirrored: ModuleAnswer) -> list[str]:
    """Where two answers differ and no demand says that they may."""
    found = _differences(answer, mirrored)
    return [each for each in found if f"{outgoing.operation.id} {each}" not in route.shadow_may_differ]


def _differences(answer: ModuleAnswer, mirrored: ModuleAnswer) -> list[str]:
    if answer.status != mirrored.status:
        return ["(status)"]
    ours, theirs = _content(answer), _content(mirrored)
    if ours is None or theirs is None:
        return [] if answer.body == mirrored.body else ["(body)"]
    return general_paths(differing_paths(ours, theirs))


def _content(answer: ModuleAnswer) -> Any:
    """The JSON of an answer, brought to one form; None if it has none."""
    try:
        return strict_json(rfc8785.dumps(strict_json(answer.body)))
    except (InvalidInput, rfc8785.CanonicalizationError):
        return None
