"""Subscriptions: what a capability follows, how it is doing, its secrets, dead letters and replays."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from torv.base import clock, metrics
from torv.base.access import Access, CallerKind
from torv.base.db import Database, Tx
from torv.base.errors import CapabilityNotBound, Denied, InvalidInput, NotFound
from torv.base.ids import new_id
from torv.base.pages import Wanted
from torv.base.signing import Keys
from torv.base.trail import note
from torv.ecosystem.events import rules
from torv.ecosystem.events.kinds import KERNEL_EVENTS
from torv.ecosystem.events.models import (
    Alert,
    DeadLetter,
    Event,
    Lag,
    Mode,
    NewSubscription,
    Replay,
    Revival,
    Secrets,
    StoredLetter,
    Subscription,
    SubscriptionView,
)
from torv.ecosystem.events.service import categories_of, keep_due, keep_permitted, last_position, persons_of, sql
from torv.ecosystem.modules import event_types, release_in_service
from torv.kernel.organisation import names_of_units
from torv.kernel.records import key_of

WATCH_EVERY = 5.0  #: seconds
COUNTED = 1_000  #: events looked at, one by one, for a permit that is limited to some rows


async def own_keys(tx: Tx, access: Access) -> list[str] | None:
    """The bindings whose subscriptions a caller may see: its partner's, or for the municipality (None) all."""
    if access.caller.kind is not CallerKind.RELEASE:
        return None
    rows = await tx.all(dict, sql.keys_of_partner, partner_id=access.caller.partner_id)
    return sorted(row["key"] for row in rows)


async def subscribe(tx: Tx, access: Access, *, new: NewSubscription) -> SubscriptionView:
    """Let a binding of a capability follow events, or change what it follows: it keeps its place.

    Raises CapabilityNotBound, NotFound where it is somebody else's, or InvalidInput for a type that nobody tells.
    """
    rules.check_subscription(new.types, new.path)
    key = key_of(new.capability, new.unit_id)
    if await release_in_service(tx, new.capability, new.unit_id) is None:
        raise CapabilityNotBound
    own = await own_keys(tx, access)
    if own is not None and key not in own:
        raise NotFound
    known = {each.type for each in KERNEL_EVENTS} | {each.type for each in await event_types(tx)}
    if unknown := sorted(set(new.types) - known):
        raise InvalidInput(reason=f"types: nobody tells {', '.join(unknown)}")
    values: dict[str, Any] = {"types": sorted(new.types), "mode": new.mode, "path": new.path}
    earlier = await tx.maybe(Subscription, sql.subscription_of, key=key)
    if earlier is None:
        cursor = 0 if new.start == "beginning" else await last_position(tx)
        values |= {"capability": new.capability, "unit_id": new.unit_id, "cursor": cursor, "at": clock.now()}
        await tx.run(sql.insert_subscription, id=new_id(), key=key, **values)
    else:
        await tx.run(sql.change_subscription, id=earlier.id, **values)
    made = await tx.one(Subscription, sql.subscription_of, key=key)
    note(tx, access, "write", detail={"subscription": str(made.id), "mode": new.mode, "types": values["types"]})
    return await _view(tx, access, made)


async def list_subscriptions(tx: Tx, access: Access, *, wanted: Wanted) -> list[SubscriptionView]:
    """The subscriptions a caller may see, by capability and unit, each with how it is doing."""
    after, own = wanted.after[0] if wanted.after else "", await own_keys(tx, access)
    found = await tx.all(Subscription, sql.subscriptions, keys=own, after=after, size=wanted.fetch)
    note(tx, access, "read", detail={"subscriptions": len(found[: wanted.size])})
    return [await _view(tx, access, each) for each in found]


async def rotate_secret(tx: Tx, access: Access, subscription_id: UUID) -> SubscriptionView:
    """Give a subscription its next secret; the one before is good for another day. Raises NotFound."""
    found = await own_subscription(tx, access, subscription_id)
    await tx.run(sql.rotate_secret, id=found.id, at=clock.now())
    note(tx, access, "write", detail={"subscription": str(found.id), "secret": found.secret_number + 1})
    return await _view(tx, access, await tx.one(Subscription, sql.subscription_by_id, id=found.id))


