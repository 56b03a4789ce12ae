"""Persons: what a module's agreement, and the user it acts for, lets it see of the people the municipality knows."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self
from uuid import UUID

from torv_sdk.client import KernelClient
from torv_sdk.tokens import Caller

PERSONS = "/api/v1/persons"


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A person as of today. What is unknown, or not covered by the permit, is None."""

    id: UUID  #: of the one it is now: persons may have been merged
    version: int
    cpr: str | None  #: ten digits; never put it into a URL, a log or a file name
    given_names: str | None
    family_name: str | None
    birth_date: str | None  #: YYYY-MM-DD
    address: str | None
    has_protected_address: bool  #: show nothing of the address to anybody who need not know it
    has_protected_name: bool
    status: str | None  #: such as dead or emigrated

    @classmethod
    def from_wire(cls, data: Mapping[str, Any]) -> Self:
        """Raises KeyError or ValueError if this is not a person. What Torv says beyond these fields is left out."""
        known = {each.name: data[each.name] for each in fields(cls)}
        return cls(**{**known, "id": UUID(data["id"])})


async def read_person(kernel: KernelClient, person_id: UUID, *, on_behalf_of: Caller | None = None) -> Person:
    """A person by id; with `on_behalf_of=call.caller`, only what the user may see too. Raises KernelRefusal."""
    return Person.from_wire(await kernel.get(f"{PERSONS}/{person_id}", on_behalf_of=on_behalf_of))


async def look_up_person(kernel: KernelClient, cpr: str, *, on_behalf_of: Caller | None = None) -> Person:
    """The person who has or had a CPR number, which travels in the body alone. Raises KernelRefusal (404: nobody)."""
    return Person.from_wire(await kernel.ask(f"{PERSONS}/lookup", {"cpr": cpr}, on_behalf_of=on_behalf_of))
