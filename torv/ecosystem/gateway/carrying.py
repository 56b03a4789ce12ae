"""Carrying a call: decide, log the intent, wait at the fence, forward, log the outcome, answer."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from torv.base import clock
from torv.base.access import Access, Demand
from torv.base.errors import CapabilityNotBound, ModuleTimeout, ModuleUnavailable, OutcomeUnknown, TorvError
from torv.base.http import Engine
from torv.base.trail import Entry, entry_of
from torv.ecosystem.gateway import service, shadowing
from torv.ecosystem.gateway.breakers import Breakers
from torv.ecosystem.gateway.errors import PageMoved
from torv.ecosystem.gateway.forwarding import ModuleClient
from torv.ecosystem.gateway.limits import UnderWay, limits_of
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing
from torv.ecosystem.gateway.rules import FINAL, is_moved
from torv.ecosystem.gateway.stamps import Stamps
from torv.ecosystem.gateway.streaming import stream
from torv.ecosystem.modules import Directory, MajorNotProvided, Release, Route


class Provider(Protocol):
    """Decides whether a release may provide a capability just now. Raises Denied or StateUnconfirmed."""

    def __call__(self, release: Release, demand: Demand) -> Access: ...


class Gateway:
    """The gateway of one process."""

    def __init__(
        self, engine: Engine, client: ModuleClient, directory: Callable[[], Directory], may_provide: Provider
    ) -> None:
        self.engine, self.directory, self.limits = engine, directory, limits_of(engine.settings)
        self.under_way, self.breakers = UnderWay(self.limits), Breakers(self.limits)
        self._client, self._may_provide = client, may_provide
        self._shadows = shadowing.Shadows(engine, client)

    async def carry(self, outgoing: Outgoing) -> ModuleAnswer:
        """The module's answer. Whatever happens to the caller, a call that was begun is carried to its end."""
        carrying = asyncio.ensure_future(self._carry(outgoing))
        carrying.add_done_callback(lambda _: outgoing.body.close())
        return await asyncio.shield(carrying)

    async def close(self) -> None:
        """End what goes on beside the calls."""
        await self._shadows.close()

    async def _carry(self, outgoing: Outgoing) -> ModuleAnswer:
        with self.under_way.caller(outgoing.access.caller.subject):
            return await (self._carry_safe(outgoing) if outgoing.operation.safe else self._carry_unsafe(outgoing))

    async def _carry_safe(self, outgoing: Outgoing) -> ModuleAnswer:
        stamps = Stamps()
        await self.engine.trail.write([_entry(outgoing, "intent")])
        try:
            try:
                route, answer = await self._forward(outgoing, stamps)
            except OutcomeUnknown:  # cut by a move: a safe call may simply be asked again, of the successor
                route, answer = await self._forward(outgoing, stamps)
        except TorvError as error:
            await self.engine.trail.write([_failed(outgoing, stamps, error)])
            raise
        await self.engine.trail.write([_outcome(outgoing, stamps, answer)])
        if route.shadow is not None and answer.status == 200 and outgoing.page is None and answer.rest is None:
            self._shadows.compare(route, outgoing, answer)
        return answer

    async def _carry_unsafe(self, outgoing: Outgoing) -> ModuleAnswer:
        stamps = Stamps()
        async with self.engine.database.transaction() as tx:
            earlier = await service.claim_call(tx, outgoing, self.engine.lease.process, self.limits.longest_call)
            tx.notes.append(_entry(outgoing, "intent", result="permitted" if earlier is None else "replayed"))
        if earlier is not None:
            return earlier
        try:
            _, answer = await self._forward(outgoing, stamps)
            if is_moved(answer):
                raise OutcomeUnknown
        except TorvError as error:
            await self._give_back(outgoing, _failed(outgoing, stamps, error))
            raise
        if answer.status not in FINAL:
            await self._give_back(outgoing, _outcome(outgoing, stamps, answer))
            return answer
        async with self.engine.database.transaction() as tx:
            await service.finish_call(tx, outgoing, answer)
            tx.notes.append(_outcome(outgoing, stamps, answer))
        return answer

    async def _give_back(self, outgoing: Outgoing, entry: Entry) -> None:
        async with self.engine.database.transaction() as tx:
            await service.release_call(tx, outgoing)
            tx.notes.append(entry)

    async def _forward(self, outgoing: Outgoing, stamps: Stamps) -> tuple[Route, ModuleAnswer]:
        """Wait at the fence, decide again, then send the call to whoever provides the capability at that instant."""
        stamps.ask()
        async with self.engine.lease.admitted(outgoing.capability, follows_admitted=outgoing.is_chained):
            stamps.admitted_at, access = clock.ticks(), outgoing.access
            self.engine.decider.decide(access.caller, outgoing.demand, access.request_id or outgoing.call_id)
            route = self.directory().routes.get(outgoing.capability)
            if route is None:
                raise CapabilityNotBound
            stamps.route = route
            provided, major = route.release.provides(outgoing.capability), outgoing.demand.major
            if major not in provided:
                raise MajorNotProvided(major=major, provided=", ".join(map(str, provided)))
            if outgoing.page is not None and outgoing.page.epoch != route.epoch:
                raise PageMoved
            provides = self._may_provide(route.release, replace(outgoing.demand, operation="provide"))
            stamps.agreement_id, stamps.sent_at = provides.agreement_id, clock.ticks()
            try:
                answer = await self._ask(route.release, outgoing)
            finally:
                stamps.answered_at = clock.ticks()
            if answer.rest is not None:
                answer = await stream(
                    self.engine, outgoing, answer, partial(self._note_cut, outgoing, stamps),
                    seconds=self.limits.stream_seconds, counted=self.under_way.also(route.release.id),
                )  # fmt: skip
            return route, answer

    async def _ask(self, release: Release, outgoing: Outgoing) -> ModuleAnswer:
        """Ask the release, unless it has too much to do or is left alone; and remember whether it has answered."""
        with self.under_way.release(release.id):
            self.breakers.admit(release.id)
            try:
                answer = await self._client.forward(release, outgoing)
            except (ModuleUnavailable, ModuleTimeout):
                self.breakers.fail(release.id)
                raise
            except BaseException:
                self.breakers.leave(release.id)
                raise
            self.breakers.succeed(release.id)
            return answer

    async def _note_cut(self, outgoing: Outgoing, stamps: Stamps, reason: str, sent: int) -> None:
        """Log that an answer which had begun was cut, after how many bytes, and why."""
        detail = {**stamps.detail(), "cut": reason, "bytes": sent}
        entry = entry_of(outgoing.access, "outcome", call_id=outgoing.call_id, result="answer_cut", detail=detail)
        await self.engine.trail.write_if_it_can([entry])


def _entry(outgoing: Outgoing, kind: str, result: str = "permitted") -> Entry:
    return entry_of(outgoing.access, kind, call_id=outgoing.call_id, result=result)


def _failed(outgoing: Outgoing, stamps: Stamps, error: TorvError) -> Entry:
    """The outcome of a call without an answer; its refusal names the call, which can then be found in a receipt."""
    error.facts["call_id"] = str(outgoing.call_id)
    return entry_of(
        outgoing.access, "outcome", call_id=outgoing.call_id, result=error.code, detail=stamps.detail()
    )  # fmt: skip


def _outcome(outgoing: Outgoing, stamps: Stamps, answer: ModuleAnswer) -> Entry:
    size = len(answer.body) if answer.rest is None else answer.length
    detail = {"status": answer.status, "bytes": size, **stamps.detail()}
    if answer.rest is not None:
        detail["streamed"] = True
    if outgoing.page is not None:
        detail["page"] = True
    return entry_of(outgoing.access, "outcome", call_id=outgoing.call_id, detail=detail)
