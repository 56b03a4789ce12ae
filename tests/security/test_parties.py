"""Attacks by parties, sub-suppliers and confused deputies, by their numbers in the attack list: group B.

22 and a part of 23 stand in test_partners.py, 27 in test_exchange.py.
"""

from itertools import product
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import asyncpg
import pytest
from joserfc.jwk import ECKey

from tests.cast import ANNA, BORGERBLIK, KVIK, NORDLYS, NOWHERE, PROVIDER, Cast, content_of
from tests.ecosystem.paper import SUB, agreement, ask, caller, grant, link, sub_agreement, with_sub_processor
from tests.sdk.loopback import Loopback
from tests.security.conftest import (
    AGREEMENTS,
    LINKS,
    Enter,
    EnterChain,
    NewReader,
    Refused,
    check_of,
    contents_of_chain,
    granting,
    until_learnt,
)
from tests.security.traces import fetch
from tests.served import Api, Reply
from torv.base import signing
from torv.base.access import Access, Demand
from torv.base.db import Database
from torv.base.feed import sequence
from torv.base.ids import new_id
from torv.ecosystem.agreements import compile_policy
from torv.kernel import records
from torv_sdk.keys import sign_agreement
from torv_sdk.tokens import Caller, assertion, exchange

NOTES = "/c/notes/v1/notes"
EVERYTHING = ("person", "person.cpr", "person.protected_address")


def bearer(reply: Reply) -> dict[str, str]:
    return {"Authorization": f"Bearer {reply.json['access_token']}"}


# ---- 14: saying to be somebody else ----------------------------------------------------------------------------------
NAMES_14 = [
    "Torv-Partner", "Torv-Release", "Torv-User", "X-Forwarded-User", "X-Remote-User", "X-Road-Client", "Forwarded",
    "X-Client-Cert", "X-Ssl-Client-S-Dn", "X-User", "From", "X-Original-Authorization", "Proxy-Authorization",
]  # fmt: skip


async def test_b14_a_header_that_names_another_partner_changes_nothing(
    nordnote: Loopback, api: Api, cast: Cast, outsider: asyncpg.Connection, refused: Refused
) -> None:
    await until_learnt(api, outsider)
    me = cast.releases["borgerblik"]
    for name, value in product(NAMES_14, (str(me), f"release:{me}", BORGERBLIK.cvr)):
        async with refused(api, "kviknote", "operation"):
            query = urlencode({"release": value, "partner": value, "on_behalf_of": value})
            reply = await api.get(f"{NOTES}?{query}", by="kviknote", **{name: value})
            assert check_of(reply) == (403, "denied", "operation"), name
    assert nordnote.asked == []


async def test_b14_a_body_that_names_another_release_is_stamped_with_the_one_whose_key_it_is(
    api: Api, cast: Cast, outsider: asyncpg.Connection
) -> None:
    other = str(cast.releases["kviknote"])
    claimed = {"release_id": other, "partner_id": other, "epoch": 99, "position": 1, "digest": "0" * 64}
    reply = await api.post(Api.RECORDS, api.note() | claimed, by="nordnote", Idempotency_Key="1")
    assert (reply.status, reply.json["epoch"]) == (201, 1)
    written = await outsider.fetchrow("select * from records.versions")
    assert (written["release_id"], written["epoch"]) == (cast.releases["nordnote"], 1)
    entry = await outsider.fetchrow("select * from base.trail where kind = 'write' and operation = 'records.write'")
    assert (entry["release_id"], entry["agreement_id"]) == (cast.releases["nordnote"], cast.agreements["nordnote"])


# ---- 15: confused deputies -------------------------------------------------------------------------------------------
async def acting_for(api: Api, cast: Cast, nordnote: Loopback, **who: str) -> dict[str, str]:
    """The header with which Nordnote acts for a user whose call it was sent."""
    reply = await api.get(f"{NOTES}?person_id={cast.bjorn.id}", **who)
    assert reply.status == 200, reply.body
    token = nordnote.seen("/notes")[-1][0]["Authorization"].removeprefix("Bearer ")
    claims = signing.unverified_claims(token)
    sent = Caller(claims["sub"], claims["op"], claims["exp"], token)
    form = exchange(cast.release_keys["nordnote"], str(cast.releases["nordnote"]), api.url, sent)
    return bearer(await fetch(api, form))


