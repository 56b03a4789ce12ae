"""Suggestions: which entries a sentence in a citizen's own words is about. Pure; the index is made once an edition.

An entry is known by phrases: its title and its weighted keywords. A word of the sentence counts by how rare it is among
the entries and by how much of a phrase the sentence covers. Danish writes compounds as one word, so a word also counts,
for its share of the letters, where it begins or ends a longer one: `skole` and `skifte` in `skoleskift`.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from torv.kernel.classification.danish import EVERYDAY, single, stems
from torv.kernel.classification.models import Keyword, Suggestion

# The next three were found by trying a grid of values on the sentences of the tests.
TITLE = 3.0  #: what a title weighs, where an ordinary keyword weighs 1
PART = 0.8  #: what a whole compound counts when its parts are found
ENOUGH = 20.0  #: one word alone never says more than this for an entry
ORDINARY = 5  #: the weight that most keywords have
SHORTEST = 3  #: letters in the shortest part of a compound
WORDS = 60  #: words of a sentence that are looked at


@dataclass(frozen=True, kw_only=True, slots=True)
class Searched:
    """An entry as it is searched."""

    code: str
    title: str
    keywords: Sequence[Keyword]


@dataclass(frozen=True, slots=True)
class Phrase:
    place: int  #: of its entry
    weight: float
    mass: float  #: the rarity of its words, added up


@dataclass(frozen=True, kw_only=True, slots=True)
class Index:
    """What the entries of an edition are found by. A stem is what the forms of a word share."""

    entries: Sequence[Searched]
    phrases: Sequence[Phrase]
    postings: Mapping[str, Sequence[int]]  #: stem -> the phrases it stands in
    rarity: Mapping[str, float]  #: stem -> how much it tells
    singles: Mapping[str, Sequence[str]]  #: stem without a doubled last letter -> stems
    forward: Sequence[str]  #: the stems, sorted
    backward: Sequence[str]  #: the stems spelled backwards, sorted


def make_index(entries: Sequence[Searched]) -> Index:
    """The index over the titles and keywords of some entries."""
    phrases = [(place, weight, tuple(stems(text))) for place, weight, text in _texts(entries)]
    places: dict[str, set[int]] = defaultdict(set)
    postings: dict[str, list[int]] = defaultdict(list)
    for number, (place, _, found) in enumerate(phrases):
        for stem in found:
            places[stem].add(place)
            postings[stem].append(number)
    rarity = {stem: math.log(1 + (len(entries) - len(at) + 0.5) / (len(at) + 0.5)) for stem, at in places.items()}
    singles: dict[str, list[str]] = defaultdict(list)
    for stem in postings:
        singles[single(stem)].append(stem)
    return Index(
        entries=entries, postings=postings, rarity=rarity, singles=singles, forward=sorted(postings),
        phrases=[Phrase(place, weight, sum(rarity[stem] for stem in found)) for place, weight, found in phrases],
        backward=sorted(stem[::-1] for stem in postings),
    )  # fmt: skip


def _texts(entries: Sequence[Searched]) -> Iterator[tuple[int, float, str]]:
    for place, entry in enumerate(entries):
        yield place, TITLE, entry.title
        for keyword in entry.keywords:
            yield place, max(0.3, 1 + math.log10(max(keyword.weight, 1) / ORDINARY) / 2), keyword.text


def suggest(index: Index, text: str, size: int = 5) -> list[Suggestion]:
    """The entries a text is most likely about, best first, with the words that say so."""
    words = dict(list(stems(text).items())[:WORDS])
    hits = _hits(index, words)
    scores = _scores(index, hits)
    ranked = sorted(scores.items(), key=lambda each: (-sum(each[1].values()), index.entries[each[0]].code))[:size]
    return [
        Suggestion(
            code=index.entries[place].code, title=index.entries[place].title, score=round(sum(found.values()), 2),
            words=tuple(word for stem, word in words.items() if stem in found),
        )
        for place, found in ranked
    ]  # fmt: skip


def _hits(index: Index, words: Iterable[str]) -> dict[str, dict[str, float]]:
    """Stem of the index -> stem of the text -> how well it fits, by itself or by what it means."""
    said = {each: {each} for each in words}
    for everyday, meaning in EVERYDAY:
        if everyday <= said.keys():
            for one in everyday:
                said[one] |= meaning
    hits: dict[str, dict[str, float]] = defaultdict(dict)
    for one, meant in said.items():
        for sought in meant:
            for known, share in _alike(index, sought):
                hits[known][one] = max(hits[known].get(one, 0), share)
    return hits


def _alike(index: Index, sought: str) -> Iterator[tuple[str, float]]:
    """The stem itself, the compounds it begins or ends, and the stems that it begins or ends with."""
    for each in index.singles.get(single(sought), ()):
        yield each, 1.0 if each == sought else 0.9
    if len(sought) >= SHORTEST:
        for known in _beginning(index.forward, sought):
            yield known, PART * len(sought) / len(known)
        for known in _beginning(index.backward, sought[::-1]):
            yield known[::-1], PART * len(sought) / len(known)
    for size in range(SHORTEST, len(sought)):
        for part in (sought[:size], sought[-size:]):
            if part in index.postings:
                yield part, PART * size / len(sought)


def _beginning(stems: Sequence[str], start: str) -> Iterator[str]:
    for place in range(bisect_left(stems, start), len(stems)):
        if not stems[place].startswith(start):
            return
        if stems[place] != start:
            yield stems[place]


def _scores(index: Index, hits: Mapping[str, Mapping[str, float]]) -> dict[int, dict[str, float]]:
    """Place of an entry -> stem of the text -> what all phrases with it say for the entry."""
    covered: dict[int, float] = defaultdict(float)
    for known, ones in hits.items():
        for number in index.postings[known]:
            covered[number] += index.rarity[known] * min(1.0, sum(ones.values()))
    squares: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for known, ones in hits.items():
        for number in index.postings[known]:
            phrase = index.phrases[number]
            worth = phrase.weight * index.rarity[known] * covered[number] / phrase.mass
            for one, share in ones.items():
                squares[phrase.place][one] += (worth * share) ** 2
    return {place: {one: _bounded(math.sqrt(each)) for one, each in found.items()} for place, found in squares.items()}


def _bounded(score: float) -> float:
    return score * ENOUGH / (score + ENOUGH)
