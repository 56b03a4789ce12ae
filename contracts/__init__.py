"""Torv's contracts as pure data: one folder for each capability and major version."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["ContractUnknown", "contract_schema", "folder", "manifest_schema", "profile_schema"]


class ContractUnknown(LookupError):
    """There is no contract for this capability and major version, neither in the bundle nor beside it."""


def folder(capability: str, major: int) -> Path:
    """The folder with contract.yaml, openapi.yaml and records/ of one contract.

    Looks in the bundle first, then in the folders that the environment variable TORV_CONTRACTS lists (separated as in
    PATH), where a supplier lays the contracts a municipality has added on its own. Raises ContractUnknown if there is
    no such contract, and for a capability that is not a plain name: the name may come from outside and must not lead
    anywhere else in the file system.
    """
    if re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", capability):
        for root in _roots():
            place = root / capability / f"v{major}"
            if (place / "contract.yaml").is_file():
                return place
    raise ContractUnknown(f"{capability} v{major}")


def contract_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that every contract.yaml follows."""
    return _schema("contract.schema.json")


def profile_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that every municipal profile follows."""
    return _schema("profile.schema.json")


def manifest_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that every module's manifest follows."""
    return _schema("manifest.schema.json")


def _roots() -> Iterator[Path]:
    yield Path(__file__).parent
    yield from (Path(each) for each in os.environ.get("TORV_CONTRACTS", "").split(os.pathsep) if each)


def _schema(name: str) -> dict[str, Any]:
    found = json.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return dict(found)
