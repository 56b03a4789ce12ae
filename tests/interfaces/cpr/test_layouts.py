"""Our layouts say the same as the register's own, as CPR Broker's Definitions.xml has them, over the test persons."""

import xml.etree.ElementTree as ET
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from torv.interfaces.cpr.layouts import countries, layouts
from torv.interfaces.cpr.lines import USED, take_apart

Defined = dict[str, dict[int, tuple[int, str | None]]]  #: record -> position -> length, format of a date

#: where Definitions.xml itself falls short: 020's last field has the place of the record type, 021 has no fields
GAPS = {("020", "to_on"), ("021", "cpr")}
DATE_FORMATS = {"date": "yyyy-MM-dd", "minute": "yyyyMMddHHmm"}


@pytest.fixture(scope="module")
def defined(public_data: Path) -> Defined:
    """The layouts as an independent reading of Definitions.xml gives them."""
    tree = ET.parse(public_data / "Definitions.xml")
    found: Defined = {}
    for each in tree.iter("{http://itst.dk/CPRDirect}Object"):
        record = each.get("recordTypeCode") or (each.get("danishName") or "")[-3:]
        if record.isdigit():
            fields = each.iter("{http://itst.dk/CPRDirect}Attribute")
            found[record] = {int(at(f, "position")): (int(at(f, "length")), f.get("dateFormat")) for f in fields}
            found[record][0] = int(at(each, "length")), None
    base = next(each for each in tree.iter("{http://itst.dk/CPRDirect}Object") if each.get("name", "")[0] == "_")
    shared = {int(at(f, "position")): (int(at(f, "length")), f.get("dateFormat")) for f in base if f.get("position")}
    for record in ("031", "032", "033"):
        found[record] = shared | found[record]
    return found


def at(element: ET.Element, name: str) -> str:
    return element.attrib[name]


def lines_of(extract: Path) -> list[str]:
    return extract.read_text(encoding="iso-8859-1").splitlines()


@pytest.mark.parametrize("record", sorted(layouts()))
def test_a_layout_is_the_registers_own(record: str, defined: Defined) -> None:
    layout, theirs = layouts()[record], defined[record]
    assert layout.length == theirs[0][0]
    for field in layout.fields.values():
        if (record, field.name) not in GAPS:
            assert theirs[field.position][0] == field.length, field.name
            assert field.format not in DATE_FORMATS or theirs[field.position][1] == DATE_FORMATS[field.format], (
                field.name
            )


def test_every_field_we_use_is_what_an_independent_reading_finds(test_extract: Path, defined: Defined) -> None:
    compared: Counter[str] = Counter()
    for line in lines_of(test_extract):
        record = line[:3]
        for taken in take_apart([line]).get(record, ()):
            for name, value in taken._asdict().items():
                position = layouts()[record].fields[name].position
                length, _ = defined[record][position]
                assert value == line[position - 1 : position - 1 + length], (record, name)
                compared[record] += 1
    assert set(compared) == USED
    assert compared["001"] == 80 * 6


def test_what_is_read_can_be_written_back_byte_for_byte(test_extract: Path) -> None:
    whole = {record for record, layout in layouts().items() if is_whole(record) and layout.fields}
    assert whole >= USED
    written = [line for line in lines_of(test_extract) if line[:3] in whole]
    assert [layouts()[line[:3]].write(**layouts()[line[:3]].read(line)) for line in written] == [
        line.rstrip() for line in written
    ]
    assert {line[:3] for line in lines_of(test_extract)} - whole == {"021", "099"}  # not defined to their end


def is_whole(record: str) -> bool:
    layout = layouts()[record]
    return 3 + sum(field.length for field in layout.fields.values()) == layout.length


def test_no_field_overlaps_another() -> None:
    for layout in layouts().values():
        places = sorted((field.place.start, field.place.stop) for field in layout.fields.values())
        assert all(one[1] <= other[0] for one, other in pairwise(places)), layout.record
        assert places[0][0] >= 3
        assert places[-1][1] <= layout.length


def test_a_value_that_does_not_fit_is_not_written() -> None:
    with pytest.raises(ValueError, match="takes 1 characters"):
        layouts()["001"].write(sex="MK")


def test_countries_have_names() -> None:
    assert countries()["5120"] == "Sverige"
    assert all(len(code) == 4 and name for code, name in countries().items())
