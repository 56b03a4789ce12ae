"""Carrying a call: decide, log the intent, wait at the fence, forward, log the outcome, answer."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol
from uuid import UUID

from torv.base import clock
from torv.base.access import Access, Caller, Demand
from torv.base.errors import CapabilityNotBound, Denied, ModuleTimeout, ModuleUnavailable, OutcomeUnknown, TorvError
from torv.base.http import Engine
from torv.base.trail import Entry, entry_of
from torv.ecosystem.gateway import service, shadowing
from torv.ecosystem.gateway.breakers import Breakers
from torv.ecosystem.gateway.demands import AnswerChecks
from torv.ecosystem.gateway.errors import PageMoved
from torv.ecosystem.gateway.forwarding import ModuleClient
from torv.ecosystem.gateway.limits import UnderWay, limits_of
from torv.ecosystem.gateway.models import ModuleAnswer, Outgoing
from torv.ecosystem.gateway.rules import FINAL, is_moved
from torv.ecosystem.gateway.stamps import Stamps, binding_stamp
from torv.ecosystem.gateway.streaming import stream
from torv.ecosystem.modules import (
    Demanded,
    Directory,
    MajorNotProvided,
    Operation,
    OperationNotProvided,
    Release,
    Route,
)


class Provider(Protocol):
    """Decides whether a release may provide a capability just now. Raises Denied or StateUnconfirmed."""

    def __call__(self, release: Release, demand: Demand) -> Access: ...


class Promised(Protocol):
    """The hashes of the requirement sets that a release's agreements in force promise for a version of a capability."""

    def __call__(self, release: Release, capability: str, major: int) -> frozenset[str]: ...


