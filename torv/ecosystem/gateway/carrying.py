"""Carrying a call: decide, log the intent, wait at the fence, forward, log the outcome, answer."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from torv.base import clock
from torv.base.access import Access, Demand
from torv.base.errors import CapabilityNotBound, OutcomeUnknown, TorvError
from torv.base.http import Engine
from torv.base.trail import Entry, entry_of
from torv.ecosystem.gateway import service, shadowing
from torv.ecosystem.gateway.forwarding import ModuleClient
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing
from torv.ecosystem.gateway.rules import FINAL, is_moved
from torv.ecosystem.gateway.stamps import Stamps
from torv.ecosystem.modules import Directory, MajorNotProvided, Release, Route


class Provider(Protocol):
    """Decides whether a release may provide a capability just now. Raises Denied or StateUnconfirmed."""

    def __call__(self, release: Release, demand: Demand) -> Access: ...


class Gateway:
    """The gateway of one process."""

    def __init__(
        self, engine: Engine, client: ModuleClient, directory: Callable[[], Directory], may_provide: Provider
    ) -> None:
        self.engine, self.directory = engine, directory
        self._client, self._may_provide = client, may_provide
        self._shadows = shadowing.Shadows(engine, client)

    async def carry(self, outgoing: Outgoing) -> ModuleAnswer:
        """The module's answer. Whatever happens to the caller, a call that was begun is carried to its end."""
        carry = self._carry_safe if outgoing.operation.safe else self._carry_unsafe
        return await asyncio.shield(asyncio.ensure_future(carry(outgoing)))

    async def close(self) -> None:
        """End what goes on beside the calls."""
        await self._shadows.close()

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
        if route.shadow is not None and answer.status == 200:
            self._shadows.compare(route, outgoing, answer)
        return answer

    async def _carry_unsafe(self, outgoing: Outgoing) -> ModuleAnswer:
        stamps = Stamps()
        async with self.engine.database.transaction() as tx:
            earlier = await service.claim_call(tx, outgoing, self.engine.lease.process)
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
            provides = self._may_provide(route.release, replace(outgoing.demand, operation="provide"))
            stamps.agreement_id, stamps.sent_at = provides.agreement_id, clock.ticks()
            try:
                return route, await self._client.forward(route.release, outgoing)
            finally:
                stamps.answered_at = clock.ticks()


def _entry(outgoing: Outgoing, kind: str, result: str = "permitted") -> Entry:
    return entry_of(outgoing.access, kind, call_id=outgoing.call_id, result=result)


def _failed(outgoing: Outgoing, stamps: Stamps, error: TorvError) -> Entry:
    """The outcome of a call without an answer; its refusal names the call, which can then be found in a receipt."""
    error.facts["call_id"] = str(outgoing.call_id)
    return entry_of(
        outgoing.access, "outcome", call_id=outgoing.call_id, result=error.code, detail=stamps.detail()
    )  # fmt: skip


def _outcome(outgoing: Outgoing, stamps: Stamps, answer: ModuleAnswer) -> Entry:
    detail = {"status": answer.status, "bytes": len(answer.body), **stamps.detail()}
    return entry_of(outgoing.access, "outcome", call_id=outgoing.call_id, detail=detail)
