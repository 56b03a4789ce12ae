"""What needs the extra `torv-sdk[contracts]`, reached from commands that must also work without it."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torv_sdk.contracts import Contract


def contract_named(text: str) -> "Contract":
    """The contract called `notes` (its first major version) or `notes/2`, or in a folder. Raises ValueError."""
    try:
        from torv_sdk.contracts import Contract
    except ModuleNotFoundError as missing:
        raise ValueError(f"{missing.name} is not installed: pip install 'torv-sdk[contracts]'") from None
    if (Path(text) / "contract.yaml").is_file():
        return Contract(Path(text))
    named = re.fullmatch(r"(?P<capability>[a-z][a-z0-9_-]*)(/v?(?P<major>[0-9]{1,4}))?", text)
    if named is None:
        raise ValueError(f"{text} is neither a capability, such as notes or notes/1, nor the folder of a contract")
    try:
        return Contract.of(named["capability"], int(named["major"] or 1))
    except LookupError:
        raise ValueError(f"there is no contract {text}") from None
