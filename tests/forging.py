"""Tokens made by hand, byte by byte, as no library would make them."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from joserfc.jwk import ECKey

HASHES = {"P-256": SHA256, "P-384": SHA384}


def part(content: Any) -> str:
    """A part of a compact token; text and bytes go as they are, everything else as JSON."""
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    return urlsafe_b64encode(text.encode() if isinstance(text, str) else text).rstrip(b"=").decode()


def forge(header: Any, content: Any, key: ECKey) -> str:
    """A compact token over exactly this header and content, whose signature holds."""
    text = f"{part(header)}.{part(content)}"
    private: Any = key.get_op_key("sign")
    r, s = decode_dss_signature(private.sign(text.encode(), ECDSA(HASHES[key.curve_name]())))
    size = key.curve_key_size // 8
    return f"{text}.{part(r.to_bytes(size, 'big') + s.to_bytes(size, 'big'))}"


def unsigned(content: Any, algorithm: str = "none") -> str:
    """A compact token without a signature."""
    return f"{part({'alg': algorithm})}.{part(content)}."


def with_shared_secret(content: Any, secret: bytes, **header: Any) -> str:
    """A compact token by HS256."""
    text = f"{part({'alg': 'HS256', **header})}.{part(content)}"
    return f"{text}.{part(hmac.digest(secret, text.encode(), hashlib.sha256))}"