async def test_b15_a_module_gets_nothing_for_a_user_who_may_not_although_it_may_itself(
    nordnote: Loopback, api: Api, cast: Cast, enter: Enter, outsider: asyncpg.Connection, new_reader: NewReader,
    refused: Refused,
) -> None:  # fmt: skip
    await enter(content_of(granting(NORDLYS, ("persons", ("read",), EVERYTHING))))
    clara = await new_reader({"notes": ["list_notes"]}, ["notes"])
    await until_learnt(api, outsider)
    path = f"/api/v1/persons/{cast.alma.id}"
    own = await api.get(path, by="nordnote")
    assert (own.status, own.json["address"]) == (200, "Havnegade 7, 6200 Fjordby")
    acting = await acting_for(api, cast, nordnote, **clara.headers)
    async with refused(api, clara.id, "service"):
        reply = await api.get(path, **acting)
        assert check_of(reply) == (403, "denied", "service")
        assert b"Alma" not in reply.body
    entry = await outsider.fetchrow("select * from base.trail where kind = 'refusal'")
    assert (entry["user_id"], entry["release_id"]) == (clara.id, cast.releases["nordnote"])


@pytest.mark.parametrize(
    ("module_may", "user_may", "shown"),
    [
        (EVERYTHING, ("person",), ("person",)),
        (("person",), EVERYTHING, ("person",)),
        (("person", "person.cpr"), ("person", "person.protected_address"), ("person",)),
        (EVERYTHING, EVERYTHING, EVERYTHING),
    ],
)
async def test_b15_for_a_user_a_module_sees_what_both_may(
    nordnote: Loopback, api: Api, cast: Cast, enter: Enter, outsider: asyncpg.Connection, new_reader: NewReader,
    module_may: tuple[str, ...], user_may: tuple[str, ...], shown: tuple[str, ...],
) -> None:  # fmt: skip
    await enter(content_of(granting(NORDLYS, ("persons", ("read",), module_may))))
    clara = await new_reader({"notes": ["list_notes"], "persons": ["read"]}, ["notes", *user_may])
    await until_learnt(api, outsider)
    reply = await api.get(f"/api/v1/persons/{cast.alma.id}", **await acting_for(api, cast, nordnote, **clara.headers))
    assert reply.status == 200, reply.body
    assert (reply.json["cpr"] is not None) == ("person.cpr" in shown)
    assert (reply.json["address"] is not None) == ("person.protected_address" in shown)


async def test_b15_for_a_user_who_may_everything_a_module_still_may_no_more_than_itself(
    nordnote: Loopback, api: Api, cast: Cast, outsider: asyncpg.Connection, refused: Refused
) -> None:
    await until_learnt(api, outsider)
    acting = await acting_for(api, cast, nordnote, by=ANNA)
    for path in (f"/api/v1/persons/{cast.alma.id}", "/api/v1/partners", "/api/v1/identity/users", AGREEMENTS):
        async with refused(api, cast.users[ANNA].id, "service"):
            assert check_of(await api.get(path, **acting)) == (403, "denied", "service")


# ---- 16, 18, 19: sub-suppliers ---------------------------------------------------------------------------------------
async def test_b16_a_withdrawn_sub_supplier_gets_nothing_while_the_main_supplier_goes_on(
    api: Api, cast: Cast, outsider: asyncpg.Connection, enter_chain: EnterChain, refused: Refused
) -> None:
    chain, path = await enter_chain(), f"/api/v1/persons/{cast.bjorn.id}"
    await until_learnt(api, outsider)
    assert [(await api.get(path, by=who)).status for who in ("nordnote", "kviknote")] == [200, 200]
    assert (await api.post(f"{LINKS}/{chain.link}/withdrawal", by=ANNA)).status == 200
    await until_learnt(api, outsider)
    async with refused(api, "kviknote", "subsupplier_revoked"):
        assert check_of(await api.get(path, by="kviknote")) == (403, "denied", "subsupplier_revoked")
    assert (await api.get(path, by="nordnote")).status == 200


