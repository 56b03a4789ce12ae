"""The verbs of moves; the only writer of the schema `moves`."""

from datetime import datetime
from typing import Any
from uuid import UUID

from torv.base import clock, db, lease
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import CapabilityNotBound, MoveUnderWay, NotFound, WrongState
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.sql import load
from torv.base.trail import Entry, note
from torv.ecosystem.agreements import begin_exit_of_module
from torv.ecosystem.events import dissolve_events, hand_over_events, split_events
from torv.ecosystem.modules import (
    check_fits,
    dissolve_binding,
    end_standby,
    is_providing,
    move_binding,
    release_by_id,
    release_in_service,
    set_shadow,
    split_binding,
)
from torv.ecosystem.moves import receipts, rules
from torv.ecosystem.moves.models import Move, MoveLine, MoveState, MoveView, NewMove, Reason, Step
from torv.kernel.records import unit_in

sql = load(__file__)

db.names_constraint("moves_one_at_a_time", MoveUnderWay)
db.names_constraint("moves_one_watched", MoveUnderWay)


async def plan_move(tx: Tx, access: Access, *, new: NewMove) -> MoveView:
    """Plan a move; the worker carries it out. A unit without a binding of its own gets one first, as it was bound.

    Raises CapabilityNotBound, NotFound, UnitUnknown, WrongState or MoveUnderWay; ReleaseRetired or ContractOutsideRange
    where the release is out of use, or does not provide the contract as it is in force.
    """
    await tx.value(sql.lock_capability, capability=new.capability)
    from_release = await release_in_service(tx, new.capability, new.unit_id)
    if await tx.value(sql.is_under_way, capability=new.capability, unit_id=new.unit_id):
        raise MoveUnderWay
    if from_release is None and new.unit_id is not None:
        from_release = await _split(tx, new.capability, new.unit_id)
    if from_release is None:
        raise CapabilityNotBound
    await check_fits(tx, new.to_release, new.capability)
    if from_release == new.to_release:
        raise WrongState(state="in_service")
    return await _plan(tx, access, new, from_release)


async def _split(tx: Tx, capability: str, unit_id: UUID) -> UUID:
    """Give a unit a binding of its own; not while the one above it may yet go back to its predecessor."""
    above = await tx.value(sql.key_at, capability=capability, unit_id=unit_id, day=clock.today())
    if above is not None and await tx.value(sql.is_under_way, capability=capability, unit_id=unit_in(above)):
        raise MoveUnderWay
    release_id = await split_binding(tx, capability, unit_id)
    await split_events(tx, capability, unit_id, above=above or capability)
    return release_id


async def dissolve(tx: Tx, access: Access, *, capability: str, unit_id: UUID) -> None:
    """Let a unit's binding go up into the one above it: one release is bound to both, so nothing changes hands.

    Raises WrongState if not, and MoveUnderWay while anything of the capability is moved, or a predecessor stands by
    for the unit.
    """
    await tx.value(sql.lock_capability, capability=capability)
    if await tx.value(sql.is_under_way, capability=capability, unit_id=unit_id):
        raise MoveUnderWay
    above = await dissolve_binding(tx, capability, unit_id)
    await dissolve_events(tx, capability, unit_id, above=above)
    note(tx, access, "write", detail={"capability": capability, "unit": str(unit_id)})


async def roll_back(tx: Tx, access: Access, move_id: UUID) -> MoveView:
    """Plan the move back: the same movement the other way. Raises WrongState unless the predecessor stands by."""
    move = await tx.one(Move, sql.lock_move, id=move_id)
    rules.check_step(MoveState(move.state), MoveState.ROLLED_BACK)
    await tx.value(sql.lock_capability, capability=move.capability)
    back = NewMove(capability=move.capability, to_release=move.from_release, unit_id=move.unit_id)
    return await _plan(tx, access, back, move.to_release, reverses=move.id)


async def abort(tx: Tx, access: Access, move_id: UUID) -> MoveView:
    """Give up a move before the flip; waiting calls go on with the predecessor. Raises WrongState afterwards."""
    move = await tx.one(Move, sql.lock_move, id=move_id)
    note(tx, access, "write", detail={"move": str(move_id)})
    await give_up(tx, move, Reason.ASKED)
    return await _view(tx, move_id)


async def finalise(tx: Tx, access: Access, move_id: UUID, seal: receipts.Seal) -> MoveView:
    """Let the predecessor's agreement shrink to export, and seal the receipt.

    The agreement stays as it is while the predecessor's module provides the capability elsewhere. Raises WrongState
    unless the predecessor stands by, MoveUnderWay while it is being brought back.
    """
    move = await tx.one(Move, sql.lock_move, id=move_id)
    rules.check_step(MoveState(move.state), MoveState.FINAL)
    if await tx.value(sql.is_being_taken_back, id=move_id):
        raise MoveUnderWay
    predecessor = await release_by_id(tx, move.from_release)
    exits = []
    if not await is_providing(tx, move.capability, predecessor, but=move.key):  # in other units it goes on
        exits = await begin_exit_of_module(tx, access, predecessor.partner_id, predecessor.module_name)
    await end_standby(tx, move.key)
    await enter(tx, move, MoveState.FINAL, agreements_in_exit=[str(each) for each in exits])
    sealed = await _seal(tx, move, seal)
    note(tx, access, "write", detail={"move": str(move_id), "receipt": sealed})
    return await _view(tx, move_id)


