"""Holdings: which release may write a capability's records, in the whole municipality or in a unit and what lies below.

The holding of the nearest unit above counts. Whoever changes one stands alone inside the fence of the capability.
"""

from uuid import UUID

from torv.base import clock
from torv.base.db import Tx
from torv.base.sql import load
from torv.kernel.records.models import Held

sql = load(__file__)


def key_of(capability: str, unit_id: UUID | None = None) -> str:
    """What a holding, and a binding, is known by: the capability's name, with the unit where it is for one."""
    return capability if unit_id is None else f"{capability}@{unit_id}"


def unit_in(key: str) -> UUID | None:
    """The unit that a key names; None: it is that of the whole municipality."""
    _, _, unit = key.partition("@")
    return UUID(unit) if unit else None


async def hand_over(tx: Tx, capability: str, release_id: UUID, *, unit_id: UUID | None = None) -> int:
    """Make a release the holder: waits for writes in progress, keeps new ones out until commit. Gives the new epoch."""
    await close_fence(tx, capability)
    key = key_of(capability, unit_id)
    epoch = await tx.value(sql.hand_over, key=key, capability=capability, unit_id=unit_id, release_id=release_id)
    return int(epoch)


async def split_holding(tx: Tx, capability: str, unit_id: UUID) -> Held | None:
    """Give a unit a holding of its own, with whoever holds it: nothing changes hands.

    None if nobody holds the capability there, or the unit has a holding of its own.
    """
    await close_fence(tx, capability)
    key, today = key_of(capability, unit_id), clock.today()
    return await tx.maybe(Held, sql.split_holding, key=key, capability=capability, unit_id=unit_id, day=today)


async def dissolve_holding(tx: Tx, capability: str, unit_id: UUID) -> str | None:
    """Let a unit's holding go up into the one above it; gives that one's key. None unless one release has both."""
    await close_fence(tx, capability)
    key, today = key_of(capability, unit_id), clock.today()
    above: str | None = await tx.value(sql.dissolve_holding, key=key, day=today)
    return above


async def stand_inside(tx: Tx, capability: str, key: str, release_id: UUID, unit_id: UUID | None) -> Held | None:
    """Keep the capability from being moved until the transaction ends, and others from writing under the same key.

    Gives who holds it for a unit at that instant; where no unit is meant, the release itself if it does anywhere. None
    if nobody does.
    """
    await tx.value(sql.share_fence, capability=capability, key=key)
    return await tx.maybe(
        Held, sql.holder_now, capability=capability, unit_id=unit_id, release_id=release_id, day=clock.today()
    )


async def close_fence(tx: Tx, capability: str) -> None:
    """Wait until no write of the capability is in progress, and keep new ones out until the transaction ends."""
    await tx.value(sql.close_fence, capability=capability)


async def has_records_after(tx: Tx, capability: str, position: int, *, unit_id: UUID | None = None) -> bool:
    """Whether anything of a holding was written beyond a position, or has none yet."""
    key, today = key_of(capability, unit_id), clock.today()
    return bool(await tx.value(sql.has_versions_after, capability=capability, key=key, after=position, day=today))
