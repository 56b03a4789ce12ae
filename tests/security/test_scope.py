"""Attacks that reach beyond what was granted, by their numbers in the attack list: group C.

36 and 37 stand in tests/ecosystem/test_quotas.py, the rest of 28 in tests/kernel/test_who_sees_what.py.
"""

import asyncio
import json
from datetime import date
from itertools import product
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tests.cast import ALMA_CPR, ANNA, BORGERBLIK, OPERATOR, Cast, content_of, permit
from tests.sdk.loopback import Loopback
from tests.security.conftest import AGREEMENTS, Enter, NewReader, Refused, check_of, granting, until_learnt
from tests.served import Api, Reply
from torv.base.access import Scope
from torv.base.db import Database
from torv.base.ids import new_id
from torv.kernel.organisation import Organisation, Period, UnitHistory, UnitUnknown, import_organisation

PERSONS = "/api/v1/persons"
NOTES = "/c/notes/v1/notes"
ALMAS_STREET = "Havnegade 7"


@pytest.fixture
async def seeker(api: Api, enter: Enter, outsider: asyncpg.Connection) -> str:
    """A program that may search persons, and see neither numbers nor protected addresses."""
    await enter(content_of(granting(BORGERBLIK, ("persons", ("read", "search"), ("person",)))))
    await until_learnt(api, outsider)
    return "borgerblik"


# ---- 28: what is masked, asked for in another way --------------------------------------------------------------------
@pytest.mark.parametrize("also", [{}, {"name": "Alma"}, {"birth_date": "1915-07-01"}, {"name": "Østergaard"}], ids=str)
async def test_c28_a_protected_address_is_no_answer_to_a_search_whatever_else_is_asked(
    api: Api, seeker: str, also: dict[str, str]
) -> None:
    search = f"{PERSONS}/search"
    right = await api.post(search, {"address": ALMAS_STREET, **also}, by=seeker)
    wrong = await api.post(search, {"address": "Ukendtvej 99", **also}, by=seeker)
    assert (right.status, right.body) == (wrong.status, wrong.body)
    assert right.json == {"items": [], "next": None}
    known = await api.post(search, {"address": ALMAS_STREET, **also}, by=ANNA)
    assert [each["given_names"] for each in known.json["items"]] == ["Alma"]


MORE_28 = [
    "include=address", "include=cpr,address", "expand=relations", "fields=cpr", "fields[person]=cpr,address", "embed=*",
    "sort=cpr", "order_by=address", "orderBy=-cpr", "filter[cpr]=0107153216", "cpr=0107153216", "address=Havnegade",
    "select=*", "$expand=address", "$filter=cpr%20eq%201", "q=Havnegade", "debug=1", "raw=true", "category=person.cpr",
    "categories=person.cpr", "view=full", "_method=PATCH",
]  # fmt: skip


@pytest.fixture
async def several(api: Api, seeker: str) -> dict[str, str]:
    """A search that finds several people, whose addresses and numbers are in another order than their names."""
    for number, name in enumerate(("Åse", "Bo", "Ib")):
        new = {"given_names": name, "family_name": "Ager", "cpr": f"010160100{number}", "address": f"Vej {9 - number}"}
        assert (await api.post(PERSONS, new, by=ANNA)).status == 201
    return {"name": "Ager"}


async def test_c28_no_parameter_shows_more_or_sorts_by_what_is_masked(
    api: Api, seeker: str, several: dict[str, str], cast: Cast
) -> None:
    path = f"{PERSONS}/{cast.alma.id}"
    plain, rows = await api.get(path, by=seeker), await api.post(f"{PERSONS}/search", several, by=seeker)
    assert (plain.json["cpr"], plain.json["address"]) == (None, None)
    assert [each["given_names"] for each in rows.json["items"]] == ["Bo", "Ib", "Åse"]
    for more in MORE_28:
        assert (await api.get(f"{path}?{more}", by=seeker)).body == plain.body, more
        assert (await api.post(f"{PERSONS}/search?{more}", several, by=seeker)).body == rows.body, more


async def test_c28_nor_does_anything_in_the_body(api: Api, seeker: str, several: dict[str, str]) -> None:
    rows = await api.post(f"{PERSONS}/search", several, by=seeker)
    assert len(rows.json["items"]) == 3
    for more in (
        {"sort": "address"}, {"order_by": ["cpr"]}, {"cpr": ALMA_CPR}, {"include": ["cpr"]}, {"filter": {"cpr": "01%"}},
    ):  # fmt: skip
        assert (await api.post(f"{PERSONS}/search", several | more, by=seeker)).body == rows.body, more


