"""Searching persons: what is found, in which order, and what a protected person never gives away."""

from collections.abc import Sequence
from datetime import date

import pytest

from tests.cast import ANNA, Cast
from tests.served import Api
from torv.base.db import Database
from torv.base.errors import InvalidInput
from torv.base.pages import Wanted
from torv.kernel.persons import NewPerson, Search, register_person, search_persons

pytestmark = pytest.mark.anyio
SEES_ALL = ("person", "person.cpr", "person.protected_address", "person.protected_name")
FIRST_PAGE = Wanted(size=50, after=None, binding=b"")


async def found(database: Database, cast: Cast, categories: Sequence[str], **what: object) -> list[str]:
    access = cast.user("persons.search", *categories)
    async with database.reading() as tx:
        rows = await search_persons(tx, access, search=Search(**what), wanted=FIRST_PAGE)  # type: ignore[arg-type]
    return [f"{each.person.given_names} {each.person.family_name}" for each in rows]


async def register(database: Database, cast: Cast, *names: str, **more: object) -> None:
    async with database.transaction() as tx:
        for name in names:
            given, _, family = name.rpartition(" ")
            new = NewPerson(given_names=given, family_name=family, **more)  # type: ignore[arg-type]
            await register_person(tx, cast.user("persons.register", *SEES_ALL), new=new)


@pytest.mark.parametrize("typed", ["Østergaard", "østergård", "oestergaard", "Ostergaard", "Alma Østergrd"])
async def test_a_name_is_found_however_it_is_typed(database: Database, cast: Cast, typed: str) -> None:
    assert await found(database, cast, SEES_ALL, name=typed) == ["Alma Østergaard"]


async def test_a_list_is_in_danish_order(database: Database, cast: Cast) -> None:
    people = [
        "Ib Zachariassen",
        "Ib Ærø",
        "Ib Østrup",
        "Ib Åkjær",
        "Ib Aabenraa",
        "Ib andersen",
        "Ib Éclair",
        "Ib Ewald",
    ]
    await register(database, cast, *people)
    listed = await found(database, cast, SEES_ALL, name="Ib")
    assert [name.removeprefix("Ib ") for name in listed] == [
        "andersen", "Éclair", "Ewald", "Zachariassen", "Ærø", "Østrup", "Aabenraa", "Åkjær",
    ]  # fmt: skip


async def test_a_birth_date_and_a_name_narrow_each_other(database: Database, cast: Cast) -> None:
    await register(database, cast, "Carla Holm", cpr="1205762222")
    await register(database, cast, "Dorte Kjær", cpr="1205762230")
    born = date(1976, 5, 12)
    assert await found(database, cast, SEES_ALL, birth_date=born) == ["Carla Holm", "Dorte Kjær", "Bjørn Aagaard"]
    assert await found(database, cast, SEES_ALL, birth_date=born, name="kjaer") == ["Dorte Kjær"]


async def test_a_protected_address_finds_nobody(database: Database, cast: Cast) -> None:
    assert await found(database, cast, SEES_ALL, address="Havnegade 7") == ["Alma Østergaard"]
    assert await found(database, cast, ("person",), address="Havnegade 7") == []
    assert await found(database, cast, ("person",), address="Skolebakken 12") == ["Bjørn Aagaard"]


async def test_a_protected_name_is_neither_found_nor_sorted_by(database: Database, cast: Cast) -> None:
    await register(database, cast, "Hemmelig Aagaard", has_protected_name=True, cpr="1205762249")
    assert await found(database, cast, SEES_ALL, name="Aagaard") == ["Bjørn Aagaard", "Hemmelig Aagaard"]
    for what in ({"name": "Aagaard"}, {"birth_date": date(1976, 5, 12)}):
        assert await found(database, cast, ("person",), **what) == ["Bjørn Aagaard"]


async def test_a_search_for_nothing_is_refused(database: Database, cast: Cast) -> None:
    with pytest.raises(InvalidInput):
        await found(database, cast, SEES_ALL, name="  ")


async def test_pages_give_everybody_once_and_a_cursor_belongs_to_its_search(
    api: Api, database: Database, cast: Cast
) -> None:
    await register(database, cast, *(f"Person{number:02} Petersen" for number in range(23)))
    seen, cursor = [], ""
    while True:
        page = (await api.post(f"/api/v1/persons/search?limit=5{cursor}", {"name": "Petersen"}, by=ANNA)).json
        seen += [each["given_names"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == [f"Person{number:02}" for number in range(23)]
    other = await api.post(f"/api/v1/persons/search?limit=5{cursor}", {"name": "Holm"}, by=ANNA)
    assert other.code == (400, "cursor_invalid")
    spoilt = await api.post(f"/api/v1/persons/search?limit=5{cursor[:-4]}AAAA", {"name": "Petersen"}, by=ANNA)
    assert spoilt.code == (400, "cursor_invalid")
    assert "Petersen" not in cursor
