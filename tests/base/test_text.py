"""Keys of Danish text: what sorts after what, what is written alike, what is heard alike, and what is a slip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torv.base.text import is_near, search_key, sort_key, sound_key

WORD = st.text("abcde", max_size=6)


def test_the_alphabet_ends_in_ae_oe_aa() -> None:
    names = ["Aabenraa", "Ærø", "Østrup", "Zachariassen", "Éclair", "andersen", "Müller", "Myrup", "Ågård"]
    assert sorted(names, key=sort_key) == [
        "andersen", "Éclair", "Müller", "Myrup", "Zachariassen", "Ærø", "Østrup", "Aabenraa", "Ågård",
    ]  # fmt: skip


@given(st.text(max_size=40))
def test_keys_are_plain_words_with_one_blank_between(text: str) -> None:
    for key in (sort_key(text), search_key(text)):
        assert key.isascii()
        assert key == " ".join(key.split())


@pytest.mark.parametrize(
    ("one", "other"),
    [("Birthe", "Birte"), ("Schmidt", "Smidt"), ("Kjær", "Kær"), ("Cecilie", "Sesilie"), ("Wagner", "Vagner"),
     ("Krogh", "Krog"), ("Alexander", "Aleksander"), ("Mette", "Mete"), ("Sørensen", "Sørnsen")],
)  # fmt: skip
def test_what_is_said_in_one_way_is_heard_alike(one: str, other: str) -> None:
    assert sound_key(search_key(one)) == sound_key(search_key(other))


@pytest.mark.parametrize(("one", "other"), [("lars", "lis"), ("jensen", "johansen"), ("bo", "bea"), ("anne", "ine")])
def test_other_names_are_heard_as_others(one: str, other: str) -> None:
    assert sound_key(one) != sound_key(other)


@pytest.mark.parametrize(
    ("one", "other", "is_slip"),
    [("holm", "hlom", True), ("holm", "holme", True), ("ida", "ada", False), ("hansen", "jenson", False),
     ("christensen", "chirstensn", True), ("christensen", "kristnsn", False)],
)  # fmt: skip
def test_a_slip_is_one_letter_or_two_in_a_long_word(one: str, other: str, is_slip: bool) -> None:
    assert is_near(one, other) is is_near(other, one) is is_slip


@given(WORD, WORD)
def test_one_slip_is_what_one_change_makes(one: str, other: str) -> None:
    """The oracle makes every word that is one change away."""
    cuts = [(one[:place], one[place:]) for place in range(len(one) + 1)]
    changed = {one}
    changed |= {head + tail[1:] for head, tail in cuts}
    changed |= {head + each + tail for head, tail in cuts for each in "abcde"}
    changed |= {head + each + tail[1:] for head, tail in cuts for each in "abcde" if tail}
    changed |= {head + tail[1] + tail[0] + tail[2:] for head, tail in cuts if len(tail) > 1}
    longest = max(len(one), len(other))
    assert is_near(one, other) == (one == other if longest < 4 else other in changed)
