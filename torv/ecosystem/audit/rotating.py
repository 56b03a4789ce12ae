"""Rotating: the key in force by what the log's own tables say, its successor, and the trust in those before it.

What the folder holds becomes the key in force by a row, in the transaction that logs it; so a process that dies between
the two leaves either a draft that means nothing, or a key that the next one to sign puts in its place.
"""

from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import ECKey

from torv.base import clock, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import SignatureInvalid
from torv.base.keyring import HeadKeys
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.audit import flaws, succession
from torv.ecosystem.audit.errors import HeadKeyMissing
from torv.ecosystem.audit.models import Flaw, StoredHead, StoredKey
from torv.ecosystem.audit.succession import Succession, Trust

sql = load(__file__)

_TICK = timedelta(microseconds=1)


async def key_in_force(tx: Tx, keys: HeadKeys) -> tuple[ECKey, datetime]:
    """The key to sign with in this transaction, and since when it is in force; until it ends, nobody rotates.

    The first one to sign states the first key. Raises HeadKeyMissing if the folder has not got its private half.
    """
    log = await tx.value(sql.share_log)
    stored = await tx.maybe(StoredKey, sql.newest_key)
    if stored is None:
        await _store(tx, succession.state(1, log, clock.now(), keys.current, None))
        stored = await tx.one(StoredKey, sql.newest_key)
    key = keys.find(stored.kid)
    if key is None:
        raise HeadKeyMissing(kid=stored.kid)
    return key, stored.since


async def rotate_key(tx: Tx, access: Access, keys: HeadKeys, *, former_is_lost: bool = False) -> Succession:
    """Let a new key follow the one in force; once the transaction is committed, call `keys.take_up` with its `kid`.

    The former key signs this, too; its private half is destroyed when the new one is taken up. Raises HeadKeyMissing if
    the former key is not there, unless it is said to be lost: then what witnesses trust does not lead to the new one.
    """
    log = await tx.value(sql.lock_log)
    former: ECKey | str
    try:
        former, _ = await key_in_force(tx, keys)
    except HeadKeyMissing as missing:
        if not former_is_lost:
            raise
        former = str(missing.facts["kid"])
    newest = await tx.one(StoredKey, sql.newest_key)
    head = await tx.maybe(StoredHead, sql.newest_head)
    since = max([clock.now(), newest.since + _TICK, *([head.at + _TICK] if head else [])])
    said = succession.state(newest.number + 1, log, since, keys.prepare(), former)
    await _store(tx, said)
    detail = {
        "key": said.kid,
        "former": said.former,
        "statement": said.statement,
        "signed": said.former_jws is not None,
    }
    note(tx, access, "system", detail=detail)
    return said


async def read_trust(tx: Tx, keys: HeadKeys) -> tuple[Trust, list[Flaw]]:
    """The keys of the log, starting from those the folder holds; and what of the kept statements does not hold."""
    mentioned = set(await tx.value(sql.mentioned_keys))
    log = await tx.value(sql.log_id)
    good, wrong = list[Succession](), list[Flaw]()
    for stored in await tx.all(StoredKey, sql.keys):
        said = _read(stored)
        if said is None or said.log != log or (stored.number > 1 and said.statement not in mentioned):
            wrong.append(flaws.bad_key(stored.number))
        else:
            good.append(said)
    trust = Trust(keys.held())
    wrong += [flaws.bad_key(each.number) for each in trust.learn(good)]
    return trust, wrong


async def list_successions(tx: Tx) -> list[Succession]:
    """Every statement of the log about its keys, the first one first."""
    return [said for stored in await tx.all(StoredKey, sql.keys) if (said := _read(stored)) is not None]


async def published_keys(tx: Tx, keys: HeadKeys) -> dict[str, Any]:
    """The keys of the log's heads as a JWK set, the one in force first; each with its period, and what proves it."""
    said = await list_successions(tx)
    if not said:
        return {"keys": [_jwk(keys.current, None, None)], "successions": []}
    ends = {each.former: each.since for each in said}
    shown = [_jwk(each.key, each.since, ends.get(each.kid)) for each in reversed(said)]
    return {"keys": shown, "successions": [each.text for each in said]}


def _jwk(key: ECKey, since: datetime | None, until: datetime | None) -> dict[str, Any]:
    period = {name: at.isoformat() for name, at in (("since", since), ("until", until)) if at is not None}
    return {**signing.public(key), "use": "sig", "alg": "ES256", **period}


def _read(stored: StoredKey) -> Succession | None:
    """What a row says; None if it is not what was signed."""
    try:
        said = succession.read(f"{stored.jws} {stored.former_jws or succession.NOBODY}")
    except SignatureInvalid:
        return None
    is_so = (said.number, said.kid, said.since) == (stored.number, stored.kid, stored.since)
    return said if is_so else None


async def _store(tx: Tx, said: Succession) -> None:
    await tx.run(
        sql.insert_key, number=said.number, kid=said.kid, since=said.since, jws=said.jws, former_jws=said.former_jws
    )
