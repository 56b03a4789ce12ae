"""Certifications: signed reports come in, say whose they are, are kept as they are, and count for a time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from asyncpg import Connection
from joserfc.jwk import ECKey

from tests.cast import ANNA, Cast, enrol_key
from tests.ecosystem.demanding import contract, profile, report, signed
from tests.served import Api, Reply
from torv.base.db import Database
from torv.ecosystem.partners import municipality
from torv_sdk.certifying.report import sign_document
from torv_sdk.keys import prove_key, sign_agreement


async def hand_in(api: Api, cast: Cast, module: str, content: dict[str, Any]) -> Reply:
    return await api.post(f"/api/v1/releases/{cast.releases[module]}/certifications", content)


async def list_of(api: Api, cast: Cast, module: str) -> list[dict[str, Any]]:
    place = f"/api/v1/releases/{cast.releases[module]}/certifications"
    return list((await api.get(place, by=ANNA)).json["items"])


async def test_a_supplier_hands_in_a_report_and_the_market_shows_it(api: Api, cast: Cast) -> None:
    content = signed(report(cast, "kviknote"), cast.partner_keys["kviknote"])
    reply = await hand_in(api, cast, "kviknote", content)
    assert reply.status == 201
    kept = reply.json
    assert (kept["level"], kept["certifier"], kept["contract_hash"]) == ("bronze", "supplier", contract().hash)
    assert kept["requirement_set"] == profile().requirement_set
    began, ends = (datetime.fromisoformat(kept[name]) for name in ("began_at", "expires_at"))
    assert timedelta(days=364) < ends - began < timedelta(days=367)
    assert [each["id"] for each in await list_of(api, cast, "kviknote")] == [kept["id"]]
    entry = {"capability": "notes", "partner_id": str(cast.partners["kviknote"]), "role": "competitor"}
    made = (await api.post("/api/v1/partners/market", entry, by=ANNA)).json
    assert made["certified"]["release"] == "kviknote 1.0.0"
    listed = (await api.get("/api/v1/partners/market?capability=notes", by=ANNA)).json["items"]
    assert [(each["certified"]["level"], each["certified"]["certifier"]) for each in listed] == [("bronze", "supplier")]


async def test_the_same_report_again_is_one(api: Api, cast: Cast) -> None:
    content = signed(report(cast, "kviknote"), cast.partner_keys["kviknote"])
    first, second = [await hand_in(api, cast, "kviknote", content) for _ in range(2)]
    again = {"report": content["report"], "signature": sign_document(content["report"], cast.partner_keys["kviknote"])}
    third = await hand_in(api, cast, "kviknote", again)
    assert first.json == second.json == third.json
    assert len(await list_of(api, cast, "kviknote")) == 1


async def test_the_municipality_may_certify_itself_and_that_is_said(api: Api, cast: Cast, database: Database) -> None:
    own = ECKey.generate_key("P-256")
    async with database.transaction() as tx:
        ours = await municipality(tx)
        await enrol_key(tx, cast.user("partners.confirm_key"), ours.id, own)
    reply = await hand_in(api, cast, "kviknote", signed(report(cast, "kviknote"), own))
    assert (reply.status, reply.json["certifier"]) == (201, "municipality")


# ---- what is refused -------------------------------------------------------------------------------------------------
async def _refusal(api: Api, cast: Cast, content: dict[str, Any], module: str = "kviknote") -> tuple[str, int]:
    """Why a report is refused, and how many certifications the module has afterwards."""
    reply = await hand_in(api, cast, module, content)
    assert reply.code == (422, "certification_refused")
    return reply.json["title"], len(await list_of(api, cast, module))


async def test_a_report_signed_by_a_competitor_is_refused(shared_api: Api, cast: Cast) -> None:
    theirs = signed(report(cast, "kviknote"), cast.partner_keys["nordnote"])
    why, kept = await _refusal(shared_api, cast, theirs)
    assert "hverken underskrevet af" in why
    assert kept == 0


async def test_a_report_signed_by_nobody_is_refused(shared_api: Api, cast: Cast) -> None:
    why, kept = await _refusal(shared_api, cast, {"report": report(cast, "kviknote"), "signature": ""})
    assert "ikke underskrevet" in why
    assert kept == 0


async def test_a_report_signed_with_a_key_that_nobody_knows_is_refused(shared_api: Api, cast: Cast) -> None:
    unknown = signed(report(cast, "kviknote"), ECKey.generate_key("P-256"))
    why, kept = await _refusal(shared_api, cast, unknown)
    assert "hverken underskrevet af" in why
    assert kept == 0


async def test_a_report_that_was_changed_after_it_was_signed_is_refused(shared_api: Api, cast: Cast) -> None:
    content = signed(report(cast, "kviknote", failing=("author_shown",)), cast.partner_keys["kviknote"])
    changed = content | {"report": report(cast, "kviknote", began_at=content["report"]["began_at"])}
    why, kept = await _refusal(shared_api, cast, changed)
    assert "gælder noget andet" in why
    assert kept == 0


@pytest.mark.parametrize("sign", [
    lambda document, key: sign_agreement(document, key=key, signer="58351253"), lambda _, key: prove_key(key, "7K3M"),
])  # fmt: skip
async def test_a_signature_of_another_kind_is_no_certification(
    shared_api: Api, cast: Cast, sign: Callable[[dict[str, Any], ECKey], str]
) -> None:
    """What a partner signs about an agreement, or to enrol a key, cannot be used as a report's signature."""
    document = report(cast, "kviknote")
    signature = sign(document, cast.partner_keys["kviknote"])
    why, kept = await _refusal(shared_api, cast, {"report": document, "signature": signature})
    assert "gælder noget andet" in why
    assert kept == 0


