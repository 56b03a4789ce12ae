"""The supply chain and the market: approved by two, in force at once, never a ring and never too long."""

from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from asyncpg import Connection
from hypothesis import given
from hypothesis import strategies as st

from tests.cast import ANNA, BO, Cast
from tests.served import Api, Reply
from torv.base.db import Database
from torv.ecosystem.partners import SupplyLink, supply_links
from torv.ecosystem.partners.errors import SupplyChainInvalid
from torv.ecosystem.partners.rules import LONGEST_CHAIN, check_chain

PARTNERS = "/api/v1/partners"
LINKS, MARKET = f"{PARTNERS}/supply-links", f"{PARTNERS}/market"
#: valid CVR numbers of nobody in the cast
NUMBERS = ("25313763", "10150817", "61056416")
TODAY = date.today()


@pytest.fixture
async def five(api: Api, cast: Cast) -> list[str]:
    """Five organisations."""
    fresh = [(await api.post(PARTNERS, {"cvr": cvr, "name": f"Led {cvr}"}, by=ANNA)).json["id"] for cvr in NUMBERS]
    return [str(cast.partners["nordnote"]), str(cast.partners["kviknote"]), *fresh]


async def link(api: Api, supplier: Any, sub_supplier: Any, **more: Any) -> Reply:
    new = {
        "capability": "notes", "supplier_id": str(supplier), "sub_supplier_id": str(sub_supplier),
        "task": "Drift af servere", "country": "DE",
    }  # fmt: skip
    return await api.post(LINKS, new | more, by=ANNA)


async def approve(api: Api, reply: Reply, *, by: str = BO, **more: Any) -> Reply:
    return await api.post(f"{LINKS}/{reply.json['id']}/approval", {"approved_from": str(TODAY), **more}, by=by)


async def withdraw(api: Api, reply: Reply) -> Reply:
    return await api.post(f"{LINKS}/{reply.json['id']}/withdrawal", by=ANNA)


async def known(database: Database) -> list[SupplyLink]:
    async with database.reading() as tx:
        return await supply_links(tx)


# ---- registered, approved, withdrawn ---------------------------------------------------------------------------------
async def test_a_link_is_approved_by_another_than_who_registered_it(
    api: Api, cast: Cast, five: list[str], database: Database
) -> None:
    reply = await link(api, *five[:2])
    assert (reply.status, reply.json["registered_by"]) == (201, str(cast.users[ANNA].id))
    [before] = await known(database)
    assert (before.is_approved, before.is_withdrawn, before.approved_from) == (False, False, None)
    assert (await approve(api, reply, by=ANNA)).code == (403, "second_person_required")
    approved = await approve(api, reply, approved_to=str(TODAY + timedelta(days=365)))
    assert (approved.status, approved.json["approved_by"]) == (200, str(cast.users[BO].id))
    assert await known(database) == [
        SupplyLink(
            capability="notes", supplier_id=UUID(five[0]), sub_supplier_id=UUID(five[1]), country="DE",
            approved_from=TODAY, approved_to=TODAY + timedelta(days=365), is_withdrawn=False, is_approved=True,
        )
    ]  # fmt: skip
    assert (await approve(api, reply)).code == (409, "wrong_state")


async def test_a_link_is_withdrawn_for_good_and_may_be_registered_anew(
    api: Api, five: list[str], database: Database
) -> None:
    reply = await link(api, *five[:2])
    assert (await link(api, *five[:2])).code == (409, "already_exists")
    assert (await link(api, *five[:2], country="SE")).status == 201
    assert (await withdraw(api, reply)).json["withdrawn_at"] is not None
    assert (await withdraw(api, reply)).code == (409, "wrong_state")
    assert (await approve(api, reply)).code == (409, "wrong_state")
    assert (await link(api, *five[:2])).status == 201
    assert [each.is_withdrawn for each in await known(database)] == [True, False, False]


