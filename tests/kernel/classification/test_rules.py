"""What an edition changes, asked without a database."""

from dataclasses import replace
from datetime import date

import pytest

from torv.base.errors import EditionRefused
from torv.kernel.classification import ChangeKind, CodeList, EntryChange, Keyword, NewEdition, NewEntry
from torv.kernel.classification.rules import Changed, check_edition, check_endings, compare

MAY = date(2026, 5, 1)
CARE = NewEntry(code="27", level="main_group", title="Social service", keywords=())
GROUP = NewEntry(code="27.36", level="group", title="Personlig hjælp", parent="27", keywords=())
HELP = NewEntry(code="27.36.04", level="subject", title="Personlig og praktisk hjælp", parent="27.36", keywords=())
FACET = NewEntry(code="G01", level="facet", title="Generelle sager", parent="G", keywords=())
LEVELS = frozenset({"main_group", "group", "subject"})


def edition(*entries: NewEntry, published: date = MAY, levels: frozenset[str] = LEVELS) -> NewEdition:
    return NewEdition(code_list=CodeList.KLE, published=published, source="test", levels=levels, entries=entries)


def known(*entries: NewEntry) -> dict[str, NewEntry]:
    return {each.code: each for each in entries}


def only(changed: list[Changed]) -> tuple[NewEntry, EntryChange]:
    assert len(changed) == 1
    return changed[0]


def test_the_same_again_changes_nothing() -> None:
    assert compare(known(CARE, GROUP, HELP), edition(CARE, GROUP, HELP)) == []


def test_a_new_code_is_added() -> None:
    entry, change = only(compare(known(CARE), edition(CARE, GROUP)))
    assert (entry, change.kind) == (GROUP, ChangeKind.ADDED)


def test_a_new_title_is_told_with_the_former_one() -> None:
    entry, change = only(compare(known(HELP), edition(replace(HELP, title="Hjemmehjælp"))))
    assert entry.title == "Hjemmehjælp"
    assert (change.kind, change.former_title) == (ChangeKind.RETITLED, "Personlig og praktisk hjælp")


def test_a_code_left_out_ends_the_day_the_edition_was_published() -> None:
    entry, change = only(compare(known(CARE, HELP), edition(CARE)))
    assert (entry.valid_to, change.kind) == (MAY, ChangeKind.ENDED)


def test_a_code_that_has_ended_does_not_end_twice() -> None:
    assert compare(known(CARE, replace(HELP, valid_to=date(2020, 1, 1))), edition(CARE)) == []


def test_a_code_of_a_level_the_edition_does_not_cover_is_left_alone() -> None:
    assert compare(known(CARE, FACET), edition(CARE)) == []


def test_a_code_that_is_back_is_added_again() -> None:
    entry, change = only(compare(known(replace(HELP, valid_to=date(2020, 1, 1))), edition(HELP)))
    assert (entry.valid_to, change.kind) == (None, ChangeKind.ADDED)


def test_an_end_that_was_announced_stays_announced() -> None:
    assert compare(known(replace(HELP, valid_to=date(2027, 1, 1))), edition(HELP)) == []


def test_a_derived_title_never_replaces_a_published_one() -> None:
    assert compare(known(GROUP), edition(replace(GROUP, title="Gættet", has_derived_title=True))) == []


def test_a_published_title_replaces_a_derived_one() -> None:
    entry, change = only(compare(known(replace(GROUP, title="Gættet", has_derived_title=True)), edition(GROUP)))
    assert (entry.title, entry.has_derived_title) == ("Personlig hjælp", False)
    assert change.kind is ChangeKind.RETITLED


def test_what_a_source_does_not_say_stays() -> None:
    full = replace(HELP, valid_from=date(1988, 1, 1), keywords=(Keyword(text="rengøring", weight=5),))
    assert compare(known(full), edition(replace(HELP, keywords=None))) == []


def test_new_keywords_are_an_update() -> None:
    after = replace(HELP, keywords=(Keyword(text="rengøring", weight=5),))
    entry, change = only(compare(known(HELP), edition(after)))
    assert (entry.keywords, change.kind) == (after.keywords, ChangeKind.UPDATED)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (edition(), "no codes"),
        (edition(CARE, CARE), "27 stands twice"),
        (edition(GROUP), "under 27, which is not known"),
        (edition(replace(CARE, title="")), "title of 27"),
        (edition(replace(CARE, title="x" * 501)), "title of 27"),
        (edition(replace(CARE, title="Social\x00service")), "title of 27"),
    ],
    ids=["empty", "twice", "orphan", "no title", "long title", "unprintable title"],
)
def test_an_unusable_edition_is_refused_in_words(bad: NewEdition, says: str) -> None:
    with pytest.raises(EditionRefused, match=says):
        check_edition({}, bad)


def test_a_parent_known_from_before_is_enough() -> None:
    check_edition(known(CARE), edition(GROUP))
    with pytest.raises(EditionRefused):
        check_edition({}, edition(GROUP))


def subjects(count: int) -> list[NewEntry]:
    return [replace(HELP, code=f"27.36.{number:02}") for number in range(count)]


@pytest.mark.parametrize(("missing", "is_refused"), [(1, False), (2, True)])
def test_an_edition_that_ends_more_than_a_tenth_is_refused(missing: int, is_refused: bool) -> None:
    before = known(*subjects(10))
    new = edition(*subjects(10 - missing))
    changed = compare(before, new)
    if is_refused:
        with pytest.raises(EditionRefused, match="2 of 10 codes would end"):
            check_endings(before, new, changed)
    else:
        check_endings(before, new, changed)
