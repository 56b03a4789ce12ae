"""Agreements: read strictly, signed by every party over the very same content, suspended and resumed by people."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from joserfc.jwk import ECKey

from tests.cast import ANNA, BO, KVIK, NORDLYS, PASSWORDS, Cast, content_of
from tests.served import Api, Reply
from torv.base import signing
from torv.base.signing import Keys
from torv_sdk.keys import sign_agreement

AGREEMENTS = "/api/v1/agreements"


async def propose(api: Api, content: dict[str, Any] | bytes) -> Reply:
    return await api.post(AGREEMENTS, content, by=ANNA)


async def act(api: Api, agreement: Any, verb: str, content: Any = None, by: str = ANNA) -> Reply:
    return await api.post(f"{AGREEMENTS}/{agreement}/{verb}", content, by=by)


async def confirm(api: Api, agreement: Any, login: str, password: str | None = None) -> Reply:
    return await act(api, agreement, "confirmations", {"password": password or PASSWORDS[login]}, by=login)


def changed(**changes: Any) -> dict[str, Any]:
    return content_of(NORDLYS) | changes


def with_grant(**changes: Any) -> dict[str, Any]:
    content = content_of(NORDLYS)
    content["grants"][0] |= changes
    return content


# ---- reading ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("content", "where"),
    [
        (changed(penalty="none"), "penalty"),
        (with_grant(units=["x"]), "grants.0.units"),
        (with_grant(operations=[]), "grants.0.operations"),
        (with_grant(categories=[]), "grants.0.categories"),
        (with_grant(major=0), "grants.0.major"),
        (with_grant(purpose=""), "grants.0.purpose"),
        (with_grant(id="2-notes"), "two grants have the same id"),
        (changed(format="torv-agreement/2"), "format"),
        (changed(grants=[]), "grants"),
        (changed(partner="25313763"), "partner"),
        (changed(municipality="25313763"), "municipality"),
        (changed(validity={"not_before": "2026-01-01T00:00:00Z"}), "validity.not_after"),
        (changed(validity={"not_before": "2026-01-01T00:00:00", "not_after": "2027-01-01T00:00:00"}), "validity"),
        (changed(validity={"not_before": "2027-01-01T00:00:00Z", "not_after": "2026-01-01T00:00:00Z"}), "validity"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
async def test_what_we_cannot_read_and_keep_is_refused_and_named(
    shared_api: Api, content: dict[str, Any], where: str
) -> None:
    reply = await propose(shared_api, content)
    assert reply.code == (422, "agreement_invalid")
    assert where in reply.json["reason"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text.replace('"title"', '"title": "To titler", "title"', 1),
        lambda text: text.replace('"version": 1', '"version": NaN', 1),
        lambda text: text[:-1],
        lambda text: "[" + text + "]",
        lambda text: "",
    ],
    ids=["a name twice", "NaN", "cut off", "a list", "nothing"],
)
async def test_json_that_two_readers_could_take_for_different_agreements_is_refused(
    shared_api: Api, spoil: Any
) -> None:
    reply = await propose(shared_api, spoil(json.dumps(content_of(NORDLYS))).encode())
    assert reply.code == (422, "agreement_invalid")


async def test_an_agreement_is_proposed_once(api: Api) -> None:
    content = content_of(NORDLYS)
    first = await propose(api, content)
    assert (first.status, first.json["state"]) == (201, "proposed")
    again = await api.post(AGREEMENTS, content, by=BO)
    assert again.code == (409, "already_exists")


async def test_the_hash_is_that_of_the_content_however_it_was_written(api: Api) -> None:
    content = content_of(NORDLYS, title="Æble 😀")
    loose = json.dumps(dict(reversed(content.items())), indent=4, ensure_ascii=True).encode()
    reply = await propose(api, loose)
    signature = sign_agreement(content, key=ECKey.generate_key("P-256"), signer=NORDLYS.cvr)
    assert reply.json["hash"] == signing.unverified_claims(signature)["hash"]
    assert reply.json["content"] == content


# ---- the partner's signature -----------------------------------------------------------------------------------------
async def test_a_partner_signs_on_its_own_machine_and_once(api: Api, cast: Cast) -> None:
    content = content_of(NORDLYS)
    agreement = (await propose(api, content)).json["id"]
    jws = sign_agreement(content, key=cast.partner_keys["nordnote"], signer=NORDLYS.cvr)
    assert (await act(api, agreement, "signatures", {"jws": jws})).json["state"] == "proposed"
    assert (await act(api, agreement, "signatures", {"jws": jws}, by=BO)).code == (409, "already_exists")


def _signed(content: dict[str, Any], key: ECKey) -> str:
    return sign_agreement(content, key=key, signer=NORDLYS.cvr)


def _statement(content: dict[str, Any], key: ECKey, **changes: Any) -> str:
    signed = signing.unverified_claims(sign_agreement(content, key=key, signer=NORDLYS.cvr))
    return signing.sign(signed | changes, key)


@pytest.mark.parametrize(
    ("forge", "reason"),
    [
        (lambda c, keys: _signed(c | {"title": "X"}, keys["nordnote"]), "something else"),
        (lambda c, keys: _signed(c, keys["kviknote"]), "a key of the party"),
        (lambda c, keys: _signed(c, ECKey.generate_key("P-256")), "a key of the party"),
        (lambda c, keys: sign_agreement(c, key=keys["nordnote"], signer=KVIK.cvr), "not_a_party"),
        (lambda c, keys: _statement(c, keys["nordnote"], type="reject"), "something else"),
        (lambda c, keys: _statement(c, keys["nordnote"], hash=None), "something else"),
        (lambda c, keys: _signed(c, keys["nordnote"])[:-4] + "AAAA", "a key of"),
        (lambda c, keys: "eyJhbGciOiJub25lIn0.e30.", "names no signer"),
        (lambda c, keys: "", "cannot be read"),
        (lambda c, keys: "æ.ø.å", "cannot be read"),
    ],
    ids=["another content", "a rival's key", "an unknown key", "a rival", "another statement", "no hash", "spoilt",
         "alg none", "empty", "nonsense"],
)  # fmt: skip
async def test_a_signature_that_is_not_the_partners_over_this_content_is_refused(
    shared_api: Api, cast: Cast, forge: Any, reason: str
) -> None:
    content = content_of(NORDLYS)
    agreement = (await propose(shared_api, content)).json["id"]
    reply = await act(shared_api, agreement, "signatures", {"jws": forge(content, cast.partner_keys)})
    assert reply.code in ((422, "signature_invalid"), (422, "not_a_party"))
    assert reason in f"{reply.json['code']}: {reply.json.get('reason')}"


# ---- the municipality's two users ------------------------------------------------------------------------------------
async def test_two_different_users_sign_for_the_municipality(api: Api, cast: Cast, keys: Keys) -> None:
    content = content_of(NORDLYS)
    agreement = (await propose(api, content)).json["id"]
    jws = sign_agreement(content, key=cast.partner_keys["nordnote"], signer=NORDLYS.cvr)
    await act(api, agreement, "signatures", {"jws": jws})
    assert (await confirm(api, agreement, ANNA)).json["state"] == "proposed"
    assert (await confirm(api, agreement, BO)).json["state"] == "active"


async def test_one_user_who_confirms_twice_does_not_sign(api: Api, cast: Cast) -> None:
    content = content_of(NORDLYS)
    agreement = (await propose(api, content)).json["id"]
    jws = sign_agreement(content, key=cast.partner_keys["nordnote"], signer=NORDLYS.cvr)
    await act(api, agreement, "signatures", {"jws": jws})
    for number in range(2):
        reply = await api.post(
            f"{AGREEMENTS}/{agreement}/confirmations",
            {"password": PASSWORDS[ANNA]},
            by=ANNA,
            Idempotency_Key=f"{number}",
        )
        assert (reply.status, reply.json["state"]) == (201, "proposed")


async def test_a_confirmation_needs_the_password(api: Api) -> None:
    agreement = (await propose(api, content_of(NORDLYS))).json["id"]
    assert (await confirm(api, agreement, ANNA, "gættet forkert her")).code == (401, "wrong_password")


async def test_a_program_neither_confirms_nor_signs(api: Api, cast: Cast) -> None:
    for verb in ("confirmations", "signatures", "suspend", "resume"):
        reply = await act(api, cast.agreements["kviknote"], verb, {"password": "x", "jws": "x"}, by="nordnote")
        assert reply.code == (403, "denied"), verb


# ---- what happens later ----------------------------------------------------------------------------------------------
async def test_suspended_and_resumed_and_only_in_that_order(api: Api, cast: Cast) -> None:
    agreement = cast.agreements["borgerblik"]
    states = []
    for number, verb in enumerate(("resume", "suspend", "suspend", "resume")):
        reply = await api.post(f"{AGREEMENTS}/{agreement}/{verb}", by=ANNA, Idempotency_Key=f"{number}")
        states.append(reply.json.get("state") if reply.status == 200 else reply.code)
    assert states == [(409, "agreement_state_wrong"), "suspended", (409, "agreement_state_wrong"), "active"]


async def test_what_happened_to_an_agreement_stands_in_the_trail(api: Api, cast: Cast, outsider: Any) -> None:
    agreement = cast.agreements["borgerblik"]
    await act(api, agreement, "suspend")
    row = await outsider.fetchrow("select * from base.trail where operation = 'agreements.suspend'")
    assert json.loads(row["detail"]) == {"agreement": str(agreement), "event": "suspend"}
    assert row["user_id"] == cast.users[ANNA].id
    assert row["at"] <= datetime.now(UTC)


async def test_an_agreement_that_does_not_exist_is_not_found(shared_api: Api, cast: Cast) -> None:
    for reply in (
        await shared_api.get(f"{AGREEMENTS}/{cast.alma.id}", by=ANNA),
        await act(shared_api, cast.alma.id, "suspend"),
        await act(shared_api, cast.alma.id, "signatures", {"jws": "x"}),
    ):
        assert reply.code == (404, "not_found")
