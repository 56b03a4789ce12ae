"""Values of modules: programs, their releases, and bindings."""

from dataclasses import dataclass, field
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
    majors: dict[str, list[int]]  #: capability -> the major versions of its contract that it provides

    def provides(self, capability: str) -> list[int]:
        """The major versions of a capability that it provides; version 1 where it has said nothing."""
        return self.majors.get(capability, [1])


@dataclass(frozen=True, kw_only=True, slots=True)
class NewModule:
    partner_id: UUID
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRelease:
    version: str
    url: str
    jwk: dict[str, Any]
    majors: dict[str, list[int]] = field(default_factory=dict)  #: see `Release`


@dataclass(frozen=True, kw_only=True, slots=True)
class NewContract:
    """A contract's folder as one document."""

    files: dict[str, str]  #: name in the folder -> text: contract.yaml and the schemas it names


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
