"""What a set demands of answers means the same at the gateway as where a release is certified."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from torv.ecosystem.gateway.demands import LARGE, AnswerChecks
from torv.ecosystem.gateway.errors import ModuleAnswerInvalid
from torv.ecosystem.gateway.models import ModuleAnswer
from torv.ecosystem.modules import Demanded
from torv.ecosystem.requirements.rules import schemas_of_answers
from torv_sdk.certifying.demands import complaint_of, parts_at

names = st.sampled_from(["notes", "a", "*", "a/b", "~", "0"])
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "x", "2026-01-01"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=12,
)  # fmt: skip
places = st.lists(names.map(lambda each: each.replace("~", "~0").replace("/", "~1")), max_size=3)
schemas = st.sampled_from([{}, {"type": "string"}, {"type": "string", "format": "date"}, {"type": "object"}])


def demanded(*fields: dict[str, Any]) -> list[Demanded]:
    found = schemas_of_answers({"fields": list(fields)})["list_notes"]
    return [Demanded(requirement_set=json.dumps(fields), fields=tuple(found), kept_by=frozenset[UUID]())]


def field(name: str = "author", at: str = "/notes/*", **more: Any) -> dict[str, Any]:
    return {"id": f"{name}_shown", "answer": "list_notes", "at": at, "name": name, **more}


def refusal(body: bytes, *fields: dict[str, Any], status: int = 200) -> str | None:
    """Why an answer is refused; None if it goes on."""
    answer = ModuleAnswer(status=status, content_type="application/json", body=body)
    try:
        asyncio.run(AnswerChecks().check(answer, "list_notes", demanded(*fields)))
    except ModuleAnswerInvalid as error:
        return str(error.facts["reason"])
    return None


def certifier_finds(value: Any, wanted: dict[str, Any]) -> bool:
    """Whether the certifier, which walks to each place by itself, would pass what stands there."""
    return all(
        isinstance(part, dict)
        and wanted["name"] in part
        and complaint_of(wanted["schema"], part[wanted["name"]]) is None
        for part in parts_at(value, wanted["at"])
    )


@given(value=values, place=places, name=names, schema=schemas)
@settings(max_examples=300, deadline=None)
def test_the_gateway_asks_for_what_the_certifier_asks_for(
    value: Any, place: list[str], name: str, schema: dict[str, Any]
) -> None:
    wanted = field(name, "".join(f"/{each}" for each in place), schema=schema)
    assert (refusal(json.dumps(value).encode(), wanted) is None) == certifier_finds(value, wanted)


def test_the_demand_that_is_not_met_is_named_and_what_stood_there_is_not() -> None:
    body = json.dumps({"notes": [{"author": "Kirsten"}, {"author": "Kirsten", "seen": "0101701234"}]}).encode()
    found = refusal(body, field(), field("seen", schema={"type": "boolean"}))
    assert found is not None
    assert found.startswith("it does not meet the demand seen_shown of requirement set ")
    assert "0101701234" not in found


@pytest.mark.parametrize(
    ("body", "status", "is_refused"),
    [
        (b'{"notes": []}', 200, False),
        (b'{"notes": [{}]}', 200, True),
        (b'{"notes": [{}]}', 404, False),  # a refusal is not what the set speaks of
        (b'{"notes": [{"author": "a"}], "notes": [{}]}', 200, True),  # what it says depends on who reads it
        (b'{"notes": [{"author": 1}]', 200, True),
        (b"", 204, False),
        (json.dumps({"notes": [{"author": "a" * LARGE}, {}]}).encode(), 200, True),
    ],
)
def test_only_successful_answers_are_looked_at_and_those_in_every_form(
    body: bytes, status: int, is_refused: bool
) -> None:
    assert (refusal(body, field(), status=status) is not None) is is_refused