async def read_move(tx: Tx, access: Access, move_id: UUID) -> MoveView:
    """A move with its steps. Raises NotFound."""
    note(tx, access, "read", detail={"move": str(move_id)})
    return await _view(tx, move_id)


async def list_moves(tx: Tx, access: Access, *, capability: str | None, wanted: Wanted) -> list[MoveLine]:
    """The moves of a capability (None: of all), the one planned last first."""
    at, before = wanted.after or (None, None)
    rows = await tx.all(
        dict, sql.lines, capability=capability, day=clock.today(), size=wanted.fetch,
        before_at=datetime.fromisoformat(at) if at else None, before_id=UUID(before) if before else None,
    )  # fmt: skip
    note(tx, access, "read", detail={"moves": len(rows[: wanted.size])})
    return [MoveLine(**row | {"state": MoveState(row["state"])}) for row in rows]


async def read_receipt(tx: Tx, access: Access, move_id: UUID) -> str:
    """The sealed receipt. Raises NotFound before the move is final."""
    move = await tx.one(Move, sql.move_by_id, id=move_id)
    if move.receipt is None:
        raise NotFound
    note(tx, access, "read", detail={"move": str(move_id)})
    return move.receipt


async def last_move(tx: Tx, access: Access) -> MoveView | None:
    """The move planned last; None if there has been none."""
    move = await tx.maybe(Move, sql.latest_move)
    note(tx, access, "read", detail={"move": str(move.id) if move else None})
    return await _view(tx, move.id) if move else None


async def moves_to_drive(tx: Tx) -> list[Move]:
    """The moves that wait for the driver, oldest first."""
    return await tx.all(Move, sql.moves_to_drive)


async def enter(tx: Tx, move: Move, state: MoveState, **detail: Any) -> None:
    """Bring a move into its next state. Raises WrongState if somebody else has moved it on."""
    present = await tx.one(Move, sql.lock_move, id=move.id)
    rules.check_step(MoveState(present.state), state)
    await tx.run(sql.set_state, id=move.id, state=state)
    await tx.run(sql.insert_step, move_id=move.id, state=state, detail=detail)
    tx.notes.append(Entry(kind="system", operation=f"moves.{state}", detail={"move": str(move.id), **detail}))


async def give_up(tx: Tx, move: Move, reason: Reason, **detail: Any) -> None:
    """End a move before the flip, with everything as it was."""
    await enter(tx, move, MoveState.ABORTED, reason=reason, **detail)
    await set_shadow(tx, move.key, None)
    await lease.lower_fence(tx, move.key)


async def flip(tx: Tx, move: Move) -> int:
    """Let the successor provide the capability from commit on; takes the exclusive fence. Gives the new epoch."""
    epoch = await move_binding(tx, move.capability, move.to_release, unit_id=move.unit_id)
    await lease.lower_fence(tx, move.key)
    await tx.run(sql.set_epoch, id=move.id, epoch=epoch)
    await hand_over_events(tx, move.capability, move.to_release, from_release=move.from_release, unit_id=move.unit_id)
    detail = {} if move.unit_id is None else {"unit": str(move.unit_id)}
    await enter(
        tx, move, MoveState.MOVED, epoch=epoch, capability=move.capability, release=str(move.to_release), **detail
    )
    return epoch


async def settle(tx: Tx, move: Move, seal: receipts.Seal) -> None:
    """After the flip: stand watch; or, when this move takes another back, end both, with a receipt for the way back."""
    if move.reverses is None:
        await enter(tx, move, MoveState.WATCHING)
        return
    original = await tx.one(Move, sql.lock_move, id=move.reverses)
    await end_standby(tx, move.key)
    await enter(tx, original, MoveState.ROLLED_BACK, by=str(move.id))
    await enter(tx, move, MoveState.FINAL)
    sealed = await _seal(tx, move, seal)
    tx.notes.append(Entry(kind="system", operation="moves.receipt", detail={"move": str(move.id), "receipt": sealed}))


async def _seal(tx: Tx, move: Move, seal: receipts.Seal) -> str:
    """Keep the receipt of a move that is through; gives its hash."""
    receipt = receipts.receipt_of(await _view(tx, move.id), move, await cut_calls(tx, move))
    await tx.run(sql.set_receipt, id=move.id, receipt=seal(receipt))
    return receipts.hash_of(receipt)


async def cut_calls(tx: Tx, move: Move) -> list[str]:
    """The ids of calls that were cut; a freeze that was interrupted may have cut some, too."""
    if move.moved_at is None:
        return []
    rows = await tx.all(dict, sql.cut_calls, capability=move.capability, since=move.planned_at, until=move.moved_at)
    return [str(row["call_id"]) for row in rows]


async def _plan(tx: Tx, access: Access, new: NewMove, of: UUID, *, reverses: UUID | None = None) -> MoveView:
    move_id = new_id()
    await tx.run(
        sql.insert_move, id=move_id, capability=new.capability, unit_id=new.unit_id, from_release=of,
        to_release=new.to_release, reverses=reverses,
    )  # fmt: skip
    await tx.run(sql.insert_step, move_id=move_id, state="planned", detail={})
    note(tx, access, "write", detail={"move": str(move_id)})
    return await _view(tx, move_id)


async def _view(tx: Tx, move_id: UUID) -> MoveView:
    row = await tx.one(dict, sql.line_of, id=move_id, day=clock.today())
    steps = await tx.all(Step, sql.steps_of, move_id=move_id)
    return MoveView(**row | {"state": MoveState(row["state"])}, steps=steps)
