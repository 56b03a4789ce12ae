"""Idempotency: a write that is repeated under the same key answers as it did the first time, for 24 hours.

The answer is kept in the transaction of the write itself, so there is no moment at which one exists without the other.
The permit comes first: whoever may see less by now than the kept answer shows does not get it.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

from torv.base.access import Access
from torv.base.db import Tx, sql
from torv.base.errors import IdempotencyKeyReused


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptAnswer:
    """An answer given before."""

    request_hash: bytes
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """A write under a key."""

    key: bytes  #: SHA-256 of caller, operation and the caller's own key
    request_hash: bytes  #: of what is asked and what the permit covers


def attempt_of(access: Access, own_key: str, address: str, body: bytes, expected: str) -> Attempt:
    """The attempt that a request is. `expected` is the version it changes, as stated."""
    name = f"{access.caller.identity}\n{access.service}.{access.operation}\n{own_key}"
    asked = f"{address}\n{expected}\n{sorted(access.categories)}\n{access.scopes()}\n"
    return Attempt(
        key=hashlib.sha256(name.encode()).digest(), request_hash=hashlib.sha256(asked.encode() + body).digest()
    )


async def claim(tx: Tx, attempt: Attempt) -> KeptAnswer | None:
    """Claim the key until the transaction ends, or give the answer kept under it.

    Waits for another transaction that has claimed it. Raises IdempotencyKeyReused, or Busy when the wait is too long.
    """
    if await tx.run(sql.claim_answer, key=attempt.key, request_hash=attempt.request_hash):
        return None
    kept = await tx.one(KeptAnswer, sql.kept_answer, key=attempt.key)
    if kept.request_hash != attempt.request_hash:
        raise IdempotencyKeyReused
    return kept


async def keep(tx: Tx, attempt: Attempt, *, status: int, headers: dict[str, Any], body: bytes) -> None:
    """Keep the answer of the write that this transaction carries out."""
    await tx.run(sql.keep_answer, key=attempt.key, status=status, headers=headers, body=body)


async def forget_old_answers(tx: Tx) -> None:
    """Forget answers after 24 hours."""
    await tx.run(sql.forget_answers)
