"""Events: what happened, told to those whose agreement allows it at that instant."""

from torv.ecosystem.events.api import routes
from torv.ecosystem.events.delivering import forget_old_events, hand_over_events
from torv.ecosystem.events.errors import EventInvalid, EventTypeUnknown, NotReceiver
from torv.ecosystem.events.models import (
    DeadLetter,
    NewSubscription,
    Replay,
    Revival,
    SubscriptionView,
)
from torv.ecosystem.events.sending import Poster, Sender
from torv.ecosystem.events.sequencing import STREAM
from torv.ecosystem.events.subscribing import (
    list_dead_letters,
    list_subscriptions,
    redeliver,
    redeliver_all,
    replay,
    visible_letters,
    watch_subscriptions,
)

__all__ = [
    "STREAM",
    "DeadLetter",
    "EventInvalid",
    "EventTypeUnknown",
    "NewSubscription",
    "NotReceiver",
    "Poster",
    "Replay",
    "Revival",
    "Sender",
    "SubscriptionView",
    "forget_old_events",
    "hand_over_events",
    "list_dead_letters",
    "list_subscriptions",
    "redeliver",
    "redeliver_all",
    "replay",
    "routes",
    "visible_letters",
    "watch_subscriptions",
]
