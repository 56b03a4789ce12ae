"""Keys and signatures a supplier makes on their own machine."""

import asyncio
import json
import stat
from base64 import b32decode, urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256

import pytest
import rfc8785
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from tests.sdk.loopback import loopback
from torv_sdk.cli import main
from torv_sdk.keys import fingerprint, make_key, prove_key, read_key, sign_agreement, thumbprint


def test_keygen_makes_a_private_file_and_prints_the_public_part(tmp_path, capsys):
    place = tmp_path / "release.pem"
    assert main(["keygen", str(place)]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert "d" not in printed["jwk"]
    members = {name: printed["jwk"][name] for name in ("crv", "kty", "x", "y")}
    plain = urlsafe_b64encode(sha256(json.dumps(members, separators=(",", ":")).encode()).digest()).rstrip(b"=")
    assert printed["thumbprint"] == thumbprint(read_key(place)) == plain.decode()


def test_a_key_is_never_overwritten(tmp_path, capsys):
    place = tmp_path / "release.pem"
    make_key(place)
    before = place.read_bytes()
    assert main(["keygen", str(place)]) == 1
    assert capsys.readouterr().err.startswith("torv-sdk: ")
    assert place.read_bytes() == before


@pytest.mark.parametrize("curve", ["P-521", "secp256k1"])
def test_a_key_on_another_curve_is_refused(tmp_path, curve):
    place = tmp_path / "key.pem"
    place.write_bytes(ECKey.generate_key(curve, auto_kid=False).as_pem(private=True))
    with pytest.raises(ValueError, match="P-256"):
        read_key(place)


def test_a_public_key_does_not_sign(tmp_path):
    place = tmp_path / "key.pem"
    place.write_bytes(make_key(tmp_path / "own.pem").as_pem(private=False))
    with pytest.raises(ValueError, match="private"):
        read_key(place)


def test_what_is_not_a_key_is_one_sentence(tmp_path, capsys):
    (tmp_path / "agreement.json").write_text("{}")
    (tmp_path / "key.pem").write_text("hello")
    command = ["sign", str(tmp_path / "agreement.json"), "--key", str(tmp_path / "key.pem"), "--signer", "12345674"]
    assert main(command) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_signature_accepts_the_canonical_content(tmp_path, capsys):
    key = make_key(tmp_path / "key.pem")
    (tmp_path / "agreement.json").write_text('{ "b": [1.0],\n "a": "Æ" }')
    command = ["sign", str(tmp_path / "agreement.json"), "--key", str(tmp_path / "key.pem"), "--signer", "12345674"]
    assert main(command) == 0
    signature = capsys.readouterr().out.strip()
    signed = jws.deserialize_compact(signature, key, algorithms=["ES256"])
    assert signed.headers() == {"alg": "ES256", "kid": thumbprint(key)}
    statement = json.loads(signed.payload)
    assert signed.payload == rfc8785.dumps(statement)
    assert statement["hash"] == sha256('{"a":"Æ","b":[1]}'.encode()).hexdigest()
    assert (statement["type"], statement["signer"]) == ("accept", "12345674")


@pytest.mark.parametrize("kind", ["accept", "reject", "notice"])
def test_a_partner_may_say_something_else_about_an_agreement(tmp_path, capsys, kind):
    key = make_key(tmp_path / "key.pem")
    (tmp_path / "agreement.json").write_text("{}")
    command = ["sign", str(tmp_path / "agreement.json"), "--key", str(tmp_path / "key.pem"), "--signer", "12345674"]
    assert main([*command, "--kind", kind]) == 0
    signed = jws.deserialize_compact(capsys.readouterr().out.strip(), key, algorithms=["ES256"])
    assert json.loads(signed.payload)["type"] == kind


async def test_a_token_is_fetched_with_the_releases_own_key(tmp_path, capsys):
    make_key(tmp_path / "key.pem")
    async with loopback() as torv:
        command = ["token", "--url", torv.url, "--key", str(tmp_path / "key.pem"), "--client-id", "release-1"]
        assert await asyncio.to_thread(main, command) == 0
        assert len(torv.seen("/oauth/token")) == 1
    assert capsys.readouterr().out == "first\n"


@pytest.mark.parametrize(("curve", "algorithm"), [("P-256", "ES256"), ("P-384", "ES384")])
def test_a_key_is_proved_by_signing_the_code_and_its_own_name(tmp_path, capsys, curve, algorithm):
    assert main(["keygen", str(tmp_path / "key.pem"), "--curve", curve]) == 0
    key = read_key(tmp_path / "key.pem")
    assert json.loads(capsys.readouterr().out)["fingerprint"] == fingerprint(key)
    proof = jws.deserialize_compact(prove_key(key, "7K3M-9QXT"), key, algorithms=[algorithm])
    assert json.loads(proof.payload) == {"type": "enrol", "code": "7K3M-9QXT", "thumbprint": thumbprint(key)}


def test_a_fingerprint_is_eight_groups_of_the_thumbprint(tmp_path):
    key = make_key(tmp_path / "key.pem")
    groups = fingerprint(key).split(" ")
    assert [len(group) for group in groups] == [4] * 8
    assert b32decode("".join(groups)) == urlsafe_b64decode(thumbprint(key) + "=")[:20]


async def test_a_key_is_sent_once_under_its_code_and_the_fingerprint_shown_is_our_own(tmp_path, capsys):
    key = make_key(tmp_path / "key.pem")
    async with loopback() as torv:
        torv.answer("/api/v1/partners/enrolments", 201, {"partner": "Nordlys", "kid": "x", "fingerprint": "LIES"})
        command = ["enrol", "--url", torv.url, "--key", str(tmp_path / "key.pem"), "--code", "7K3M"]
        assert await asyncio.to_thread(main, command) == 0
        [(_, body)] = torv.seen("/api/v1/partners/enrolments")
    sent, shown = json.loads(body), capsys.readouterr().out
    assert (sent["code"], sent["jwk"].get("d")) == ("7K3M", None)
    assert json.loads(jws.deserialize_compact(sent["proof"], key).payload)["code"] == "7K3M"
    assert fingerprint(key) in shown
    assert "LIES" not in shown


async def test_a_refused_code_is_one_sentence(tmp_path, capsys):
    make_key(tmp_path / "key.pem")
    async with loopback() as torv:
        torv.answer("/api/v1/partners/enrolments", 401, {"code": "enrolment_refused", "title": "Koden er ikke gyldig."})
        command = ["enrol", "--url", torv.url, "--key", str(tmp_path / "key.pem"), "--code", "7K3M"]
        assert await asyncio.to_thread(main, command) == 1
    assert capsys.readouterr().err == "torv-sdk: Koden er ikke gyldig.\n"


def test_a_signature_by_another_key_does_not_verify(tmp_path):
    signature = sign_agreement({}, key=make_key(tmp_path / "one.pem"), signer="12345674")
    with pytest.raises(BadSignatureError):
        jws.deserialize_compact(signature, make_key(tmp_path / "two.pem"), algorithms=["ES256"])


@pytest.mark.parametrize("content", ['{"price": 1, "price": 2}', "[1e400]", "{}{}"])
def test_an_ambiguous_agreement_is_not_signed(tmp_path, capsys, content):
    make_key(tmp_path / "key.pem")
    (tmp_path / "agreement.json").write_text(content)
    command = ["sign", str(tmp_path / "agreement.json"), "--key", str(tmp_path / "key.pem"), "--signer", "12345674"]
    assert main(command) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("signer", ["", "1234567", "123456789", "DK345674"])
def test_a_signer_is_a_cvr_number(tmp_path, signer):
    with pytest.raises(ValueError, match="CVR"):
        sign_agreement({}, key=make_key(tmp_path / "key.pem"), signer=signer)
