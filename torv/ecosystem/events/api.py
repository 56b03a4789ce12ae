"""Routes of events: publishing, taking, acknowledging; subscriptions, their secrets, dead letters and replays."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from torv.base import clock
from torv.base.access import Access, CallerKind
from torv.base.errors import BindingMoved, Denied
from torv.base.http import Answer, Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.ecosystem.events import late, service, subscribing
from torv.ecosystem.events.asyncapi import describe_events
from torv.ecosystem.events.models import (
    Acknowledgement,
    DeadLetter,
    EventPage,
    LateEvent,
    LateEventContent,
    NewEvent,
    NewSubscription,
    PublishedEvent,
    Replay,
    Revival,
    Secrets,
    SubscriptionView,
)
from torv.ecosystem.events.sequencing import STREAM
from torv.ecosystem.modules import event_types

routes = Routes("", "events")


@routes.writes("/api/v1/events", "publish", None, keeps_own_keys=True, status_code=201, response_model=PublishedEvent)
async def publish_event(call: Call, new: NewEvent) -> Answer | BindingMoved:
    """Publish an event that the capability's contract declares; the same Idempotency-Key publishes it once."""
    event = await service.publish(call.tx, call.access, new=new, key=call.idempotency_key())
    if isinstance(event, BindingMoved):
        return event
    replayed = any((entry.detail or {}).get("replayed") for entry in call.tx.notes)
    return Answer(body=event, status=200 if replayed else 201)


@routes.reads("/api/v1/events", "receive", None, keeps_own_time=True)
async def take_events(
    call: Call,
    capability: str,
    after: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    wait: Annotated[float, Query(ge=0, le=20)] = 0,
) -> EventPage:
    """The next events for whoever provides a capability, anywhere; waits up to `wait` seconds for the first.

    `after` is the position of the page before; left out, it goes on where events were last acknowledged.
    """
    deadline = clock.ticks() + wait
    while True:
        news = call.engine.listener.news(STREAM.name)
        async with call.reading() as tx:
            page = await service.take(tx, call.access, capability=capability, after=after, size=limit)
        left = deadline - clock.ticks()
        if page.events or page.more or left <= 0:
            return page
        await news.within(min(left, 1.0))
        await call.renew_permit()


@routes.reads("/api/v1/events/late", "read_late", None, own=True)
async def late_events(
    call: Call,
    capability: Annotated[str | None, Query(max_length=63)] = None,
    limit: Size = DEFAULT_SIZE,
    cursor: Cursor = None,
) -> Page[LateEvent]:
    """Events of modules that did not hold the capability, newest first; without what they say.

    A supplier sees its own.
    """
    wanted = call.page(limit, cursor, capability=capability)
    found = await late.late_events(call.tx, call.access, capability=capability, wanted=wanted)
    return call.paged(found, wanted, lambda each: [each.at.isoformat(), str(each.id)])


@routes.reads("/api/v1/events/late/{late_id}", "read_late", None)
async def read_late_event(call: Call, late_id: UUID) -> LateEventContent:
    """One of them with what it would have said."""
    return await late.read_late_event(call.tx, call.access, late_id)


@routes.writes("/api/v1/events/acknowledgements", "receive", None)
async def acknowledge_events(call: Call, given: Acknowledgement) -> Acknowledgement:
    """Say that everything up to a position was received; it never goes back."""
    return await service.acknowledge(call.tx, call.access, given)


@routes.writes("/api/v1/subscriptions", "subscribe", None, status_code=201)
async def subscribe(call: Call, new: NewSubscription) -> SubscriptionView:
    """Let a capability follow events, or change what it follows; a subscription that is there keeps its place."""
    return await subscribing.subscribe(call.tx, call.access, new=new)


@routes.reads("/api/v1/subscriptions", "read", None)
async def list_subscriptions(call: Call, limit: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[SubscriptionView]:
    """What capabilities follow, how far behind they are, and whether somebody should look; suppliers see their own."""
    wanted = call.page(limit, cursor)
    found = await subscribing.list_subscriptions(call.tx, call.access, wanted=wanted)
    return call.paged(found, wanted, lambda each: [each.key])


@routes.reads("/api/v1/subscriptions/secrets", "receive", None)
async def read_secrets(call: Call, capability: str) -> Secrets:
    """What the calling release verifies pushed events with; each release has secrets of its own."""
    return await subscribing.read_secrets(call.tx, call.access, call.engine.keys, capability=capability)


@routes.writes("/api/v1/subscriptions/{subscription_id}/rotation", "rotate", None)
async def rotate_secret(call: Call, subscription_id: UUID) -> SubscriptionView:
    """Sign with a new secret from now on, and for a day with the one before as well."""
    return await subscribing.rotate_secret(call.tx, call.access, subscription_id)


@routes.writes("/api/v1/subscriptions/{subscription_id}/replay", "replay", None)
async def replay_events(call: Call, subscription_id: UUID, new: Replay) -> SubscriptionView:
    """Begin again beyond a position, or at an instant."""
    return await subscribing.replay(call.tx, call.access, subscription_id, new=new)


@routes.writes("/api/v1/subscriptions/{subscription_id}/redelivery", "redeliver", None)
async def redeliver_all(call: Call, subscription_id: UUID) -> Revival:
    """Try all dead letters of a subscription again from the beginning."""
    return await subscribing.redeliver_all(call.tx, call.access, subscription_id)


@routes.reads("/api/v1/dead-letters", "read", None, own=True)
async def list_dead_letters(call: Call, limit: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[DeadLetter]:
    """Events that were given up, newest first, without what they say.

    Suppliers see those of their own capabilities, as far as they may be told of the events now.
    """
    wanted = call.page(limit, cursor)
    stored = await subscribing.list_dead_letters(call.tx, call.access, wanted=wanted)
    page = call.paged(stored, wanted, lambda each: [each.dead_at.isoformat(), str(each.id)])
    permit = call.access
    if permit.caller.kind is CallerKind.RELEASE and permit.caller.on_behalf_of is None:
        permit = _as_receiver(call)
    return Page(items=await subscribing.visible_letters(call.tx, permit, page.items), next=page.next)


def _as_receiver(call: Call) -> Access:
    """The permit by which a supplier is told of events; without one it is told of none, not even that they are dead."""
    try:
        return call.permit_for("receive")
    except Denied:
        return call.access  # of a party, which covers no category


@routes.writes("/api/v1/dead-letters/{letter_id}/redeliver", "redeliver", None)
async def redeliver(call: Call, letter_id: UUID) -> DeadLetter:
    """Try a dead letter again from the beginning."""
    return await subscribing.redeliver(call.tx, call.access, letter_id)


@routes.open("/asyncapi.json")
async def describe(call: Call) -> dict[str, Any]:
    """What Torv tells, as an AsyncAPI 3 document: the kernel's events, and those of the contracts in force."""
    async with call.reading() as tx:
        declared = await event_types(tx)
    return describe_events(declared, server=call.engine.settings.issuer)
