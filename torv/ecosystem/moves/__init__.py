"""Moves: changing which release provides a capability, while people work, with nothing lost."""

from torv.ecosystem.moves.api import routes
from torv.ecosystem.moves.driver import Driver
from torv.ecosystem.moves.models import MoveState, MoveView, NewMove, Step
from torv.ecosystem.moves.service import last_move

__all__ = ["Driver", "MoveState", "MoveView", "NewMove", "Step", "last_move", "routes"]