def _wider_18(below: dict[str, Any]) -> dict[str, Any]:
    """Kvik's agreement, wider than Nordlys' in one dimension only."""
    notes = below["grants"][0]
    east = str(new_id())
    return {
        "operations": notes | {"operations": ["list_notes", "provide", "write_note"]},
        "categories": notes | {"categories": ["notes", "person"]},
        "kle": notes | {"reach": {"kle": ["27", "28"], "units": [east]}},
        "sensitivity": notes | {"reach": {"kle": ["27"]}},
        "window": notes | {"window": {"weekdays": [1, 2, 3, 4, 5, 6], "opens": "08:00", "closes": "16:00"}},
        "purpose": notes | {"purpose": notes["purpose"] | {"activity": "noget-andet"}},
        "service": notes | {"service": "calendar"},
    }


@pytest.mark.parametrize(
    "dimension", ["operations", "categories", "kle", "sensitivity", "window", "purpose", "service"]
)
async def test_b18_a_sub_suppliers_agreement_wider_in_one_dimension_is_refused_and_the_dimension_named(
    api: Api, enter: Enter, refused: Refused, dimension: str
) -> None:
    above, below = contents_of_chain()
    limits = {
        "reach": {"kle": ["27"], "sensitivity": 1},
        "window": {"weekdays": [1, 2, 3, 4, 5], "opens": "08:00", "closes": "16:00"},
    }
    above["grants"][0] |= limits
    below["grants"][0] |= limits
    await enter(above)
    wider = _wider_18(below)[dimension]
    if dimension == "kle":
        wider["reach"] |= {"sensitivity": 1}
    async with refused(api, ANNA, "agreement_invalid"):
        reply = await api.post(AGREEMENTS, below | {"grants": [wider, below["grants"][1]]}, by=ANNA)
        assert reply.code == (422, "agreement_invalid")
        assert f"{dimension} wider" in reply.json["reason"]
    assert (await api.post(AGREEMENTS, below, by=ANNA)).status == 201


def test_b18_units_are_compared_when_a_decision_is_taken() -> None:
    east, west = new_id(), new_id()
    read: Any = {"service": "organisation", "operations": ["read"], "categories": ["organisation.unit"]}
    terms = with_sub_processor(categories=["organisation.unit"])
    terms["data"] = [{"category": "organisation.unit", "kind": "ordinary"}]
    above = agreement(grant(**read, reach={"units": [str(east)]}), data_processing=terms)
    policy = compile_policy([above, sub_agreement(above, grant(**read))], (link(capability="organisation"),))
    access = ask(policy, Demand(service="organisation", operation="read", category=None), by=caller(SUB))
    assert isinstance(access, Access)
    assert access.for_row(above=[east]) is not None
    for elsewhere in ([west], []):
        assert access.for_row(above=elsewhere) is None


@pytest.mark.parametrize("country", ["US", "SE"])
async def test_b19_an_approved_sub_supplier_in_a_country_the_terms_do_not_name_gets_nothing(
    api: Api, cast: Cast, outsider: asyncpg.Connection, enter_chain: EnterChain, refused: Refused, country: str
) -> None:
    await enter_chain(country=country)
    await until_learnt(api, outsider)
    async with refused(api, "kviknote", "location_not_allowed"):
        reply = await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="kviknote")
        assert check_of(reply) == (403, "denied", "location_not_allowed")


# ---- 21: another module of the same supplier -------------------------------------------------------------------------
async def test_b21_a_suppliers_other_module_does_not_use_the_first_ones_grant(
    api: Api, cast: Cast, outsider: asyncpg.Connection, refused: Refused
) -> None:
    partner, key = str(cast.partners["borgerblik"]), ECKey.generate_key("P-256")
    module = (await api.post("/api/v1/modules", {"partner_id": partner, "name": "blikmobil"}, by=ANNA)).json["id"]
    new = {"version": "1.0.0", "url": NOWHERE, "jwk": signing.public(key)}
    release = (await api.post(f"/api/v1/modules/{module}/releases", new, by=ANNA)).json["id"]
    await until_learnt(api, outsider)
    token = bearer(await fetch(api, assertion(key, release, api.url)))
    for path in (f"/api/v1/persons/{cast.bjorn.id}", NOTES):
        async with refused(api, UUID(release), "no_agreement"):
            assert check_of(await api.get(path, **token)) == (403, "denied", "no_agreement")
    assert (await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="borgerblik")).status == 200


