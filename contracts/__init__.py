"""Torv's contracts as pure data: one folder for each capability and major version."""

import re
from pathlib import Path

__all__ = ["ContractUnknown", "folder"]


class ContractUnknown(LookupError):
    """There is no contract for this capability and major version in the bundle."""


def folder(capability: str, major: int) -> Path:
    """The folder with contract.yaml, openapi.yaml and records/ of one contract.

    Raises ContractUnknown if the bundle has no such contract, and for a capability that is not a plain name:
    the name may come from outside and must not lead anywhere else in the file system.
    """
    place = Path(__file__).parent / capability / f"v{major}"
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", capability) or not (place / "contract.yaml").is_file():
        raise ContractUnknown(f"{capability} v{major}")
    return place