async def test_c28_neither_facts_nor_earlier_days_show_what_is_masked(api: Api, seeker: str, cast: Cast) -> None:
    path = f"{PERSONS}/{cast.alma.id}"
    now = "2099-01-01T00:00:00Z"
    for query in ("", "?valid_at=2020-01-01", f"?known_at={now}", f"?valid_at=2020-01-01&known_at={now}"):
        for place in (path, f"{path}/facts"):
            reply = await api.get(f"{place}{query}", by=seeker)
            assert reply.status == 200
            assert b"Havnegade" not in reply.body
            assert ALMA_CPR.encode() not in reply.body


async def test_c28_a_cursor_shows_nothing_and_works_for_nobody_else_and_nothing_else(
    api: Api, seeker: str, refused: Refused
) -> None:
    for number in range(3):
        await api.post(PERSONS, {"given_names": f"Ida{number}", "family_name": "Aagaard"}, by=ANNA)
    page = (await api.post(f"{PERSONS}/search?limit=1", {"name": "Aagaard"}, by=ANNA)).json
    assert "aagaard" not in page["next"].lower()
    for by, search in ((seeker, {"name": "Aagaard"}), (ANNA, {"name": "Østergaard"})):
        async with refused(api, by, "cursor_invalid"):
            reply = await api.post(f"{PERSONS}/search?limit=1&cursor={page['next']}", search, by=by)
            assert reply.code == (400, "cursor_invalid")


# ---- 29: KLE numbers -------------------------------------------------------------------------------------------------
WRONG_29 = [
    "", "2", "270", "2 7", "27.", "27.3", "27.350", "27.35.", "27.35.0", "27.35.02.01", "%", "27%", "27_35", "*",
    "27.*", ".*", " 27", "27 ", "27\n", "27\x00", "２７", "２７.３５", "٢٧", "²⁷", "27.35\u200b", "27,35", "-27",
    "27.35.02 or true",
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_29, ids=ascii)
async def test_c29_a_limit_that_is_no_whole_kle_number_is_refused_in_an_agreement(
    shared_api: Api, refused: Refused, wrong: str
) -> None:
    content = content_of(BORGERBLIK)
    content["grants"][0]["reach"] = {"kle": ["27.35", wrong]}
    async with refused(shared_api, ANNA, "agreement_invalid"):
        reply = await shared_api.post(AGREEMENTS, content, by=ANNA)
        assert reply.code == (422, "agreement_invalid")
        assert "kle" in reply.json["reason"]


async def test_c29_no_kle_number_at_all_is_no_limit_and_is_refused(shared_api: Api, refused: Refused) -> None:
    content = content_of(BORGERBLIK)
    content["grants"][0]["reach"] = {"kle": []}
    async with refused(shared_api, ANNA, "agreement_invalid"):
        assert (await shared_api.post(AGREEMENTS, content, by=ANNA)).code == (422, "agreement_invalid")


@pytest.mark.parametrize(
    ("limit", "inside", "outside"),
    [
        ("27", ["27", "27.35", "27.35.02", "27.99.99"], ["28", "26.27", "02.27.35", "", "72"]),
        ("27.35", ["27.35", "27.35.02"], ["27", "27.36", "27.53", "35.27", ""]),
        ("27.35.02", ["27.35.02"], ["27", "27.35", "27.35.20", "27.35.03", ""]),
    ],
)
def test_c29_a_limit_reaches_what_lies_below_it_and_nothing_beside(
    limit: str, inside: list[str], outside: list[str]
) -> None:
    scope = Scope(categories=frozenset({"notes"}), kle=frozenset({limit}))
    assert [scope.reaches(None, each, None) for each in inside] == [True] * len(inside)
    assert [scope.reaches(None, each, None) for each in outside] == [False] * len(outside)


# ---- 31: purposes ----------------------------------------------------------------------------------------------------
WRONG_31 = [
    "noget-andet", "hjaelp-og-stoette, noget-andet", "hjaelp-og-stoette,hjaelp-og-stoette", "HJAELP-OG-STOETTE",
    '["hjaelp-og-stoette"]', "hjaelp-og-stoette noget", "*", "%", "null", "hjaelp-og-stoett",
]  # fmt: skip


async def test_c31_a_purpose_that_is_not_the_grants_is_refused_also_in_a_list(
    nordnote: Loopback, api: Api, cast: Cast, outsider: asyncpg.Connection, refused: Refused
) -> None:
    await until_learnt(api, outsider)
    for purpose, path in product(WRONG_31, (f"{PERSONS}/{cast.bjorn.id}", NOTES)):
        async with refused(api, "borgerblik", "purpose"):
            reply = await api.get(path, by="borgerblik", Torv_Purpose=purpose)
            assert check_of(reply) == (403, "denied", "purpose"), purpose
    assert nordnote.asked == []


