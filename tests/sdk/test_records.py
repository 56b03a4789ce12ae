"""Digests, buckets and times: what two suppliers must compute alike."""

import json
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torv_sdk import Record, bucket, bucket_digest, digest, instant
from torv_sdk.canonical import canonical, parse
from torv_sdk.records import parse_buckets

ALICE = UUID("0198c0de-0000-7000-8000-00000000a11c")
NOTE = Record(
    id=UUID("0198c0de-0000-7000-8000-0000000000b2"),
    type="note",
    version=3,
    person_id=ALICE,
    body={"text": "Æblegrød", "a": 1.0},
    at="2026-03-01T09:30:00.000000Z",
)


def changed(**fields):
    return Record(**{name: getattr(NOTE, name) for name in NOTE.__slots__} | fields)


def test_a_digest_is_made_of_id_version_person_and_canonical_body():
    text = f'{{"body":{{"a":1,"text":"Æblegrød"}},"person_id":"{ALICE}"}}'
    assert digest(NOTE) == sha256(NOTE.id.bytes + bytes(7) + b"\x03" + text.encode()).digest()


def test_a_record_about_nobody_has_null_for_the_person():
    expected = b'{"body":{},"person_id":null}'
    assert digest(changed(person_id=None, body={})) == sha256(NOTE.id.bytes + bytes(7) + b"\x03" + expected).digest()


@pytest.mark.parametrize("field", [{"version": 4}, {"person_id": None}, {"body": {}}, {"id": ALICE}])
def test_a_digest_tells_every_change(field):
    assert digest(changed(**field)) != digest(NOTE)


def test_a_bucket_digest_does_not_depend_on_the_order():
    records = [changed(version=version) for version in range(1, 9)]
    assert bucket_digest(records) == bucket_digest(records[::-1]) != bucket_digest(records[1:])
    assert bucket_digest([]) == 0
    assert 0 < bucket_digest(records * 50) < 2**256


@given(st.uuids())
def test_a_bucket_is_the_first_twelve_bits_of_the_hash_of_the_id(record_id):
    assert bucket(record_id) == int(sha256(record_id.bytes).hexdigest()[:3], 16)


@pytest.mark.parametrize(
    ("text", "buckets"),
    [("17", {17}), ("0-3", {0, 1, 2, 3}), ("3,9,4094-4095", {3, 9, 4094, 4095}), ("5,5-6", {5, 6})],
)
def test_buckets_are_numbers_and_ranges(text, buckets):
    assert parse_buckets(text) == buckets


@pytest.mark.parametrize(
    "text", ["", ",", "1,", "-1", "1-", "4096", "5-3", "0-99999999999", "a", "1-2-3", " 1", "²", "١"]
)
def test_anything_else_is_no_bucket(text):
    with pytest.raises(ValueError, match="bucket"):
        parse_buckets(text)


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 29)), st.integers(-1439, 1439))
def test_an_instant_has_one_form_whatever_the_time_zone(moment, minutes):
    local = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    expected = moment.isoformat(timespec="microseconds") + "Z"
    assert instant(local.isoformat()) == instant(expected) == expected


@given(*[st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31))] * 2)
def test_instants_sort_as_text(one, other):
    first, second = str(instant(one.isoformat())), str(instant(other.isoformat()))
    assert (first < second) == (one < other)


@pytest.mark.parametrize(
    "value",
    [None, 5, "", "2026-03-01", "2026-03-01T10:00:00", "20260301T100000Z", "2026-02-30T10:00:00Z",
     "2026-03-01T23:59:60Z", "2026-03-01 10:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
     "2026-03-01T10:00:00Z\n"],
)  # fmt: skip
def test_what_is_not_a_time_has_no_form(value):
    assert instant(value) is None


def test_more_digits_than_microseconds_are_cut_off():
    assert instant("2026-03-01t10:00:00.1234567899z") == "2026-03-01T10:00:00.123456Z"


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":2}', '[{"b":{"a":1,"a":1}}]', '{"a":1,"\\u0061":2}', "NaN", "[Infinity]", "9007199254740993",
     '"\\ud800"', "[" * 100_000, "", "{", b"\xff", b"\xef\xbb\xbf{}", '{"a":1}'.encode("utf-16")],
)  # fmt: skip
def test_json_that_two_readers_could_read_differently_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 the message is the JSON reader's own
        parse(text)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(), lambda inner:
       st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10))  # fmt: skip
def test_strict_reading_changes_nothing(value):
    assert parse(json.dumps(value)) == value
    assert parse(canonical(value)) == value


def test_a_record_from_the_wire_must_be_a_record():
    wire = {"id": str(ALICE), "type": "note", "version": 1, "person_id": None, "body": {}, "at": "2026-03-01T10:00:00Z"}
    assert Record.from_wire(wire).at == "2026-03-01T10:00:00.000000Z"
    for name, broken in (("id", "x"), ("body", []), ("at", "today"), ("person_id", "x"), ("version", "x")):
        with pytest.raises(ValueError):  # noqa: PT011
            Record.from_wire({**wire, name: broken})
