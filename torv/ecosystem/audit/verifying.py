"""Verifying the whole log from the database: every entry against its leaf, every leaf against the tree, every head.

Nothing that is kept is believed: hashes are computed anew from the entries, and the roots from the hashes.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any

from torv.base.db import Database, Tx
from torv.base.errors import SignatureInvalid
from torv.base.keyring import HeadKeys
from torv.base.sql import load
from torv.ecosystem.audit import flaws
from torv.ecosystem.audit.breaking import read_breaks
from torv.ecosystem.audit.bundles import commit, read_head
from torv.ecosystem.audit.errors import HeadKeyOutsidePeriod
from torv.ecosystem.audit.models import Flaw, StoredHead, Stretch, Verdict
from torv.ecosystem.audit.rotating import read_trust
from torv.ecosystem.audit.succession import Trust
from torv.ecosystem.audit.tree import Edge, Subtree

sql = load(__file__)

STRETCH = 4_096  #: entries read at a time: more would be sorted on disk
HEADS = 10_000  #: heads read at a time
FLAWS = 20  #: more would say no more

Report = Callable[[int, int], None]  #: told how many entries are done, and of how many


async def verify_log(database: Database, keys: HeadKeys, report: Report = lambda done, total: None) -> Verdict:
    """Verify the log as it is now, by the heads' keys held here. Takes three connections, one of them of the pool."""
    async with database.reading() as tx, database.line() as one, database.line() as other:
        return await _Verifier(tx, (one, other), keys).run(report)


