"""Witnesses and breaks: a restored older database is exposed by the heads others keep, and excused only by saying so.

A witness keeps signed heads, one a line, where whoever can change the database cannot. A declared break is a signed
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
from torv.base.sql import load
from torv.base.trail import note
from torv.ecosystem.audit import flaws
from torv.ecosystem.audit.bundles import read_head, trusting
from torv.ecosystem.audit.errors import NothingLost, NotTheSameLog
from torv.ecosystem.audit.keeping import read_edge, sign_head
from torv.ecosystem.audit.models import Break, DeclaredBreak, Flaw, SignedHead

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


async def hear_witness(tx: Tx, key: ECKey, heads: Sequence[str]) -> Hearing:
    """Compare the log with each head that a witness kept. Raises SignatureInvalid or NotTheSameLog."""
    log, size = await tx.value(sql.log_id), int(await tx.value(sql.tree_size))
    breaks, _ = await read_breaks(tx, key, log)
    excused, agreed, lost = 0, 0, list[SignedHead]()
    for jws in heads:
        head = read_head(jws, trusting(key))
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


async def head_for_witness(tx: Tx, key: ECKey) -> str:
    """A signed head of the log as it is, for a witness to keep."""
    return (await sign_head(tx, key)).jws


async def declare_break(tx: Tx, access: Access, key: ECKey, *, heads: Sequence[str], reason: str) -> DeclaredBreak:
    """Declare that what a witness saw was lost in a restore, and that the log goes on from what is left.

    The reason stands in the signed statement, not in the log, which holds no free text but the statement's hash.
    Raises NothingLost, SignatureInvalid or NotTheSameLog.
    """
    heard = await hear_witness(tx, key, heads)
    if heard.holds:
        raise NothingLost
    lost = max(heard.lost, key=lambda each: (each.size, each.at))
    number = int(await tx.value(sql.count_breaks)) + 1
    kept = (await read_edge(tx, heard.agreed)).root()
    declared = DeclaredBreak(
        number=number, log=lost.log, lost_size=lost.size, lost_root=lost.root.hex(),
        lost_at=max(each.at for each in heard.lost), kept_size=heard.agreed, kept_root=kept.hex(),
        at=clock.now().isoformat(), reason=reason,
    )  # fmt: skip
    jws = signing.sign({"format": BREAK_FORMAT, **declared.payload()}, key)
    await tx.run(
        sql.insert_break, number=number, lost_size=lost.size, kept_size=heard.agreed, declared_at=clock.now(), jws=jws
    )
    detail = {"break": number, "statement": _hash_of(jws), "lost": lost.size, "kept": heard.agreed}
    note(tx, access, "system", detail=detail)
    return declared


async def read_breaks(tx: Tx, key: ECKey, log: UUID) -> tuple[list[DeclaredBreak], list[Flaw]]:
    """The declared breaks whose statements are good and which the log mentions, and what is wrong with the others."""
    mentioned = set(await tx.value(sql.mentioned_breaks))
    good, wrong = list[DeclaredBreak](), list[Flaw]()
    for stored in await tx.all(Break, sql.breaks):
        try:
            said = _read_break(stored.jws, key)
        except SignatureInvalid:
            said = None
        if said is None or said.log != log or said.number != stored.number or _hash_of(stored.jws) not in mentioned:
            wrong.append(flaws.bad_break(stored.number))
        else:
            good.append(said)
    return good, wrong


def _read_break(jws: str, key: ECKey) -> DeclaredBreak:
    said = signing.verify(jws, key)
    if said.pop("format", None) != BREAK_FORMAT:
        raise SignatureInvalid(reason="it does not declare a break")
    return DeclaredBreak(**said | {"log": UUID(said["log"])})


def _hash_of(jws: str) -> str:
    return sha256(jws.encode()).hexdigest()
