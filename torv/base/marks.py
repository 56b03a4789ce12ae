"""Marks: the Torv-Call header, by which what follows from a call is known, and which unit the call belongs to."""

import hmac
from dataclasses import dataclass
from uuid import UUID

from torv.base import clock
from torv.base.errors import MalformedRequest
from torv.base.signing import Keys

CHAIN_LIFE = 10  #: seconds within which a call may follow from another
UNIT_LIFE = 3_600  #: seconds within which what a call led to may still be written for the call's unit


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """What a mark of ours says."""

    hops: int  #: how many calls it is made of; 0 where it is too old for another to follow
    unit_id: UUID | None  #: the unit the call belongs to; None: the whole municipality, or too long ago


NONE = Mark(hops=0, unit_id=None)


def make_mark(keys: Keys, call_id: UUID, *, hops: int, unit_id: UUID | None) -> str:
    """The Torv-Call header: names the call, how many calls it is made of, the time, and the unit if there is one.

    What follows from the call can be known by it, and a chain that goes round in a circle comes to an end.
    """
    text = f"{call_id}.{hops}.{int(clock.seconds())}" + (f".{unit_id}" if unit_id else "")
    return f"{text}.{keys.call_mark(text)}"


def read_mark(keys: Keys, header: str | None) -> Mark:
    """What a Torv-Call header says; NONE where it is not ours."""
    if header is None:
        return NONE
    text, _, mark = header.rpartition(".")
    if not hmac.compare_digest(keys.call_mark(text).encode(), mark.encode()):
        return NONE
    _, hops, at, *unit = text.split(".")
    age = clock.seconds() - int(at)
    return Mark(
        hops=int(hops) if age <= CHAIN_LIFE else 0,
        unit_id=UUID(unit[0]) if unit and age <= UNIT_LIFE else None,
    )


def read_unit(header: str | None) -> UUID | None:
    """The unit that a Torv-Unit header names; None if there is none. Raises MalformedRequest."""
    if header is None:
        return None
    try:
        return UUID(header)
    except ValueError:
        raise MalformedRequest(reason="Torv-Unit is the id of a unit") from None
