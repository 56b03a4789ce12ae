"""What keeps an agreement from being read is told in plain words, in two languages, and names the term."""

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.cast import NORDLYS, content_of
from torv.base.ids import new_id
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.faults import FORMS, faults_of
from torv.ecosystem.agreements.findings import Finding
from torv.web.rendering import ENVIRONMENTS

#: what no term can be, or only one or two can
HOSTILE: list[Any] = [
    None, True, 1, -1, 10**30, 0.5, float("inf"), float("nan"), "", "x" * 5_000, "\ud800", "2026-01-01",
    "2026-01-01T10:00:00", "2026-02-30T10:00:00+01:00", "25:00", "12:00:30+01:00", "1e999999", "0.123456789012345678",
    [], ["", 1], [None], [1] * 600, {}, {"x": 1},
]  # fmt: skip


def full() -> dict[str, Any]:
    """A content in which every kind of term stands."""
    content = content_of(NORDLYS, id=str(new_id()), title="Alt")
    ends = content["validity"]["not_after"]
    hours = {"weekdays": [1], "opens": "08:00", "closes": "16:00"}
    content["validity"]["options"] = [{"extend_months": 1, "decide_by": ends}]
    content["grants"][0] |= {
        "reach": {"units": [str(new_id())], "kle": ["27"], "sensitivity": 1},
        "window": {"not_after": ends, **hours}, "limits": {"calls_per_day": 1}, "keys": ["a"],
    }  # fmt: skip
    content["parent"] = {"agreement": str(new_id()), "partner": "58351253"}
    content["documents"] = [{"title": "t", "sha256": "0" * 64, "reference": "r"}]
    content["service_levels"] = [{
        "metric": "response_ms", "service": "notes", "target": 100, "percentile": 95, "operations": ["a"],
        "hours": hours, "maintenance": {"announce_hours": 1, "most_minutes": 1},
        "remedies": [{"beyond": 200, "percent": 1}],
    }]  # fmt: skip
    return content


def places(plain: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    inside = plain.items() if isinstance(plain, dict) else enumerate(plain) if isinstance(plain, list) else ()
    for name, each in inside:
        yield from places(each, (*place, name))


def with_value(content: dict[str, Any], place: tuple[Any, ...], value: Any) -> Any:
    """The content with something else at a place; Ellipsis takes away what stands there."""
    if not place:
        return value
    changed = copy.deepcopy(content)
    inside: Any = changed
    for name in place[:-1]:
        inside = inside[name]
    if value is ...:
        del inside[place[-1]]
    else:
        inside[place[-1]] = value
    return changed


def faults_in(content: Any) -> list[Finding]:
    try:
        Content.model_validate(content)
    except ValidationError as error:
        return faults_of(error)
    return []


def test_the_full_content_has_no_fault() -> None:
    assert faults_in(full()) == []


def test_no_fault_is_told_in_the_words_of_a_library() -> None:
    content = full()
    found = [
        each for place in places(content) for value in [*HOSTILE, ...] if place or value is not ...
        for each in faults_in(with_value(content, place, value))
    ]  # fmt: skip
    assert len(found) > 2_000
    for each in found:
        assert not re.search("[Ii]nput|String|Field|Tuple|valid |validation|should", each.text), each
        assert each.text_da not in (each.text, "har forkert form"), each
        assert "{" not in each.text + each.text_da, each


@pytest.mark.parametrize(
    ("place", "value", "english", "danish"),
    [
        (("title",), ..., "is missing", "mangler"),
        (("title",), "", "is empty", "er tom"),
        (("title",), "x" * 301, "is longer than 300 characters", "er længere end 300 tegn"),
        (("validity", "notice_months"), 121, "must be at most 120", "må højst være 120"),
        (("validity", "not_after"), "soon", "is not a date with a time of day",
         "er ikke en dato med klokkeslæt"),
        (("partner",), "1234", "is not a CVR number of eight digits", "er ikke et CVR-nummer på otte cifre"),
        (("data_processing", "oversight", "kind"), "never", "must be written, report or visit",
         "skal være written, report eller visit"),
        (("surprise",), 1, "is not a term of an agreement", "er ikke et vilkår, en aftale kan have"),
    ],
)  # fmt: skip
def test_a_fault_says_what_is_wrong_and_where(place: tuple[Any, ...], value: Any, english: str, danish: str) -> None:
    [finding] = faults_in(with_value(full(), place, value))
    assert (finding.place, finding.text, finding.text_da) == (".".join(place), english, danish)


def test_what_is_no_agreement_at_all_is_said_of_the_whole() -> None:
    [finding] = faults_in([])
    assert (finding.place, finding.text_da) == ("content", "er ikke en gruppe af vilkår")


# ---- the terms have names --------------------------------------------------------------------------------------------
def _named(schema: Any, key: str) -> Iterator[Any]:
    """Every value of a key in a JSON Schema, at any depth."""
    for name, each in (
        schema.items() if isinstance(schema, dict) else enumerate(schema) if isinstance(schema, list) else ()
    ):
        if name == key:
            yield each
        yield from _named(each, key)


SCHEMA = TypeAdapter(Content).json_schema()


def test_every_form_that_a_text_must_have_is_explained() -> None:
    assert set(_named(SCHEMA, "pattern")) - set(FORMS) == set()


@pytest.mark.parametrize("language", ["da", "en"])
def test_every_term_has_a_name_on_pages(language: str) -> None:
    terms = ENVIRONMENTS[language].get_template("term_words.html").make_module({"language": language})
    codes = {name for properties in _named(SCHEMA, "properties") for name in properties}
    assert len(codes) > 70
    assert codes - set(terms.term) == set()  # type: ignore[attr-defined]  # a variable of the template


def test_a_place_is_told_in_words() -> None:
    terms = ENVIRONMENTS["da"].get_template("term_words.html").make_module({"language": "da"})
    assert terms.place_of("grants.1.limits") == "Tilladelse nr. 2, Grænser"  # type: ignore[attr-defined]  # a macro of it
    assert terms.place_of("content") == "Hele aftalen"  # type: ignore[attr-defined]  # a macro of it
    assert terms.place_of("<b>") == ", ".join(["&lt;b&gt;"])  # type: ignore[attr-defined]  # a macro of it
