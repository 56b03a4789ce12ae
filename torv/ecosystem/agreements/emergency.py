"""Emergency access: the life-critical reads that stay open when an agreement lapses or the state is unconfirmed.

A list of its own, signed by the municipality alone, valid for a year at most. It never opens a write, never what
somebody has stopped on purpose, and nothing without its log entry. See the decision record on emergency access.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, model_validator

from torv.ecosystem.agreements.content import Cvr, Line, Term, Word

LONGEST = timedelta(days=366)  #: a list is thought over again every year


class EmergencyRead(Term):
    """Reads under one grant of one agreement, and why they must not stop."""

    agreement: UUID
    grant: str = Field(min_length=1, max_length=50)
    operations: frozenset[Word] = Field(min_length=1, max_length=50)
    reason: Line


class EmergencyContent(Term):
    """What the municipality signs."""

    format: Literal["torv-emergency/1"]
    id: UUID
    municipality: Cvr
    not_before: AwareDatetime
    not_after: AwareDatetime
    reads: tuple[EmergencyRead, ...] = Field(max_length=200)

    @model_validator(mode="after")
    def _is_for_a_year_at_most(self) -> "EmergencyContent":
        if not timedelta() < self.not_after - self.not_before <= LONGEST:
            raise ValueError("it must be valid for some time, and for a year at most")
        return self


@dataclass(frozen=True, slots=True)
class EmergencyList:
    """The list in force, ready to decide by."""

    content: EmergencyContent

    @property
    def edges(self) -> tuple[datetime, datetime]:
        return self.content.not_before, self.content.not_after

    def keeps_open(self, agreement_id: UUID, grant_id: str, operation: str, now: datetime) -> bool:
        content = self.content
        return content.not_before <= now < content.not_after and any(
            each.agreement == agreement_id and each.grant == grant_id and operation in each.operations
            for each in content.reads
        )
