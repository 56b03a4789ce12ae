"""What else than the page itself its reader may see: parts of a page stand there for those who may."""

from torv.base.access import Access, Demand
from torv.base.errors import Denied
from torv.base.http import Call


def permit_for(call: Call, service: str, operation: str, category: str, *, is_write: bool = False) -> Access | None:
    """The reader's permit for something beside the page; None if they may not."""
    demand = Demand(service=service, operation=operation, category=category, is_write=is_write)
    try:
        return call.engine.decider.decide(call.access.caller, demand, call.request_id)
    except Denied:
        return None