async def read_secrets(tx: Tx, access: Access, keys: Keys, *, capability: str) -> Secrets:
    """What the calling release verifies this capability's events with; also before it provides the capability.

    Each release has secrets of its own, so that a predecessor cannot sign for its successor; they are the same for all
    of its bindings, so that none is unknown when a unit gets one. Raises NotFound, or Denied for anybody but a release.
    """
    release_id = access.caller.release_id
    if release_id is None:
        raise Denied(check="caller", reason="secrets are a module's", reason_da="de er modulets", mender="Ingen")
    near = await tx.all(Subscription, sql.subscriptions_near, capability=capability, release_id=release_id)
    if not near:
        raise NotFound
    now = clock.now()
    numbers = sorted({number for each in near for number in rules.secrets_in_force(each, now)}, reverse=True)
    note(tx, access, "read", detail={"subscription": str(near[0].id), "secrets": numbers})
    secrets = [rules.shown(rules.secret_of(keys, capability, release_id, number)) for number in numbers]
    return Secrets(subscription_id=near[0].id, secrets=secrets, path=near[0].path)


async def replay(tx: Tx, access: Access, subscription_id: UUID, *, new: Replay) -> SubscriptionView:
    """Begin again beyond a position or at an instant; what was laid aside or dead beyond it comes again in its turn.

    Raises NotFound, or InvalidInput unless exactly one is given and lies in the past.
    """
    await own_subscription(tx, access, subscription_id)
    locked = await tx.one(Subscription, sql.lock_subscription, id=subscription_id)
    position = await _position_of(tx, new)
    await tx.run(sql.set_cursor, id=locked.id, cursor=position)
    await tx.run(sql.forget_parked_after, id=locked.id, position=position)
    note(tx, access, "write", detail={"subscription": str(locked.id), "replay_after": position})
    return await _view(tx, access, await tx.one(Subscription, sql.subscription_by_id, id=locked.id))


async def _position_of(tx: Tx, new: Replay) -> int:
    if (new.after is None) == (new.since is None):
        raise InvalidInput(reason="either after or since")
    if new.since is not None:
        if new.since.tzinfo is None:
            raise InvalidInput(reason="since: an instant, with its offset")
        return int(await tx.value(sql.position_before, at=new.since))
    assert new.after is not None
    if not 0 <= new.after <= await last_position(tx):
        raise InvalidInput(reason="after: no event has come so far")
    return new.after


# ---- dead letters ----------------------------------------------------------------------------------------------------
async def list_dead_letters(tx: Tx, access: Access, *, wanted: Wanted) -> list[StoredLetter]:
    """The dead letters of the subscriptions a caller may see, newest first; see `visible_letters`."""
    at, before = wanted.after or (None, None)
    return await tx.all(
        StoredLetter, sql.dead_letters, keys=await own_keys(tx, access), size=wanted.fetch, day=clock.today(),
        before_at=datetime.fromisoformat(at) if at else None, before_id=UUID(before) if before else None,
    )  # fmt: skip


async def visible_letters(tx: Tx, access: Access, stored: Sequence[StoredLetter]) -> list[DeadLetter]:
    """Those whose events the permit reaches, without what they say."""
    found = await tx.all(Event, sql.events_at, positions=[each.position for each in stored])
    events = {each.position: each for each in await keep_permitted(tx, access, found)}
    note(tx, access, "read", persons_of(events.values()), detail={"dead_letters": len(events)})
    return [_letter(each, events[each.position]) for each in stored if each.position in events]


async def redeliver(tx: Tx, access: Access, letter_id: UUID) -> DeadLetter:
    """Try a dead letter again from the beginning. Raises NotFound; also where the permit does not reach its event."""
    stored = await tx.one(StoredLetter, sql.dead_letter, id=letter_id, day=clock.today())
    own = await own_keys(tx, access)
    found = await visible_letters(tx, access, [stored] if own is None or stored.key in own else [])
    if not found:
        raise NotFound
    await tx.run(sql.revive, id=letter_id, now=clock.now())
    note(tx, access, "write", detail={"dead_letter": str(letter_id), "event": str(found[0].event_id)})
    return found[0]


