"""Partners: known by their CVR number, with public keys of one kind only; and there is one municipality."""

from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from tests.cast import ANNA, Cast
from tests.served import Api
from torv.base import signing
from torv.base.errors import InvalidInput
from torv.ecosystem.partners.service import normal_cvr

PARTNERS = "/api/v1/partners"


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
    assert (first.status, first.json["kind"]) == (201, "organisation")
    assert (await api.post(PARTNERS, new, by=ANNA, Idempotency_Key="2")).code == (409, "already_exists")


async def test_there_is_one_municipality(api: Api) -> None:
    new = {"cvr": "25313763", "name": "En anden kommune", "kind": "municipality"}
    assert (await api.post(PARTNERS, new, by=ANNA, Idempotency_Key="1")).code == (409, "already_exists")


async def test_programs_do_not_read_the_list_of_partners(shared_api: Api) -> None:
    assert (await shared_api.get(PARTNERS, by="nordnote")).code == (403, "denied")


# ---- keys ------------------------------------------------------------------------------------------------------------
def _bad_keys() -> dict[str, dict[str, Any]]:
    good = signing.public(ECKey.generate_key("P-256"))
    return {
        "private": ECKey.generate_key("P-256").as_dict(private=True),
        "P-384": ECKey.generate_key("P-384").as_dict(private=False),
        "secp256k1": ECKey.generate_key("secp256k1").as_dict(private=False),
        "RSA": RSAKey.generate_key(2048).as_dict(private=False),
        "symmetric": OctKey.generate_key(256).as_dict(private=True),
        "off the curve": {**good, "x": good["y"], "y": good["x"]},
        "no y": {name: value for name, value in good.items() if name != "y"},
        "not base64": {**good, "x": "!!"},
        "numbers": {**good, "x": 7},
        "empty": {},
    }


@pytest.mark.parametrize("jwk", [pytest.param(jwk, id=name) for name, jwk in _bad_keys().items()])
async def test_only_public_keys_on_p256_are_enrolled(shared_api: Api, cast: Cast, jwk: dict[str, Any]) -> None:
    path = f"{PARTNERS}/{cast.partners['nordnote']}/keys"
    reply = await shared_api.post(path, {"jwk": jwk}, by=ANNA, Idempotency_Key=f"key {sorted(jwk.items())!a}"[:200])
    assert reply.code == (422, "invalid_input")
    assert str(jwk.get("d", "(none)")) not in reply.body.decode()


async def test_a_key_is_known_by_its_thumbprint_whatever_else_it_says(api: Api, cast: Cast) -> None:
    key = ECKey.generate_key("P-256")
    jwk = signing.public(key) | {"kid": "something else", "use": "enc", "x5c": ["..."]}
    reply = await api.post(f"{PARTNERS}/{cast.partners['nordnote']}/keys", {"jwk": jwk}, by=ANNA, Idempotency_Key="1")
    assert reply.json["kid"] == key.thumbprint()
    assert "x5c" not in reply.json["jwk"]


async def test_nobody_signs_with_somebody_elses_key(api: Api, cast: Cast) -> None:
    jwk = signing.public(cast.partner_keys["nordnote"])
    reply = await api.post(f"{PARTNERS}/{cast.partners['kviknote']}/keys", {"jwk": jwk}, by=ANNA, Idempotency_Key="1")
    assert reply.code == (409, "already_exists")


async def test_an_unknown_partner_has_no_keys(shared_api: Api, cast: Cast) -> None:
    jwk = signing.public(ECKey.generate_key("P-256"))
    path = f"{PARTNERS}/{cast.alma.id}/keys"
    assert (await shared_api.post(path, {"jwk": jwk}, by=ANNA, Idempotency_Key="1")).code == (404, "not_found")


def test_a_readable_key_is_read() -> None:
    key = ECKey.generate_key("P-256")
    assert signing.read_public_key(signing.public(key)).thumbprint() == key.thumbprint()
    with pytest.raises(InvalidInput):
        signing.read_public_key(key.as_dict(private=True))