async def test_b21_a_grant_for_one_key_is_not_used_by_another_release(
    api: Api, cast: Cast, outsider: asyncpg.Connection, enter: Enter, refused: Refused
) -> None:
    content = content_of(BORGERBLIK, version=2, supersedes=str(cast.agreements["borgerblik"]))
    for each in content["grants"]:
        each["keys"] = [cast.release_keys["kviknote"].thumbprint()]
    await enter(content)
    await until_learnt(api, outsider)
    async with refused(api, "borgerblik", "key_mismatch"):
        reply = await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="borgerblik")
        assert check_of(reply) == (403, "denied", "key_mismatch")


# ---- 22 and 23: one who is both --------------------------------------------------------------------------------------
async def test_b22_after_a_merger_no_module_has_more_than_its_own_agreement_gave_it(
    api: Api, cast: Cast, outsider: asyncpg.Connection, refused: Refused
) -> None:
    into = {"into": str(cast.partners["borgerblik"])}
    merged = await api.post(f"/api/v1/partners/{cast.partners['kviknote']}/merge", into, by=ANNA, If_Match="1")
    assert merged.status == 200
    await until_learnt(api, outsider)
    async with refused(api, "kviknote", "service"):
        reply = await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="kviknote")
        assert check_of(reply) == (403, "denied", "service")
    assert (await api.get(f"/api/v1/persons/{cast.bjorn.id}", by="borgerblik")).status == 200
    assert (await api.get(f"{Api.RECORDS}/feed?capability=notes", by="kviknote")).status == 200  # it goes on


ACTS_23 = ["suspend", "resume", "notice", "extend", "revoke", "exit", "oversight", "close", "reject", "confirmations"]


async def test_b23_a_supplier_that_may_propose_decides_nothing_about_its_own_agreement(
    nordnote: Loopback, api: Api, cast: Cast, outsider: asyncpg.Connection, enter: Enter, refused: Refused
) -> None:
    """Even where the municipality granted every operation on agreements, which it should not."""
    operations = ("propose", "draft", "sign", "read", "confirm", "suspend", "resume", "end", "extend", "oversee")
    own = await enter(content_of(granting(NORDLYS, ("agreements", operations, ("agreement",)))))
    await until_learnt(api, outsider)
    content = content_of(NORDLYS)
    proposed = (await api.post(AGREEMENTS, content, by="nordnote")).json
    assert proposed["state"] == "proposed"
    signature = {"jws": sign_agreement(content, key=cast.partner_keys["nordnote"], signer=NORDLYS.cvr)}
    signed = await api.post(f"{AGREEMENTS}/{proposed['id']}/signatures", signature, by="nordnote")
    assert (signed.status, signed.json["state"]) == (201, "proposed")
    body = {"reason": "Vi synes det", "password": "solen skinner på torvet"}
    acting = await acting_for(api, cast, nordnote, by=ANNA)
    for verb in ACTS_23:
        for agreement_id in (proposed["id"], own):
            async with refused(api, "nordnote", "caller"):
                reply = await api.post(f"{AGREEMENTS}/{agreement_id}/{verb}", body, by="nordnote")
                assert check_of(reply) == (403, "denied", "caller"), verb
        async with refused(api, cast.users[ANNA].id, "caller"):  # nor in the name of a user who may
            reply = await api.post(f"{AGREEMENTS}/{proposed['id']}/{verb}", body, **acting)
            assert check_of(reply) == (403, "denied", "caller"), verb


async def test_b23_a_supplier_does_not_sign_in_the_municipalitys_place(api: Api, cast: Cast, refused: Refused) -> None:
    content = content_of(NORDLYS)
    proposed = (await api.post(AGREEMENTS, content, by=ANNA)).json["id"]
    for signer in (content["municipality"], KVIK.cvr):
        signature = {"jws": sign_agreement(content, key=cast.partner_keys["nordnote"], signer=signer)}
        async with refused(api, ANNA, "not_a_party"):
            reply = await api.post(f"{AGREEMENTS}/{proposed}/signatures", signature, by=ANNA)
            assert reply.code == (422, "not_a_party")


