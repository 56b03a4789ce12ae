"""Names as people spell them: twenty everyday misspellings, written down before the search was made to find them."""

import pytest

from tests.cast import Cast
from tests.kernel.persons.test_search import SEES_ALL, found, register
from torv.base.db import Database
from torv.kernel.persons.words import query_for

pytestmark = pytest.mark.anyio
MISSPELT = {
    "Sørnsen": "Sørensen", "Nielsn": "Nielsen", "Kristensen": "Christensen", "Pedersn": "Pedersen",
    "Jørgesen": "Jørgensen", "Rasmusen": "Rasmussen", "Tomsen": "Thomsen", "Andersson": "Andersen",
    "Jakobsen": "Jacobsen", "Østergrd": "Østergård", "Moeler": "Møller", "Madson": "Madsen",
    "Chirstensen": "Christensen", "Lauristen": "Lauritsen", "Mortesen": "Mortensen", "Katrine": "Cathrine",
    "Matias": "Mathias", "Birte": "Birthe", "Filip": "Philip", "Kjer": "Kjær",
}  # fmt: skip
#: names there are too: some are what was typed, some are near what was meant
OTHERS = (
    "Kristensen", "Jakobsen", "Petersen", "Jensen", "Johansen", "Hansen", "Larsen", "Møllgaard", "Katrine", "Matias",
    "Birte", "Filip", "Bertha", "Karina", "Niels", "Lars", "Lis", "Matthiesen",
)  # fmt: skip


@pytest.fixture
async def everybody(database: Database, cast: Cast) -> None:
    await register(database, cast, *(f"Person {name}" for name in {*MISSPELT.values(), *OTHERS}))


@pytest.mark.usefixtures("everybody")
@pytest.mark.parametrize(("typed", "meant"), MISSPELT.items())
async def test_who_is_misspelt_is_found(database: Database, cast: Cast, typed: str, meant: str) -> None:
    names = await found(database, cast, SEES_ALL, name=f"Person {typed}")
    assert f"Person {meant}" in names
    assert len(names) <= 3


@pytest.mark.usefixtures("everybody")
async def test_a_name_that_exists_means_whoever_is_called_so(database: Database, cast: Cast) -> None:
    assert await found(database, cast, SEES_ALL, name="Person Jensen") == ["Person Jensen"]
    assert await found(database, cast, SEES_ALL, name="Person Lis") == ["Person Lis"]


@pytest.mark.usefixtures("everybody")
async def test_the_beginning_of_a_name_is_enough(database: Database, cast: Cast) -> None:
    assert await found(database, cast, SEES_ALL, name="chris pers") == ["Person Christensen"]


async def test_all_words_count_in_any_order(database: Database, cast: Cast) -> None:
    await register(database, cast, "Anna Sofie Holm", "Anna Berg", "Sofie Krogh")
    assert await found(database, cast, SEES_ALL, name="Holm, Ana") == ["Anna Sofie Holm"]
    assert await found(database, cast, SEES_ALL, name="Anna Xqwzy") == []


async def test_a_street_is_found_misspelt_and_a_house_number_only_as_it_is(database: Database, cast: Cast) -> None:
    await register(database, cast, "Ida Lund", address="Strandvejen 12, 8990 Fjordby")
    await register(database, cast, "Bo Lund", address="Strandvejen 121, 8990 Fjordby")
    assert await found(database, cast, SEES_ALL, address="Stranvejn 12") == ["Ida Lund"]
    assert await found(database, cast, SEES_ALL, address="Strandvej") == ["Bo Lund", "Ida Lund"]


async def test_a_name_that_only_protected_persons_bear_is_spelled_for_nobody_else(
    database: Database, cast: Cast
) -> None:  # fmt: skip
    await register(database, cast, "Anna Hemmelighed", has_protected_name=True)
    assert await found(database, cast, SEES_ALL, name="Hemelighed") == ["Anna Hemmelighed"]
    assert await found(database, cast, ("person",), name="Hemelighed") == []
    await register(database, cast, "Per Hemmelighed")
    assert await found(database, cast, ("person",), name="Hemelighed") == ["Per Hemmelighed"]


@pytest.mark.parametrize("typed", ["'", "a & b", "!x", "(", "holm:*|b", "\\'", "%", "\x00", "o'neill", "x" * 5_000])
async def test_nothing_that_is_typed_breaks_a_search(database: Database, cast: Cast, typed: str) -> None:
    assert await found(database, cast, SEES_ALL, name=f"Ukendt {typed}") == []


def test_a_search_is_for_each_word_its_beginning_or_another_spelling() -> None:
    known = {"sornsn": {"sorensen", "jensen"}, "holm": {"holm", "holme"}}
    assert query_for(["sornsn", "4"], known) == "('sornsn':* | 'sorensen' | 'sor' & 'nsn') & ('4')"
    assert query_for(["holm", "4"], known) == "('holm':*) & ('4')"


def test_two_words_may_be_one() -> None:
    known = {"bo": {"bo"}, "anne": {"anne"}, "marie": {"marie"}}
    whole = "('bo':*) & ('anne':*) & ('marie':*)"
    joined = ["'boanne' & ('marie':*)", "('bo':*) & 'annemarie'"]
    assert query_for(["bo", "anne", "marie"], known) == " | ".join([whole, *joined])


async def test_a_name_in_one_word_or_two_is_the_same_name(database: Database, cast: Cast) -> None:
    await register(database, cast, "Anne Marie Holm", "Annemarie Krogh", "Anne-Marie Dahl", "Marie Anne Bech")
    all_but_bech = ["Anne-Marie Dahl", "Anne Marie Holm", "Annemarie Krogh"]
    assert await found(database, cast, SEES_ALL, name="Anne Marie Holm") == ["Anne Marie Holm"]
    assert set(all_but_bech) <= set(await found(database, cast, SEES_ALL, name="anne marie"))
    await register(database, cast, "Bodilmaria Bech", "Bodil Maria Lund")
    assert await found(database, cast, SEES_ALL, name="Bodil Maria") == ["Bodilmaria Bech", "Bodil Maria Lund"]
    assert await found(database, cast, SEES_ALL, name="Lisbethanna") == []
    await register(database, cast, "Lisbeth Anna Vind")
    assert await found(database, cast, SEES_ALL, name="Lisbethanna") == ["Lisbeth Anna Vind"]
