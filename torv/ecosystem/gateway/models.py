"""Values of the gateway: a call on its way, a module's answer, an answer kept for retries, and shadow comparisons."""

from dataclasses import dataclass
from uuid import UUID

from torv.base.access import Access, Demand
from torv.ecosystem.modules import Operation


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A call as it will be sent: built anew from parsed parts, nothing of it copied from the wire."""

    call_id: UUID
    capability: str
    operation: Operation
    demand: Demand  #: what was decided on; decided again where the call has waited
    path: str
    query: tuple[tuple[str, str], ...]
    body: bytes
    content_type: str
    language: str
    key: str | None  #: Idempotency-Key for the module, our own per caller; None for safe operations
    access: Access
    is_chained: bool  #: belongs to the chain of a call that was admitted before


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleAnswer:
    """What a module answered, stripped of everything but this."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptCall:
    """An unsafe call that was made before under the same key."""

    request_hash: bytes
    status: int | None  #: None while it is being carried out
    content_type: str | None
    body: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowResult:
    """How a candidate's answers compare with those of the module in service."""

    compared: int
    different: int
