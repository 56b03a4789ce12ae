"""Signatures and strict JSON: one reading only, keys that are their owner's alone, and signatures that hold."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey

from tests.forging import forge
from torv.base import signing
from torv.base.errors import InvalidInput, SignatureInvalid
from torv.base.ids import new_id

KEY = ECKey.generate_key("P-256")
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_what_json_can_say_is_read_as_it_was_said(value: Any) -> None:
    if _depth(value) <= signing.DEPTH:
        assert signing.strict_json(json.dumps(value)) == value
        assert signing.strict_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_nonsense_is_refused_and_breaks_nothing(text: bytes | str) -> None:
    try:
        taken = signing.strict_json(text)
    except InvalidInput:
        return
    assert taken == json.loads(text)  # what we take, everybody takes, and reads the same


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 1}', '{"a": {"b": 1, "b": 2}}', '[{"a": 1, "\\u0061": 2}]', "NaN", "[Infinity]", '["\\udc00"]',
     '{"\\ud83d": 1}', "[" * 33 + "]" * 33, "[" * 99_999, "", "{", "'a'", "[1,]", "\ufeff[]"],
)  # fmt: skip
def test_what_two_programs_read_differently_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        signing.strict_json(text)


def test_a_whole_character_may_be_written_in_halves() -> None:
    assert signing.strict_json('"\\ud83d\\ude00"') == "😀"


@given(st.dictionaries(texts, st.integers(0, 99), max_size=4))
def test_a_signature_holds_for_its_content_and_its_key(payload: dict[str, int]) -> None:
    compact = signing.sign(payload, KEY)
    assert signing.verify(compact, KEY) == payload
    with pytest.raises(SignatureInvalid):
        signing.verify(compact, ECKey.generate_key("P-256"))
    head, body, mark = compact.split(".")
    for forged in (f"{head}.{body}x.{mark}", f"{head}.{body}.", f"{head}.{body}", ""):
        with pytest.raises(SignatureInvalid):
            signing.verify(forged, KEY)


@pytest.mark.parametrize(("curve", "other"), [("P-256", "P-384"), ("P-384", "P-256")])
def test_a_key_signs_with_the_one_algorithm_of_its_curve(curve: str, other: str) -> None:
    key = ECKey.generate_key(curve)
    compact = signing.sign({"a": 1}, key)
    assert signing.verify(compact, key) == {"a": 1}
    assert jws.extract_compact(compact.encode()).headers()["alg"] == {"P-256": "ES256", "P-384": "ES384"}[curve]
    with pytest.raises(SignatureInvalid):
        signing.verify(compact, ECKey.generate_key(other))


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "ES256", "crit": ["exp"], "exp": 1},
        {"alg": "ES256", "crit": []},
        {"alg": "ES256", "b64": False, "crit": ["b64"]},
        {"alg": "ES384"},
        {"alg": ["ES256"]},
        {},
        '{"alg": "ES256", "alg": "ES256"}',
        '{"alg": "none", "alg": "ES256"}',
        "[]",
        "",
        b"\xff",
    ],
    ids=str,
)
def test_a_header_that_asks_for_more_or_reads_in_two_ways_is_refused(header: Any) -> None:
    assert signing.verify(forge({"alg": "ES256", "kid": "any"}, {}, KEY), KEY) == {}
    with pytest.raises(SignatureInvalid):
        signing.verify(forge(header, {}, KEY), KEY)


def test_ids_are_of_version_seven_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(2_000)]
    assert len(set(ids)) == 2_000
    assert all((each.version, each.variant) == (7, "specified in RFC 4122") for each in ids)
    assert [each.int >> 80 for each in ids] == sorted(each.int >> 80 for each in ids)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)
