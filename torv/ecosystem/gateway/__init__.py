"""The gateway: the one door between callers and modules; decides, logs, holds, forwards, and remembers answers."""

from torv.ecosystem.gateway.api import LARGE, METHODS, PATH, carry_request
from torv.ecosystem.gateway.carrying import Gateway, Provider
from torv.ecosystem.gateway.errors import PageMoved
from torv.ecosystem.gateway.forwarding import ModuleClient
from torv.ecosystem.gateway.limits import Limits, limits_of
from torv.ecosystem.gateway.models import ModuleAnswer, PageStart, ShadowResult
from torv.ecosystem.gateway.service import forget_old_calls, shadow_results
from torv.ecosystem.gateway.visits import PAGE_METHODS, PAGES, page_start, pages_about_persons, visit_page
from torv.ecosystem.gateway.watching import ReleaseInService, routes

__all__ = [
    "LARGE",
    "METHODS",
    "PAGES",
    "PAGE_METHODS",
    "PATH",
    "Gateway",
    "Limits",
    "ModuleAnswer",
    "ModuleClient",
    "PageMoved",
    "PageStart",
    "Provider",
    "ReleaseInService",
    "ShadowResult",
    "carry_request",
    "forget_old_calls",
    "limits_of",
    "page_start",
    "pages_about_persons",
    "routes",
    "shadow_results",
    "visit_page",
]
