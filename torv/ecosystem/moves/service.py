"""The verbs of moves; the only writer of the schema `moves`."""

from typing import Any
from uuid import UUID

from torv.base import db, lease
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import CapabilityNotBound, MoveUnderWay, NotFound, WrongState
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import Entry, note
from torv.ecosystem.agreements import begin_exit_of_module
from torv.ecosystem.events import hand_over_events
from torv.ecosystem.modules import check_fits, end_standby, move_binding, release_by_id, release_in_service, set_shadow
from torv.ecosystem.moves import receipts, rules
from torv.ecosystem.moves.models import Move, MoveState, MoveView, Names, NewMove, Step

sql = load(__file__)


db.names_constraint("moves_one_at_a_time", MoveUnderWay)
db.names_constraint("moves_one_watched", MoveUnderWay)


async def plan_move(tx: Tx, access: Access, *, new: NewMove) -> MoveView:
    """Plan a move; the worker carries it out.

    Raises CapabilityNotBound, NotFound, WrongState or MoveUnderWay; ReleaseRetired or ContractOutsideRange where the
    release is out of use, or does not provide the contract as it is in force.
    """
    from_release = await release_in_service(tx, new.capability)
    if from_release is None:
        raise CapabilityNotBound
    if await tx.maybe(Move, sql.watched_move, capability=new.capability):
        raise MoveUnderWay
    await check_fits(tx, new.to_release, new.capability)
    if from_release == new.to_release:
        raise WrongState(state="in_service")
    return await _plan(tx, access, new.capability, from_release, new.to_release, None)


async def roll_back(tx: Tx, access: Access, move_id: UUID) -> MoveView:
    """Plan the move back: the same movement the other way. Raises WrongState unless the predecessor stands by."""
    move = await tx.one(Move, sql.lock_move, id=move_id)
    rules.check_step(MoveState(move.state), MoveState.ROLLED_BACK)
    return await _plan(tx, access, move.capability, move.to_release, move.from_release, move.id)


async def abort(tx: Tx, access: Access, move_id: UUID) -> MoveView:
    """Give up a move before the flip; waiting calls go on with the predecessor. Raises WrongState afterwards."""
    move = await tx.one(Move, sql.lock_move, id=move_id)
    note(tx, access, "write", detail={"move": str(move_id)})
    await give_up(tx, move, "asked")
    return await _view(tx, move_id)


async def finalise(tx: Tx, access: Access, move_id: UUID, seal: receipts.Seal) -> MoveView:
    """Let the predecessor's agreement shrink to export, and seal the receipt.

    Raises WrongState unless the predecessor stands by, MoveUnderWay while it is being brought back.
    """
    move = await tx.one(Move, sql.lock_move, id=move_id)
    rules.check_step(MoveState(move.state), MoveState.FINAL)
    if await tx.value(sql.is_being_taken_back, id=move_id):
        raise MoveUnderWay
    predecessor = await release_by_id(tx, move.from_release)
    exits = await begin_exit_of_module(tx, access, predecessor.partner_id, predecessor.module_name)
    await end_standby(tx, move.capability)
    await enter(tx, move, MoveState.FINAL, agreements_in_exit=[str(each) for each in exits])
    view = await _view(tx, move_id)
    receipt = receipts.receipt_of(view, move, await cut_calls(tx, move))
    await tx.run(sql.set_receipt, id=move_id, receipt=seal(receipt))
    note(tx, access, "write", detail={"move": str(move_id), "receipt": receipts.hash_of(receipt)})
    return view


async def read_move(tx: Tx, access: Access, move_id: UUID) -> MoveView:
    """A move with its steps. Raises NotFound."""
    note(tx, access, "read", detail={"move": str(move_id)})
    return await _view(tx, move_id)


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


async def give_up(tx: Tx, move: Move, reason: str, **detail: Any) -> None:
    """End a move before the flip, with everything as it was."""
    await enter(tx, move, MoveState.ABORTED, reason=reason, **detail)
    await set_shadow(tx, move.capability, None)
    await lease.lower_fence(tx, move.capability)


async def flip(tx: Tx, move: Move) -> int:
    """Let the successor provide the capability from commit on; takes the exclusive fence. Gives the new epoch."""
    epoch = await move_binding(tx, move.capability, move.to_release)
    await lease.lower_fence(tx, move.capability)
    await tx.run(sql.set_epoch, id=move.id, epoch=epoch)
    await hand_over_events(tx, move.capability, move.to_release)
    await enter(tx, move, MoveState.MOVED, epoch=epoch, capability=move.capability, release=str(move.to_release))
    return epoch


async def settle(tx: Tx, move: Move) -> None:
    """After the flip: stand watch; or, when this move takes another back, end both."""
    if move.reverses is None:
        await enter(tx, move, MoveState.WATCHING)
        return
    original = await tx.one(Move, sql.lock_move, id=move.reverses)
    await end_standby(tx, move.capability)
    await enter(tx, original, MoveState.ROLLED_BACK, by=str(move.id))
    await enter(tx, move, MoveState.FINAL)


async def cut_calls(tx: Tx, move: Move) -> list[str]:
    """The ids of calls that were cut; a freeze that was interrupted may have cut some, too."""
    if move.moved_at is None:
        return []
    rows = await tx.all(dict, sql.cut_calls, capability=move.capability, since=move.planned_at, until=move.moved_at)
    return [str(row["call_id"]) for row in rows]


async def _plan(tx: Tx, access: Access, capability: str, of: UUID, to: UUID, reverses: UUID | None) -> MoveView:
    move_id = new_id()
    await tx.run(sql.insert_move, id=move_id, capability=capability, from_release=of, to_release=to, reverses=reverses)
    await tx.run(sql.insert_step, move_id=move_id, state="planned", detail={})
    note(tx, access, "write", detail={"move": str(move_id)})
    return await _view(tx, move_id)


async def _view(tx: Tx, move_id: UUID) -> MoveView:
    move = await tx.one(Move, sql.move_by_id, id=move_id)
    names = await tx.one(Names, sql.names, from_release=move.from_release, to_release=move.to_release)
    held = (move.moved_at - move.frozen_at).total_seconds() if move.moved_at and move.frozen_at else None
    return MoveView(
        id=move.id, capability=move.capability, state=MoveState(move.state), from_release=move.from_release,
        from_name=names.from_name, to_release=move.to_release, to_name=names.to_name, reverses=move.reverses,
        started_at=move.planned_at, hold_ms=round(held * 1000) if held is not None else None,
        steps=await tx.all(Step, sql.steps_of, move_id=move_id),
    )  # fmt: skip
