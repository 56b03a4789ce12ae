"""Events: what happened, told to those whose agreement allows it at that instant."""

from torv.ecosystem.events.api import routes
from torv.ecosystem.events.delivering import forget_old_events
from torv.ecosystem.events.errors import EventInvalid, EventTypeUnknown, NotReceiver
from torv.ecosystem.events.handing import dissolve_events, hand_over_events, split_events
from torv.ecosystem.events.late import late_events
from torv.ecosystem.events.models import (
    DeadLetter,
    LateEvent,
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
    "LateEvent",
    "NewSubscription",
    "NotReceiver",
    "Poster",
    "Replay",
    "Revival",
    "Sender",
    "SubscriptionView",
    "dissolve_events",
    "forget_old_events",
    "hand_over_events",
    "late_events",
    "list_dead_letters",
    "list_subscriptions",
    "redeliver",
    "redeliver_all",
    "replay",
    "routes",
    "split_events",
    "visible_letters",
    "watch_subscriptions",
]
