"""Passwords: argon2id, away from the event loop, and only so many at a time."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from torv.base.errors import Overloaded

_hasher = PasswordHasher()  # argon2id with the parameters of RFC 9106's second choice
_nobody = _hasher.hash(secrets.token_hex())  # so that an unknown name takes as long as a wrong password
_rooms = asyncio.Semaphore(2)  # hashes at a time: each takes 64 MiB and a core
_QUEUE = 40  #: people who may wait; one more is told so, instead of waiting in vain
_waiting = 0


async def hash_password(password: str) -> str:
    """The hash to store. Raises Overloaded."""
    async with _Turn():
        return await asyncio.to_thread(_hasher.hash, password)


async def verify(stored: str | None, password: str) -> bool:
    """Whether a password is the one that was hashed; takes as long for None. Raises Overloaded."""
    async with _Turn():
        try:
            await asyncio.to_thread(_hasher.verify, stored or _nobody, password)
        except (VerificationError, InvalidHashError):
            return False
    return stored is not None


async def strengthen(stored: str, password: str) -> str | None:
    """A hash with today's parameters of a password just verified; None if the stored one has them."""
    return await hash_password(password) if _hasher.check_needs_rehash(stored) else None


class _Turn:
    async def __aenter__(self) -> None:
        global _waiting
        if _waiting >= _QUEUE:
            raise Overloaded
        _waiting += 1
        try:
            await _rooms.acquire()
        finally:
            _waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        _rooms.release()
