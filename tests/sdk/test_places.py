"""Which operation a call means, in the major version that it names."""

import pytest

from torv_sdk.places import Places

FIRST = [
    {"id": "list", "method": "GET", "path": "/loans", "safe": True},
    {"id": "newest", "method": "GET", "path": "/loans/newest", "safe": True},
]
SECOND = [
    {"id": "read", "method": "GET", "path": "/loans/{loan_id}", "safe": True},
    {"id": "give_back", "method": "POST", "path": "/loans/{loan_id}/returns/{day}", "safe": False},
]
PLACES = Places({1: FIRST, 2: SECOND})


@pytest.mark.parametrize(
    ("major", "method", "path", "found"),
    [
        (1, "GET", "/loans", ("list", {})),
        (1, "HEAD", "/loans", ("list", {})),
        (1, "GET", "/loans/newest", ("newest", {})),
        (2, "GET", "/loans/newest", ("read", {"loan_id": "newest"})),
        (2, "GET", "/loans/a b", ("read", {"loan_id": "a b"})),
        (2, "POST", "/loans/7/returns/2", ("give_back", {"loan_id": "7", "day": "2"})),
        (1, "GET", "/loans/7", None),
        (2, "GET", "/loans", None),
        (2, "GET", "/loans/7/8", None),
        (2, "POST", "/loans/7", None),
        (3, "GET", "/loans", None),
    ],
)
def test_a_place_is_found_by_version_method_and_the_whole_path(major, method, path, found):
    place = PLACES.find(major, method, path)
    assert (place and (place.name, place.variables)) == found


def test_each_method_and_path_is_served_once():
    both = Places({1: FIRST, 2: [{**FIRST[0], "id": "all"}]})
    assert both.every() == {("GET", "/loans"): "list", ("GET", "/loans/newest"): "newest"}
    found = both.find(2, "GET", "/loans")
    assert found is not None
    assert found.name == "all"
