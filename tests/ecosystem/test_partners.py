"""Partners: known by their CVR number or their own country's, with a history; and one may become part of another."""

from datetime import UTC, datetime
from typing import Any

import pytest
from asyncpg import Connection
from hypothesis import given
from hypothesis import strategies as st

from tests.cast import ANNA, KVIK, NORDLYS, Cast, permit
from tests.served import Api, Reply
from torv.base.access import Caller, CallerKind
from torv.base.db import Database
from torv.base.errors import Denied, InvalidInput
from torv.ecosystem.partners import keys_at, merge_partner, municipality, partner_by_cvr, partner_keys
from torv.ecosystem.partners.rules import COUNTRIES, normal_country, normal_cvr

PARTNERS = "/api/v1/partners"
VAGT = {"role": "breach", "name": "Vagten", "email": "vagt@ny.example", "phone": "+45 70 00 00 00"}


async def register(api: Api, name: str, cvr: str, **more: Any) -> dict[str, Any]:
    reply = await api.post(PARTNERS, {"cvr": cvr, "name": name, **more}, by=ANNA)
    assert reply.status == 201, reply.body
    found: dict[str, Any] = reply.json
    return found


async def change(api: Api, partner: dict[str, Any], content: dict[str, Any]) -> Reply:
    path, version = f"{PARTNERS}/{partner['id']}", str(partner["version"])
    return await api.ask("PUT", path, content, by=ANNA, If_Match=version)


async def merge(api: Api, old: Any, into: Any, *, version: int = 1, by: str = ANNA) -> Reply:
    return await api.post(f"{PARTNERS}/{old}/merge", {"into": str(into)}, by=by, If_Match=str(version))


# ---- numbers and countries -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["25313763", "25 31 37 63", "DK25313763", " 25313763 "])
def test_a_cvr_number_may_be_written_in_several_ways(text: str) -> None:
    assert normal_cvr(text) == "25313763"


@pytest.mark.parametrize("cvr", ["25313764", "2531376", "253137630", "ABCDEFGH", "", "00000000", "2531376³"])
async def test_a_number_that_is_no_cvr_number_is_refused(shared_api: Api, cvr: str) -> None:
    reply = await shared_api.post(PARTNERS, {"cvr": cvr, "name": "X"}, by=ANNA, Idempotency_Key=f"cvr {cvr!a}")
    assert reply.code == (422, "cvr_invalid")


async def test_a_partner_is_registered_once(api: Api) -> None:
    new = {"cvr": "25313763", "name": "Ny ApS"}
    first = await api.post(PARTNERS, new, by=ANNA, Idempotency_Key="1")
    assert (first.status, first.json["kind"], first.json["country"]) == (201, "organisation", "DK")
    assert first.headers["location"] == f"{PARTNERS}/{first.json['id']}"
    assert (await api.post(PARTNERS, new, by=ANNA, Idempotency_Key="2")).code == (409, "already_exists")


async def test_a_foreign_organisation_has_a_number_of_its_own_country(api: Api) -> None:
    new = {"name": "Wolke GmbH", "country": "de", "registration": "hrb 12345 b"}
    first = (await api.post(PARTNERS, new, by=ANNA)).json
    assert (first["cvr"], first["registration"], first["country"]) == (None, "HRB 12345 B", "DE")
    assert (await api.post(PARTNERS, new, by=ANNA)).code == (409, "already_exists")
    same_number = {**new, "country": "AT"}
    assert (await api.post(PARTNERS, same_number, by=ANNA)).status == 201


@pytest.mark.parametrize(
    "new",
    [
        {"country": "DK", "registration": "HRB 1"},
        {"country": "DK"},
        {"country": "DK", "cvr": "25313763", "registration": "HRB 1"},
        {"country": "DE", "cvr": "25313763"},
        {"country": "DE"},
        {"country": "DE", "registration": ""},
        {"country": "DE", "registration": "Straße 7"},
        {"country": "ZZ", "registration": "1"},
        {"country": "D", "registration": "1"},
        {"country": "", "registration": "1"},
    ],
)
async def test_a_number_of_the_wrong_kind_is_refused(shared_api: Api, new: dict[str, Any]) -> None:
    assert (await shared_api.post(PARTNERS, {"name": "X", **new}, by=ANNA)).code == (422, "invalid_input")


@given(st.text(max_size=3))
def test_a_country_is_one_of_the_standards_or_none(text: str) -> None:
    if text.upper() in COUNTRIES:
        assert normal_country(text) == text.upper()
    else:
        with pytest.raises(InvalidInput):
            normal_country(text)


