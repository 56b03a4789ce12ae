"""Pages: the one grammar of every list. A cursor belongs to its caller, operation and filter, and shows nothing.

The key of the last row may be a name; so a cursor is encrypted, not only signed.
"""

import base64
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from fastapi import Query

from torv.base.access import Access
from torv.base.errors import CursorInvalid

T = TypeVar("T")

DEFAULT_SIZE, LARGEST_SIZE = 50, 200  #: rows on a page

Size = Annotated[int, Query(alias="limit", ge=1, le=LARGEST_SIZE, description="Rows on a page.")]
Cursor = Annotated[str | None, Query(max_length=4_000, description="Where the page before ended.")]
_NONCE = 12  #: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list, and where it goes on."""

    items: list[T]
    next: str | None  #: the cursor of the next page; None after the last


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is asked for: `size` rows beyond the key `after` (None: from the start)."""

    size: int
    after: list[Any] | None
    binding: bytes  #: what the cursor belongs to

    @property
    def fetch(self) -> int:
        """The number of rows to fetch: one more than shown tells whether there is a next page."""
        return self.size + 1


class Cursors:
    """Seals and opens cursors with the installation's own secret."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = AESGCM(secret)

    def open(self, access: Access, size: int, cursor: str | None, filters: dict[str, Any]) -> Wanted:
        """What a request asks for. Raises CursorInvalid for a cursor of another caller, operation or filter."""
        binding = _binding(access, filters)
        if cursor is None:
            return Wanted(size=size, after=None, binding=binding)
        try:
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
            after = json.loads(self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], binding))
        except (ValueError, InvalidTag):
            raise CursorInvalid from None
        return Wanted(size=size, after=after, binding=binding)

    def page(self, rows: Sequence[T], wanted: Wanted, key: Callable[[T], list[Any]]) -> Page[T]:
        """The page of rows that a verb gave; `key` is what the list is sorted by, ending in something unique."""
        items = list(rows[: wanted.size])
        return Page(items=items, next=self._seal(key(items[-1]), wanted.binding) if len(rows) > wanted.size else None)

    def _seal(self, key: list[Any], binding: bytes) -> str:
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, json.dumps(key, default=str).encode(), binding)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _binding(access: Access, filters: dict[str, Any]) -> bytes:
    parts = [access.caller.identity, access.service, access.operation, filters]
    return json.dumps(parts, default=str, sort_keys=True).encode()
