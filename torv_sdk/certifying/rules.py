"""Rules: what certification demands, one sentence each, with the check that finds out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torv_sdk.certifying.stand import Stand

Check = Callable[["Stand"], Awaitable[None]]


class Level(StrEnum):
    """How far a module is certified; each level has the rules of those before it."""

    BRONZE = "bronze"  #: only Torv can call it, and it refuses as the contract says
    SILVER = "silver"  #: it keeps the municipality's records first, and gives them all back
    GOLD = "gold"  #: it may be killed at any moment

    def includes(self, other: "Level") -> bool:
        """Whether whoever is on this level has kept the other's rules too."""
        order = list(Level)
        return order.index(other) <= order.index(self)


class Broken(Exception):
    """A rule is broken; the message says what was seen, without personal data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """One demand. `id` is stable: requirement sets and agreements may name it."""

    id: str
    level: Level
    danish: str
    english: str
    advice: str  #: what to do about it
    check: Check  #: raises Broken


RULES: list[Rule] = []  #: in the order in which they are tried


def rule(name: str, level: Level, *, danish: str, english: str, advice: str) -> Callable[[Check], Check]:
    """Make a check the check of a rule."""

    def declare(check: Check) -> Check:
        RULES.append(Rule(id=name, level=level, danish=danish, english=english, advice=advice, check=check))
        return check

    return declare
