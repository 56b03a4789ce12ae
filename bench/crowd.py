"""The crowd: very many made-up people, put straight into the tables, for measuring what only depends on their number.

They have rows, numbers and search keys as real ones do, but no facts in time and no relations. A third bears one of
twenty family names, a quarter a name that few others have: about as it is in Denmark.
"""

import random
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from torv.base.db import Database, Tx
from torv.base.sql import load
from torv.base.text import search_key, sort_key
from torv.interfaces import cpr
from torv.kernel.persons.words import note_words

sql = load(__file__)

#: family name -> how many of 1,000 people bear it, rounded (Danmarks Statistik, 2024)
COMMON = {
    "Nielsen": 41, "Jensen": 41, "Hansen": 34, "Andersen": 26, "Pedersen": 26, "Christensen": 19, "Larsen": 19,
    "Sørensen": 18, "Rasmussen": 16, "Jørgensen": 14, "Petersen": 13, "Madsen": 11, "Kristensen": 10, "Olsen": 8,
    "Thomsen": 6, "Christiansen": 6, "Poulsen": 5, "Johansen": 5, "Møller": 5, "Mortensen": 5,
}  # fmt: skip
HALVES = yaml.safe_load(Path(__file__).with_name("crowd.yaml").read_text(encoding="utf-8"))
PLACES = 10_000  #: how finely shares are counted out


async def fill(database: Database, persons: int, *, is_empty: bool = False) -> None:
    """Add so many persons; in an empty table the indexes are made afterwards, which is quicker."""
    names = [*_families(), *_given("women", "K"), *_given("men", "M"), *_streets()]
    async with database.transaction() as tx:
        await tx.run(sql.make_words)
        await tx.run(sql.insert_words, words=names)
        indexes = await _without_indexes(tx) if is_empty else ""
        await tx.run(sql.insert_crowd, persons=persons, streets=len(_streets()))
        await tx.run(sql.insert_crowd_numbers)
        borne = [(row["kind"], row["word"], True) for row in await tx.all(dict, sql.borne_words)]
        await note_words(tx, borne)
        if indexes:
            await tx.script(indexes)
    async with database.reading() as tx:
        await tx.script("vacuum (analyze) persons.persons")
        await tx.script("vacuum (analyze) persons.numbers")
        await tx.script("vacuum (analyze) persons.words")


async def _without_indexes(tx: Tx) -> str:
    """Drop the indexes for searching; gives what makes them anew."""
    made: str = await tx.value(sql.indexes_made)
    await tx.script(await tx.value(sql.indexes_dropped))
    return made


def _families() -> list[dict[str, Any]]:
    known = [name for name in _made_up("families") if name not in COMMON]
    rare = [first + last for first, last in product(HALVES["first_halves"], HALVES["last_halves"])]
    weighed = [name for name, share in COMMON.items() for _ in range(share * PLACES // 1000)]
    left = PLACES - len(weighed)
    weighed += [known[place % len(known)] for place in range(left * 5 // 8)]
    weighed += [rare[place % len(rare)] for place in range(PLACES - len(weighed))]
    return _words("family", weighed)


def _given(group: str, sex: str) -> list[dict[str, Any]]:
    """First names: the first of a shuffled list is about ten times as frequent as the last."""
    names = _made_up(group)
    random.Random(1).shuffle(names)  # noqa: S311 people are made up, no secrets
    shares = [1 / (rank + 8) for rank in range(len(names))]
    bounds = [sum(shares[: rank + 1]) / sum(shares) * PLACES for rank in range(len(names))]
    ranks = iter(range(len(names)))
    weighed, rank = [], next(ranks)
    for place in range(PLACES):
        while place >= bounds[rank]:
            rank = next(ranks)
        weighed.append(names[rank])
    return _words(sex, weighed)


def _streets() -> list[dict[str, Any]]:
    return _words("street", [first + last for first, last in product(HALVES["first_halves"], HALVES["street_ends"])])


def _words(kind: str, texts: list[str]) -> list[dict[str, Any]]:
    return [
        {"kind": kind, "place": place, "text": text, "sort": sort_key(text), "search": search_key(text)}
        for place, text in enumerate(texts)
    ]


def _made_up(group: str) -> list[str]:
    """Words of the generator of made-up municipalities."""
    words = yaml.safe_load(Path(cpr.__file__).with_name("made_up.yaml").read_text(encoding="utf-8"))
    return list(words[group])
