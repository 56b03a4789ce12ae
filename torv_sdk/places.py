"""Places: where each major version of a contract has its operations, and which of them a call means."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.routing import compile_path


@dataclass(frozen=True, slots=True)
class Place:
    """The operation that an address means, and what stands in its variable parts."""

    name: str
    is_safe: bool
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    path: str
    is_safe: bool
    pattern: re.Pattern[str]


class Places:
    """The operations of one or more major versions of a contract."""

    def __init__(self, operations: Mapping[int, Iterable[Mapping[str, Any]]]) -> None:
        """`operations` is the list in contract.yaml, by major version."""
        self.operations = {
            (major, each["id"]): _Operation(each["method"], each["path"], each["safe"], compile_path(each["path"])[0])
            for major, some in operations.items()
            for each in some
        }

    def every(self) -> dict[tuple[str, str], str]:
        """Each method and path, once, with the name that the first version which has it gives it."""
        found: dict[tuple[str, str], str] = {}
        for (_, name), each in self.operations.items():
            found.setdefault((each.method, each.path), name)
        return found

    def find(self, major: int, method: str, path: str) -> Place | None:
        """What a version of the contract has at an address; None if it has nothing there."""
        asked = "GET" if method == "HEAD" else method
        for (version, name), each in self.operations.items():
            if version == major and each.method == asked and (match := each.pattern.fullmatch(path)):
                return Place(name, each.is_safe, match.groupdict())
        return None
