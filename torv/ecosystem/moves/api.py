"""Routes of moves."""

from uuid import UUID

from torv.base import signing
from torv.base.http import Answer, Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.ecosystem.moves import service
from torv.ecosystem.moves.models import DissolvedBinding, MoveLine, MoveView, NewMove

routes = Routes("/api/v1/moves", "moves")


@routes.writes("", "plan", "move", status_code=201)
async def plan_move(call: Call, new: NewMove) -> MoveView:
    """Plan a move of a capability to another release; the worker carries it out at once."""
    return await service.plan_move(call.tx, call.access, new=new)


@routes.reads("", "read", "move")
async def list_moves(
    call: Call, capability: str | None = None, limit: Size = DEFAULT_SIZE, cursor: Cursor = None
) -> Page[MoveLine]:
    """The moves of a capability, or of all; the one planned last first."""
    wanted = call.page(limit, cursor, capability=capability)
    lines = await service.list_moves(call.tx, call.access, capability=capability, wanted=wanted)
    return call.paged(lines, wanted, lambda each: [each.started_at.isoformat(), str(each.id)])


@routes.writes("/dissolve", "dissolve", "move")
async def dissolve_binding(call: Call, which: DissolvedBinding) -> DissolvedBinding:
    """Let a unit's own binding go up into the one above it, where one release has both: nothing changes hands."""
    await service.dissolve(call.tx, call.access, capability=which.capability, unit_id=which.unit_id)
    return which


@routes.reads("/{move_id}", "read", "move")
async def read_move(call: Call, move_id: UUID) -> MoveView:
    """A move with its steps."""
    return await service.read_move(call.tx, call.access, move_id)


@routes.writes("/{move_id}/rollback", "roll_back", "move", status_code=201)
async def roll_back(call: Call, move_id: UUID) -> MoveView:
    """Plan the move back to the predecessor, which stands by."""
    return await service.roll_back(call.tx, call.access, move_id)


@routes.writes("/{move_id}/finalise", "finalise", "move")
async def finalise(call: Call, move_id: UUID) -> MoveView:
    """End the watch: the predecessor's agreement shrinks to export, and the receipt is sealed."""
    key = call.engine.keys.signing
    return await service.finalise(call.tx, call.access, move_id, lambda receipt: signing.sign(receipt, key))


@routes.writes("/{move_id}/abort", "abort", "move")
async def abort(call: Call, move_id: UUID) -> MoveView:
    """Give up a move before the flip."""
    return await service.abort(call.tx, call.access, move_id)


@routes.reads("/{move_id}/receipt", "read", "move")
async def read_receipt(call: Call, move_id: UUID) -> Answer:
    """The sealed receipt, a compact JWS."""
    receipt = await service.read_receipt(call.tx, call.access, move_id)
    return Answer(body=receipt.encode(), media_type="application/jose")
