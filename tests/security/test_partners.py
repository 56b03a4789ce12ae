"""Attacks by partners, by their numbers in the attack list: 22 and 23."""

from datetime import date

import asyncpg
import pytest
from joserfc.jwk import ECKey

from tests.cast import ANNA, KVIK, NORDLYS, Cast, content_of, permit
from tests.security.traces import leaving
from tests.served import Api
from torv.base.access import Access, Caller, CallerKind
from torv.base.db import Database
from torv.base.errors import Denied
from torv.ecosystem.partners import (
    NewLink,
    approve_link,
    confirm_key,
    issue_code,
    merge_partner,
    register_link,
    supply_links,
)
from torv_sdk.keys import prove_key, sign_agreement

PARTNERS = "/api/v1/partners"


async def test_22_a_merged_partners_old_key_signs_nothing_more(
    api: Api, cast: Cast, outsider: asyncpg.Connection
) -> None:
    content = content_of(KVIK)
    proposed = (await api.post("/api/v1/agreements", content, by=ANNA)).json
    into = {"into": str(cast.partners["nordnote"])}
    merged = await api.post(f"{PARTNERS}/{cast.partners['kviknote']}/merge", into, by=ANNA, If_Match="1")
    assert merged.status == 200
    signature = {"jws": sign_agreement(content, key=cast.partner_keys["kviknote"], signer=KVIK.cvr)}
    before = await outsider.fetchval("select count(*) from base.trail")
    refused = await api.post(f"/api/v1/agreements/{proposed['id']}/signatures", signature, by=ANNA)
    assert refused.code == (422, "signature_invalid")
    assert await outsider.fetchval("select count(*) from base.trail") == before + 1
    state = (await api.get(f"/api/v1/agreements/{proposed['id']}", by=ANNA)).json["state"]
    assert state == proposed["state"]


async def test_22_a_renamed_partner_stays_the_same_one(api: Api, cast: Cast) -> None:
    place = f"{PARTNERS}/{cast.partners['nordnote']}"
    assert (await api.ask("PUT", place, {"name": "Nordlys A/S"}, by=ANNA, If_Match="1")).status == 200
    content = content_of(NORDLYS)
    proposed = (await api.post("/api/v1/agreements", content, by=ANNA)).json
    signature = {"jws": sign_agreement(content, key=cast.partner_keys["nordnote"], signer=NORDLYS.cvr)}
    assert (await api.post(f"/api/v1/agreements/{proposed['id']}/signatures", signature, by=ANNA)).status == 201


async def test_a_stranger_with_a_wrong_code_is_counted_and_leaves_no_entry(
    api: Api, cast: Cast, outsider: asyncpg.Connection
) -> None:
    key, code = ECKey.generate_key("P-256"), "7K3M-9QXT-4HD2-VB8N-RC5W-1YZE"
    for proof, refusal in ((prove_key(key, code), (401, "enrolment_refused")), ("a.b.c", (422, "signature_invalid"))):
        sent = {"code": code, "jwk": key.as_dict(private=False), "proof": proof}
        async with leaving(api, refusal[1], entries=0, assertions=0, strangers=1):
            assert (await api.post(f"{PARTNERS}/enrolments", sent)).code == refusal
    assert await outsider.fetchval("select count(*) from partners.keys where kid = $1", key.thumbprint()) == 0


def suppliers(cast: Cast) -> list[Access]:
    """Permits that no agreement should give: a supplier's program, on its own and for a user who may do all this."""
    alone = Caller(kind=CallerKind.RELEASE, id=cast.releases["nordnote"], name="nordnote")
    acting = Caller(
        kind=CallerKind.RELEASE, id=cast.releases["nordnote"], name="nordnote", on_behalf_of=cast.users[ANNA].id
    )
    return [permit(each, "partners.anything", ("partner",)) for each in (alone, acting)]


async def test_23_a_supplier_registers_a_sub_supplier_and_never_approves_it(cast: Cast, database: Database) -> None:
    for access in suppliers(cast):
        async with database.transaction() as tx:
            new = NewLink(
                capability="notes", supplier_id=cast.partners["nordnote"], sub_supplier_id=cast.partners["kviknote"],
                task="Drift", country="SE" if access.caller.on_behalf_of else "DE",
            )  # fmt: skip
            link = await register_link(tx, access, new=new)
        async with database.transaction() as tx:
            with pytest.raises(Denied):
                await approve_link(tx, access, link.id, approved_from=date(2026, 1, 1), approved_to=None)
    async with database.reading() as tx:
        assert [each.is_approved for each in await supply_links(tx)] == [False, False]


async def test_23_a_supplier_takes_no_key_of_its_own_into_use(cast: Cast, database: Database) -> None:
    nordlys, kid = cast.partners["nordnote"], cast.partner_keys["nordnote"].thumbprint()
    for access in suppliers(cast):
        async with database.transaction() as tx:
            with pytest.raises(Denied):
                await issue_code(tx, access, nordlys)
            with pytest.raises(Denied):
                await confirm_key(tx, access, nordlys, kid, fingerprint="any")
            with pytest.raises(Denied):
                await merge_partner(tx, access, nordlys, expected=1, into=cast.partners["kviknote"])
