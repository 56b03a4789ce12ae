"""Entries of Torv's log that name your program: a bundle, verified with no network and no word of Torv's.

What is verified: the entry belongs to its leaf (record and salt), the path leads from the leaf to the root of a tree
(RFC 9162), and that root was signed by a key that you trust, or one that such a key vouches for, within its period.
"""

import json
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from torv_sdk.canonical import parse

BUNDLE, HEAD, KEY = "torv-audit-bundle/1", "torv-audit-head/1", "torv-audit-key/1"
SALT = 16  #: bytes
LONGEST_PATH = 64  #: hashes


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvedEntry:
    """An entry that a head of the log has."""

    log: str  #: UUID of the log
    position: int
    record: dict[str, Any] | None  #: None: it is there, and what it says was withheld or erased
    head_size: int  #: entries of the log under the head
    head_at: datetime
    kid: str  #: thumbprint of the key that signed the head


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """That a key came into force, as the key itself has signed it."""

    content: dict[str, Any]
    key: ECKey
    former_jws: str

    @property
    def since(self) -> datetime:
        return datetime.fromisoformat(self.content["since"])


def verify_entry(lines: Sequence[str], trusted: Iterable[str]) -> ProvedEntry:
    """What a bundle with one entry proves; `trusted` are thumbprints of keys of the log, by a road of your own.

    Raises ValueError, which says what does not hold.
    """
    try:
        return _verified(lines, set(trusted))
    except (JoseError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is no bundle of Torv's log: {error}") from None


def _verified(lines: Sequence[str], trusted: set[str]) -> ProvedEntry:
    opening, entry = (parse(line) for line in lines)
    if opening["format"] != BUNDLE or opening["first"] != opening["last"] or entry["position"] != opening["first"]:
        raise ValueError("this is no bundle with one entry")
    said = [_read_said(text, opening["log"]) for text in opening["keys"]]
    keys = _keys_trusted(said, trusted)
    kid = _header(opening["head"])["kid"]
    if kid not in keys:
        raise ValueError(f"no key you trust leads to the key of the head, {kid}")
    head = _signed(opening["head"], keys[kid])
    at = datetime.fromisoformat(head["at"])
    if head["format"] != HEAD or head["log"] != opening["log"]:
        raise ValueError("the head is that of another log")
    _check_period(kid, at, said, keys)
    if not _is_included(_leaf(entry), entry["position"] - 1, head["size"], entry["path"], head["root"]):
        raise ValueError("the entry is not in the tree that the head signs")
    record = json.loads(entry["record"]) if "record" in entry else None
    return ProvedEntry(
        log=head["log"], position=entry["position"], record=record, head_size=head["size"], head_at=at, kid=kid
    )


# ---- keys ------------------------------------------------------------------------------------------------------------
def _keys_trusted(said: Sequence[_Said], trusted: set[str]) -> dict[str, ECKey]:
    """The trusted keys, and all that they vouch for, forwards by the former key's signature and backwards by name."""
    named = {each.key.thumbprint(): each.key for each in said}
    known = {kid: key for kid, key in named.items() if kid in trusted}
    before = -1
    while len(known) != before:
        before = len(known)
        for each in said:
            kid, former = each.key.thumbprint(), each.content["former"]
            if kid in known and former in named:
                known[former] = named[former]
            elif former in known and each.former_jws != "-" and _signed(each.former_jws, known[former]) == each.content:
                known[kid] = each.key
    return known


def _check_period(kid: str, at: datetime, said: Sequence[_Said], keys: dict[str, ECKey]) -> None:
    believed = [each for each in said if each.key.thumbprint() in keys]
    begins = [each.since for each in believed if each.key.thumbprint() == kid]
    ends = [each.since for each in believed if each.content["former"] == kid]
    if any(at < since for since in begins) or any(at >= until for until in ends):
        raise ValueError(f"the head of {at.isoformat()} is signed with the key {kid}, which was not in force then")


def _read_said(text: str, log: str) -> _Said:
    own, _, former = text.partition(" ")
    content = parse(urlsafe_b64decode(own.split(".")[1] + "=="))
    key = ECKey.import_key({name: str(content["key"][name]) for name in ("kty", "crv", "x", "y")})
    if _signed(own, key) != content or content["format"] != KEY or content["log"] != log:
        raise ValueError("a statement about the keys is not one of this log")
    return _Said(content=content, key=key, former_jws=former)


def _signed(compact: str, key: ECKey) -> dict[str, Any]:
    """What a JWS made with this key says. Raises JoseError or ValueError."""
    if key.curve_name != "P-256" or _header(compact).get("alg") != "ES256":
        raise ValueError("Torv signs with ES256")
    return dict(parse(jws.deserialize_compact(compact, key, algorithms=["ES256"]).payload))


def _header(compact: str) -> dict[str, Any]:
    return dict(parse(urlsafe_b64decode(compact.split(".")[0] + "==")))


# ---- the tree --------------------------------------------------------------------------------------------------------
def _leaf(entry: dict[str, Any]) -> bytes:
    if "record" not in entry:
        return bytes.fromhex(entry["leaf"])
    salt = bytes.fromhex(entry["salt"])
    if len(salt) != SALT:
        raise ValueError("the salt has another length")
    return sha256(b"\x00" + sha256(salt + entry["record"].encode()).digest()).digest()


def _is_included(leaf: bytes, index: int, size: int, path: Sequence[str], root: str) -> bool:
    """RFC 9162, section 2.1.3.2."""
    if not 0 <= index < size or len(path) > LONGEST_PATH:
        return False
    here, last, found = index, size - 1, leaf
    for each in (bytes.fromhex(text) for text in path):
        if last == 0:
            return False
        if here & 1 or here == last:
            found = sha256(b"\x01" + each + found).digest()
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            found = sha256(b"\x01" + found + each).digest()
        here, last = here >> 1, last >> 1
    return last == 0 and found.hex() == root
