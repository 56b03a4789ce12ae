"""Values of modules: programs, their releases, and bindings."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A partner's program."""

    id: UUID
    partner_id: UUID
    name: str  #: as agreements name it


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """One deployable version of a module, with its own address and key. Its id is its client id."""

    id: UUID
    module_id: UUID
    partner_id: UUID
    module_name: str
    version: str
    url: str  #: scheme, host and port, without a trailing slash
    jwk: dict[str, Any]  #: public key the program identifies itself with


@dataclass(frozen=True, kw_only=True, slots=True)
class NewModule:
    partner_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRelease:
    version: str
    url: str
    jwk: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Binding:
    """Which release provides a capability, since when."""

    capability: str
    release_id: UUID
    module_name: str
    release_version: str
    partner_name: str
    epoch: int  #: raised by each move
    changed_at: datetime
