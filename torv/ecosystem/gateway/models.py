"""Values of the gateway: a call on its way, a module's answer, an answer kept for retries, and shadow comparisons."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from torv.base.access import Access, Demand
from torv.ecosystem.gateway.bodies import Body
from torv.ecosystem.modules import Operation


@dataclass(frozen=True, kw_only=True, slots=True)
class PageStart:
    """Where the pages of a capability begin for somebody."""

    capability: str
    unit_id: UUID | None  #: the unit that the address names; None: it names none, and the user's own counts

    @property
    def address(self) -> str:
        return f"/m/{self.capability}/" if self.unit_id is None else f"/m/{self.capability}/u{self.unit_id}/"


@dataclass(frozen=True, kw_only=True, slots=True)
class PageVisit:
    """Somebody's visit to a page of a module."""

    base: str  #: where the pages of this release stand, such as /m/notes/e3
    epoch: int  #: of the binding the page belongs to
    path: str  #: at the module
    cookies: tuple[tuple[str, str], ...]  #: the module's own, under its own names
    key: str  #: for a form on the page, which is then sent once however often it is sent

    def headers(self) -> dict[str, str]:
        """What the module is told beside what it is told of every call."""
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies)
        return {"Torv-Page-Base": self.base, "Torv-Page-Key": self.key, **({"Cookie": cookies} if cookies else {})}


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A call as it will be sent: built anew from parsed parts, nothing of it copied from the wire."""

    call_id: UUID
    capability: str
    operation: Operation
    demand: Demand  #: what was decided on; decided again where the call has waited
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    body: Body
    content_type: str
    language: str
    key: str | None  #: Idempotency-Key for the module, our own per caller; None for safe operations
    access: Access
    hops: int  #: how many admitted calls it follows from; 0: from none
    unit_id: UUID | None = None  #: the unit it belongs to; None: the whole municipality
    page: PageVisit | None = None

    @property
    def is_chained(self) -> bool:
        """Whether it belongs to the chain of a call that was admitted before."""
        return self.hops > 0


class Streamed(Protocol):
    """What is still to come of an answer."""

    def parts(self) -> AsyncIterator[bytes]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class SentCookie:
    """A cookie that a module sets for its own pages, until the browser is closed."""

    name: str
    value: str  #: empty: it is removed


@dataclass(frozen=True, kw_only=True, slots=True)
class ModuleAnswer:
    """What a module answered, stripped of everything but this."""

    status: int
    content_type: str
    body: bytes
    retry_after: int | None = None  #: seconds
    location: str | None = None  #: of a page: another page of the same module, with its base
    cookies: tuple[SentCookie, ...] = ()
    length: int | None = None  #: bytes of all of it, where it comes in parts and the module has said so
    rest: Streamed | None = None  #: what follows after `body`


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptCall:
    """An unsafe call that was made before under the same key."""

    request_hash: bytes
    status: int | None  #: None while it is being carried out
    content_type: str | None
    body: bytes | None
    location: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadowResult:
    """How a candidate's answers compare with those of the module in service."""

    compared: int
    different: int