class _Verifier:
    """One pass over the log."""

    def __init__(self, tx: Tx, readers: Sequence[Tx], keys: HeadKeys) -> None:
        self._tx, self._readers, self._edge = tx, readers, Edge()
        self._keys, self._trust = keys, Trust(keys.held())
        self._flaws: list[Flaw] = []
        self._erased: list[int] = []
        self._heads, self._good = 0, 0  # heads seen; the size of the last one whose root was right
        self._kept: dict[Subtree, bytes] = {}  # the subtrees that should be kept

    async def run(self, report: Report) -> Verdict:
        size = int(await self._tx.value(sql.last_position) or 0)
        log = await self._tx.value(sql.log_id)
        self._trust, wrong = await read_trust(self._tx, self._keys)
        self._add(*wrong)
        heads = self._read_heads()
        head = await anext(heads, None)
        while head is not None and head.size == 0:
            self._check_head(head, str(log))
            head = await anext(heads, None)
        async for stretch in self._stretches(size):
            hashes = self._leaves(stretch)
            if hashes is None:
                return await self._verdict(size, log)  # where a leaf is missing, no root can be right
            start = self._edge.size
            while head is not None and head.size <= start + len(hashes):
                self._kept |= self._edge.append(hashes[self._edge.size - start : head.size - start])
                self._check_head(head, str(log))
                head = await anext(heads, None)
            self._kept |= self._edge.append(hashes[self._edge.size - start :])
            report(self._edge.size, size)
            if len(self._flaws) >= FLAWS:
                break
        while head is not None and head.size > size:
            self._add(flaws.cut_off(size, head.size))
            head = await anext(heads, None)
        return await self._verdict(size, log)

    async def _verdict(self, size: int, log: Any) -> Verdict:
        await self._check_kept()
        breaks, wrong = await read_breaks(self._tx, self._trust, log)
        self._add(*wrong, *await self._undeclared_erasures())
        given = await self._tx.value(sql.trail_position) or 0
        if given != size:
            self._add(flaws.other_position(size, given))
        found = sorted(self._flaws, key=lambda each: each.rank)[:FLAWS]
        return Verdict(
            size=size, erased=len(self._erased), heads=self._heads, breaks=len(breaks), flaws=tuple(found)
        )  # fmt: skip

    def _add(self, *found: Flaw) -> None:
        self._flaws += found

    async def _stretches(self, size: int) -> AsyncIterator[Stretch]:
        """All entries in order; each reader fetches the one after next while these are hashed."""
        coming: deque[asyncio.Task[Stretch]] = deque()
        try:
            for number in range(len(self._readers)):
                self._start(coming, number, size)
            following = len(self._readers)
            while coming:
                stretch = await coming.popleft()
                self._start(coming, following, size)
                following += 1
                await asyncio.sleep(0)  # lets the question leave
                yield stretch
        finally:
            for each in coming:
                each.cancel()
            await asyncio.gather(*coming, return_exceptions=True)

    def _start(self, coming: "deque[asyncio.Task[Stretch]]", number: int, size: int) -> None:
        """Ask for a stretch, if there is one of this number; its reader has answered what it was asked before."""
        first, reader = number * STRETCH + 1, self._readers[number % len(self._readers)]
        if first <= size:
            last = min(first + STRETCH - 1, size)
            coming.append(asyncio.create_task(reader.one(Stretch, sql.stretch, first=first, last=last)))

    def _leaves(self, stretch: Stretch) -> list[bytes] | None:
        """The kept hashes of the leaves; an entry that does not fit its own is found. None if one is missing."""
        start = self._edge.size + 1
        try:  # nearly always: nothing is missing, nothing erased
            computed: list[bytes] = [
                sha256(b"\x00" + sha256(salt + record.encode()).digest()).digest()  # type: ignore[operator, union-attr]  # None is what the except is for
                for salt, record in zip(stretch.salts, stretch.records, strict=True)
            ]
            if computed == stretch.hashes and stretch.positions[-1] == start + len(computed) - 1:
                return computed
        except (TypeError, AttributeError):
            pass
        return self._leaves_one_by_one(stretch, start)

    def _leaves_one_by_one(self, stretch: Stretch, start: int) -> list[bytes] | None:
        hashes: list[bytes] = []
        columns = stretch.positions, stretch.records, stretch.salts, stretch.hashes, stretch.erased
        for expected, (position, record, salt, kept, erased) in enumerate(zip(*columns, strict=True), start):
            if position != expected or kept is None:
                self._add(flaws.no_leaf(expected))
                return None
            if record is None:
                self._add(flaws.no_entry(position))
            elif salt is None:
                self._erased.append(position)
                if not erased:
                    self._add(flaws.no_salt(position))
            elif commit(salt, record) != kept:
                self._add(flaws.changed(position))
            hashes.append(kept)
        return hashes

    async def _check_kept(self) -> None:
        computed = self._kept
        for level in sorted({level for level, _ in computed}):
            indexes = [index for each, index in computed if each == level]
            kept = await self._tx.value(sql.kept_nodes, level=level, first=indexes[0], last=indexes[-1] + 1)
            for nth, index in enumerate(indexes):
                if nth >= len(kept) or kept[nth] != computed[level, index]:
                    self._add(flaws.other_subtree((index << level) + 1, (index + 1) << level))
                    break

    # ---- heads -------------------------------------------------------------------------------------------------------
    async def _read_heads(self) -> AsyncIterator[StoredHead]:
        size = number = -1
        while True:
            heads = await self._tx.all(StoredHead, sql.heads_by_size, after_size=size, after_number=number, limit=HEADS)
            if not heads:
                return
            for each in heads:
                yield each
            size, number = heads[-1].size, heads[-1].number

    def _check_head(self, head: StoredHead, log: str) -> None:
        self._heads += 1
        try:
            signed = read_head(head.jws, self._trust)
        except HeadKeyOutsidePeriod as refused:
            return self._add(flaws.outside_period(head.size, str(refused.facts["kid"])))
        except SignatureInvalid:
            return self._add(flaws.bad_signature(head.size))
        if (signed.size, signed.root, str(signed.log), signed.breaks) != (head.size, head.root, log, head.breaks):
            self._add(flaws.other_head(head.size))
        elif self._edge.root() != head.root:
            self._add(flaws.other_root(self._good + 1, head.size))
        else:
            self._good = head.size
        return None

    async def _undeclared_erasures(self) -> Iterable[Flaw]:
        """Whatever lost its salt without the log saying so."""
        declared: set[int] = set()
        for row in await self._tx.all(dict[str, Any], sql.declared_erasures):
            for first, last in row["spans"] or ():
                declared.update(range(first, last + 1))
        undeclared = [each for each in self._erased if each not in declared]
        return [flaws.undeclared_erasure(each) for each in undeclared[:FLAWS]]
