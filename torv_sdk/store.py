"""What a module's own store must be able to do for the SDK; `MemoryStore` and `SqliteStore` can do it."""

from collections.abc import Callable, Iterable, Sequence, Set
from operator import attrgetter
from typing import Protocol

from torv_sdk.records import Record

SortKey = Callable[[Record], str]  #: the later record has the greater text
when_recorded: SortKey = attrgetter("at")


class Store(Protocol):
    """A copy of the capability's records that can be thrown away: the SDK fills it again from the kernel's feed.

    It holds the latest version of every record, whatever fields it has. An older version never replaces a newer one:
    the feed and our own writes bring the same record twice, in either order. Nothing here may hold the event loop for
    more than 10 ms.
    """

    def position(self) -> int:
        """How far in the feed we have come; 0 for an empty store."""

    async def apply(self, records: Sequence[Record], position: int) -> None:
        """Take in a piece of the feed and the position after it: all of it or, if it raises, nothing."""

    async def put(self, record: Record) -> None:
        """Take in one record the kernel has just acknowledged; the position stays."""

    def latest(self, record_type: str, buckets: Set[int]) -> Iterable[Record]:
        """Every record of the type in these buckets, as of now. The SDK pauses between records."""
