"""Delivering, as the database sees it: what comes next for a subscription, and what came of it."""

from datetime import datetime
from uuid import UUID

from torv.base import clock
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.ids import new_id
from torv.base.sql import load
from torv.base.trail import entry_of
from torv.ecosystem.events import rules
from torv.ecosystem.events.models import Batch, Event, Parked, Reaction, Subscription
from torv.ecosystem.events.service import keep_due, keep_permitted, last_position, persons_of

sql = load(__file__)

FORGOTTEN = 10_000  #: events at a time
LOOKED_AT = 100  #: events of the feed, at a time
BREAKS_AFTER = 5  #: refusals in a row, each of another event: then it is the receiver that is ill, not the events


async def due_subscriptions(tx: Tx) -> list[UUID]:
    """The subscriptions by push that have something to send now."""
    return [row["id"] for row in await tx.all(dict, sql.due_subscriptions, now=clock.now())]


async def subscription_by_id(tx: Tx, subscription_id: UUID) -> Subscription | None:
    return await tx.maybe(Subscription, sql.subscription_by_id, id=subscription_id)


async def next_batch(tx: Tx, found: Subscription, access: Access, size: int) -> Batch:
    """What a subscription gets next: first what was laid aside and is due, alone; else the next events of the feed.

    Events that are for other bindings, or that the permit does not reach, are passed over; those about a subject of
    which something is laid aside wait behind it, so that what is told about a subject is told in order.
    """
    parked = await tx.maybe(Parked, sql.next_parked, id=found.id, now=clock.now())
    if parked is not None:
        about = await tx.all(Event, sql.events_at, positions=[parked.position])
        reached = await keep_permitted(tx, access, await keep_due(tx, [found], about, is_anew=True))
        return Batch(events=reached, until=found.cursor, parked=parked)
    until = await last_position(tx)
    some = await tx.all(Event, sql.events_after, after=found.cursor, until=until, types=found.types, size=LOOKED_AT)
    reached = await keep_permitted(tx, access, await keep_due(tx, [found], some))
    few, is_full = reached[:size], len(some) == LOOKED_AT
    behind = {row["subject"] for row in await tx.all(dict, sql.parked_subjects, id=found.id)}
    if len(few) < len(reached):
        until = few[-1].position
    elif is_full:
        until = some[-1].position
    return Batch(
        events=[each for each in few if each.subject not in behind],
        waiting=[each for each in few if each.subject in behind],
        until=max(until, found.cursor), is_cut=is_full or len(few) < len(reached),
    )  # fmt: skip


def note_batch(tx: Tx, access: Access, found: Subscription, batch: Batch) -> None:
    """One entry for all of a batch, durable before anything of it leaves."""
    detail = {
        "capability": found.capability, "events": len(batch.events), "first": batch.events[0].position,
        "last": batch.events[-1].position, "attempt": batch.parked.attempts + 1 if batch.parked else found.failures + 1,
    }  # fmt: skip
    tx.notes.append(entry_of(access, "read", persons_of(batch.events), detail=detail))


async def settle(tx: Tx, found: Subscription, batch: Batch, release_id: UUID) -> None:
    """Everything of a batch was taken, or there was nothing in it to send."""
    if batch.parked is not None:
        await tx.run(sql.remove_parked, id=batch.parked.id)
        return
    moved = await tx.run(sql.advance_cursor, id=found.id, cursor=batch.until, turn=found.turn)
    if not moved:
        return  # the cursor was set from outside: these events come again, to whoever it is by now
    for each in batch.waiting:
        await _park(tx, found, each, attempts=0, next_at=clock.now(), status=None, dead_at=None)
    if batch.events:
        await tx.run(sql.note_received, key=found.key, release_id=release_id, position=batch.until)


async def note_absence(tx: Tx, found: Subscription, batch: Batch, reaction: Reaction) -> None:
    """The receiver is not there. The place is kept; what was tried alone for a day is given up, so that one event that
    fells its receiver does not hold back all others for ever."""
    now, schedule = clock.now(), rules.schedule_at(clock.now())
    since = found.failing_since
    is_alone = len(batch.events) == 1 and batch.parked is None
    if is_alone and since is not None and now - since >= schedule.patience:
        await _give_up(tx, found, batch, reaction, now)
        return
    retry_at = schedule.next_probe(found.failures + 1, now, reaction.retry_after)
    await tx.run(sql.note_failure, id=found.id, now=now, retry_at=retry_at, turn=found.turn)


async def note_refusal(tx: Tx, found: Subscription, batch: Batch, reaction: Reaction, refusals: int) -> None:
    """One event was refused: it is laid aside and tried again, others go on. Many in a row open the breaker."""
    now, schedule = clock.now(), rules.schedule_at(clock.now())
    if batch.parked is not None:
        next_at = schedule.next_try(batch.parked.attempts + 1, now)
        dead_at = now if next_at is None else None
        await tx.run(
            sql.retry_parked, id=batch.parked.id, next_at=next_at or now, status=reaction.status, dead_at=dead_at
        )
    elif await tx.run(sql.advance_cursor, id=found.id, cursor=batch.events[0].position, turn=found.turn):
        next_at = schedule.next_try(1, now)
        await _park(
            tx, found, batch.events[0], attempts=1, next_at=next_at or now, status=reaction.status, dead_at=None
        )
    if refusals >= BREAKS_AFTER:
        retry_at = schedule.next_probe(refusals - BREAKS_AFTER + 1, now, reaction.retry_after)
        await tx.run(sql.note_failure, id=found.id, now=now, retry_at=retry_at, turn=found.turn)


async def note_stop(tx: Tx, found: Subscription, check: str | None, retry_at: datetime | None) -> None:
    """Note which check of the agreement stops a subscription; None: it is only to be asked again later."""
    if (found.stopped_by, found.retry_at) != (check, retry_at):
        await tx.run(sql.note_stop, id=found.id, check=check, retry_at=retry_at)


async def _give_up(tx: Tx, found: Subscription, batch: Batch, reaction: Reaction, now: datetime) -> None:
    event = batch.events[0]
    if await tx.run(sql.advance_cursor, id=found.id, cursor=event.position, turn=found.turn):
        await _park(tx, found, event, attempts=found.failures + 1, next_at=now, status=reaction.status, dead_at=now)


async def _park(
    tx: Tx, found: Subscription, event: Event, *, attempts: int, next_at: datetime, status: int | None,
    dead_at: datetime | None,
) -> None:  # fmt: skip
    await tx.run(
        sql.park, id=new_id(), subscription_id=found.id, position=event.position, subject=event.subject,
        attempts=attempts, next_at=next_at, status=status, dead_at=dead_at,
    )  # fmt: skip


async def forget_old_events(tx: Tx) -> int:
    """Forget events older than 90 days that every subscription has passed; gives how many."""
    return await tx.run(sql.forget_events, before=clock.now() - rules.KEPT, size=FORGOTTEN)