async def test_there_is_one_municipality(api: Api) -> None:
    new = {"cvr": "25313763", "name": "En anden kommune", "kind": "municipality"}
    assert (await api.post(PARTNERS, new, by=ANNA, Idempotency_Key="1")).code == (409, "already_exists")


# ---- contacts, changes, lists ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "boss"}, {"name": " "}, {"name": "x" * 201}, {"name": "a\nb\x00"}, {"email": "vagt"},
        {"email": "a@b.dk, c@d.dk"}, {"phone": "ring"}, {"email": None, "phone": None}, {"phone": "+45" + "7" * 40},
    ],
    ids=str,
)  # fmt: skip
async def test_a_contact_that_nobody_could_reach_is_refused(shared_api: Api, wrong: dict[str, Any]) -> None:
    new = {"cvr": "25313763", "name": "Ny ApS", "contacts": [VAGT | wrong]}
    assert (await shared_api.post(PARTNERS, new, by=ANNA)).code == (422, "invalid_input")


async def test_a_partner_is_renamed_with_its_history(api: Api, cast: Cast) -> None:
    first = await register(api, "Ny ApS", "25313763", contacts=[VAGT])
    renamed = await change(api, first, {"name": "  Ny   A/S ", "contacts": []})
    assert (renamed.json["name"], renamed.json["version"], renamed.json["contacts"]) == ("Ny A/S", 2, [])
    assert renamed.headers["etag"] == '"2"'
    assert (await api.get(f"{PARTNERS}/{first['id']}", by=ANNA)).json == renamed.json
    versions = (await api.get(f"{PARTNERS}/{first['id']}/versions", by=ANNA)).json
    assert [(each["version"], each["name"], len(each["contacts"])) for each in versions] == [
        (1, "Ny ApS", 1),
        (2, "Ny A/S", 0),
    ]
    assert {each["user_id"] for each in versions} == {str(cast.users[ANNA].id)}


async def test_a_change_says_which_version_it_changes(api: Api) -> None:
    first = await register(api, "Ny ApS", "25313763")
    path = f"{PARTNERS}/{first['id']}"
    assert (await api.ask("PUT", path, {"name": "A"}, by=ANNA)).code == (428, "version_required")
    assert (await change(api, first, {"name": "A"})).status == 200
    assert (await change(api, first, {"name": "B"})).code == (412, "version_mismatch")
    unknown = {"id": "0198c0de-0000-7000-8000-000000000001", "version": 1}
    assert (await change(api, unknown, {"name": "A"})).code == (404, "not_found")


