"""Inside a major version a contract only grows: every break is found and named, and growth is none."""

import copy
from typing import Any

import pytest

from tests.ecosystem.aids import files
from torv.ecosystem.modules import read_contract
from torv.ecosystem.modules.contract_changes import breaks, breaks_of_schema


@pytest.fixture
def old() -> dict[str, Any]:
    content = copy.deepcopy(read_contract(files()).content)
    content["events"] = [{"type": "loan.ended", "schema": {"type": "object", "properties": {"id": {"type": "string"}}}}]
    return content


def places(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [each.place for each in breaks(old, new)]


def test_the_same_breaks_nothing(old: dict[str, Any]) -> None:
    assert places(old, copy.deepcopy(old)) == []


def test_growth_breaks_nothing(old: dict[str, Any]) -> None:
    new = copy.deepcopy(old)
    new["operations"].append({"id": "more", "method": "GET", "path": "/more", "safe": True, "category": "x"})
    new["records"].append({"type": "more", "schema": {"type": "object"}, "category": "x"})
    new["events"].append({"type": "more", "schema": {"type": "object"}})
    new["records"][0]["schema"]["properties"]["colour"] = {"type": "string"}
    new["title"] = {"da": "Andet", "en": "Other"}
    assert places(old, new) == []


@pytest.mark.parametrize(
    ("part", "change", "place"),
    [
        ("operations", None, "/operations/lend"),
        ("operations", {"method": "PUT"}, "/operations/lend/method"),
        ("operations", {"path": "/lend"}, "/operations/lend/path"),
        ("operations", {"category": "other"}, "/operations/lend/category"),
        ("records", None, "/records/loan"),
        ("records", {"category": "other"}, "/records/loan/category"),
        ("records", {"projections": {}}, "/records/loan/projections/timeline"),
        ("records", {"schema": {"type": "array"}}, "/records/loan/schema/type"),
        ("events", None, "/events/loan.ended"),
        ("events", {"schema": {"type": "object"}}, "/events/loan.ended/schema/properties/id"),
    ],
)
def test_what_callers_and_readers_count_on_stays(
    old: dict[str, Any], part: str, change: dict[str, Any] | None, place: str
) -> None:
    new = copy.deepcopy(old)
    if change is None:
        del new[part][0]
    else:
        new[part][0].update(change)
    assert place in places(old, new)


def test_a_safe_operation_stays_safe_and_an_unsafe_one_may_become_so(old: dict[str, Any]) -> None:
    new = copy.deepcopy(old)
    new["operations"][0]["safe"], new["operations"][1]["safe"] = True, False
    assert places(old, new) == ["/operations/list_loans/safe"]


def test_every_break_is_named(old: dict[str, Any]) -> None:
    new = copy.deepcopy(old)
    del new["operations"][0], new["events"][0]
    assert places(old, new) == ["/operations/lend", "/events/loan.ended"]


S = {"type": "string"}


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ({"properties": {"a": S}}, {"properties": {}}, "/properties/a"),
        ({"properties": {"a": S}}, {"properties": {"a": {"type": "integer"}}}, "/properties/a/type"),
        ({"properties": {"a": S}}, {"properties": {"a": {"type": ["string", "null"]}}}, "/properties/a/type"),
        ({"properties": {"a": S}}, {"properties": {"a": False}}, "/properties/a"),
        ({}, {"required": ["a"]}, "/required/a"),
        ({"required": ["a"]}, {}, "/required/a"),
        ({"enum": [1, 2]}, {"enum": [1]}, "/enum"),
        ({}, {"enum": [1]}, "/enum"),
        ({}, {"additionalProperties": False}, "/additionalProperties"),
        ({"additionalProperties": True}, {"additionalProperties": S}, "/additionalProperties"),
        ({"additionalProperties": S}, {"additionalProperties": {"type": "number"}}, "/additionalProperties/type"),
        ({}, {"maxLength": 5}, "/maxLength"),
        ({"maxLength": 6}, {"maxLength": 5}, "/maxLength"),
        ({"minLength": 1}, {"minLength": 2}, "/minLength"),
        ({}, {"minimum": 0}, "/minimum"),
        ({"exclusiveMaximum": 9}, {"exclusiveMaximum": 8}, "/exclusiveMaximum"),
        ({"maxItems": 9}, {"maxItems": 8}, "/maxItems"),
        ({}, {"pattern": "x"}, "/pattern"),
        ({"pattern": "x"}, {"pattern": "y"}, "/pattern"),
        ({}, {"format": "date"}, "/format"),
        ({}, {"uniqueItems": True}, "/uniqueItems"),
        ({"items": S}, {"items": {"type": "number"}}, "/items/type"),
        ({}, {"items": S}, "/items/type"),
        ({"items": S}, {"items": True}, "/items/type"),
        ({"properties": {"a": {"properties": {"b": S}}}}, {"properties": {"a": {}}}, "/properties/a/properties/b"),
        ({}, {"not": S}, "/not"),
        ({"anyOf": [S, {}]}, {"anyOf": [S]}, "/anyOf"),
        ({}, {"x-unheard-of": 1}, "/x-unheard-of"),
        ({"$ref": "#/$defs/a", "$defs": {"a": S}}, {"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}},
         "/$defs/a/type"),
        ({"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {}}},
         {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"maxLength": 1}}}, "/$defs/a/maxLength"),
        ({"properties": {"a": S}}, {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "null"}}},
         "/properties/a/type"),
    ],
)  # fmt: skip
def test_a_schema_that_takes_less_or_promises_less_breaks(before: Any, after: Any, place: str) -> None:
    assert place in [each.place for each in breaks_of_schema(before, after, "")]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"properties": {"a": S}}),
        ({"enum": [1]}, {"enum": [2, 1]}),
        ({"enum": [1]}, {}),
        ({"additionalProperties": False}, {"additionalProperties": True}),
        ({"additionalProperties": False}, {"additionalProperties": S}),
        ({"maxLength": 5}, {"maxLength": 6}),
        ({"maxLength": 5}, {}),
        ({"minimum": 5}, {"minimum": 4}),
        ({"pattern": "x"}, {}),
        ({"format": "date"}, {}),
        ({"title": "a"}, {"description": "b"}),
        ({"properties": {"a": S}}, {"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": S}}),
        ({"properties": {"a": {"$ref": "#"}}}, {"properties": {"a": {"$ref": "#"}, "b": S}}),
    ],
)
def test_a_schema_that_takes_more_breaks_nothing(before: Any, after: Any) -> None:
    assert breaks_of_schema(before, after, "") == []