async def test_c31_a_purpose_of_no_or_too_many_letters_is_malformed(api: Api, cast: Cast, refused: Refused) -> None:
    await api.token("borgerblik")
    for purpose in ("", "x" * 101):
        async with refused(api, None, "malformed_request"):
            reply = await api.get(f"{PERSONS}/{cast.bjorn.id}", by="borgerblik", Torv_Purpose=purpose)
            assert reply.code == (400, "malformed_request")


async def test_c31_two_purposes_in_two_headers_are_malformed(api: Api, cast: Cast, refused: Refused) -> None:
    token = await api.token("borgerblik")
    for second in ("hjaelp-og-stoette", "noget-andet"):
        async with refused(api, None, "malformed_request"):
            answer = await api.raw(
                f"GET {PERSONS}/{cast.bjorn.id} HTTP/1.1\r\nHost: torv\r\nConnection: close\r\n"
                f"Authorization: Bearer {token}\r\nTorv-Purpose: hjaelp-og-stoette\r\n"
                f"torv-purpose: {second}\r\n\r\n".encode()
            )
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert "Bjørn".encode() not in answer


async def test_c31_without_a_purpose_the_grants_own_stands_in_the_log(
    api: Api, cast: Cast, outsider: asyncpg.Connection
) -> None:
    content = (await api.get(f"{AGREEMENTS}/{cast.agreements['borgerblik']}", by=ANNA)).json["content"]
    purpose = next(each for each in content["grants"] if each["service"] == "persons")["purpose"]
    for headers in ({}, {"Torv_Purpose": purpose["activity"]}):
        assert (await api.get(f"{PERSONS}/{cast.bjorn.id}", by="borgerblik", **headers)).status == 200
    stated = await outsider.fetch("select purpose from base.trail where operation = 'persons.read'")
    assert [row["purpose"] for row in stated] == [purpose["text"]] * 2


# ---- 32: methods -----------------------------------------------------------------------------------------------------
OVERRIDES_32 = ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "Method-Override"]


@pytest.mark.parametrize("name", OVERRIDES_32)
async def test_c32_no_header_makes_another_method_of_a_request(
    nordnote: Loopback, api: Api, cast: Cast, outsider: asyncpg.Connection, refused: Refused, name: str
) -> None:
    await until_learnt(api, outsider)
    path = f"{PERSONS}/{cast.bjorn.id}"
    plain = await api.get(path, by="borgerblik")
    for method in ("PATCH", "DELETE", "POST"):
        reply = await api.get(f"{path}?_method={method}", by="borgerblik", **{name: method})
        assert (reply.status, reply.body) == (200, plain.body)
        async with refused(api, "kviknote", "operation"):  # decided on as what it is
            assert check_of(await api.get(NOTES, by="kviknote", **{name: method}))[2] == "operation"
    await api.token(ANNA)
    async with refused(api, None, "method_not_allowed"):
        reply = await api.post(path, {}, by=ANNA, **{name: "PATCH"})
        assert reply.code == (405, "method_not_allowed")
    assert nordnote.asked == []


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "GETT"])
async def test_c32_a_method_that_no_route_has_gives_nothing_and_echoes_nothing(
    nordnote: Loopback, api: Api, cast: Cast, outsider: asyncpg.Connection, method: str
) -> None:
    await until_learnt(api, outsider)
    token = await api.token("borgerblik")
    before = await outsider.fetchval("select count(*) from base.trail where kind <> 'refusal'")
    for path in (f"{PERSONS}/{cast.bjorn.id}", NOTES, AGREEMENTS, "/oauth/token", "/health/live"):
        answer = await api.raw(
            f"{method} {path} HTTP/1.1\r\nHost: torv\r\nConnection: close\r\nX-Echo: sig-det-igen\r\n"
            f"Authorization: Bearer {token}\r\n\r\n".encode()
        )
        status = int(answer.split(b" ", 2)[1])
        is_open = path == "/health/live" and method == "HEAD"
        assert status == 200 if is_open else status in (400, 404, 405), (path, answer)
        assert b"sig-det-igen" not in answer
        assert token.encode() not in answer
        assert "Bjørn".encode() not in answer
    assert await outsider.fetchval("select count(*) from base.trail where kind <> 'refusal'") == before
    assert nordnote.asked == []


