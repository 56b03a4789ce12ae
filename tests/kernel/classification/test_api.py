"""Classification over HTTP: reading, listing, searching, paging and suggesting."""

from typing import Any
from urllib.parse import urlencode

import asyncpg
import pytest

from tests.cast import ANNA, BO
from tests.kernel.classification.conftest import AUTUMN, CODES, edition, take_in
from tests.served import Api
from torv.base.access import Access
from torv.base.db import Database

KLE = "/api/v1/classification/kle"
SUBJECTS = sorted(code for code in CODES if len(code) == 8)


@pytest.fixture(autouse=True)
async def short_kle(database: Database, importer: Access) -> None:
    await take_in(database, importer, edition())


async def listed(api: Api, query: str = "") -> list[dict[str, Any]]:
    reply = await api.get(f"{KLE}/entries?{query}", by=ANNA)
    assert reply.status == 200, reply.body
    return reply.json["items"]


async def test_a_code_is_read_by_its_number(api: Api) -> None:
    found = (await api.get(f"{KLE}/entries/27.36.04", by=ANNA)).json
    assert found["title"] == "Personlig og praktisk hjælp"
    assert (found["parent"], found["level"], found["edition"], found["valid_to"]) == ("27.36", "subject", 1, None)


async def test_a_code_nobody_has_published_is_not_found(api: Api) -> None:
    assert (await api.get(f"{KLE}/entries/99.99.99", by=ANNA)).code == (404, "not_found")


async def test_a_list_nobody_keeps_is_refused(api: Api) -> None:
    assert (await api.get("/api/v1/classification/form/entries", by=ANNA)).code == (422, "invalid_input")


async def test_a_stranger_reads_nothing(api: Api) -> None:
    assert (await api.get(f"{KLE}/entries/27")).code == (401, "not_identified")
    assert (await api.post(f"{KLE}/suggest", {"text": "rotter"})).code == (401, "not_identified")


async def test_a_program_without_a_grant_is_refused(api: Api) -> None:
    assert (await api.get(f"{KLE}/entries/27", by="borgerblik")).code == (403, "denied")


async def test_a_reading_is_in_the_trail(api: Api, outsider: asyncpg.Connection) -> None:
    await api.get(f"{KLE}/entries/27.36", by=ANNA)
    row = await outsider.fetchrow("select * from base.trail where operation = 'classification.read'")
    assert (row["kind"], row["category"], row["detail"]) == ("read", "classification", '{"code": "27.36"}')


@pytest.mark.parametrize(
    ("query", "codes"),
    [
        ("level=main_group", ["05", "09", "27"]),
        ("parent=27", ["27.36", "27.42", "27.45"]),
        ("parent=27.36", ["27.36.04", "27.36.24"]),
        ("prefix=27.4", ["27.42", "27.42.08", "27.45", "27.45.04"]),
        ("prefix=09&level=subject", ["09.13.01", "09.13.02"]),
        ("prefix=%25", []),
        ("parent=88", []),
    ],
)
async def test_codes_are_listed_by_number(api: Api, query: str, codes: list[str]) -> None:
    assert [each["code"] for each in await listed(api, query)] == codes


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("madservice", ["27.36.24"]),
        ("madsrvice", ["27.36.24"]),
        ("rotebekæmpelse", ["09.13.01"]),
        ("aeldrebolig", ["27.45.04", "27.45"]),
        ("hjælp personlig", ["27.36.04", "27.36"]),
        ("pleje", ["27.36", "27.42.08", "27.42"]),
        ("zebra", []),
    ],
)
async def test_titles_are_searched_with_typing_errors_and_sorted_the_danish_way(
    api: Api, text: str, codes: list[str]
) -> None:
    found = await listed(api, urlencode({"text": text}))
    assert sorted(each["code"] for each in found) == sorted(codes)


async def test_titles_found_are_in_danish_order(api: Api) -> None:
    titles = [each["title"] for each in await listed(api, "text=e&level=group")]
    assert titles == [
        "Personlig hjælp, omsorg og pleje", "Plejeboliger og plejehjem", "Renholdelse og vintertjeneste",
        "Skadedyrsbekæmpelse", "Ældreboliger",
    ]  # fmt: skip
    assert (await listed(api, "text=ældrebolig"))[-1]["title"] == "Åben anvisning til ældrebolig"


@pytest.mark.parametrize("query", ["level=subject", "text=e"])
async def test_pages_give_every_code_once(api: Api, query: str) -> None:
    whole = [each["code"] for each in await listed(api, query)]
    assert len(whole) >= 7
    paged, cursor = [], ""
    while True:
        page = (await api.get(f"{KLE}/entries?{query}&limit=3{cursor}", by=ANNA)).json
        paged += [each["code"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert paged == whole


async def test_a_cursor_belongs_to_its_caller_and_its_filter(api: Api) -> None:
    cursor = (await api.get(f"{KLE}/entries?limit=2", by=ANNA)).json["next"]
    assert (await api.get(f"{KLE}/entries?limit=2&cursor={cursor}", by=BO)).code == (400, "cursor_invalid")
    assert (await api.get(f"{KLE}/entries?prefix=2&cursor={cursor}", by=ANNA)).code == (400, "cursor_invalid")


async def test_editions_are_listed(api: Api) -> None:
    page = (await api.get(f"{KLE}/editions", by=ANNA)).json
    assert [(each["number"], each["source"]) for each in page["items"]] == [(1, "kort.txt")]


async def test_a_text_gets_suggestions_and_is_kept_nowhere(api: Api, outsider: asyncpg.Connection) -> None:
    found = (await api.post(f"{KLE}/suggest", {"text": "Der er rotter hos fru Krebsager"}, by=ANNA)).json
    assert (found[0]["code"], found[0]["words"]) == ("09.13.01", ["rotter"])
    rows = await outsider.fetch("select t::text as line from base.trail t where operation = 'classification.suggest'")
    assert len(rows) == 1
    assert "09.13.01" in rows[0]["line"]
    assert "rotter" not in rows[0]["line"]


@pytest.mark.parametrize("text", ["", "   ", "x" * 2_001])
async def test_a_text_of_unreasonable_length_is_refused(api: Api, text: str) -> None:
    assert (await api.post(f"{KLE}/suggest", {"text": text}, by=ANNA)).code == (422, "invalid_input")


async def test_suggestions_follow_a_new_edition(api: Api, database: Database, importer: Access) -> None:
    assert (await api.post(f"{KLE}/suggest", {"text": "en ræv i haven"}, by=ANNA)).json == []
    await take_in(database, importer, edition(AUTUMN, c09_13_06="Ræve"))
    found = (await api.post(f"{KLE}/suggest", {"text": "en ræv i haven"}, by=ANNA)).json
    assert [each["code"] for each in found] == ["09.13.06"]