# ---- 25: another municipality ----------------------------------------------------------------------------------------
OTHER = "29189684"


async def test_b25_an_agreement_of_another_municipality_is_not_taken_in(api: Api, cast: Cast, refused: Refused) -> None:
    theirs = content_of(BORGERBLIK, municipality=OTHER)
    async with refused(api, ANNA, "agreement_invalid"):
        reply = await api.post(AGREEMENTS, theirs, by=ANNA)
        assert (reply.code, reply.json["reason"]) == ((422, "agreement_invalid"), "municipality: not us")
    file = (await api.get(f"{AGREEMENTS}/{cast.agreements['borgerblik']}/file", by=ANNA)).json
    async with refused(api, ANNA, "signature_invalid"):  # ours, made out to another: no signature holds any more
        altered = file | {"content": file["content"] | {"municipality": OTHER, "id": str(new_id())}}
        assert (await api.post(f"{AGREEMENTS}/import", altered, by=ANNA)).code == (422, "signature_invalid")
    key = ECKey.generate_key("P-256")
    whole = {
        "format": "torv-agreement-file/1", "content": theirs, "statements": [],
        "signatures": [
            {"signer": OTHER, "jws": sign_agreement(theirs, key=key, signer=OTHER)},
            {
                "signer": BORGERBLIK.cvr,
                "jws": sign_agreement(theirs, key=cast.partner_keys["borgerblik"], signer=BORGERBLIK.cvr),
            },
        ],
        "parties": [{"cvr": OTHER, "name": "Andenby Kommune", "keys": [signing.public(key)]}],
    }  # fmt: skip
    async with refused(api, ANNA, "signature_invalid"):  # theirs, whole and true, and its key is none of ours
        assert (await api.post(f"{AGREEMENTS}/import", whole, by=ANNA)).code == (422, "signature_invalid")


# ---- 26: a follower whose grant shrank -------------------------------------------------------------------------------
async def wrote(api: Api, database: Database, key: str) -> None:
    """Nordnote writes a note, and it gets its position in the feed, as the worker gives it."""
    assert (await api.post(Api.RECORDS, api.note(), by="nordnote", Idempotency_Key=key)).status == 201
    async with database.line() as line:
        assert await sequence(line, records.STREAM) == 1


async def test_b26_a_follower_whose_grant_shrank_gets_nothing_from_where_it_stood(
    api: Api, cast: Cast, database: Database, outsider: asyncpg.Connection, enter: Enter, refused: Refused
) -> None:
    await wrote(api, database, "1")
    feed = f"{Api.RECORDS}/feed?capability=notes"
    page = (await api.get(f"{feed}&after=0", by="nordnote")).json
    assert len(page["records"]) == 1
    keeping, provide = PROVIDER
    narrower = granting(NORDLYS, (keeping[0], ("read", "write"), keeping[2]), provide)
    await enter(content_of(narrower, version=2, supersedes=str(cast.agreements["nordnote"])))
    await until_learnt(api, outsider)
    await wrote(api, database, "2")
    for after in (0, page["position"]):
        async with refused(api, "nordnote", "operation"):
            reply = await api.get(f"{feed}&after={after}", by="nordnote")
            assert check_of(reply) == (403, "denied", "operation")
            assert "records" not in reply.json


async def test_b26_a_follower_whose_data_shrank_gets_none_of_the_rest_either(
    api: Api, cast: Cast, database: Database, outsider: asyncpg.Connection, enter: Enter, refused: Refused
) -> None:
    await wrote(api, database, "1")
    narrower = granting(NORDLYS, ("records", ("follow", "read"), ("calendar",)))
    await enter(content_of(narrower, version=2, supersedes=str(cast.agreements["nordnote"])))
    await until_learnt(api, outsider)
    async with refused(api, "nordnote", "category"):
        reply = await api.get(f"{Api.RECORDS}/feed?capability=notes&after=0", by="nordnote")
        assert check_of(reply) == (403, "denied", "category")
    record = await outsider.fetchval("select id from records.versions")
    async with refused(api, "nordnote", "not_found"):
        assert (await api.get(f"{Api.RECORDS}/{record}", by="nordnote")).code == (404, "not_found")
