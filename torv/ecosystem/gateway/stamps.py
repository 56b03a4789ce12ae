"""Stamps: what the gateway's own clock says of one call, and who was to answer it; stands in the call's outcome."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from torv.base import clock
from torv.ecosystem.modules import Route


@dataclass(kw_only=True, slots=True)
class Stamps:
    """The instants of one call on this process's monotonic clock; nothing a caller or a module says is among them.

    A call that is sent a second time has the instants of that time; what went before counts as ours.
    """

    begun_at: float = field(default_factory=clock.ticks)
    asked_at: float | None = None  #: when it came to the fence
    admitted_at: float | None = None
    sent_at: float | None = None  #: when it began to be sent to the module
    answered_at: float | None = None  #: when the module had answered, or failed
    route: Route | None = None
    agreement_id: UUID | None = None  #: under which the route's release was to answer
    bound_to: UUID | None = None  #: the unit of the binding it goes by; None: the whole municipality's

    def ask(self, bound_to: UUID | None) -> None:
        """Note that the call stands at the fence of a binding, once more if it was cut."""
        self.asked_at, self.admitted_at, self.sent_at, self.answered_at = clock.ticks(), None, None, None
        self.route, self.agreement_id, self.bound_to = None, None, bound_to

    def sent_by(self, route: Route) -> None:
        """Note who is to answer."""
        self.route, self.bound_to = route, route.unit_id

    def detail(self) -> dict[str, Any]:
        """Who was to answer, and whole microseconds: held at the fence, with the module, and with us."""
        now = clock.ticks()
        held = 0.0 if self.asked_at is None else (self.admitted_at or now) - self.asked_at
        module = 0.0 if self.sent_at is None else (self.answered_at or now) - self.sent_at
        ours = max(0.0, now - self.begun_at - held - module)
        times = {
            "hold_us": _micros(held), "module_us": _micros(module), "torv_us": _micros(ours),
            **(binding_stamp(self.bound_to) or {}),
        }  # fmt: skip
        if self.route is None:
            return times
        agreement = None if self.agreement_id is None else str(self.agreement_id)
        return {"release": str(self.route.release.id), "agreement": agreement, "epoch": self.route.epoch, **times}


def binding_stamp(unit_id: UUID | None) -> dict[str, Any] | None:
    """What the log says of the binding that a call goes by: its unit; None for that of the whole municipality.

    Of the call's own unit nothing is said: the binding's is less about whoever calls, and enough to know the supplier.
    """
    return None if unit_id is None else {"unit": str(unit_id)}


def _micros(seconds: float) -> int:
    return round(seconds * 1_000_000)
