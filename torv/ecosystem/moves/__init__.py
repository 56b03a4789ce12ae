"""Moves: changing which release provides a capability, while people work, with nothing lost."""

from torv.ecosystem.moves.api import routes
from torv.ecosystem.moves.driver import Driver
from torv.ecosystem.moves.models import MoveState, MoveView, NewMove, Reason, Step
from torv.ecosystem.moves.service import last_move, list_moves

__all__ = ["Driver", "MoveState", "MoveView", "NewMove", "Reason", "Step", "last_move", "list_moves", "routes"]
