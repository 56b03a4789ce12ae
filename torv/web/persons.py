"""The pages about citizens: find one, see one. Search words travel in forms, never in addresses."""

import re
from datetime import date
from uuid import UUID

from torv.base import clock
from torv.base.access import Demand
from torv.base.errors import CprInvalid, Denied, InvalidInput, NotFound, TorvError
from torv.base.http import Answer, Call, Routes
from torv.base.trail import note
from torv.ecosystem.audit import Look, list_looks
from torv.ecosystem.gateway import pages_about_persons
from torv.kernel.organisation import names_of_units
from torv.kernel.persons import (
    Person,
    Search,
    age_on,
    find_person_by_cpr,
    normal_cpr,
    read_person,
    read_relations,
    search_persons,
    shown,
)
from torv.kernel.records import TimelineLine, list_timeline
from torv.web.capabilities import titles_for
from torv.web.forms import go_to, read_form
from torv.web.rendering import language_of, render

routes = Routes("/persons", "persons")

SHOWN = 50  #: rows on the page; whoever wants more asks more precisely
LOOKS = Demand(service="audit", operation="read_looks", category="trail")
TIMELINE = Demand(service="records", operation="read_timeline", category=None)


@routes.reads("", "search", "person", include_in_schema=False)
async def show_search(call: Call) -> Answer:
    """The empty form."""
    note(call.tx, call.access, "read", detail={"found": 0})
    return _search_page(call, "", "", found=None)


@routes.reads("", "search", "person", method="POST", include_in_schema=False)
async def find_citizens(call: Call) -> Answer:
    """Who fits; somebody found by CPR number is shown at once."""
    form = await read_form(call.request)
    who, address = form.get("who", "").strip(), form.get("address", "").strip()
    try:
        if re.fullmatch(r"[0-9 -]{10,13}", who):
            person = await find_person_by_cpr(call.tx, call.access, normal_cpr(who))
            return go_to(f"/persons/{person.id}")
        wanted = call.page(SHOWN, None)
        found = await search_persons(call.tx, call.access, search=_search(who, address), wanted=wanted)
    except NotFound:
        note(call.tx, call.access, "read", detail={"found": 0})
        return _search_page(call, who, address, found=[])
    except (CprInvalid, InvalidInput) as error:
        note(call.tx, call.access, "read", detail={"found": 0})
        return _search_page(call, who, address, found=None, error=error)
    people = [shown(each, call.access) for each in found]
    return _search_page(call, who, address, found=people[:SHOWN], more=len(people) > SHOWN)


@routes.reads("/{person_id}", "read", "person", include_in_schema=False)
async def show_citizen(call: Call, person_id: UUID) -> Answer:
    """A citizen; the last four digits of the CPR number are hidden."""
    return await _citizen_page(call, person_id, shows_cpr=False)


@routes.reads("/{person_id}/cpr", "read", "person", method="POST", include_in_schema=False)
async def show_cpr(call: Call, person_id: UUID) -> Answer:
    """The same citizen with the whole CPR number, which is logged by itself."""
    note(call.tx, call.access, "read", [person_id], detail={"shown": "cpr"})
    return await _citizen_page(call, person_id, shows_cpr=True)


@routes.reads("/{person_id}/looks", "read", "person", include_in_schema=False)
async def show_looks(call: Call, person_id: UUID) -> Answer:
    """The same citizen with who has seen what about them, and why: by day, the newest first."""
    permit = call.engine.decider.decide(call.access.caller, LOOKS, call.request_id)
    looks = await list_looks(call.tx, permit, person_id, wanted=call.page(SHOWN, None))
    return await _citizen_page(call, person_id, shows_cpr=False, looks=looks)


def _may_see_looks(call: Call) -> bool:
    try:
        call.engine.decider.decide(call.access.caller, LOOKS, call.request_id)
    except Denied:
        return False
    return True


async def _timeline(call: Call, person_id: UUID) -> list[TimelineLine] | None:
    """The newest lines of a citizen's timeline; None for somebody who may see no timeline."""
    try:
        permit = call.engine.decider.decide(call.access.caller, TIMELINE, call.request_id)
    except Denied:
        return None
    return await list_timeline(call.tx, permit, person_id, wanted=call.page(SHOWN, None))


def _search(who: str, address: str) -> Search:
    """What somebody wrote, as a search. Raises InvalidInput for a day that never was."""
    day = re.fullmatch(r"([0-9]{1,2})[./-]([0-9]{1,2})[./-]([0-9]{4})", who)
    if day is None:
        return Search(name=who or None, address=address or None)
    try:
        return Search(birth_date=date(int(day[3]), int(day[2]), int(day[1])), address=address or None)
    except ValueError:
        raise InvalidInput(reason="date") from None


def _search_page(
    call: Call,
    who: str,
    address: str,
    *,
    found: list[Person] | None,
    more: bool = False,
    error: TorvError | None = None,
) -> Answer:
    problem = error.message(language_of(call.request)) if error else None
    return render(
        call.request, "persons.html", status=error.status if error else 200, reader=call.access.caller.name, who=who,
        address=address, found=found, more=more, problem=problem,
    )  # fmt: skip


async def _citizen_page(call: Call, person_id: UUID, *, shows_cpr: bool, looks: list[Look] | None = None) -> Answer:
    person = await read_person(call.tx, call.access, person_id)
    relations = await read_relations(call.tx, call.access, person.id, valid_at=None, known_at=None)
    is_alive = person.birth_date is not None and person.status != "dead"
    age = age_on(person.birth_date, clock.today()) if is_alive and person.birth_date else None
    timeline = await _timeline(call, person.id)
    launches = pages_about_persons(call.request, call.access.caller)
    units = await names_of_units(call.tx, {each.unit_id for each in launches if each.unit_id}, clock.today())
    return render(
        call.request, "person.html", reader=call.access.caller.name, person=person, relations=relations, age=age,
        shows_cpr=shows_cpr, may_see_looks=_may_see_looks(call), looks=None if looks is None else looks[:SHOWN],
        more=looks is not None and len(looks) > SHOWN, timeline=None if timeline is None else timeline[:SHOWN],
        more_timeline=timeline is not None and len(timeline) > SHOWN,
        launches=launches, units={each.id: each.name for each in units},
        titles=await titles_for(call) if timeline or launches else {},
    )  # fmt: skip