class Gateway:
    """The gateway of one process."""

    def __init__(
        self, engine: Engine, client: ModuleClient, directory: Callable[[], Directory], may_provide: Provider,
        promised: Promised,
    ) -> None:  # fmt: skip
        self.engine, self.directory, self.limits = engine, directory, limits_of(engine.settings)
        self.under_way, self.breakers = UnderWay(self.limits), Breakers(self.limits)
        engine.lease.resting = self.breakers.resting
        self._client, self._may_provide, self._promised = client, may_provide, promised
        self._shadows, self._checks = shadowing.Shadows(engine, client), AnswerChecks()

    def operation(
        self, capability: str, major: int, method: str, path: str, unit_id: UUID | None = None
    ) -> Operation | None:
        """What a call means: the contract's operation, or one that a requirement set adds. None if nobody has one.

        Of several sets, that counts which the release in service in the call's unit keeps and promises.
        """
        directory = self.directory()
        own = directory.operation(capability, major, method, path)
        if own is not None:
            return own
        found, route = directory.added_at(capability, major, method, path), directory.route(capability, unit_id)
        provided = (each for each in found if route is not None and self.has(route.release, capability, major, each))
        return next(provided, found[0] if found else None)

    def has(self, release: Release, capability: str, major: int, operation: Operation) -> bool:
        """Whether a release has an operation, which every one has that belongs to the contract."""
        if not operation.is_added:
            return True
        promised = self._promised(release, capability, major)
        return self.directory().is_added_by(release, capability, major, operation, promised)

    def demanded(self, release: Release, outgoing: Outgoing) -> list[Demanded]:
        """What the sets that a release keeps and promises ask of its answers to a call. Of a page nothing is asked."""
        capability, major = outgoing.capability, outgoing.demand.major
        found = self.directory().demanded.get((capability, major, outgoing.operation.id), ())
        if not found or outgoing.page is not None:
            return []
        promised = self._promised(release, capability, major)
        return [each for each in found if each.requirement_set in promised and release.id in each.kept_by]

    def decide(self, caller: Caller, demand: Demand, request_id: UUID, unit_id: UUID | None) -> Access:
        """The permit for a call of a unit, by the state confirmed at this instant.

        Raises StateUnconfirmed or Denied; also where the permit is for other units, or nobody knows this one.
        """
        permit = self.engine.decider.decide(caller, demand, request_id)
        if unit_id is None and permit.row_filter is None:
            return permit
        above = self.directory().above(unit_id)
        if unit_id is not None and not above:
            raise Denied(
                check="unit", reason="the unit is not known", reason_da="enheden kendes ikke", mender="Den, der kalder"
            )
        return permit.within(above)

    def key_of(self, outgoing: Outgoing) -> str:
        """The key of the binding that a call goes by, as this process knows it now."""
        route = self.directory().route(outgoing.capability, outgoing.unit_id)
        return outgoing.capability if route is None else route.key

    def bound_unit(self, capability: str, unit_id: UUID | None) -> UUID | None:
        """The unit of the binding that a unit's calls go by, as known now; None: the whole municipality's, or none."""
        route = self.directory().route(capability, unit_id)
        return None if route is None else route.unit_id

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
        await self.engine.trail.write([self._intent(outgoing)])
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
            self._mirror(route, route.shadow, outgoing, answer)
        return answer

    def _mirror(self, route: Route, shadow: Release, outgoing: Outgoing, answer: ModuleAnswer) -> None:
        if self.has(shadow, outgoing.capability, outgoing.demand.major, outgoing.operation):
            self._shadows.compare(route, outgoing, answer)

    async def _carry_unsafe(self, outgoing: Outgoing) -> ModuleAnswer:
        stamps = Stamps()
        async with self.engine.database.transaction() as tx:
            earlier = await service.claim_call(tx, outgoing, self.engine.lease.process, self.limits.longest_call)
            tx.notes.append(self._intent(outgoing, result="permitted" if earlier is None else "replayed"))
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

    def _intent(self, outgoing: Outgoing, result: str = "permitted") -> Entry:
        """That a call begins; of one that is never heard of again, it says whose it would have been."""
        detail = binding_stamp(self.bound_unit(outgoing.capability, outgoing.unit_id))
        return entry_of(outgoing.access, "intent", call_id=outgoing.call_id, result=result, detail=detail)

    async def _give_back(self, outgoing: Outgoing, entry: Entry) -> None:
        async with self.engine.database.transaction() as tx:
            await service.release_call(tx, outgoing)
            tx.notes.append(entry)

    async def _forward(self, outgoing: Outgoing, stamps: Stamps) -> tuple[Route, ModuleAnswer]:
        """Wait at the fence, decide again, then send the call to whoever provides the capability at that instant."""
        stamps.ask(self.bound_unit(outgoing.capability, outgoing.unit_id))
        key = partial(self.key_of, outgoing)
        async with self.engine.lease.admitted(key, follows_admitted=outgoing.is_chained):
            stamps.admitted_at, access = clock.ticks(), outgoing.access
            request_id = access.request_id or outgoing.call_id
            self.decide(access.caller, outgoing.demand, request_id, outgoing.unit_id)
            route = self.directory().route(outgoing.capability, outgoing.unit_id)
            if route is None:
                raise CapabilityNotBound
            stamps.sent_by(route)
            provided, major = route.release.provides(outgoing.capability), outgoing.demand.major
            if major not in provided:
                raise MajorNotProvided(major=major, provided=", ".join(map(str, provided)))
            if not self.has(route.release, outgoing.capability, major, outgoing.operation):
                raise OperationNotProvided(operation=outgoing.operation.id)
            if outgoing.page is not None and outgoing.page.epoch != route.epoch:
                raise PageMoved
            provides = self._may_provide(route.release, replace(outgoing.demand, operation="provide"))
            provides.within(self.directory().above(outgoing.unit_id))
            stamps.agreement_id, stamps.sent_at = provides.agreement_id, clock.ticks()
            demanded = self.demanded(route.release, outgoing)
            try:
                answer = await self._ask(route.release, outgoing, whole=bool(demanded))
            finally:
                stamps.answered_at = clock.ticks()
            if answer.rest is None:
                await self._checks.check(answer, outgoing.operation.id, demanded)
            else:
                answer = await stream(
                    self, outgoing, answer, partial(self._note_cut, outgoing, stamps),
                    seconds=self.limits.stream_seconds, counted=self.under_way.also(route.release.id),
                )  # fmt: skip
            return route, answer

    async def _ask(self, release: Release, outgoing: Outgoing, *, whole: bool) -> ModuleAnswer:
        """Ask the release, unless it has too much to do or is left alone; and remember whether it has answered."""
        with self.under_way.release(release.id):
            self.breakers.admit(release.id)
            try:
                answer = await self._client.forward(release, outgoing, whole=whole)
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
