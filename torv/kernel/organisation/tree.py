"""The tree of units as others go by it: where each stands, and what rests on some of them."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from torv.base import clock
from torv.base.db import Tx
from torv.base.sql import load
from torv.kernel.organisation.errors import UnitUnknown
from torv.kernel.organisation.storing import begin, check_anchors

sql = load(__file__)

Place = tuple[date, tuple[UUID, ...]]  #: from which day on, and the units from the root down to this one


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """Where every unit stands, as one process knows it."""

    known_at: datetime | None = None
    places: Mapping[UUID, tuple[Place, ...]] = field(default_factory=dict)  #: of each unit, in order of days

    def above(self, unit_id: UUID, day: date) -> tuple[UUID, ...]:
        """The units from the root down to this one, on a day; a closed unit stays where it was. Empty: no such unit."""
        places = self.places.get(unit_id, ())
        return next((above for since, above in reversed(places) if since <= day), places[0][1] if places else ())


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedUnit:
    """A unit and what it is called."""

    id: UUID
    name: str | None  #: None: it is not known


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stored:
    unit_id: UUID
    above: list[UUID]
    valid_from: date


async def load_tree(tx: Tx, known: Tree) -> Tree:
    """The tree as it is now; the one that is known, if nobody has written to it since."""
    known_at: datetime = await tx.value(sql.tree_known_at)
    if known_at == known.known_at:
        return known
    places: defaultdict[UUID, list[Place]] = defaultdict(list)
    for each in await tx.all(_Stored, sql.all_places):
        places[each.unit_id].append((each.valid_from, tuple(each.above)))
    return Tree(known_at=known_at, places={unit_id: tuple(some) for unit_id, some in places.items()})


async def units_above(tx: Tx, unit_id: UUID) -> tuple[UUID, ...]:
    """The units from the root down to this one, as they stand today. Raises UnitUnknown."""
    above: list[UUID] | None = await tx.value(sql.above_of, id=unit_id, day=clock.today())
    if above is None:
        raise UnitUnknown
    return tuple(above)


async def names_of_units(tx: Tx, ids: Collection[UUID], day: date) -> list[NamedUnit]:
    """What some units are called on a day, or were last, or will be first; in order of their ids."""
    return await tx.all(NamedUnit, sql.unit_names, ids=list(ids), day=day) if ids else []


async def anchor_unit(tx: Tx, unit_id: UUID, rests: str) -> None:
    """Let something rest on a unit: until it is released, no other unit comes below it or leaves it.

    Raises UnitUnknown, or UnitAnchored where such a change is planned already.
    """
    known = await begin(tx)
    await tx.run(sql.anchor_unit, id=unit_id, rests=rests)
    await check_anchors(tx, known)


async def release_anchor(tx: Tx, unit_id: UUID, rests: str) -> None:
    """Let something rest on a unit no longer."""
    await tx.run(sql.release_anchor, id=unit_id, rests=rests)
