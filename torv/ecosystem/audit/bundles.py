"""Bundles: entries with all that proves them, in one file, verified with no database and no word of the municipality's.

A bundle is JSON, one object a line. The first names the log and carries a signed head and the public key; each other
one is an entry: its record and salt (or, where a person was taken out of it, its leaf alone), and the path to the root.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from uuid import UUID

from joserfc.jwk import ECKey

from torv.base import signing
from torv.base.errors import InvalidInput, SignatureInvalid
from torv.ecosystem.audit import succession
from torv.ecosystem.audit.errors import BundleInvalid
from torv.ecosystem.audit.models import SignedHead
from torv.ecosystem.audit.succession import Succession, Trust
from torv.ecosystem.audit.tree import is_included, leaf_hash

FORMAT = "torv-audit-bundle/1"
HEAD_FORMAT = "torv-audit-head/1"
SALT = 16  #: bytes
LONGEST_LINE = 8_388_608  #: characters
LONGEST_PATH = 64  #: hashes: more than any log will ever need


@dataclass(frozen=True, kw_only=True, slots=True)
class Exported:
    """An entry as a bundle has it."""

    position: int
    path: list[bytes]
    record: str | None = None  #: None where a person was taken out of the entry
    salt: bytes | None = None
    leaf: bytes | None = None  #: where there is no record


@dataclass(kw_only=True, slots=True)
class Checked:
    """What checking a bundle found."""

    head: SignedHead
    entries: int = 0
    erased: int = 0  #: of them are bare leaves
    wrong: list[int] = field(default_factory=list)  #: positions whose proof does not lead to the head
    missing: list[int] = field(default_factory=list)  #: positions the bundle promises and has not, the first ones

    @property
    def holds(self) -> bool:
        return not self.wrong and not self.missing


def commit(salt: bytes, record: str) -> bytes:
    """The hash of the leaf of an entry: SHA-256(0x00, SHA-256(salt, record))."""
    return leaf_hash(sha256(salt + record.encode()).digest())


def first_line(*, log: UUID, head: str, key: ECKey, said: Sequence[Succession], first: int, last: int) -> str:
    """The line that opens a bundle with the entries from one position to another."""
    content = {
        "format": FORMAT,
        "log": str(log),
        "head": head,
        "key": signing.public(key),
        "keys": [each.text for each in said],
        "first": first,
        "last": last,
    }
    return json.dumps(content)


def line_of(entry: Exported) -> str:
    """The line of an entry."""
    content: dict[str, Any] = {"position": entry.position, "path": [each.hex() for each in entry.path]}
    if entry.record is not None and entry.salt is not None:
        return json.dumps(content | {"record": entry.record, "salt": entry.salt.hex()}, ensure_ascii=False)
    assert entry.leaf is not None
    return json.dumps(content | {"leaf": entry.leaf.hex()})


def check_bundle(lines: Iterable[str], trust: Trust) -> Checked:
    """Verify every line of a bundle. Raises BundleInvalid, HeadKeyOutsidePeriod, or SignatureInvalid if no trusted key
    has made its head, or one that a trusted one vouches for."""
    numbered = enumerate(lines, 1)
    first, last, head = _opening(numbered, trust)
    checked, expected = Checked(head=head), first
    for number, text in numbered:
        entry = _entry(number, text)
        while expected < entry.position and len(checked.missing) < LONGEST_PATH:
            checked.missing.append(expected)
            expected += 1
        leaf = entry.leaf or commit(entry.salt or b"", entry.record or "")
        if entry.position > last or not is_included(leaf, entry.position - 1, head.size, entry.path, head.root):
            checked.wrong.append(entry.position)
        checked.entries, checked.erased = checked.entries + 1, checked.erased + (entry.record is None)
        expected = entry.position + 1
    if expected <= last:
        checked.missing.append(expected)
    return checked


def keys_in(line: str) -> list[ECKey]:
    """The keys a bundle itself names, that of its head first, to be compared with what the municipality says.

    Raises BundleInvalid, or SignatureInvalid.
    """
    with _reading(1):
        content = _content(line)
        return [signing.read_public_key(content["key"]), *(each.key for each in _said(content))]


def _said(content: dict[str, Any]) -> list[Succession]:
    said = content.get("keys", [])
    if not isinstance(said, list):
        raise TypeError
    return [succession.read(str(each)) for each in said]


def read_head(jws: str, trust: Trust) -> SignedHead:
    """What a signed head says. Raises SignatureInvalid, or HeadKeyOutsidePeriod."""
    by = trust.find(kid_of(jws))
    if by is None:
        raise SignatureInvalid(reason="no trusted key has made it")
    said = signing.verify(jws, by.key)
    try:
        if said.pop("format") != HEAD_FORMAT:
            raise ValueError
        head = SignedHead(**said | {"log": UUID(said["log"]), "root": bytes.fromhex(said["root"])})
        at = succession.instant(head.at)
    except (KeyError, TypeError, ValueError):
        raise SignatureInvalid(reason="it does not sign a head of a log") from None
    by.check(head.log, at)
    return head


def key_of(jws: str, trust: Trust) -> ECKey:
    """The key that a JWS is made with, among trusted ones. Raises SignatureInvalid."""
    by = trust.find(kid_of(jws))
    if by is None:
        raise SignatureInvalid(reason="no trusted key has made it")
    return by.key


def kid_of(jws: str) -> str:
    """The thumbprint of the key that a JWS says it is made with. Raises SignatureInvalid."""
    try:
        part = jws.split(".")[0]
        return str(signing.strict_json(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["kid"])
    except (InvalidInput, KeyError, TypeError, ValueError):
        raise SignatureInvalid(reason="it names no key") from None


def trusting(*keys: ECKey) -> Trust:
    """Trusts these keys, and whom they vouch for."""
    return Trust(keys)


def trust_in(jwks: str) -> Trust:
    """Trusts the keys of a JWK set, in their periods where it says them. Raises InvalidInput or SignatureInvalid."""
    content = signing.strict_json(jwks)
    if not isinstance(content, dict) or not isinstance(content.get("keys"), list):
        raise InvalidInput(reason="not a JWK set")
    trust = Trust(signing.read_public_key(each) for each in content["keys"] if isinstance(each, dict))
    said = content.get("successions", [])
    trust.learn([succession.read(str(each)) for each in said if isinstance(said, list)])
    return trust


def _opening(numbered: Iterator[tuple[int, str]], trust: Trust) -> tuple[int, int, SignedHead]:
    """The positions a bundle promises, and its head."""
    _, text = next(numbered, (1, ""))
    with _reading(1):
        content = _content(text)
        first, last, log, jws = content["first"], content["last"], UUID(content["log"]), str(content["head"])
        said = _said(content)
        if content["format"] != FORMAT or not (type(first) is type(last) is int and 0 < first <= last):
            raise ValueError
    trust.learn(said)
    head = read_head(jws, trust)
    if head.log != log or head.size < last:
        raise BundleInvalid(line=1)
    return first, last, head


def _entry(number: int, text: str) -> Exported:
    with _reading(number):
        content = _content(text)
        position, path = content["position"], [_hash(each) for each in content["path"]]
        if type(position) is not int or len(path) > LONGEST_PATH:
            raise ValueError
        if "leaf" in content:
            return Exported(position=position, path=path, leaf=_hash(content["leaf"]))
        record, salt = content["record"], bytes.fromhex(content["salt"])
        if not isinstance(record, str) or len(salt) != SALT:  # of another length, it could begin inside the record
            raise ValueError
        return Exported(position=position, path=path, record=record, salt=salt)


def _hash(text: str) -> bytes:
    value = bytes.fromhex(text)
    if len(value) != 32:
        raise ValueError
    return value


def _content(text: str) -> dict[str, Any]:
    content = signing.strict_json(text) if len(text) <= LONGEST_LINE else None
    if not isinstance(content, dict):
        raise TypeError
    return content


@contextmanager
def _reading(line: int) -> Iterator[None]:
    """Whatever in a line is not as it should be is one refusal."""
    try:
        yield
    except (AttributeError, InvalidInput, KeyError, TypeError, ValueError):
        raise BundleInvalid(line=line) from None
