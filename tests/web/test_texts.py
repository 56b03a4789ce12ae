"""The texts of the pages: Danish in the templates, and an English one for each."""

import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

import torv.web
from torv.ecosystem.moves import MoveState, Reason
from torv.web.rendering import ENVIRONMENTS, initials, translations

WEB = Path(torv.web.__file__).parent


def texts_of_templates() -> set[str]:
    found = set()
    for template in (WEB / "templates").glob("*.html"):
        with template.open("rb") as file:
            for _, text, _, _ in extract("jinja2.ext:babel_extract", file):
                found.add(danish_of(text))
    return found


def english() -> dict[str, list[str]]:
    """Danish text -> its English ones: two where the number counts."""
    with (WEB / "locale" / "en.po").open("rb") as file:
        catalogue = read_po(file)
    return {danish_of(each.id): in_list(each.string) for each in catalogue if each.id}


def danish_of(text: str | list[str] | tuple[str, ...]) -> str:
    return text if isinstance(text, str) else text[0]


def in_list(text: str | list[str] | tuple[str, ...] | None) -> list[str]:
    return [text] if isinstance(text, str) else list(text or ())


def test_every_danish_text_has_an_english_one_and_none_is_left_over() -> None:
    assert texts_of_templates() == set(english())


def test_an_english_text_names_the_same_values_as_the_danish_one() -> None:
    for danish, texts in english().items():
        assert all(texts), danish
        for text in texts:
            assert sorted(re.findall(r"%\(\w+\)s", text)) == sorted(re.findall(r"%\(\w+\)s", danish)), danish


def test_a_text_is_danish_until_english_is_asked_for() -> None:
    assert translations("da").gettext("Adgangskode") == "Adgangskode"
    assert translations("en").gettext("Adgangskode") == "Password"
    assert translations("en").ngettext("%(num)s ydelse", "%(num)s ydelser", 2) == "%(num)s capabilities"


def test_a_name_is_shortened_to_two_letters() -> None:
    assert [initials(name) for name in ("Anna Holm", "Nordlys Omsorg ApS", "Kviknote", "")] == ["AH", "NO", "KV", ""]


@pytest.mark.parametrize("language", ["da", "en"])
def test_whatever_a_move_can_say_has_words(language: str) -> None:
    words: Any = ENVIRONMENTS[language].get_template("words.html").module
    assert set(words.state) == set(MoveState)
    assert set(words.reason) == set(Reason)
    assert len(set(words.reason.values())) == len(Reason)
