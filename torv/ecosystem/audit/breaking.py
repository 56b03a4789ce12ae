"""Witnesses and breaks: a restored older database is exposed by the heads others keep, and excused only by saying so.

A witness keeps signed heads, one a line, where whoever can change the database cannot; and, a line each with two
signatures, which key followed which, so that what it keeps can be verified alone. A declared break is a signed
statement that the log, after a legitimate restore, went on from fewer entries than it had had.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from joserfc.jwk import ECKey

from torv.base import clock, signing
from torv.base.access import Access
from torv.base.db import Tx
from torv.base.errors import SignatureInvalid
from torv.base.keyring import HeadKeys
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.audit import flaws, succession
from torv.ecosystem.audit.bundles import kid_of, read_head
from torv.ecosystem.audit.errors import HeadKeyOutsidePeriod, NothingLost, NotTheSameLog
from torv.ecosystem.audit.keeping import read_edge, sign_head
from torv.ecosystem.audit.models import Break, DeclaredBreak, Flaw, SignedHead
from torv.ecosystem.audit.rotating import key_in_force, list_successions, read_trust
from torv.ecosystem.audit.succession import Trust

sql = load(__file__)

BREAK_FORMAT = "torv-audit-break/1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hearing:
    """What the heads of a witness say about the log."""

    heads: int
    excused: int  #: of them belong to what a declared break says was lost
    agreed: int  #: the size of the largest tree that is as it was seen
    lost: tuple[SignedHead, ...]  #: heads the log no longer holds
    flaws: tuple[Flaw, ...]

    @property
    def holds(self) -> bool:
        return not self.lost


@dataclass(frozen=True, kw_only=True, slots=True)
class WitnessHeads:
    """What a witness has kept, every signature seen to be good."""

    heads: tuple[SignedHead, ...]
    keys: int  #: statements about keys


def keys_kept(lines: Sequence[str]) -> list[ECKey]:
    """The keys that what a witness kept itself names, to be compared with what the municipality says."""
    return [succession.read(line).key for line in lines if " " in line]


def check_witness(lines: Sequence[str], trust: Trust) -> WitnessHeads:
    """Read what a witness kept, with no database. Raises SignatureInvalid, HeadKeyOutsidePeriod or NotTheSameLog."""
    trust.learn(succession.read(line) for line in lines if " " in line)
    heads = tuple(read_head(line, trust) for line in lines if " " not in line)
    for other in heads:
        if other.log != heads[0].log:
            raise NotTheSameLog(log=str(other.log))
    return WitnessHeads(heads=heads, keys=len(lines) - len(heads))


async def hear_witness(tx: Tx, keys: HeadKeys, lines: Sequence[str]) -> Hearing:
    """Compare the log with each head that a witness kept.

    Raises SignatureInvalid, HeadKeyOutsidePeriod or NotTheSameLog.
    """
    log, size = await tx.value(sql.log_id), int(await tx.value(sql.tree_size))
    trust, _ = await read_trust(tx, keys)
    heads = check_witness(lines, trust).heads
    breaks, _ = await read_breaks(tx, trust, log)
    excused, agreed, lost = 0, 0, list[SignedHead]()
    for head in heads:
        if head.log != log:
            raise NotTheSameLog(log=str(head.log))
        if head.size <= size and (await read_edge(tx, head.size)).root() == head.root:
            agreed = max(agreed, head.size)
        elif any(each.excuses(head) for each in breaks):
            excused += 1
        else:
            lost.append(head)
    found = [flaws.forked(each.size) if each.size <= size else flaws.cut_off(size, each.size) for each in lost]
    found = sorted(dict.fromkeys(found), key=lambda each: each.position or 0)
    return Hearing(heads=len(heads), excused=excused, agreed=agreed, lost=tuple(lost), flaws=tuple(found))


async def lines_for_witness(tx: Tx, keys: HeadKeys, known: Sequence[str]) -> list[str]:
    """What a witness is to keep beyond what it has: a signed head of the log as it is, and how its keys followed."""
    head = (await sign_head(tx, keys)).jws
    return [*(each.text for each in await list_successions(tx) if each.text not in known), head]


async def declare_break(tx: Tx, access: Access, keys: HeadKeys, *, heads: Sequence[str], reason: str) -> DeclaredBreak:
    """Declare that what a witness saw was lost in a restore, and that the log goes on from what is left.

    The reason stands in the signed statement, not in the log, which holds no free text but the statement's hash.
    Raises NothingLost, HeadKeyMissing, or what `hear_witness` does.
    """
    heard = await hear_witness(tx, keys, heads)
    if heard.holds:
        raise NothingLost
    lost = max(heard.lost, key=lambda each: (each.size, each.at))
    number, (key, since) = int(await tx.value(sql.count_breaks)) + 1, await key_in_force(tx, keys)
    kept = (await read_edge(tx, heard.agreed)).root()
    declared = DeclaredBreak(
        number=number, log=lost.log, lost_size=lost.size, lost_root=lost.root.hex(),
        lost_at=max(each.at for each in heard.lost), kept_size=heard.agreed, kept_root=kept.hex(),
        at=max(clock.now(), since).isoformat(), reason=reason,
    )  # fmt: skip
    jws = signing.sign({"format": BREAK_FORMAT, **declared.payload()}, key)
    await tx.run(
        sql.insert_break, number=number, lost_size=lost.size, kept_size=heard.agreed, declared_at=clock.now(), jws=jws
    )
    detail = {"break": number, "statement": _hash_of(jws), "lost": lost.size, "kept": heard.agreed}
    note(tx, access, "system", detail=detail)
    return declared


async def read_breaks(tx: Tx, trust: Trust, log: UUID) -> tuple[list[DeclaredBreak], list[Flaw]]:
    """The declared breaks whose statements are good and which the log mentions, and what is wrong with the others."""
    mentioned = set(await tx.value(sql.mentioned_breaks))
    good, wrong = list[DeclaredBreak](), list[Flaw]()
    for stored in await tx.all(Break, sql.breaks):
        try:
            said = _read_break(stored.jws, trust)
        except (HeadKeyOutsidePeriod, SignatureInvalid):
            said = None
        if said is None or said.log != log or said.number != stored.number or _hash_of(stored.jws) not in mentioned:
            wrong.append(flaws.bad_break(stored.number))
        else:
            good.append(said)
    return good, wrong


def _read_break(jws: str, trust: Trust) -> DeclaredBreak:
    by = trust.find(kid_of(jws))
    said = signing.verify(jws, by.key) if by else {}
    if by is None or said.pop("format", None) != BREAK_FORMAT:
        raise SignatureInvalid(reason="it does not declare a break")
    declared = DeclaredBreak(**said | {"log": UUID(said["log"])})
    by.check(declared.log, succession.instant(declared.at))
    return declared


def _hash_of(jws: str) -> str:
    return sha256(jws.encode()).hexdigest()