async def test_each_change_is_told_to_every_process_and_logged_once(
    api: Api, five: list[str], outsider: Connection
) -> None:
    generations = [await outsider.fetchval("select number from base.generation")]
    reply = await link(api, *five[:2])
    for step in (None, approve, withdraw):
        if step is not None:
            assert (await step(api, reply)).status == 200
        generations.append(await outsider.fetchval("select number from base.generation"))
    assert [after - before for before, after in pairwise(generations)] == [1, 1, 1]
    entries = await outsider.fetch(
        "select detail->>'change' as change from base.trail where detail->>'link' = $1 order by at", reply.json["id"]
    )
    assert [each["change"] for each in entries] == ["registered", "approved", "withdrawn"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"country": "XX"}, "invalid_input"),
        ({"task": "  "}, "invalid_input"),
        ({"capability": "Notes; drop"}, "invalid_input"),
        ({"supplier_id": "0198c0de-0000-7000-8000-000000000001"}, "partner_unknown"),
        ({"sub_supplier_id": "0198c0de-0000-7000-8000-000000000001"}, "partner_unknown"),
    ],
)
async def test_a_link_that_says_something_wrong_is_refused(
    shared_api: Api, cast: Cast, wrong: dict[str, str], code: str
) -> None:
    reply = await link(shared_api, cast.partners["nordnote"], cast.partners["kviknote"], **wrong)
    assert reply.code == (422, code)


async def test_an_approval_has_a_day_in_it(api: Api, five: list[str]) -> None:
    reply = await link(api, *five[:2])
    assert (await approve(api, reply, approved_to=str(TODAY))).code == (422, "invalid_input")
    assert (await approve(api, reply, approved_from="9999-01-01")).code == (422, "invalid_input")


async def test_programs_approve_nothing(shared_api: Api, cast: Cast) -> None:
    path = f"{LINKS}/0198c0de-0000-7000-8000-000000000001/approval"
    reply = await shared_api.post(path, {"approved_from": str(TODAY)}, by="nordnote")
    assert reply.code == (403, "denied")
    assert (await shared_api.get(LINKS, by="nordnote")).code == (403, "denied")
    assert (await shared_api.post(path, {"approved_from": str(TODAY)}, by=ANNA)).code == (404, "not_found")


# ---- no rings, no long chains ----------------------------------------------------------------------------------------
async def test_nobody_works_for_themselves(api: Api, five: list[str]) -> None:
    assert (await link(api, five[0], five[0])).code == (422, "supply_chain_invalid")
    for above, below in pairwise(five[:3]):
        assert (await link(api, above, below)).status == 201
    assert (await link(api, five[2], five[0])).code == (422, "supply_chain_invalid")
    assert (await link(api, five[2], five[0], capability="meals")).status == 201


async def test_a_chain_has_at_most_three_links(api: Api, five: list[str]) -> None:
    replies = [await link(api, above, below) for above, below in pairwise(five[:4])]
    assert [reply.status for reply in replies] == [201, 201, 201]
    assert (await link(api, five[3], five[4])).code == (422, "supply_chain_invalid")
    await withdraw(api, replies[0])
    assert (await link(api, five[3], five[4])).status == 201
    assert (await link(api, five[0], five[1])).code == (422, "supply_chain_invalid")


async def test_a_merger_that_would_close_a_ring_is_refused_until_the_link_is_withdrawn(
    api: Api, five: list[str], database: Database
) -> None:
    first, _ = [await link(api, above, below) for above, below in pairwise(five[:3])]
    path, content = f"{PARTNERS}/{five[2]}/merge", {"into": five[0]}
    assert (await api.post(path, content, by=ANNA, If_Match="1")).code == (422, "supply_chain_invalid")
    await withdraw(api, first)
    assert (await api.post(path, content, by=ANNA, If_Match="1")).status == 200
    [shown, _] = (await api.get(LINKS, by=ANNA)).json["items"][::-1]
    assert (shown["supplier_id"], shown["sub_supplier_id"]) == (five[1], five[0])


