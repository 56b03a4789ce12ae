"""A supplier's key: made here, kept here, enrolled under a one-time code, and used to sign agreements."""

import os
import re
from base64 import b32encode, urlsafe_b64decode
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

from joserfc import jws
from joserfc.jwk import ECKey

from torv_sdk.canonical import canonical

ALGORITHMS = {"P-256": "ES256", "P-384": "ES384"}  #: curve -> the one algorithm of its keys

Kind = Literal["accept", "reject", "notice"]  #: what a party says about an agreement
KINDS: tuple[Kind, ...] = get_args(Kind)


def make_key(place: Path, curve: str = "P-256") -> ECKey:
    """Make a key in a new file that only its owner can read. Raises FileExistsError, never overwrites."""
    key = ECKey.generate_key(curve, auto_kid=False)
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.as_pem(private=True))
    return key


def read_key(place: Path) -> ECKey:
    """Read a private ES256 or ES384 key from a PEM file. Raises ValueError if it is something else."""
    key = ECKey.import_key(place.read_bytes())
    if not key.is_private or key.curve_name not in ALGORITHMS:
        raise ValueError(f"{place} is not a private ES256 (P-256) or ES384 (P-384) key")
    return key


def algorithm_of(key: ECKey) -> str:
    """The one algorithm a key signs with."""
    return ALGORITHMS[key.curve_name]


def thumbprint(key: ECKey) -> str:
    """The key's name everywhere in Torv (RFC 7638, SHA-256)."""
    return key.thumbprint()


def fingerprint(key: ECKey) -> str:
    """What you read aloud to the contract manager: 160 bits of the thumbprint in eight groups of four."""
    text = b32encode(urlsafe_b64decode(thumbprint(key) + "=")[:20]).decode()
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def prove_key(key: ECKey, code: str) -> str:
    """The proof that goes with a key sent under a one-time code: a JWS over both, made with that key."""
    return _signed({"type": "enrol", "code": code, "thumbprint": thumbprint(key)}, key)


def sign_agreement(content: Any, *, key: ECKey, signer: str, kind: Kind = "accept") -> str:
    """Accept an agreement, reject it or give notice: a compact JWS over its hash, who says so (CVR number) and when.

    What is signed is the hash of the canonical content, so white space and the order of keys do not matter.
    """
    if not re.fullmatch(r"[0-9]{8}", signer):
        raise ValueError("a CVR number has eight digits")
    statement = {
        "hash": sha256(canonical(content)).hexdigest(),
        "type": kind,
        "signed_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "signer": signer,
    }
    return _signed(statement, key)


def sign_manifest(manifest: Any, *, key: ECKey, signer: str, audience: str) -> str:
    """The statement that registers a release: a compact JWS over the manifest's hash, who says so, to whom and when.

    It counts for ten minutes, and in the Torv with this public address alone.
    """
    if not re.fullmatch(r"[0-9]{8}", signer):
        raise ValueError("a CVR number has eight digits")
    statement = {
        "type": "register",
        "hash": sha256(canonical(manifest)).hexdigest(),
        "audience": audience,
        "signer": signer,
        "signed_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
    return _signed(statement, key)


def _signed(statement: dict[str, str], key: ECKey) -> str:
    header = {"alg": algorithm_of(key), "kid": thumbprint(key)}
    return jws.serialize_compact(header, canonical(statement), key, algorithms=[header["alg"]])
