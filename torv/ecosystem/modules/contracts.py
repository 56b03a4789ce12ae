"""Contracts: one major version of a capability, read from its folder of pure data."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import rfc8785
import torv_contracts
import yaml

from torv.kernel.records import RecordType


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """Something callers can ask of whoever provides the capability."""

    id: str
    method: str
    path: str  #: a template such as /notes/{note_id}
    safe: bool  #: changes nothing: may be repeated and mirrored
    category: str  #: the data category a permit must cover

    def matches(self, method: str, path: str) -> bool:
        return method == self.method and _pattern(self.path).fullmatch(path) is not None


@cache
def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{[a-z_]+\\}", "[^/]+", re.escape(template)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    capability: str
    major: int
    version: str
    operations: tuple[Operation, ...]
    records: tuple[RecordType, ...]
    hash: str  #: SHA-256 over the canonical JSON of everything above, hex


def shipped_contracts() -> list[Contract]:
    """Every contract of the installed bundle."""
    root = Path(torv_contracts.__file__).parent
    return [read_contract(file.parent) for file in sorted(root.glob("*/v*/contract.yaml"))]


def read_contract(folder: Path) -> Contract:
    """The contract in a folder. Raises KeyError or OSError if the folder is not a contract."""
    plain = yaml.safe_load((folder / "contract.yaml").read_text(encoding="utf-8"))
    for record in plain["records"]:
        record["schema"] = json.loads((folder / record["schema"]).read_text(encoding="utf-8"))
    return parse_contract(plain)


def parse_contract(plain: dict[str, Any]) -> Contract:
    """The contract that `read_contract` read or the database kept."""
    return Contract(
        capability=plain["capability"], major=plain["major"], version=plain["version"],
        operations=tuple(Operation(**each) for each in plain["operations"]),
        records=tuple(_record_type(plain["capability"], each) for each in plain["records"]),
        hash=hashlib.sha256(rfc8785.dumps(plain)).hexdigest(),
    )  # fmt: skip


def _record_type(capability: str, plain: dict[str, Any]) -> RecordType:
    return RecordType(capability=capability, name=plain["type"], category=plain["category"], schema=plain["schema"])
