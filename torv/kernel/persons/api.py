"""Routes of persons. A CPR number never stands in an address: looking one up is a POST."""

from dataclasses import dataclass
from uuid import UUID

from torv.base.http import Answer, Call, Routes
from torv.kernel.persons import service
from torv.kernel.persons.models import NewPerson, Person, PersonChange

routes = Routes("/api/v1/persons", "persons")


@dataclass(frozen=True, kw_only=True, slots=True)
class CprLookup:
    cpr: str


@routes.writes("", "register", "person", status_code=201, response_model=Person)
async def register_person(call: Call, new: NewPerson) -> Answer:
    """Register a person."""
    person = await service.register_person(call.tx, call.access, new=new)
    return Answer(body=person, status=201, headers={"location": f"/api/v1/persons/{person.id}"})


@routes.reads("/lookup", "lookup", "person", method="POST")
async def look_up_person(call: Call, wanted: CprLookup) -> Person:
    """Find the person with a CPR number."""
    return await service.find_person_by_cpr(call.tx, call.access, wanted.cpr)


@routes.reads("/{person_id}", "read", "person")
async def read_person(call: Call, person_id: UUID) -> Person:
    """Read a person; what the permit does not cover is null."""
    return await service.read_person(call.tx, call.access, person_id)


@routes.writes("/{person_id}", "change", "person", method="PATCH")
async def change_person(call: Call, person_id: UUID, change: PersonChange) -> Person:
    """Change a person; If-Match states the version that is changed."""
    return await service.change_person(call.tx, call.access, person_id, expected=call.expected_version(), change=change)
