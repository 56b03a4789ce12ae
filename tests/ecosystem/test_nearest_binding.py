"""The rule of bindings: a call goes by the one of the nearest unit above it, else by the municipality's."""

from datetime import date
from uuid import UUID, uuid5

from hypothesis import given
from hypothesis import strategies as st

from torv.base.ids import new_id
from torv.ecosystem.modules import Directory, Release, Route
from torv.kernel.organisation import Tree
from torv.kernel.records import key_of, unit_in

SPACE = UUID(int=7)
trees = st.lists(st.integers(min_value=-1, max_value=12), min_size=1, max_size=13).map(
    lambda parents: [parent if parent < number else -1 for number, parent in enumerate(parents)]
)


def paths_of(parents: list[int]) -> dict[int, list[int]]:
    """Each unit's path from its root, by following parents one by one."""
    paths: dict[int, list[int]] = {-1: []}
    for number, parent in enumerate(parents):
        paths[number] = [*paths[parent], number]
    return paths


def unit_id(number: int) -> UUID:
    return uuid5(SPACE, str(number))


def route_to(where: int | None) -> Route:
    unit = None if where is None else unit_id(where)
    release = Release(
        id=new_id(), module_id=new_id(), partner_id=new_id(), module_name="m", version="1", url="http://m", jwk={},
        majors={},
    )  # fmt: skip
    return Route(key=key_of("notes", unit), capability="notes", unit_id=unit, release=release, epoch=1, shadow=None)


@given(trees, st.sets(st.integers(min_value=0, max_value=12)), st.booleans())
def test_a_call_goes_to_the_binding_of_the_nearest_unit_above(
    parents: list[int], bound: set[int], all_of: bool
) -> None:
    paths = paths_of(parents)
    places = {unit_id(n): ((date(2020, 1, 1), tuple(map(unit_id, path))),) for n, path in paths.items() if path}
    routes = {route.key: route for route in map(route_to, [*bound, *([None] if all_of else [])])}
    directory = Directory(releases={}, routes=routes, operations={}, tree=Tree(places=places))
    for number in range(len(parents)):
        here: int = number
        while here != -1 and here not in bound:
            here = parents[here]
        expected = routes.get(key_of("notes", unit_id(here) if here != -1 else None))
        assert directory.route("notes", unit_id(number)) is expected
    assert directory.route("notes", None) is routes.get("notes")
    assert directory.route("notes", new_id()) is routes.get("notes")


def test_a_key_says_which_unit_it_is_of() -> None:
    unit = new_id()
    assert (unit_in(key_of("notes", unit)), unit_in(key_of("notes"))) == (unit, None)