async def test_partners_are_listed_the_danish_way_page_by_page(api: Api) -> None:
    for name, cvr in (("Åben ApS", "25313763"), ("Æble ApS", "10150817"), ("aaben A/S", "61056416")):
        await register(api, name, cvr)
    names, cursor = [], ""
    while True:
        page = (await api.get(f"{PARTNERS}?limit=2{cursor}", by=ANNA)).json
        names += [each["name"] for each in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert names == [
        "Borgerblik ApS", "Fjordby Kommune", "Kvik Systemer A/S", "Nordlys Omsorg ApS", "Æble ApS", "aaben A/S",
        "Åben ApS",
    ]  # fmt: skip


async def test_programs_do_not_read_the_list_of_partners(shared_api: Api) -> None:
    assert (await shared_api.get(PARTNERS, by="nordnote")).code == (403, "denied")


# ---- one becomes part of another -------------------------------------------------------------------------------------
async def test_an_old_id_leads_to_the_partner_it_is_part_of_by_now(api: Api, cast: Cast, database: Database) -> None:
    old, new = cast.partners["nordnote"], cast.partners["kviknote"]
    merged = await merge(api, old, new)
    assert (merged.status, merged.json["id"]) == (200, str(new))
    assert (await api.get(f"{PARTNERS}/{old}", by=ANNA)).json["name"] == KVIK.name
    listed = [each["name"] for each in (await api.get(PARTNERS, by=ANNA)).json["items"]]
    assert NORDLYS.name not in listed
    assert (await api.get(f"{PARTNERS}/{old}/versions", by=ANNA)).json[-1]["merged_into"] == str(new)
    async with database.reading() as tx:
        found = await partner_by_cvr(tx, NORDLYS.cvr)
        assert found is not None
        assert (found.id, found.cvr) == (new, KVIK.cvr)
    bound = (await api.get("/api/v1/bindings", by=ANNA)).json["items"]
    assert bound[0]["partner_name"] == KVIK.name


async def test_a_chain_of_mergers_leads_to_its_end(api: Api, cast: Cast) -> None:
    nordlys, kvik, blik = (cast.partners[name] for name in ("nordnote", "kviknote", "borgerblik"))
    assert (await merge(api, nordlys, kvik)).status == 200
    assert (await merge(api, kvik, blik)).status == 200
    for each in (nordlys, kvik, blik):
        assert (await api.get(f"{PARTNERS}/{each}", by=ANNA)).json["id"] == str(blik)
    nyt = await register(api, "Ny ApS", "25313763")
    assert (await merge(api, nyt["id"], nordlys)).json["id"] == str(blik)


async def test_nobody_becomes_part_of_themselves(api: Api, cast: Cast) -> None:
    nordlys, kvik = cast.partners["nordnote"], cast.partners["kviknote"]
    assert (await merge(api, nordlys, nordlys)).code == (409, "merge_refused")
    assert (await merge(api, nordlys, kvik)).status == 200
    assert (await merge(api, kvik, nordlys)).code == (409, "merge_refused")
    assert (await merge(api, nordlys, cast.partners["borgerblik"], version=2)).code == (409, "partner_merged")


async def test_the_municipality_is_not_merged(api: Api, cast: Cast, database: Database) -> None:
    async with database.reading() as tx:
        ourselves = (await municipality(tx)).id
    kvik = cast.partners["kviknote"]
    assert (await merge(api, kvik, ourselves)).code == (409, "merge_refused")
    assert (await merge(api, ourselves, kvik)).code == (409, "merge_refused")


async def test_a_merger_needs_two_that_are_known_and_the_right_version(api: Api, cast: Cast) -> None:
    kvik, nobody = cast.partners["kviknote"], "0198c0de-0000-7000-8000-000000000001"
    assert (await merge(api, kvik, nobody)).code == (422, "partner_unknown")
    assert (await merge(api, nobody, kvik)).code == (404, "not_found")
    assert (await merge(api, kvik, cast.partners["nordnote"], version=7)).code == (412, "version_mismatch")


async def test_one_that_has_merged_is_changed_no_more(api: Api, cast: Cast) -> None:
    old = cast.partners["nordnote"]
    await merge(api, old, cast.partners["kviknote"])
    assert (await change(api, {"id": old, "version": 2}, {"name": "X"})).code == (409, "partner_merged")
    assert (await api.post(f"{PARTNERS}/{old}/codes", by=ANNA)).code == (409, "partner_merged")


async def test_the_old_keys_are_dead_and_yet_verify_what_was_signed_then(
    api: Api, cast: Cast, database: Database, outsider: Connection
) -> None:
    old, new = cast.partners["nordnote"], cast.partners["kviknote"]
    code = (await api.post(f"{PARTNERS}/{old}/codes", by=ANNA)).json["code"]
    before, generation = datetime.now(UTC), await outsider.fetchval("select number from base.generation")
    await merge(api, old, new)
    async with database.reading() as tx:
        now = [key.kid for key in await partner_keys(tx, old)]
        then = [key.kid for key in await keys_at(tx, old, before)]
        assert now == [key.kid for key in await partner_keys(tx, new)] == [cast.partner_keys["kviknote"].thumbprint()]
        assert then == [cast.partner_keys["nordnote"].thumbprint()]
    assert [key["state"] for key in (await api.get(f"{PARTNERS}/{old}/keys", by=ANNA)).json] == ["ended"]
    ended = "select ended_at is not null from partners.codes where id = $1"
    assert await outsider.fetchval(ended, code[:9].replace("-", ""))
    assert await outsider.fetchval("select number from base.generation") > generation


async def test_every_change_leaves_one_entry(api: Api, cast: Cast, outsider: Connection) -> None:
    first = await register(api, "Ny ApS", "25313763")
    await change(api, first, {"name": "Ny A/S"})
    await merge(api, first["id"], cast.partners["kviknote"], version=2)
    entries = await outsider.fetch(
        "select operation from base.trail where detail->>'partner' = $1 order by at", first["id"]
    )
    assert [each["operation"] for each in entries] == ["partners.register", "partners.change", "partners.merge"]


async def test_a_program_never_merges_nor_does_one_that_acts_for_a_user(cast: Cast, database: Database) -> None:
    caller = Caller(
        kind=CallerKind.RELEASE, id=cast.releases["nordnote"], name="nordnote", on_behalf_of=cast.users[ANNA].id
    )
    async with database.transaction() as tx:
        with pytest.raises(Denied) as refused:
            await merge_partner(
                tx, permit(caller, "partners.merge", ("partner",)), cast.partners["nordnote"], expected=1,
                into=cast.partners["kviknote"],
            )  # fmt: skip
    assert refused.value.facts["check"] == "person"
