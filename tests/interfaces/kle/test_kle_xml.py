"""KLE as XML: subjects, facets and lists; and what hostile or broken files come to."""

import re
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest

from tests.samples import sample
from torv.base.errors import KleFileInvalid
from torv.interfaces.kle import read_file
from torv.interfaces.kle.kle_xml import parse_xml
from torv.kernel.classification import NewEdition

DAY = date(2026, 3, 10)
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
PLAN = """<KLE-Emneplan>
<UdgivelsesDato>2025-05-01</UdgivelsesDato>
<Hovedgruppe><HovedgruppeNr>27</HovedgruppeNr><HovedgruppeTitel>Social service</HovedgruppeTitel>
<Gruppe><GruppeNr>27.36</GruppeNr><GruppeTitel>Personlig hjælp</GruppeTitel>
<Emne><EmneNr>27.36.04</EmneNr><EmneTitel>Personlig
  og praktisk hjælp</EmneTitel>
<EmneVejledning><VejledningTekst><p>Fx <b>hjælp</b></p></VejledningTekst></EmneVejledning>
<EmneAdministrativInfo><OprettetDato>1988-01-01</OprettetDato><Historisk><UdgaaetDato>2026-01-01</UdgaaetDato></Historisk>
</EmneAdministrativInfo>
<UUID>15b97b4f-08c6-42fc-9a37-3ec048d8d01b</UUID></Emne>
</Gruppe></Hovedgruppe></KLE-Emneplan>"""


def parse(text: str) -> NewEdition:
    return parse_xml((HEAD + text).encode(), published=DAY, source="kle.xml")


def test_a_plan_has_main_groups_groups_and_subjects() -> None:
    new = parse(PLAN)
    assert new.published == date(2025, 5, 1)
    assert new.levels == {"main_group", "group", "subject"}
    assert {each.code: (each.level, each.parent) for each in new.entries} == {
        "27": ("main_group", None),
        "27.36": ("group", "27"),
        "27.36.04": ("subject", "27.36"),
    }


def test_a_subject_has_its_title_validity_and_official_id_and_says_nothing_of_keywords() -> None:
    subject = {each.code: each for each in parse(PLAN).entries}["27.36.04"]
    assert subject.title == "Personlig og praktisk hjælp"
    assert (subject.valid_from, subject.valid_to) == (date(1988, 1, 1), date(2026, 1, 1))
    assert subject.official_id == UUID("15b97b4f-08c6-42fc-9a37-3ec048d8d01b")
    assert (subject.keywords, subject.has_derived_title) == (None, False)


def test_a_group_does_not_take_what_its_subjects_say() -> None:
    group = {each.code: each for each in parse(PLAN).entries}["27.36"]
    assert (group.title, group.valid_from, group.official_id) == ("Personlig hjælp", None, None)


def test_a_list_of_kle_rest_covers_its_own_level() -> None:
    new = parse(
        '<l:KLE-Emner xmlns:l="http://www.kle-online.dk/rest/resources/emne/liste"'
        ' xmlns="http://www.kle-online.dk/rest/resources/emneplan"><l:Emne ref="x"><EmneNr>27.36.04</EmneNr>'
        "<UUID>15b97b4f-08c6-42fc-9a37-3ec048d8d01b</UUID><EmneTitel>Hjælp</EmneTitel></l:Emne></l:KLE-Emner>"
    )
    assert (new.levels, new.published) == (frozenset({"subject"}), DAY)
    assert [(each.code, each.title, each.parent) for each in new.entries] == [("27.36.04", "Hjælp", "27.36")]


def test_the_public_sample_is_read() -> None:
    new = read_file(sample("kle/kle-rest-1.2-sample.xml"))
    text = sample("kle/kle-rest-1.2-sample.xml").read_text(encoding="utf-8-sig")
    for level, name in (("main_group", "Hovedgruppe"), ("group", "Gruppe"), ("subject", "Emne")):
        stated = re.findall(rf"<{name}Nr>(.*?)</{name}Nr>\s*<{name}Titel>(.*?)</{name}Titel>", text)
        assert sorted((each.code, each.title) for each in new.entries if each.level == level) == sorted(stated)
    assert sorted(re.findall("<UUID>(.*?)</UUID>", text)) == sorted(str(each.official_id) for each in new.entries)
    assert new.published == date(2019, 11, 1)


def test_the_public_facets_are_read() -> None:
    new = read_file(sample("kle/openesdh-test-kle-facetter.xml"))
    assert new.levels == {"facet_category", "facet"}
    assert [(each.code, each.title, each.parent) for each in new.entries] == [
        ("A00", "Organisering mv. i almindelighed", "A"),
        ("A", "Organisering mv.", None),
    ]


BOMB = '<!DOCTYPE x [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><KLE-Emneplan>&b;</KLE-Emneplan>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><KLE-Emneplan>&a;</KLE-Emneplan>'


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("<html/>", 2, "not a KLE list"),
        (BOMB, 2, "a document type is not allowed"),
        (OUTSIDE, 2, "a document type is not allowed"),
        ('<!DOCTYPE x SYSTEM "http://example.org/x.dtd"><KLE-Emneplan/>', 2, "a document type is not allowed"),
        ("<KLE-Emneplan>&undefined;</KLE-Emneplan>", 2, "not XML"),
        ("<KLE-Emneplan>" + "<p>" * 100, 2, "nested too deep"),
        (PLAN[:-40], 11, "not XML"),
        (PLAN.replace("27.36.04", "27.36.4"), 6, "'27.36.4' is not a number"),
        (PLAN.replace("<EmneNr>27.36.04</EmneNr>", ""), 6, "'' is not a number"),
        (PLAN.replace("<GruppeTitel>Personlig hjælp</GruppeTitel>", ""), 5, "the title is missing"),
        (PLAN.replace("1988-01-01", "1988-13-01"), 9, "'1988-13-01' is not a date"),
        (PLAN.replace("2025-05-01", "i dag"), 3, "'i dag' is not a date"),
        (PLAN.replace("15b97b4f", "hej"), 11, "is not a UUID"),
    ],
)
def test_a_hostile_or_broken_file_is_refused_with_the_line_and_the_reason(text: str, line: int, says: str) -> None:
    with pytest.raises(KleFileInvalid, match=re.escape(says)) as refused:
        parse(text)
    assert refused.value.facts["line"] == line


def test_a_code_that_stands_twice_is_refused_at_the_second() -> None:
    subject = PLAN[PLAN.index("<Emne>") : PLAN.index("</Emne>") + len("</Emne>")]
    with pytest.raises(KleFileInvalid, match=re.escape("Line 12: 27.36.04 stands twice")):
        parse(PLAN.replace(subject, f"{subject}\n{subject}"))


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kle.xml"
    path.write_bytes(b'<?xml version="1.0" encoding="klingon"?><KLE-Emneplan/>')
    with pytest.raises(KleFileInvalid, match="unknown encoding"):
        read_file(path)


def test_another_encoding_that_is_declared_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kle.xml"
    path.write_bytes(('<?xml version="1.0" encoding="ISO-8859-1"?>\n' + PLAN).encode("latin-1"))
    assert "Personlig hjælp" in {each.title for each in read_file(path).entries}
