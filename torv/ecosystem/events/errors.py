"""What events refuse, beside what every slice may."""

from torv.base.errors import TorvError


class EventTypeUnknown(TorvError):
    """No contract that the module provides declares this type of event."""

    status, code = 422, "event_type_unknown"
    danish = "Ingen kontrakt, som modulet opfylder, beskriver den type hændelse."


class EventInvalid(TorvError):
    """The event cannot be published: {reason}."""

    status, code = 422, "event_invalid"
    danish = "Hændelsen kan ikke udgives: {reason_da}."


class NotReceiver(TorvError):
    """This module does not provide the capability, so its events are not for it."""

    status, code = 403, "not_receiver"
    danish = "Modulet varetager ikke ydelsen, så dens hændelser er ikke til det."
