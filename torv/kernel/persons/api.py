"""Routes of persons. A CPR number never stands in an address: looking one up and searching are POSTs."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from torv.base.errors import InvalidInput
from torv.base.http import Answer, Call, Routes
from torv.base.pages import DEFAULT_SIZE, Cursor, Page, Size
from torv.kernel.persons import facts as time
from torv.kernel.persons import relations, searching, service
from torv.kernel.persons.models import (
    Fact,
    FactKind,
    KnownFact,
    KnownRelation,
    NewPerson,
    Person,
    PersonChange,
    Relation,
    Search,
)

routes = Routes("/api/v1/persons", "persons")


@dataclass(frozen=True, kw_only=True, slots=True)
class CprLookup:
    cpr: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NewFact:
    """A fact as it is sent: `value` has the members of its kind."""

    kind: FactKind
    value: dict[str, Any]
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Merge:
    into: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class RelationEnd:
    valid_to: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    id: UUID


@routes.writes("", "register", "person", status_code=201, response_model=Person)
async def register_person(call: Call, new: NewPerson) -> Answer:
    """Register a person."""
    person = await service.register_person(call.tx, call.access, new=new)
    return Answer(body=person, status=201, headers={"location": f"/api/v1/persons/{person.id}"})


@routes.reads("/lookup", "lookup", "person", method="POST")
async def look_up_person(call: Call, wanted: CprLookup) -> Person:
    """Find the person who has or had a CPR number."""
    return await service.find_person_by_cpr(call.tx, call.access, wanted.cpr)


@routes.reads("/search", "search", "person", method="POST")
async def search_persons(call: Call, search: Search, limit: Size = DEFAULT_SIZE, cursor: Cursor = None) -> Page[Person]:
    """Find persons by name (typing errors are forgiven), birth date and address, in Danish order."""
    wanted = call.page(limit, cursor, search=search)
    found = await searching.search_persons(call.tx, call.access, search=search, wanted=wanted)
    page = call.paged(found, wanted, lambda each: [each.name_sort, str(each.person.id)])
    return Page(items=[searching.shown(each, call.access) for each in page.items], next=page.next)


@routes.reads("/{person_id}", "read", "person")
async def read_person(
    call: Call, person_id: UUID, valid_at: date | None = None, known_at: datetime | None = None
) -> Person:
    """Read a person as of a day (else: today), as we knew it at an instant (else: now); what is not covered is null."""
    return await service.read_person_at(call.tx, call.access, person_id, valid_at=valid_at, known_at=known_at)


@routes.reads("/{person_id}/facts", "read", "person")
async def read_facts(
    call: Call, person_id: UUID, valid_at: date | None = None, known_at: datetime | None = None
) -> list[KnownFact]:
    """What was true on a day (else: every day), as we knew it at an instant (else: now)."""
    return await service.read_facts(call.tx, call.access, person_id, valid_at=valid_at, known_at=known_at)


@routes.reads("/{person_id}/relations", "read", "person")
async def read_relations(
    call: Call, person_id: UUID, valid_at: date | None = None, known_at: datetime | None = None
) -> list[KnownRelation]:
    """Parents, holders of custody, guardians, contacts and children on a day (else: today)."""
    return await relations.read_relations(call.tx, call.access, person_id, valid_at=valid_at, known_at=known_at)


@routes.writes("/{person_id}", "change", "person", method="PATCH")
async def change_person(call: Call, person_id: UUID, change: PersonChange) -> Person:
    """Change names, address or protection from a day on; If-Match states the version that is changed."""
    return await service.change_person(call.tx, call.access, person_id, expected=call.expected_version(), change=change)


@routes.writes("/{person_id}/facts", "change", "person", status_code=201)
async def record_fact(call: Call, person_id: UUID, new: NewFact) -> Person:
    """Note a fact for a period, such as a death or an emigration; If-Match states the version that is changed."""
    try:
        value = time.read_value(new.kind, new.value)
    except (TypeError, ValueError, KeyError):
        raise InvalidInput(reason="value") from None
    fact = Fact(kind=new.kind, value=value, valid_from=new.valid_from, valid_to=new.valid_to)
    return await service.record_fact(call.tx, call.access, person_id, expected=call.expected_version(), fact=fact)


@routes.writes("/{person_id}/cpr", "change_cpr", "person")
async def change_cpr(call: Call, person_id: UUID, new: CprLookup) -> Person:
    """Give a person another CPR number; the old one still finds them."""
    return await service.change_cpr(call.tx, call.access, person_id, expected=call.expected_version(), cpr=new.cpr)


@routes.writes("/{person_id}/merge", "merge", "person")
async def merge_persons(call: Call, person_id: UUID, merge: Merge) -> Person:
    """Let a person who was registered twice resolve to the other; both ids go on working."""
    version = call.expected_version()
    return await service.merge_persons(call.tx, call.access, person_id, expected=version, into=merge.into)


@routes.writes("/{person_id}/relations", "change", "person", status_code=201)
async def relate(call: Call, person_id: UUID, relation: Relation) -> Noted:
    """Note who stands in a relation to the person."""
    return Noted(id=await relations.relate(call.tx, call.access, person_id, relation))


@routes.writes("/{person_id}/relations/{relation_id}/end", "change", "person")
async def end_relation(call: Call, person_id: UUID, relation_id: UUID, end: RelationEnd) -> Noted:
    """End a relation on a day."""
    return Noted(id=await relations.end_relation(call.tx, call.access, person_id, relation_id, end.valid_to))
