"""Suggestions, measured on what citizens say, and asked for their reasons."""

from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.samples import sample
from torv.interfaces.kle import read_file
from torv.kernel.classification.danish import stems
from torv.kernel.classification.models import Keyword
from torv.kernel.classification.suggestions import Index, Searched, make_index, suggest

SENTENCES: dict[str, list[dict[str, Any]]] = yaml.safe_load(
    Path(__file__).with_name("sentences.yaml").read_text(encoding="utf-8")
)


@pytest.fixture
def kle() -> Index:
    return index_of(sample("kle/OS2KLE.txt"))


@cache
def index_of(path: Path) -> Index:
    entries = read_file(path, published=date(2026, 3, 10)).entries
    subjects = (each for each in entries if each.keywords)
    return index_over(*((each.code, each.title, each.keywords or ()) for each in subjects))


def index_over(*entries: tuple[str, str, tuple[Keyword, ...]]) -> Index:
    return make_index([Searched(code=code, title=title, keywords=keywords) for code, title, keywords in entries])


def hits(index: Index, sentences: list[dict[str, Any]], size: int) -> int:
    found = [{each.code for each in suggest(index, one["text"], size)} for one in sentences]
    return sum(bool(codes & set(one["accepted"])) for codes, one in zip(found, sentences, strict=True))


def test_the_sentences_are_forty_and_name_subjects_that_exist(kle: Index) -> None:
    codes = {each.code for each in kle.entries} | {"03.09.47"}
    assert len(SENTENCES["tuned"]) == 40
    assert [one["text"] for part in SENTENCES.values() for one in part if not set(one["accepted"]) & codes] == []


def test_for_eight_in_ten_of_forty_sentences_an_accepted_subject_is_among_three(kle: Index) -> None:
    assert hits(kle, SENTENCES["tuned"], 3) >= 32


def test_for_sentences_nobody_tuned_by_it_holds_for_seven_in_ten(kle: Index) -> None:
    assert hits(kle, SENTENCES["held_out"], 3) >= 0.7 * len(SENTENCES["held_out"])


def test_a_suggestion_says_which_words_point_at_it(kle: Index) -> None:
    best = suggest(kle, "Der er rotter i kloakken")[0]
    assert (best.code, best.title) == ("09.13.01", "Rottebekæmpelse")
    assert "rotter" in best.words


def test_suggestions_are_at_most_five_best_first(kle: Index) -> None:
    found = suggest(kle, "Min mor har brug for hjælp til rengøring i sin bolig")
    assert len(found) == 5
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


@pytest.mark.parametrize("text", ["og det er jeg", "xyzzyq", "!?", "1"])
def test_a_text_that_says_nothing_has_no_suggestions(kle: Index, text: str) -> None:
    assert suggest(kle, text) == []


def test_an_index_over_nothing_suggests_nothing() -> None:
    assert suggest(index_over(), "rotter i kloakken") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("huset", "husene"),
        ("begravelse", "begravelsen"),
        ("barn", "børnene"),
        ("betaling", "betale"),
        ("skolerne", "skole"),
        ("kørestol", "koerestole"),
        ("idé", "ide"),
    ],
)
def test_the_forms_of_a_word_share_a_stem(one: str, other: str) -> None:
    assert stems(one).keys() == stems(other).keys() != set()


@pytest.mark.parametrize("text", ["skoleskift", "jeg skifter skole", "vores barn skal have en ny skole"])
def test_a_compound_is_found_by_its_parts(text: str) -> None:
    index = index_over(("17.20.07", "Skoleskift", ()), ("07.00.00", "Affald", ()), ("02.00.00", "Byggeri", ()))
    assert [each.code for each in suggest(index, text)] == ["17.20.07"]


def test_a_keyword_counts_by_its_weight() -> None:
    weak, strong = (Keyword(text="støj", weight=weight) for weight in (5, 500))
    index = index_over(("1", "Det ene", (weak,)), ("2", "Det andet", (strong,)))
    assert [each.code for each in suggest(index, "støj")] == ["2", "1"]
