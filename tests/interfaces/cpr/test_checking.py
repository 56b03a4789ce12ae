"""A file that is not whole and right is refused, with the line and the reason, and nothing of its content."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.interfaces.cpr.conftest import WriteFile
from torv.interfaces.cpr import CprFileInvalid, write_extract
from torv.interfaces.cpr.checking import check_file
from torv.interfaces.cpr.layouts import ENCODING, layouts
from torv.interfaces.cpr.models import Extract

CPR = "0205761235"


def line(record: str = "001", **values: str) -> str:
    status = {"status": "01"} if record == "001" else {}
    return layouts()[record].write(**{"cpr": CPR, **status, **values})


def check(path: Path, parts: int | None = None) -> Extract:
    return check_file(path, lambda *_: None, parts)


def refusal(path: Path) -> CprFileInvalid:
    with pytest.raises(CprFileInvalid) as raised:
        check(path)
    return raised.value


def test_the_test_extract_is_right(test_extract: Path) -> None:
    extract = check(test_extract)
    assert (extract.persons, extract.records, extract.task, extract.is_fixed) == (80, 1098, "110901", False)
    assert extract.counts["099"] == 116


def test_the_variant_without_line_breaks_is_right_too(test_extract: Path) -> None:
    extract = check(test_extract.with_stem(f"{test_extract.stem}_FixedLength"))
    assert (extract.persons, extract.records, extract.is_fixed) == (80, 1098, True)


@pytest.mark.parametrize(
    ("flawed", "reason", "danish"),
    [
        (line("004", kind="0001", from_on="2026-02-30"), "no such date", "ingen sådan dato"),
        (line("002", moved_in_at="202613011200"), "no such date", "ingen sådan dato"),
        (line("002", moved_in_at="202611012561"), "no such date", "ingen sådan dato"),
        (line("004", kind="00x1"), "must be digits", "skal være cifre"),
        (line("004", cpr="020576123²"), "not a CPR number", "ikke et personnummer"),
        (line("012", spouse_cpr="3102761235"), "not a CPR number", "ikke et personnummer"),
        (line("001", status="é1"), "status code is not known", "statuskoden kendes ikke"),
        (line("001", status="77"), "status code is not known", "statuskoden kendes ikke"),
        (line("001"), "the record twice", "recorden to gange"),
        (line("004") + " " * 40, "longer than the record", "længere end recorden"),
        ("0040205", "too short", "for kort"),
        ("Kære modtager", "does not begin with the three digits", "begynder ikke med en records tre cifre"),
        (line("008", given="Ã¸rnulf"), "not ISO-8859-1", "ikke tekst i ISO-8859-1"),
        (line("008", given="Asta\x85Bæk"), "not ISO-8859-1", "ikke tekst i ISO-8859-1"),
    ],
)  # fmt: skip
def test_a_flawed_line_is_refused(flawed: str, reason: str, danish: str, write_file: WriteFile) -> None:
    error = refusal(write_file(line(), flawed))
    assert error.facts["line"] == 3
    assert "Line 3" in error.message("en")
    assert reason in error.message("en")
    assert "Linje 3" in error.message("da")
    assert danish in error.message("da")
    assert "0205" not in error.message("da") + error.message("en") + str(error.facts)


def test_the_field_is_named_with_its_position(write_file: WriteFile) -> None:
    error = refusal(write_file(line(), line("004", kind="0001", from_on="2026-02-30")))
    assert "record 004, field from_on (position 18)" in error.message("en")
    assert "record 004, felt from_on (position 18)" in error.message("da")
    assert (error.facts["record"], error.facts["field"]) == ("004", "from_on")


def test_a_truncated_file_is_refused_wherever_it_was_cut(write_file: WriteFile) -> None:
    whole = write_file(line(), line("008", given="Asta", family="Bæk")).read_bytes()
    last = whole.rindex(b"00000002")
    for length in range(len(whole)):
        cut = write_file()
        cut.write_bytes(whole[:length])
        if length < last + 8:
            assert refusal(cut).facts["line"] <= 4
        else:
            assert check(cut).persons == 1


def test_a_wrong_counter_is_refused(write_file: WriteFile) -> None:
    path = write_file(line())
    path.write_bytes(path.read_bytes().replace(b"00000001", b"00000002"))
    assert refusal(path).facts["line"] == 3
    assert "counter" in refusal(path).message("en")


def test_nothing_may_follow_the_end(write_file: WriteFile) -> None:
    path = write_file(line())
    path.write_bytes(path.read_bytes() + line().encode())
    assert "follows record 999" in refusal(path).message("en")


@pytest.mark.parametrize("content", [b"", b"\n", b"001" + b"0" * 100, b"\xef\xbb\xbf000", b"\x00" * 50, "æøå".encode()])
def test_what_is_not_an_extract_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_bytes(content)
    assert refusal(path).facts["line"] == 1


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, write_file: WriteFile) -> None:
    path = write_file()
    path.write_bytes(path.read_bytes()[:37] + b"0" * 10_000_000)
    assert "longer than the record" in refusal(path).message("en")


def test_a_person_without_record_001_is_refused_at_the_line(write_file: WriteFile) -> None:
    error = refusal(write_file(line(), line("008", cpr="0305761236", given="Asta")))
    assert error.facts["line"] == 3
    assert "no record 001" in error.message("en")


def test_a_person_may_not_come_twice_even_far_apart(write_file: WriteFile) -> None:
    error = refusal(write_file(line(), line(cpr="0305761236"), line()))
    assert "twice" in error.message("en")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_may_end_as_on_any_system(end: str, write_file: WriteFile) -> None:
    assert check(write_file(line(), end=end)).persons == 1


def test_dates_may_be_partly_unknown(write_file: WriteFile) -> None:
    names = line("026", given="Asta", named_at="194100001299", ended_at="196100009999")
    assert check(write_file(line(born_on="1941-00-00"), names, line("002", moved_in_at="0" * 12))).persons == 1


def test_a_replacement_number_is_a_number(write_file: WriteFile) -> None:
    assert check(write_file(line(cpr="6205761235"))).persons == 1
    assert "CPR" in refusal(write_file(line(cpr="9205761235"))).message("en")


def test_persons_meet_in_one_part_in_whatever_order_their_lines_come(tmp_path: Path) -> None:
    path = tmp_path / "extract.txt"
    write_extract(path, persons=40, seed=3)
    first, *between, last = path.read_text(encoding=ENCODING).splitlines()
    random.Random(1).shuffle(between)
    path.write_text("\r\n".join([first, *between, last]), encoding=ENCODING, newline="")
    extract = check(path, 7)
    homes = [{cpr >> 1 for cpr in part[0::3]} for part in extract.stretches]
    assert sum(map(len, homes)) == len(set().union(*homes)) == 40


@settings(deadline=None)
@given(position=st.integers(0, 4_999), byte=st.integers(0, 255))
def test_any_other_byte_is_taken_or_refused_but_never_breaks_us(
    position: int, byte: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cpr") / "extract.txt"
    write_extract(path, persons=6, seed=5)
    content = bytearray(path.read_bytes())
    content[position % len(content)] = byte
    path.write_bytes(content)
    try:
        check(path)
    except CprFileInvalid as error:
        refused_at = error.facts["line"]
    else:
        refused_at = 1
    assert refused_at >= 1
