"""Keys and signatures a supplier makes on their own machine."""

import json
import stat
from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest
import rfc8785
from joserfc import jws
from joserfc.errors import BadSignatureError
from joserfc.jwk import ECKey

from torv_sdk.cli import main
from torv_sdk.keys import make_key, read_key, sign_agreement, thumbprint


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


@pytest.mark.parametrize("curve", ["P-384", "P-521"])
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
