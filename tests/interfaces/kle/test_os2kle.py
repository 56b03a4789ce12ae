"""OS2KLE.txt: read whole, or refused with the line and the reason."""

import re
from datetime import date

import pytest

from tests.samples import sample
from torv.base.errors import KleFileInvalid
from torv.interfaces.kle import read_file
from torv.interfaces.kle.os2kle import parse_os2kle
from torv.kernel.classification import Keyword, NewEdition

DAY = date(2026, 3, 10)
CARE = "KLENummer='27.36.00':KLETitel='Personlig hjælp i almindelighed':Keywords[Weight]=hjælp[5];"
HELP = "KLENummer='27.36.04':KLETitel='Personlig og praktisk hjælp':Keywords[Weight]=rengøring[5];§ 83, stk. 1[20];"
BARE = "KLENummer='27.36.24':KLETitel='Madservice':Keywords[Weight]="


def parse(*lines: str, end: str = "\n") -> NewEdition:
    return parse_os2kle((end.join(lines) + end).encode(), published=DAY, source="OS2KLE.txt")


def test_a_line_is_a_subject_with_its_keywords() -> None:
    subject = {each.code: each for each in parse(CARE, HELP).entries}["27.36.04"]
    assert (subject.title, subject.level, subject.parent) == ("Personlig og praktisk hjælp", "subject", "27.36")
    assert subject.keywords == (Keyword(text="rengøring", weight=5), Keyword(text="§ 83, stk. 1", weight=20))


def test_groups_are_named_after_their_general_subject() -> None:
    groups = {each.code: each for each in parse(HELP, CARE).entries if each.level != "subject"}
    assert {code: (each.level, each.title) for code, each in groups.items()} == {
        "27": ("main_group", "Personlig hjælp"),
        "27.36": ("group", "Personlig hjælp"),
    }
    assert all(each.has_derived_title for each in groups.values())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_a_mark_at_the_start_and_either_line_end_are_fine(end: str) -> None:
    assert len(parse("\ufeff" + CARE, "", BARE, end=end).entries) == 4


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        ([], 1, "empty"),
        (["<html>404</html>"], 1, "not a number, a title and keywords"),
        ([CARE, HELP.replace("27.36.04", "27.36")], 2, "'27.36' is not a number"),
        ([CARE, CARE], 2, "27.36.00 stands twice"),
        ([CARE, "", HELP[:-1]], 3, "not a number, a title and keywords"),
        ([CARE, HELP[:40]], 2, "not a number, a title and keywords"),
        ([CARE, HELP.replace("[5]", "[five]")], 2, "not a number, a title and keywords"),
        ([CARE, BARE.replace("Madservice", " ")], 2, "the title is missing"),
        ([CARE, BARE.replace("Madservice", "Mad\x07")], 2, "the title is missing"),
    ],
)
def test_a_broken_file_is_refused_with_the_line_and_the_reason(lines: list[str], line: int, says: str) -> None:
    with pytest.raises(KleFileInvalid, match=re.escape(says)) as refused:
        parse(*lines)
    assert refused.value.facts["line"] == line
    assert f"Linje {line}: " in refused.value.message("da")


def test_a_file_in_another_encoding_is_refused_with_the_line() -> None:
    with pytest.raises(KleFileInvalid, match="Line 2: it is not UTF-8"):
        parse_os2kle(f"{BARE}\n{HELP}\n".encode("latin-1"), published=DAY, source="OS2KLE.txt")


def test_the_public_file_is_read_whole_and_agrees_with_a_second_reading() -> None:
    path = sample("kle/OS2KLE.txt")
    subjects = {each.code: each for each in read_file(path, published=DAY).entries if each.level == "subject"}
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(subjects) == len(lines) == 2390
    for line in lines:
        _, code, _, rest = line.split("'", 3)
        title, _, keywords = rest.rpartition("':Keywords[Weight]=")
        stated = [part.rpartition("[") for part in keywords.split(";") if part]
        read = [(each.text, str(each.weight)) for each in subjects[code].keywords or ()]
        assert subjects[code].title == " ".join(title.split())
        assert read == list(dict.fromkeys((text.strip(), weight.rstrip("]")) for text, _, weight in stated))


def test_the_public_file_has_37_main_groups_and_498_groups() -> None:
    entries = read_file(sample("kle/OS2KLE.txt"), published=DAY).entries
    assert [sum(each.level == level for each in entries) for level in ("main_group", "group")] == [37, 498]
    titles = {each.code: each.title for each in entries}
    assert (titles["85"], titles["09.13"]) == ("Kommunens administrative systemer", "Skadedyrsbekæmpelse")
