"""The receipt of a move: what happened when, what was compared, what was cut; sealed with the municipality's key."""

import hashlib
from collections.abc import Callable
from typing import Any

import rfc8785

from torv.ecosystem.moves.models import Move, MoveView

Seal = Callable[[dict[str, Any]], str]


def receipt_of(view: MoveView, move: Move, cut: list[str]) -> dict[str, Any]:
    """The receipt as data."""
    return {
        "format": "torv-receipt/1",
        "move": str(view.id),
        "capability": view.capability,
        "unit": None if view.unit_id is None else {"id": str(view.unit_id), "name": view.unit_name},
        "from": {"release": str(view.from_release), "name": view.from_name},
        "to": {"release": str(view.to_release), "name": view.to_name},
        "reverses": None if view.reverses is None else str(view.reverses),
        "epoch": move.epoch,
        "hold_ms": view.hold_ms,
        "cut_calls": cut,
        "steps": [{"state": step.state, "at": step.at.isoformat(), "detail": step.detail} for step in view.steps],
    }


def hash_of(receipt: dict[str, Any]) -> str:
    """SHA-256 over the canonical JSON, hex; stands in the trail."""
    return hashlib.sha256(rfc8785.dumps(receipt)).hexdigest()
