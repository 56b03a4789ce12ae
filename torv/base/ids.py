"""Identifiers: UUID version 7 (RFC 9562), so that ids sort by the time they were made."""

import os
import time
from uuid import UUID

_SIZE = 10  #: bytes of randomness an id takes
_AT_ONCE = 100  #: ids whose randomness is drawn together: asking the system costs more than the rest of an id
_spare: list[bytes] = []
os.register_at_fork(after_in_child=_spare.clear)  # two processes must never use the same


def new_id() -> UUID:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(_draw(), "big")
    value = (milliseconds & 0xFFFF_FFFF_FFFF) << 80
    value |= 0x7 << 76 | (random >> 68) << 64
    value |= 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF
    return UUID(int=value)


def _draw() -> bytes:
    try:
        return _spare.pop()  # one step, also between threads
    except IndexError:
        drawn = os.urandom(_SIZE * _AT_ONCE)
        _spare.extend(drawn[start : start + _SIZE] for start in range(_SIZE, len(drawn), _SIZE))
        return drawn[:_SIZE]
