"""The verbs of the gateway's own store; the only writer of the schema `gateway`."""

from datetime import datetime
from uuid import UUID

from torv.base.db import Tx
from torv.base.errors import CallInProgress, IdempotencyKeyReused
from torv.base.sql import load
from torv.ecosystem.gateway.models import KeptCall, ModuleAnswer, Outgoing, ShadowResult
from torv.ecosystem.gateway.rules import request_hash

sql = load(__file__)


async def claim_call(tx: Tx, outgoing: Outgoing, process: UUID, longest: int) -> ModuleAnswer | None:
    """Claim the key for carrying the call out, or give the answer it got before.

    No call is carried out for more than `longest` seconds. Raises CallInProgress while a living process carries it
    out, IdempotencyKeyReused if the key was used for another call.
    """
    hashed = request_hash(outgoing)
    claimed = await tx.value(
        sql.claim_call, key=outgoing.key, request_hash=hashed, call_id=outgoing.call_id, process=process,
        longest=float(longest),
    )  # fmt: skip
    if claimed is not None:
        return None
    kept = await tx.one(KeptCall, sql.call_by_key, key=outgoing.key)
    if kept.request_hash != hashed:
        raise IdempotencyKeyReused
    if kept.status is None:
        raise CallInProgress
    return ModuleAnswer(
        status=kept.status, content_type=kept.content_type or "", body=kept.body or b"", location=kept.location
    )


async def finish_call(tx: Tx, outgoing: Outgoing, answer: ModuleAnswer) -> None:
    """Keep the answer for whoever repeats the call."""
    await tx.run(
        sql.finish_call, key=outgoing.key, call_id=outgoing.call_id, status=answer.status,
        content_type=answer.content_type, body=answer.body, location=answer.location,
    )  # fmt: skip


async def release_call(tx: Tx, outgoing: Outgoing) -> None:
    """Give the key back: whether the call took effect is not known, and it may be repeated."""
    await tx.run(sql.release_call, key=outgoing.key, call_id=outgoing.call_id)


async def forget_old_calls(tx: Tx) -> None:
    """Forget kept answers after 24 hours."""
    await tx.run(sql.forget_calls)


async def note_comparison(
    tx: Tx, outgoing: Outgoing, release_id: UUID, paths: list[str], hash_in_service: bytes, hash_shadow: bytes
) -> None:
    """Keep how a shadow answer compared."""
    await tx.run(
        sql.insert_comparison, capability=outgoing.capability, release_id=release_id, operation=outgoing.operation.id,
        call_id=outgoing.call_id, is_equal=not paths, paths=paths,
        hash_in_service=hash_in_service, hash_shadow=hash_shadow,
    )  # fmt: skip


async def shadow_results(tx: Tx, capability: str, release_id: UUID, since: datetime) -> ShadowResult:
    """How a candidate's answers have compared since an instant."""
    return await tx.one(ShadowResult, sql.shadow_result, capability=capability, release_id=release_id, since=since)
