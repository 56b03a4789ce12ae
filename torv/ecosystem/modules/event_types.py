"""The events that contracts declare."""

from dataclasses import dataclass
from typing import Any

from torv.base.db import Tx
from torv.base.sql import load

sql = load(__file__)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventType:
    """A kind of event that a contract declares."""

    capability: str
    major: int
    name: str  #: as the contract has it, without the capability
    category: str  #: the data category a permit must cover
    schema: dict[str, Any]  #: JSON Schema 2020-12 of the data

    @property
    def type(self) -> str:
        """As it is told: `<capability>.<name>`."""
        return f"{self.capability}.{self.name}"


async def event_types(tx: Tx, capability: str | None = None) -> list[EventType]:
    """What the contracts in force declare, of one capability or (None) of all. No personal data, and no permit."""
    return await tx.all(EventType, sql.all_events, capability=capability)
