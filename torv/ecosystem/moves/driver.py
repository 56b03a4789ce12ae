"""The driver: takes each move a step further, again and again; what was interrupted is taken up where it stands."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from itertools import product
from uuid import UUID

from torv.base import clock, lease
from torv.base.access import Access, Demand
from torv.base.db import Database
from torv.base.errors import Busy, Denied, TorvError
from torv.ecosystem.gateway import ModuleClient, shadow_results
from torv.ecosystem.modules import (
    ContractOutsideRange,
    Release,
    ReleaseRetired,
    categories_of,
    check_fits,
    release_by_id,
    set_shadow,
)
from torv.ecosystem.moves import possession, rules, service
from torv.ecosystem.moves.models import Move, MoveState, Reason
from torv.ecosystem.moves.possession import Progress, RecordsDiffer
from torv.ecosystem.moves.receipts import Seal
from torv.ecosystem.requirements import demanded_fields, unmet_requirements
from torv.kernel.organisation import units_above
from torv.kernel.records import close_fence, has_records_after, record_types

PAUSE = 0.1  #: seconds between two looks at the moves
TICK = 0.01  #: seconds between two looks during a freeze


class Driver:
    """Drives the moves of one municipality; only the leading worker has one running."""

    def __init__(
        self, database: Database, client: ModuleClient, may: Callable[[Release, Demand], Access], seal: Seal
    ) -> None:
        self._database, self._client, self._may, self._seal = database, client, may, seal
        self._progress: dict[UUID, list[Progress]] = {}
        self._steps: dict[MoveState, Callable[[Move], Awaitable[None]]] = {
            MoveState.PLANNED: self._begin,
            MoveState.PREFLIGHT: self._preflight,
            MoveState.HYDRATING: self._hydrate,
            MoveState.SHADOWING: self._shadow,
            MoveState.FREEZING: self._freeze,
            MoveState.MOVED: self._settle,
        }

    async def run(self) -> None:
        """Drive until cancelled."""
        while True:
            async with self._database.reading() as tx:
                moves = await service.moves_to_drive(tx)
            for move in moves:
                await self._advance(move)
            await asyncio.sleep(PAUSE)

    async def _advance(self, move: Move) -> None:
        try:
            await self._steps[MoveState(move.state)](move)
        except RecordsDiffer as difference:
            await self._give_up(move, Reason.RECORDS_DIFFER, what=str(difference))
        except (ReleaseRetired, ContractOutsideRange) as refusal:
            await self._give_up(move, Reason(refusal.code))
        except Denied as denial:
            await self._give_up(move, Reason.NOT_PERMITTED, check=denial.facts["check"])

    async def _begin(self, move: Move) -> None:
        await self._enter(move, MoveState.PREFLIGHT)

    async def _preflight(self, move: Move) -> None:
        """May the candidate provide the capability, in every major version that is served, as it is demanded of it?"""
        candidate = await self._candidate(move)
        async with self._database.transaction() as tx:
            if move.reverses is None:  # it may have been retired, or the contract renewed, since the move was planned
                await check_fits(tx, candidate.id, move.capability)
            kinds, categories = await record_types(tx, move.capability), await categories_of(tx, move.capability)
            served = (await release_by_id(tx, move.from_release)).provides(move.capability)
            missing = sorted(set(served) - set(candidate.provides(move.capability)))
            unmet = [] if move.reverses else await unmet_requirements(tx, move.to_release, move.capability)
        if missing:
            await self._give_up(move, Reason.MAJORS_MISSING, majors=missing)
            return
        if unmet:  # on the way back nobody is asked: what served until now may serve again
            await self._give_up(move, Reason.REQUIREMENTS_NOT_MET, unmet=[asdict(each) for each in unmet])
            return
        above = await self._above(move)
        for major, category in [(number, each) for number in served for each in sorted(categories.get(number, ()))]:
            demand = Demand(
                service=move.capability, operation="provide", category=category, major=major, keeps_units=True
            )
            self._may(candidate, demand).within(above)
        for kind in kinds:
            for operation, major in product(("provide", "export"), served):
                demand = Demand(
                    service=move.capability, operation=operation, category=kind.category, major=major, keeps_units=True
                )
                self._may(candidate, demand).within(above)
            write = Demand(service="records", operation="write", category=kind.category)
            self._may(candidate, write).within(above)
        await self._enter(move, MoveState.HYDRATING)

    async def _hydrate(self, move: Move) -> None:
        """Wait until the candidate has proved that it holds everything; it reads from the feed by itself."""
        if not await self._prove(move):
            return
        detail = {"records": sum(each.records for each in self._progress[move.id])}
        if move.reverses is not None:
            await self._raise_fence(move, detail)
            return
        async with self._database.transaction() as tx:
            await service.enter(tx, move, MoveState.SHADOWING, **detail)
            fields = await demanded_fields(tx, move.to_release, move.capability)
            await set_shadow(tx, move.key, move.to_release, fields)

    async def _shadow(self, move: Move) -> None:
        """Wait until enough answers were compared; a difference that stays ends the move."""
        assert move.shadowing_at is not None
        async with self._database.reading() as tx:
            result = await shadow_results(tx, move.capability, move.to_release, move.shadowing_at)
        detail = {"compared": result.compared, "different": result.different}
        if rules.is_telling(result.different, move.unit_id):
            await self._give_up(move, Reason.ANSWERS_DIFFER, **detail)
        elif rules.is_shadowed_enough((clock.now() - move.shadowing_at).total_seconds(), result.compared):
            await self._prove(move)  # so that little is left to compare while calls wait
            await self._raise_fence(move, detail)

    async def _freeze(self, move: Move) -> None:
        """Drain, compare what is left, flip; or give the calls back to the predecessor in time."""
        if move.id not in self._progress:  # another worker froze and died: start over with nothing held
            await self._thaw(move)
            return
        started = clock.ticks()
        if not await self._drain(move, started):
            await self._give_up(move, Reason.NOT_DRAINED)
            return
        while clock.ticks() - started < rules.FREEZE:
            left = rules.FREEZE - (clock.ticks() - started)
            if await self._prove_within(move, left) and await self._flip(move):
                return
            await asyncio.sleep(TICK)
        await self._give_up(move, Reason.CANDIDATE_TOO_SLOW)

    async def _drain(self, move: Move, started: float) -> bool:
        """Whether every process has confirmed in time that it holds new calls and has none in flight."""
        is_forced = False
        while True:
            async with self._database.transaction() as tx:
                if await lease.is_quiet(tx, move.key):
                    return True
                waited = clock.ticks() - started
                if waited > rules.DRAIN and not is_forced:
                    await lease.force_fence(tx, move.key)
                    is_forced = True
            if waited > rules.FREEZE:
                return False
            await asyncio.sleep(TICK)

    async def _prove_within(self, move: Move, seconds: float) -> bool:
        """A candidate that hangs must not hold the callers longer than a freeze may last."""
        try:
            async with asyncio.timeout(seconds):
                return await self._prove_all_written(move)
        except TimeoutError:
            return False

    async def _prove_all_written(self, move: Move) -> bool:
        async with self._database.reading() as tx:
            waiting = await has_records_after(tx, move.capability, self._position(move), unit_id=move.unit_id)
        if waiting:
            return await self._prove(move)
        return all(not each.pending for each in self._progress[move.id])

    async def _flip(self, move: Move) -> bool:
        """Change the binding, unless something is being written or was after the last comparison."""
        try:
            async with self._database.transaction() as tx:
                await close_fence(tx, move.capability)
                if await has_records_after(tx, move.capability, self._position(move), unit_id=move.unit_id):
                    return False
                await service.flip(tx, move)
        except Busy:
            return False
        del self._progress[move.id]
        return True

    async def _settle(self, move: Move) -> None:
        async with self._database.transaction() as tx:
            await service.settle(tx, move, self._seal)

    async def _raise_fence(self, move: Move, detail: dict[str, int]) -> None:
        async with self._database.transaction() as tx:
            await service.enter(tx, move, MoveState.FREEZING, **detail)
            await set_shadow(tx, move.key, None)
            await lease.raise_fence(tx, move.key)
        async with self._database.reading() as tx:
            frozen = next(each for each in await service.moves_to_drive(tx) if each.id == move.id)
        await self._freeze(frozen)

    async def _thaw(self, move: Move) -> None:
        async with self._database.transaction() as tx:
            await service.enter(tx, move, MoveState.HYDRATING, reason=Reason.FREEZE_INTERRUPTED)
            await lease.lower_fence(tx, move.key)

    async def _prove(self, move: Move) -> bool:
        candidate = await self._candidate(move)
        if move.id not in self._progress:
            async with self._database.reading() as tx:
                self._progress[move.id] = [
                    Progress(record_type=each, unit_id=move.unit_id) for each in await record_types(tx, move.capability)
                ]
        try:
            proved = [
                await possession.prove(self._database, self._client, candidate, each)
                for each in self._progress[move.id]
            ]
        except TorvError:
            return False  # the candidate does not answer just now: hydrating waits, a freeze runs out
        return all(proved)

    async def _enter(self, move: Move, state: MoveState) -> None:
        async with self._database.transaction() as tx:
            await service.enter(tx, move, state)

    async def _give_up(self, move: Move, reason: Reason, **detail: object) -> None:
        self._progress.pop(move.id, None)
        async with self._database.transaction() as tx:
            await service.give_up(tx, move, reason, **detail)

    async def _candidate(self, move: Move) -> Release:
        async with self._database.reading() as tx:
            return await release_by_id(tx, move.to_release)

    async def _above(self, move: Move) -> tuple[UUID, ...]:
        async with self._database.reading() as tx:
            return () if move.unit_id is None else await units_above(tx, move.unit_id)

    def _position(self, move: Move) -> int:
        return min((each.position for each in self._progress[move.id]), default=0)  # a capability may have no records
