"""What becomes of what a binding follows when bindings are split, moved or dissolved. Parts of the flips of moves.

Nothing is lost by any of them, and what may have been told already may come again.
"""

from uuid import UUID

from torv.base import clock
from torv.base.db import Tx
from torv.base.ids import new_id
from torv.base.sql import load
from torv.ecosystem.events.models import Subscription
from torv.kernel.records import key_of, unit_in

sql = load(__file__)


async def split_events(tx: Tx, capability: str, unit_id: UUID, *, above: str) -> None:
    """Let a unit's new binding follow what the one above it follows (`above`: its key), from the place where that is.

    What is laid aside, or dead, goes with the unit that it belongs to; where it is of no unit, both have it.
    """
    made, key = new_id(), key_of(capability, unit_id)
    if await tx.run(sql.split_subscription, id=made, key=key, unit_id=unit_id, above=above):
        await tx.run(sql.part_parked, id=made, key=key, above=above, day=clock.today())


async def hand_over_events(
    tx: Tx, capability: str, to_release: UUID, *, from_release: UUID, unit_id: UUID | None = None
) -> None:
    """Let a binding's events go on at another release: where the one before had come, or where the new one itself was
    when it last had the binding, if that is less. What was laid aside moves along and is tried at once."""
    key = key_of(capability, unit_id)
    found = await tx.maybe(Subscription, sql.subscription_of, key=key)
    if found is None:
        return
    own = await tx.value(sql.received_by, key=key, release_id=to_release)
    await tx.run(sql.note_received, key=key, release_id=from_release, position=found.cursor)
    await tx.run(sql.set_cursor, id=found.id, cursor=found.cursor if own is None else min(own, found.cursor))
    await tx.run(sql.hurry_parked, id=found.id, now=clock.now())


async def dissolve_events(tx: Tx, capability: str, unit_id: UUID, *, above: str) -> None:
    """Let what a unit's binding follows go up into the one above it (`above`: its key).

    That one goes on from where the one further behind was: what the other was told already comes again. Where it
    followed nothing, it follows what the unit did.
    """
    own = await tx.maybe(Subscription, sql.subscription_of, key=key_of(capability, unit_id))
    if own is None:
        return
    other = await tx.maybe(Subscription, sql.subscription_of, key=above)
    if other is None:
        await tx.run(sql.rename_subscription, id=own.id, key=above, unit_id=unit_in(above))
        return
    locked = [
        await tx.one(Subscription, sql.lock_subscription, id=each.id)
        for each in sorted((own, other), key=lambda some: some.key)  # in the order of whoever acknowledges for both
    ]
    await tx.run(sql.set_cursor, id=other.id, cursor=min(each.cursor for each in locked))
    await tx.run(sql.join_parked, id=own.id, to=other.id)
    await tx.run(sql.remove_parked_of, id=own.id)
    await tx.run(sql.remove_subscription, id=own.id)
