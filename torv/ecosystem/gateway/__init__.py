"""The gateway: the one door between callers and modules; decides, logs, holds, forwards, and remembers answers."""

from torv.ecosystem.gateway.api import METHODS, PATH, carry_request
from torv.ecosystem.gateway.carrying import Gateway, Provider
from torv.ecosystem.gateway.forwarding import ModuleClient
from torv.ecosystem.gateway.models import ModuleAnswer, ShadowResult
from torv.ecosystem.gateway.service import forget_old_calls, shadow_results

__all__ = [
    "METHODS",
    "PATH",
    "Gateway",
    "ModuleAnswer",
    "ModuleClient",
    "Provider",
    "ShadowResult",
    "carry_request",
    "forget_old_calls",
    "shadow_results",
]
