"""The words of names and addresses: what people may have meant who spell one differently.

Persons are found by whole words or their beginnings. A word that is misspelt is first sought among all words there are,
which are few; so forgiving costs nearly nothing, however many persons there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from torv.base.db import Tx
from torv.base.sql import load
from torv.base.text import is_near, search_key, sound_key
from torv.kernel.persons.facts import KEY_LENGTH, Snapshot

sql = load(__file__)

NAME, ADDRESS = "name", "address"
MOST = 8  #: words of a search that count; names of more are found by the first of them
LIKE = 40  #: words that are looked at for each
PART = 3  #: letters that each part of a word has at least, where one word may be two

Word = tuple[str, str, bool]  #: kind, the word, whether somebody bears it who is not protected


@dataclass(frozen=True, kw_only=True, slots=True)
class Spelling:
    """A word there is, for one that was asked for."""

    asked: str
    word: str


def words_in(made: Snapshot) -> set[Word]:
    """The words by which a person is found; numbers are never misspelt into others, and are left out."""
    names = {(NAME, word, not made.hides_name) for word in made.name_search.split()}
    places = {(ADDRESS, word, not made.hides_address) for word in made.address_search.split() if word.isalpha()}
    return names | places


async def note_words(tx: Tx, words: Iterable[Word]) -> None:
    """Note that words are borne by somebody."""
    noted = list(words)
    if not noted:
        return
    await tx.run(
        sql.insert_words, kinds=[kind for kind, _, _ in noted], words=[word for _, word, _ in noted],
        sounds=[sound_key(word) for _, word, _ in noted], open=[is_open for _, _, is_open in noted],
    )  # fmt: skip


async def what_is_meant(tx: Tx, text: str | None, kind: str, *, sees_hidden: bool) -> str | None:
    """A search for all words of a text, as a `tsquery`; None for no words.

    Words that only protected persons bear are spelled for nobody but those who may see them.
    """
    asked = search_key((text or "")[:KEY_LENGTH]).split()[:MOST]
    if not asked:
        return None
    spelt = [word for word in asked if word.isalpha()]
    known: defaultdict[str, set[str]] = defaultdict(set)
    rows = await tx.all(
        Spelling, sql.spellings, kind=kind, words=spelt, sounds=[sound_key(word) for word in spelt],
        sees_hidden=sees_hidden, size=LIKE,
    )  # fmt: skip
    for row in rows:
        known[row.asked].add(row.word)
    return query_for(asked, known)


def query_for(asked: Sequence[str], known: Mapping[str, set[str]]) -> str:
    """Each word as it is typed, the beginning of a longer one, or another way to write it; numbers only as they are.

    Two words may also be one, and a word that does not exist may be two: Anne Marie, Annemarie.
    """
    terms = [f"({_either(word, known.get(word, set()))})" for word in asked]
    ways = [" & ".join(terms)]
    for place, (word, following) in enumerate(pairwise(asked)):
        if word.isalpha() and following.isalpha():
            ways.append(" & ".join([*terms[:place], f"'{word}{following}'", *terms[place + 2 :]]))
    return " | ".join(ways)


def _either(word: str, known: set[str]) -> str:
    """Who types a word that exists means it, or one that is heard alike; a slip of the hand makes words that do not."""
    if not word.isalpha():
        return f"'{word}'"
    sound, exists = sound_key(word), word in known
    meant = sorted(each for each in known if sound_key(each) == sound or (not exists and is_near(word, each)))
    parts = [] if exists else [f"'{word[:at]}' & '{word[at:]}'" for at in range(PART, len(word) - PART + 1)]
    return " | ".join([f"'{word}':*", *(f"'{each}'" for each in meant if not each.startswith(word)), *parts])
