"""Contracts: one major version of a capability, as pure data."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import rfc8785

from torv.kernel.records import RecordType


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """Something callers can ask of whoever provides the capability."""

    id: str
    method: str
    path: str  #: a template such as /notes/{note_id}
    safe: bool  #: changes nothing: may be repeated and mirrored
    category: str  #: the data category a permit must cover
    drainable: bool = False  #: begins a job that a move waits for
    streams: bool = False  #: its bodies may be large, and are passed on as they come
    is_added: bool = False  #: by a requirement set: only who keeps and promises that has it

    def matches(self, method: str, path: str) -> bool:
        return method == self.method and _pattern(self.path).fullmatch(path) is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """Pages that people open: where they begin, and which operations' permits their readers need."""

    path: str  #: of the first page
    reads: str  #: the safe operation whose permit is needed for looking
    writes: str | None = None  #: the operation whose permit is needed for sending a form; None: there are no forms
    about: str | None = None  #: `person`: it is opened for somebody, whose id it gets as `person_id`


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(template)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """One version of one major version of a capability."""

    capability: str
    major: int
    version: str
    operations: tuple[Operation, ...]
    records: tuple[RecordType, ...]
    content: dict[str, Any]  #: contract.yaml with the schemas in the place of their files' names
    hash: str  #: SHA-256 over the canonical JSON of the content, hex
    openapi: dict[str, Any] | None = None  #: the operations in full; not in the hash; None: the files had none

    @property
    def order(self) -> tuple[int, ...]:
        """What versions are compared by."""
        return version_order(self.version)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptContract:
    """A contract that Torv has, as a list shows it."""

    capability: str
    major: int
    version: str
    title: str  #: in Danish
    hash: str
    added_at: datetime


def version_order(version: str) -> tuple[int, ...]:
    """The numbers of a semantic version."""
    return tuple(map(int, version.split(".")))


def parse_contract(content: dict[str, Any], openapi: dict[str, Any] | None = None) -> Contract:
    """The contract of a content that was checked when it was read, or that the database kept."""
    capability = content["capability"]
    return Contract(
        capability=capability, major=content["major"], version=content["version"],
        operations=tuple(Operation(**each) for each in content["operations"]),
        records=tuple(_record_type(capability, each) for each in content["records"]),
        content=content, hash=hashlib.sha256(rfc8785.dumps(content)).hexdigest(), openapi=openapi,
    )  # fmt: skip


def _record_type(capability: str, plain: dict[str, Any]) -> RecordType:
    return RecordType(
        capability=capability, name=plain["type"], category=plain["category"], schema=plain["schema"],
        timeline=plain.get("projections", {}).get("timeline"),
    )  # fmt: skip
