"""Signatures and strict JSON: one reading only, keys that are their owner's alone, and signatures that hold."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey

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
        signing.strict_json(text)
    except InvalidInput:
        return
    json.loads(text)  # what we take, everybody takes


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


def test_keys_are_made_once_and_their_owners_alone(tmp_path: Path) -> None:
    made: list[signing.Keys] = []
    racers = [threading.Thread(target=lambda: made.append(signing.load_keys(tmp_path / "keys"))) for _ in range(6)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert len({(each.signing.thumbprint(), each.tokens.thumbprint()) for each in made}) == 1
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()}
    assert modes == {"signing.pem": 0o600, "tokens.pem": 0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0


def test_ids_are_of_version_seven_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(2_000)]
    assert len(set(ids)) == 2_000
    assert all((each.version, each.variant) == (7, "specified in RFC 4122") for each in ids)
    assert [each.int >> 80 for each in ids] == sorted(each.int >> 80 for each in ids)


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(_depth, inner), default=0)
