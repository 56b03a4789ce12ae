"""The pages about citizens: found by name, number or birth date; the whole number only when asked for, and logged."""

import re

import asyncpg
import pytest
from aiohttp import ClientSession
from yarl import URL

from tests.cast import ALMA_CPR, BJORN_CPR, Cast
from tests.served import Api

pytestmark = pytest.mark.anyio


async def search(anna: ClientSession, **what: str) -> tuple[int, str]:
    async with anna.post("/persons", data=what) as page:
        return page.status, await page.text()


async def test_a_citizen_is_found_by_a_name_with_typing_errors(anna: ClientSession, cast: Cast) -> None:
    status, text = await search(anna, who="ostergard")
    assert status == 200
    assert f'<a href="/persons/{cast.alma.id}">Alma Østergaard</a>' in text


async def test_a_citizen_is_found_by_birth_date_and_by_address(anna: ClientSession) -> None:
    assert "Bjørn Aagaard" in (await search(anna, who="12.5.1976"))[1]
    assert "Bjørn Aagaard" in (await search(anna, who="", address="skolebakken 12"))[1]


async def test_a_number_leads_to_the_citizen_and_stands_in_no_address(anna: ClientSession, cast: Cast) -> None:
    async with anna.post("/persons", data={"who": f"{BJORN_CPR[:6]}-{BJORN_CPR[6:]}"}) as page:
        assert page.url.path == f"/persons/{cast.bjorn.id}"
        text = await page.text()
    assert "Bjørn Aagaard" in text
    assert f"{BJORN_CPR[:6]}-<" in text
    assert BJORN_CPR[6:] not in text


async def test_the_whole_number_is_shown_when_asked_for_and_that_is_logged(
    anna: ClientSession, cast: Cast, outsider: asyncpg.Connection
) -> None:
    async with anna.post(f"/persons/{cast.alma.id}/cpr") as page:
        assert f"{ALMA_CPR[:6]}-{ALMA_CPR[6:]}" in await page.text()
    shown = await outsider.fetchval("select count(*) from base.trail where detail ->> 'shown' = 'cpr'")
    assert shown == 1


async def test_protection_is_flagged(anna: ClientSession, cast: Cast) -> None:
    async with anna.get(f"/persons/{cast.alma.id}") as page:
        assert re.search(r"t-flag--bad.*Adressebeskyttelse", await page.text(), re.DOTALL)


@pytest.mark.parametrize(
    ("who", "status", "sentence"),
    [
        ("Ingen Hedder Dette", 200, "Ingen passer på det, du søgte"),
        ("31.2.1980", 422, "Indholdet er ikke gyldigt"),
        ("9999999999", 422, "Det er ikke et CPR-nummer"),
        ("", 422, "Indholdet er ikke gyldigt"),
    ],
)
async def test_what_leads_nowhere_says_so(anna: ClientSession, who: str, status: int, sentence: str) -> None:
    assert (await search(anna, who=who))[0] == status
    assert sentence in (await search(anna, who=who))[1]


async def test_a_stranger_finds_nobody(api: Api, cast: Cast) -> None:
    async with ClientSession(URL(api.url), headers={"accept": "text/html"}) as stranger:
        async with stranger.get(f"/persons/{cast.alma.id}") as page:
            assert page.url.path == "/login"
        async with stranger.post("/persons", data={"who": "Alma"}) as answer:
            assert answer.status == 401
