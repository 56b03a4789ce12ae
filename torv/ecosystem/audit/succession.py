"""Succession: the keys that heads are signed with, one after the other, each for its own period.

The statement that a key is in force from an instant is signed by this key and by the one before it. So whoever trusts
one key of a log walks from there to all of them, forwards and backwards, with no database and no network. Where the
former key was lost it signs nothing: then the walk goes backwards alone.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from joserfc.jwk import ECKey

from torv.base import signing
from torv.base.errors import InvalidInput, SignatureInvalid
from torv.ecosystem.audit.errors import HeadKeyOutsidePeriod

KEY_FORMAT = "torv-audit-key/1"
NOBODY = "-"  #: in the place of the former key's signature, where it has made none


@dataclass(frozen=True, kw_only=True, slots=True)
class Succession:
    """A key came into force."""

    number: int  #: 1 is the first key of the log
    log: UUID
    key: ECKey  #: public
    since: datetime
    former: str | None  #: thumbprint of the key whose period ended then; None for the first
    jws: str  #: signed by the key itself
    former_jws: str | None  #: the same, signed by the former key; None where there is none, or where it was lost

    @property
    def kid(self) -> str:
        return self.key.thumbprint()

    @property
    def text(self) -> str:
        """As bundles, witnesses and the published keys have it: both signatures, a blank between them."""
        return f"{self.jws} {self.former_jws or NOBODY}"

    @property
    def statement(self) -> str:
        """What the log calls it by: the hash of the statement, as the key itself signed it."""
        return sha256(self.jws.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadKey:
    """A key that heads are believed by, and when."""

    key: ECKey
    log: UUID | None = None  #: the only one it signs for; None while nothing says so
    since: datetime | None = None
    until: datetime | None = None  #: None: it is in force, as far as is known

    def check(self, log: UUID, at: datetime) -> None:
        """Raises HeadKeyOutsidePeriod, or SignatureInvalid for what belongs to another log."""
        if self.log not in (None, log):
            raise SignatureInvalid(reason="its key is that of another log")
        if (self.since and at < self.since) or (self.until and at >= self.until):
            raise HeadKeyOutsidePeriod(
                kid=self.key.thumbprint(), at=at.isoformat(), since=_shown(self.since), until=_shown(self.until)
            )


class Trust:
    """The keys that are believed: those given, and all that they vouch for."""

    def __init__(self, keys: Iterable[ECKey]) -> None:
        self._keys = {key.thumbprint(): key for key in keys}
        self._learnt: dict[str, Succession] = {}  # by the hash of the statement

    def learn(self, said: Iterable[Succession]) -> list[Succession]:
        """Take in what a trusted key has signed; gives what none vouches for, which changes nothing."""
        among = list(said)
        doubtful, known = among, {each.kid: each.key for each in among}
        while found := [each for each in doubtful if self._vouches_for(each)]:
            for each in found:
                self._learnt[each.statement] = each
                self._keys[each.kid] = each.key
                if each.former in known:  # its thumbprint leaves no doubt which key it is
                    self._keys[each.former] = known[each.former]
            doubtful = [each for each in doubtful if each.statement not in self._learnt]
        return doubtful

    def find(self, kid: str) -> HeadKey | None:
        """A believed key with its period; None for any other."""
        key = self._keys.get(kid)
        if key is None:
            return None
        own = [each for each in self._learnt.values() if each.kid == kid]
        ends = [each.since for each in self._learnt.values() if each.former == kid]
        return HeadKey(
            key=key, log=own[0].log if own else None, since=own[0].since if own else None, until=min(ends, default=None)
        )

    @property
    def thumbprints(self) -> list[str]:
        return list(self._keys)

    def _vouches_for(self, said: Succession) -> bool:
        """Whether the key itself is trusted, or the former one is and has signed, too."""
        if said.kid in self._keys:
            return True
        former = self._keys.get(said.former or "")
        if former is None or said.former_jws is None:
            return False
        with suppress(SignatureInvalid):
            return signing.verify(said.former_jws, former) == signing.verify(said.jws, said.key)
        return False


def state(number: int, log: UUID, since: datetime, key: ECKey, former: ECKey | str | None) -> Succession:
    """The statement that a private key is in force from an instant; of a former one that was lost, the thumbprint."""
    kid = former.thumbprint() if isinstance(former, ECKey) else former
    content = {
        "format": KEY_FORMAT, "former": kid, "key": signing.public(key), "log": str(log), "number": number,
        "since": since.isoformat(),
    }  # fmt: skip
    former_jws = signing.sign(content, former) if isinstance(former, ECKey) else None
    public = signing.read_public_key(key.as_dict(private=False))
    return Succession(
        number=number, log=log, key=public, since=since, former=kid, jws=signing.sign(content, key),
        former_jws=former_jws,
    )  # fmt: skip


def read(text: str) -> Succession:
    """A succession as its text has it, signed by the key it names itself. Raises SignatureInvalid."""
    jws, _, former_jws = text.partition(" ")
    try:
        said = signing.unverified_claims(jws)
        key = signing.read_public_key(said["key"])
        said = signing.verify(jws, key)
        if said["format"] != KEY_FORMAT or not isinstance(said["number"], int):
            raise ValueError
        return Succession(
            number=said["number"], log=UUID(said["log"]), key=key, since=instant(said["since"]),
            former=said["former"] if said["former"] is None else str(said["former"]), jws=jws,
            former_jws=None if former_jws in ("", NOBODY) else former_jws,
        )  # fmt: skip
    except (AttributeError, InvalidInput, KeyError, TypeError, ValueError):
        raise SignatureInvalid(reason="it does not say which key followed which") from None


def instant(text: Any) -> datetime:
    """An instant as it stands in what is signed. Raises ValueError or TypeError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def _shown(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