async def test_c32_torv_is_nobodys_tunnel(api: Api, nordnote: Loopback) -> None:
    host = nordnote.url.removeprefix("http://")
    answer = await api.raw(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\nGET /notes HTTP/1.1\r\n\r\n".encode())
    assert answer == b"" or answer.split(b" ", 2)[1][:1] == b"4"
    assert nordnote.asked == []


# ---- 33: one bad among many ------------------------------------------------------------------------------------------
@pytest.mark.parametrize("place", [0, 250, 499])
async def test_c33_one_grant_that_may_not_be_among_five_hundred_refuses_them_all(
    shared_api: Api, refused: Refused, place: int
) -> None:
    content = content_of(BORGERBLIK)
    content["grants"] = [{**content["grants"][0], "id": f"g{number}"} for number in range(500)]
    content["grants"][place] |= {"categories": ["calendar"]}  # the terms do not cover it
    async with refused(shared_api, ANNA, "agreement_invalid"):
        reply = await shared_api.post(AGREEMENTS, content, by=ANNA)
        assert reply.code == (422, "agreement_invalid")
        assert "calendar" in reply.json["reason"]


@pytest.mark.parametrize("place", [0, 500, 999])
async def test_c33_one_unit_in_the_air_among_a_thousand_and_none_is_imported(
    database: Database, outsider: asyncpg.Connection, place: int
) -> None:
    ids = [new_id() for _ in range(1_000)]
    units = [_unit(each, number, None if number != place else new_id()) for number, each in enumerate(ids)]
    plan = Organisation(units=tuple(units), employees=(), positions=())
    access = permit(OPERATOR, "organisation.import", ("organisation",))
    before = await outsider.fetchval("select count(*) from base.trail")
    with pytest.raises(UnitUnknown):
        async with database.transaction() as tx:
            await import_organisation(tx, access, plan)
    assert await outsider.fetchval("select count(*) from organisation.units") == 0
    assert await outsider.fetchval("select count(*) from base.trail") == before


def _unit(unit_id: UUID, number: int, parent: UUID | None) -> UnitHistory:
    period = Period(
        valid_from=date(2020, 1, 1), valid_to=None, name=f"Enhed {number}", kind="afdeling", parent_id=parent
    )  # fmt: skip
    return UnitHistory(id=unit_id, periods=(period,))


# ---- 38: what a refusal tells ----------------------------------------------------------------------------------------
def without_request_id(reply: Reply) -> dict[str, Any]:
    return {name: value for name, value in reply.json.items() if name != "request_id"}


async def test_c38_who_may_not_ask_hears_the_same_of_everybody_and_of_nobody(
    api: Api, cast: Cast, outsider: asyncpg.Connection
) -> None:
    answers = []
    async with outsider.transaction():  # nobody can look: the refusal comes before there is anything to look for
        await outsider.execute("lock table persons.persons in access exclusive mode")
        await api.token("kviknote")
        for person in (cast.alma.id, cast.bjorn.id, new_id()):
            for path in (f"{PERSONS}/{person}", f"{PERSONS}/{person}/facts", f"{PERSONS}/{person}/relations"):
                async with asyncio.timeout(2):
                    reply = await api.get(path, by="kviknote")
                answers.append((reply.status, len(reply.body), json.dumps(without_request_id(reply), sort_keys=True)))
    assert len(set(answers)) == 1
    assert answers[0][0] == 403
    assert await outsider.fetchval("select count(*) from base.trail where kind = 'refusal'") == len(answers)


async def test_c38_a_record_that_may_not_be_seen_is_not_found_like_one_that_is_not_there(
    api: Api, cast: Cast, outsider: asyncpg.Connection, enter: Enter, refused: Refused
) -> None:
    record = (await api.post(Api.RECORDS, api.note(), by="nordnote", Idempotency_Key="1")).json["id"]
    await enter(content_of(granting(BORGERBLIK, ("records", ("read",), ("calendar",)))))
    await until_learnt(api, outsider)
    found = []
    for each in (record, str(new_id())):
        async with refused(api, "borgerblik", "not_found"):
            found.append(await api.get(f"{Api.RECORDS}/{each}", by="borgerblik"))
    hidden, missing = found
    assert hidden.code == missing.code == (404, "not_found")
    assert without_request_id(hidden) == without_request_id(missing)
    assert len(hidden.body) == len(missing.body)


async def test_c38_a_protected_name_is_not_looked_up_by_it(api: Api, cast: Cast, new_reader: NewReader) -> None:
    hidden = {"given_names": "Viola", "family_name": "Hemmelig", "has_protected_name": True}
    assert (await api.post(PERSONS, hidden, by=ANNA)).status == 201
    clara = await new_reader({"persons": ["read", "search"]}, ["person"])
    answers = [
        await api.post(f"{PERSONS}/search", {"name": name}, **clara.headers) for name in ("Hemmelig", "Findesikke")
    ]
    assert answers[0].body == answers[1].body
    assert (await api.post(f"{PERSONS}/search", {"name": "Hemmelig"}, by=ANNA)).json["items"] != []
