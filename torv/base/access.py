"""Who asks, and what they may see: the caller, the ticket that a decision gives, and the one who decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class CallerKind(StrEnum):
    USER = "user"
    RELEASE = "release"  #: one deployed version of a module
    OPERATOR = "operator"  #: whoever runs Torv's commands on its own machine


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Somebody identified. Says who, never what they may."""

    kind: CallerKind
    id: UUID  #: of the user or the release
    name: str  #: for people to read
    partner_id: UUID | None = None  #: the organisation behind a release
    module_id: UUID | None = None
    role: str | None = None  #: the job function of a user

    @property
    def user_id(self) -> UUID | None:
        return self.id if self.kind is CallerKind.USER else None

    @property
    def release_id(self) -> UUID | None:
        return self.id if self.kind is CallerKind.RELEASE else None

    @property
    def subject(self) -> str:
        """The caller's name in tokens: `user:<id>` or `release:<id>`."""
        return f"{self.kind}:{self.id}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """A permit: no verb that meets personal data can be called without one."""

    caller: Caller
    service: str  #: kernel service or capability
    operation: str
    category: str | None  #: the data category the operation is about; None if the verb decides
    categories: frozenset[str] = field(
        default_factory=frozenset
    )  #: every category the permit covers; the rest is masked
    agreement_id: UUID | None = None
    grant_id: str | None = None
    purpose: str | None = None
    request_id: UUID | None = None

    def covers(self, category: str) -> bool:
        return category in self.categories


@dataclass(frozen=True, kw_only=True, slots=True)
class Demand:
    """What a route asks the decider for."""

    service: str
    operation: str
    category: str | None  #: None where the verb itself demands the category, because it depends on the data


class Decider(Protocol):
    """Identifies callers and decides. `wiring.py` gives it its body."""

    async def identify(self, headers: Mapping[str, str]) -> Caller | None:
        """Who asks; None if nobody said. Raises NotIdentified or TokenExpired if what was said does not hold."""

    def decide(self, caller: Caller, demand: Demand, request_id: UUID) -> Access:
        """The permit, from the confirmed state. Raises Denied or StateUnconfirmed."""
