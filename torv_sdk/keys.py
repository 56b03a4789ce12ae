"""A supplier's key: made here, kept here, and used to sign agreements on the supplier's own machine."""

import os
import re
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import ECKey

from torv_sdk.canonical import canonical


def make_key(place: Path) -> ECKey:
    """Make an ES256 key in a new file that only its owner can read. Raises FileExistsError, never overwrites."""
    key = ECKey.generate_key("P-256", auto_kid=False)
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.as_pem(private=True))
    return key


def read_key(place: Path) -> ECKey:
    """Read a private ES256 key from a PEM file. Raises ValueError if it is something else."""
    key = ECKey.import_key(place.read_bytes())
    if not key.is_private or key.curve_name != "P-256":
        raise ValueError(f"{place} is not a private ES256 (P-256) key")
    return key


def thumbprint(key: ECKey) -> str:
    """The key's name everywhere in Torv (RFC 7638, SHA-256)."""
    return key.thumbprint()


def sign_agreement(content: Any, *, key: ECKey, signer: str) -> str:
    """Accept an agreement: a compact JWS over its hash, who accepts (CVR number) and when.

    What is signed is the hash of the canonical content, so white space and the order of keys do not matter.
    """
    if not re.fullmatch(r"[0-9]{8}", signer):
        raise ValueError("a CVR number has eight digits")
    statement = {
        "hash": sha256(canonical(content)).hexdigest(),
        "type": "accept",
        "signed_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "signer": signer,
    }
    return jws.serialize_compact(
        {"alg": "ES256", "kid": thumbprint(key)}, canonical(statement), key, algorithms=["ES256"]
    )