async def redeliver_all(tx: Tx, access: Access, subscription_id: UUID) -> Revival:
    """Try all dead letters of a subscription again. Raises NotFound."""
    found = await own_subscription(tx, access, subscription_id)
    revived = await tx.run(sql.revive_all, id=found.id, now=clock.now())
    note(tx, access, "write", detail={"subscription": str(found.id), "revived": revived})
    return Revival(revived=revived)


def _letter(stored: StoredLetter, event: Event) -> DeadLetter:
    return DeadLetter(
        id=stored.id, capability=stored.capability, unit_id=stored.unit_id, unit_name=stored.unit_name,
        event_id=event.id, type=event.type, subject=event.subject, sequence=event.sequence, position=event.position,
        attempts=stored.attempts, last_status=stored.last_status, dead_at=stored.dead_at,
    )  # fmt: skip


# ---- how it is doing -------------------------------------------------------------------------------------------------
async def own_subscription(tx: Tx, access: Access, subscription_id: UUID) -> Subscription:
    """A subscription the caller may see. Raises NotFound."""
    found = await tx.one(Subscription, sql.subscription_by_id, id=subscription_id)
    own = await own_keys(tx, access)
    if own is not None and found.key not in own:
        raise NotFound
    return found


async def _view(tx: Tx, access: Access, found: Subscription) -> SubscriptionView:
    lag, now = await _lag(tx, access, found), clock.now()
    named = await names_of_units(tx, [found.unit_id] if found.unit_id else [], clock.today())
    return SubscriptionView(
        id=found.id, key=found.key, capability=found.capability, unit_id=found.unit_id,
        unit_name=named[0].name if named else None, types=found.types,
        mode=Mode(found.mode), path=found.path, cursor=found.cursor, lag_events=lag.events,
        lag_seconds=rules.lag_seconds(lag, now), parked=lag.parked, dead_letters=lag.dead, breaker=_breaker(found, now),
        retry_at=found.retry_at, stopped_by=found.stopped_by, alert=rules.alert_of(found, lag, now),
    )  # fmt: skip


async def _lag(tx: Tx, access: Access, found: Subscription) -> Lag:
    """What it waits for, as far as the permit reaches: a count tells something too."""
    categories, today = categories_of(access), clock.today()
    lag = await tx.one(Lag, sql.lag, id=found.id, categories=categories, partner_id=access.party, day=today)
    if access.row_filter is None:
        return lag
    until = await last_position(tx)
    some = await tx.all(Event, sql.events_after, after=found.cursor, until=until, types=found.types, size=COUNTED)
    reached = await keep_permitted(tx, access, await keep_due(tx, [found], some))
    return Lag(events=len(reached), since=reached[0].at if reached else None, parked=lag.parked, dead=lag.dead)


async def watch_subscriptions(database: Database) -> None:
    """Keep the metrics up to date until cancelled: how far behind each subscription is, and whether to raise the alarm.

    Every process that shows metrics does this by itself: whether a worker is running is a part of what is watched.
    """
    known: set[str] = set()
    while True:
        after, now, gone = "", clock.now(), set(known)
        async with database.reading() as tx:
            while found := await tx.all(Subscription, sql.subscriptions, keys=None, after=after, size=100):
                for each in found:
                    lag = await tx.one(Lag, sql.lag, id=each.id, categories=None, partner_id=None, day=clock.today())
                    _measure(each.key, lag, now, is_ill=rules.alert_of(each, lag, now) is not Alert.OK)
                    known.add(each.key)
                    gone.discard(each.key)
                after = found[-1].key
        for key in gone:  # dissolved: nothing waits for it, and nobody is to be woken by what it last was
            _measure(key, Lag(events=0, since=None, parked=0, dead=0), now, is_ill=False)
        await asyncio.sleep(WATCH_EVERY)


def _measure(key: str, lag: Lag, now: datetime, *, is_ill: bool) -> None:
    metrics.event_lag.labels(key).set(lag.events)
    metrics.event_lag_seconds.labels(key).set(rules.lag_seconds(lag, now))
    metrics.event_alert.labels(key).set(is_ill)
    metrics.dead_letters.labels(key).set(lag.dead)


def _breaker(found: Subscription, now: datetime) -> Literal["closed", "open", "half_open"]:
    if not found.failures:
        return "closed"
    return "open" if found.retry_at is not None and found.retry_at > now else "half_open"
