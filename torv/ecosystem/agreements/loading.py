"""Loading: the policy of the present generation, with as little read anew as possible.

Contents, signatures and events are only ever added. So their numbers, slice by slice of the agreements, say what has
changed since; only those slices are read again, and the contents only of agreements that are new.
"""

import asyncio
import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from torv.base.db import Tx
from torv.ecosystem.agreements.compiling import Making, compile_policy
from torv.ecosystem.agreements.content import Content
from torv.ecosystem.agreements.emergency import EmergencyContent, EmergencyList
from torv.ecosystem.agreements.policy import Policy
from torv.ecosystem.agreements.storing import Row, sql
from torv.ecosystem.partners import supply_links

SLICE = 48  #: agreements read at a time
AT_ONCE = 4  #: agreements compiled before others get their turn on the loop


@dataclass(frozen=True, kw_only=True, slots=True)
class EmergencyRow:
    """An emergency list as it lies in the database."""

    id: UUID
    content: dict[str, Any]
    hash: str
    is_signed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """How much there is in a slice of the agreements."""

    slice: int
    agreements: int
    signatures: int
    events: int
    partners: int  #: whose they are, as one number


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A policy, and what it was loaded from."""

    policy: Policy = field(default_factory=compile_policy)
    marks: Mapping[int, Mark] = field(default_factory=dict)
    members: Mapping[int, list[UUID]] = field(default_factory=dict)  #: slice -> agreements


async def load_policy(tx: Tx, before: Loaded | None = None) -> Loaded:
    """The policy of the present generation; the same policy, with all that it remembers, if nothing has changed."""
    before = before or Loaded()
    marks = {mark.slice: mark for mark in await tx.all(Mark, sql.marks, size=SLICE)}
    links, emergency = tuple(await supply_links(tx)), await emergency_list(tx)
    making, members = Making(links, before.policy), dict(before.members)
    with _without_searching_for_garbage() if not before.marks else nullcontext():
        for mark in marks.values():
            if before.marks.get(mark.slice) != mark:
                members[mark.slice] = await _read_slice(tx, mark.slice, making, before)
        making.put_links_anew()
    is_same = making.is_unchanged and before.policy.emergency == emergency
    policy = before.policy if is_same else making.policy(emergency)
    return Loaded(policy=policy, marks=marks, members=members)


@contextmanager
def _without_searching_for_garbage() -> Iterator[None]:
    """What is read at first stays as long as the process, more or less: the collector need never look through it.

    Measured, with some thousand agreements it holds the loop for 100 ms each time it does.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


async def _read_slice(tx: Tx, number: int, making: Making, before: Loaded) -> list[UUID]:
    """Read what has changed in a slice; gives the agreements that are in it."""
    first, end, known = number * SLICE, (number + 1) * SLICE, before.members.get(number, [])
    rows = await tx.all(Row, sql.standings, first=first, end=end, known=known)
    for place, row in enumerate(rows, 1):
        compiled, stored = before.policy.by_id.get(row.id), row.stored
        if compiled is None or compiled.stored != stored:
            making.put(Content.model_validate(row.content) if compiled is None else compiled.content, stored)
        if place % AT_ONCE == 0:
            await asyncio.sleep(0)
    return [row.id for row in rows]


async def emergency_list(tx: Tx) -> EmergencyList | None:
    """The newest emergency list that is signed; None if there never was one."""
    found = await tx.all(EmergencyRow, sql.newest_emergency_list)
    return EmergencyList(EmergencyContent.model_validate(found[0].content)) if found else None