async def test_after_a_merger_a_link_stands_under_the_old_id_and_the_new(
    api: Api, five: list[str], database: Database
) -> None:
    above, below, survivor = five[:3]
    await approve(api, await link(api, above, below))
    assert (await api.post(f"{PARTNERS}/{below}/merge", {"into": survivor}, by=ANNA, If_Match="1")).status == 200
    links = await known(database)
    assert {str(each.supplier_id) for each in links} == {above}
    assert {str(each.sub_supplier_id) for each in links} == {below, survivor}
    assert all(each.is_approved and not each.is_withdrawn for each in links)
    assert (await link(api, survivor, above)).code == (422, "supply_chain_invalid")


IDS = [uuid4() for _ in range(6)]
chains = st.sets(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)), max_size=9)


def longest_walk(links: set[tuple[UUID, UUID]], start: UUID, budget: int) -> int:
    """By definition: try every way on, up to a budget that a chain without a ring cannot use up."""
    if budget == 0:
        return 0
    return max((1 + longest_walk(links, below, budget - 1) for above, below in links if above == start), default=0)


@given(chains)
def test_a_chain_is_refused_exactly_when_some_way_through_it_is_too_long(links: set[tuple[UUID, UUID]]) -> None:
    is_too_long = any(longest_walk(links, start, LONGEST_CHAIN + 1) > LONGEST_CHAIN for start in IDS)
    try:
        check_chain(links)
    except SupplyChainInvalid:
        assert is_too_long
    else:
        assert not is_too_long


# ---- lists and the market --------------------------------------------------------------------------------------------
async def test_links_are_listed_by_capability_page_by_page(api: Api, five: list[str]) -> None:
    for capability in ("notes", "meals", "rostering"):
        await link(api, *five[:2], capability=capability)
    seen, cursor = [], ""
    for _ in range(3):
        page = (await api.get(f"{LINKS}?limit=1{cursor}", by=ANNA)).json
        seen += [each["capability"] for each in page["items"]]
        cursor = f"&cursor={page['next']}"
    assert (seen, page["next"]) == (["meals", "notes", "rostering"], None)
    only = (await api.get(f"{LINKS}?capability=meals", by=ANNA)).json["items"]
    assert [each["capability"] for each in only] == ["meals"]
    assert (await api.get(f"{LINKS}?capability=x&cursor={'a' * 60}", by=ANNA)).code == (400, "cursor_invalid")


async def test_an_organisation_is_one_thing_here_and_another_there(api: Api, cast: Cast) -> None:
    kvik = str(cast.partners["kviknote"])
    for capability, role in (("notes", "competitor"), ("meals", "supplier"), ("meals", "sub_supplier")):
        new = {"capability": capability, "partner_id": kvik, "role": role}
        assert (await api.post(MARKET, new, by=ANNA)).status == 201
        assert (await api.post(MARKET, new, by=ANNA)).code == (409, "already_exists")
    entries = (await api.get(MARKET, by=ANNA)).json["items"]
    assert [(each["capability"], each["role"]) for each in entries] == [
        ("meals", "supplier"), ("meals", "sub_supplier"), ("notes", "competitor"),
    ]  # fmt: skip
    assert {each["partner_name"] for each in entries} == {"Kvik Systemer A/S"}
    assert (await api.ask("DELETE", f"{MARKET}/{entries[0]['id']}", by=ANNA)).status == 200
    assert (await api.ask("DELETE", f"{MARKET}/{entries[0]['id']}", by=ANNA)).code == (404, "not_found")
    assert [each["role"] for each in (await api.get(f"{MARKET}?capability=meals", by=ANNA)).json["items"]] == [
        "sub_supplier"
    ]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"role": "friend"}, "invalid_input"),
        ({"capability": ""}, "invalid_input"),
        ({"partner_id": "0198c0de-0000-7000-8000-000000000001"}, "partner_unknown"),
    ],
)
async def test_a_market_entry_that_says_something_wrong_is_refused(
    shared_api: Api, cast: Cast, wrong: dict[str, str], code: str
) -> None:
    new = {"capability": "notes", "partner_id": str(cast.partners["kviknote"]), "role": "prospect"}
    assert (await shared_api.post(MARKET, new | wrong, by=ANNA)).code == (422, code)
