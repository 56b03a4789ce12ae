"""Danish words for suggestions: which ones tell something, what their forms share, and what everyday words mean."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from torv.base.text import search_key

_words: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("danish.yaml").read_text(encoding="utf-8"))
_silent = frozenset(search_key(_words["silent"]).split())
_ENDINGS = re.compile(
    "(?<=...)(erendes|erende|hedens|erede|heden|heder|endes|ernes|erens|erets|ered|ende|erne|eren|erer|heds|enes|eres|eret"
    "|hed|ene|ere|ens|ers|ets|en|er|es|et|e|s|t)$"
)
_DERIVED = re.compile("(?<=...)(els|ning|ing)$")


def stems(text: str) -> dict[str, str]:
    """The telling words of a text: stem -> the word as it stands. A stem is what the forms of a word share."""
    return {stem: word for word in re.findall(r"\w+", text.lower()) for stem in _stems_of(word)}


def single(stem: str) -> str:
    """The stem without a doubled last letter: `bygge` and `bygning` meet in `byg`."""
    return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] else stem


@lru_cache(50_000)
def _stems_of(word: str) -> tuple[str, ...]:
    return tuple(_stem(each) for each in search_key(word).split() if len(each) > 1 and each not in _silent)


def _stem(word: str) -> str:
    bare = _bare(word)
    return _irregular.get(bare, bare)


def _bare(word: str) -> str:
    return _DERIVED.sub("", _ENDINGS.sub("", word, count=1), count=1)


_irregular = {_bare(search_key(form)): _bare(search_key(plain)) for form, plain in _words["irregular"].items()}
#: stems of citizens' words -> stems of the administration's
EVERYDAY = tuple(
    (frozenset(stems(each)), frozenset(stem for phrase in phrases.split(",") for stem in stems(phrase)))
    for words, phrases in _words["everyday"].items()
    for each in words.split(",")
)