async def test_a_report_about_another_release_is_refused(shared_api: Api, cast: Cast) -> None:
    theirs = signed(report(cast, "nordnote"), cast.partner_keys["kviknote"])
    of_another_module, _ = await _refusal(shared_api, cast, theirs)
    other_version = report(cast, "kviknote", release_version="1.0.1")
    of_another_version, kept = await _refusal(shared_api, cast, signed(other_version, cast.partner_keys["kviknote"]))
    assert "en anden version" in of_another_module
    assert "en anden version" in of_another_version
    assert kept == 0
    nowhere = await shared_api.post(f"/api/v1/releases/{cast.modules['kviknote']}/certifications", theirs)
    assert nowhere.code == (422, "certification_refused")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"contract": "0" * 64}, "ingen version af kontrakten"),
        ({"capability": "aids"}, "ingen version af kontrakten"),
        ({"major": 2}, "ingen version af kontrakten"),
        ({"began_at": (datetime.now(UTC) + timedelta(hours=2)).isoformat()}, "ikke er kommet"),
        ({"began_at": (datetime.now(UTC) - timedelta(days=800)).isoformat()}, "for gammel"),
        ({"began_at": "2026-03-01T10:00:00"}, "began_at"),
        ({"level": "gold"}, "report"),
        ({"level": None}, "report"),
        ({"demands": [], "profile": None}, "report"),
        ({"format": "torv-certification/2"}, "format"),
        ({"surprise": 1}, "surprise"),
        ({"rules": []}, "report"),
    ],
)  # fmt: skip
async def test_a_report_that_cannot_be_true_is_refused(
    shared_api: Api, cast: Cast, changes: dict[str, Any], why: str
) -> None:
    untrue = signed(report(cast, "kviknote", **changes), cast.partner_keys["kviknote"])
    told, kept = await _refusal(shared_api, cast, untrue)
    assert why in told
    assert kept == 0


async def test_a_report_that_is_too_large_is_refused(shared_api: Api, cast: Cast) -> None:
    large = report(cast, "kviknote") | {"note": "x" * 210_000}
    why, kept = await _refusal(shared_api, cast, signed(large, cast.partner_keys["kviknote"]))
    assert "fylder for meget" in why
    assert kept == 0


async def test_a_key_that_was_ended_signs_no_more(api: Api, cast: Cast) -> None:
    key = cast.partner_keys["kviknote"]
    place = f"/api/v1/partners/{cast.partners['kviknote']}/keys/{key.thumbprint()}/end"
    assert (await api.post(place, by=ANNA)).status == 200
    why, kept = await _refusal(api, cast, signed(report(cast, "kviknote"), key))
    assert "hverken underskrevet af" in why
    assert kept == 0


# ---- what is kept ----------------------------------------------------------------------------------------------------
async def test_what_was_taken_in_cannot_be_changed(api: Api, cast: Cast, outsider: Connection) -> None:
    await hand_in(api, cast, "kviknote", signed(report(cast, "kviknote"), cast.partner_keys["kviknote"]))
    for statement in ("update modules.certifications set level = 'gold'", "delete from modules.certifications"):
        with pytest.raises(asyncpg.RaiseError, match="append-only"):
            await outsider.execute(statement)


async def test_how_long_it_counts_is_data_with_a_day(api: Api, cast: Cast, outsider: Connection) -> None:
    await outsider.execute(
        "insert into modules.certification_terms (from_day, months, source) values (current_date - 10, 3, 'test')"
    )
    reply = await hand_in(api, cast, "kviknote", signed(report(cast, "kviknote"), cast.partner_keys["kviknote"]))
    began, ends = (datetime.fromisoformat(reply.json[name]) for name in ("began_at", "expires_at"))
    assert timedelta(days=88) < ends - began < timedelta(days=93)


async def test_it_stands_in_the_trail(api: Api, cast: Cast, outsider: Connection) -> None:
    await hand_in(api, cast, "kviknote", signed(report(cast, "kviknote"), cast.partner_keys["kviknote"]))
    found = await outsider.fetchval("select detail from base.trail where operation = 'modules.certify'")
    assert str(cast.releases["kviknote"]) in found
