"""The tree: Merkle trees as RFC 9162 section 2.1 has them, over hashes alone. Needs nothing but Python itself.

Leaves are numbered from 0. A *subtree* is complete and aligned, written (level, index): it holds the leaves from
`index << level` to `(index + 1) << level`. What the log keeps of them are those whose level is a multiple of 8: the
leaves, the roots of every 256 leaves, of every 65,536 ...; all others are a few hundred hashes away.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256

BITS = 8  #: levels from one kept subtree to the next
WIDTH = 1 << BITS
EMPTY = sha256().digest()  #: the root of a tree without leaves

Subtree = tuple[int, int]  #: level, index
Span = tuple[int, int]  #: leaves from, up to but not including


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node with two children."""
    return sha256(b"\x01" + left + right).digest()


def pair_up(hashes: Sequence[bytes]) -> list[bytes]:
    """The level above an even number of hashes."""
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(hashes[::2], hashes[1::2], strict=True)]


def top(hashes: Sequence[bytes]) -> bytes:
    """The root over 2**n hashes."""
    while len(hashes) > 1:
        hashes = pair_up(hashes)
    return hashes[0]


def peaks(hashes: Sequence[bytes]) -> Iterator[bytes]:
    """The roots of the largest complete subtrees over some hashes, left to right."""
    start = 0
    for bit in range(len(hashes).bit_length() - 1, -1, -1):
        if len(hashes) & 1 << bit:
            yield top(hashes[start : start + (1 << bit)])
            start += 1 << bit


def fold(roots: Sequence[bytes]) -> bytes:
    """The root over peaks that stand beside each other, the largest first."""
    if not roots:
        return EMPTY
    *others, result = roots
    for each in reversed(others):
        result = node_hash(each, result)
    return result


def subtrees(span: Span) -> list[Subtree]:
    """The complete subtrees that a span of leaves is made of, as the tree of RFC 9162 splits it, left to right."""
    start, end = span
    found = []
    while start < end:
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def inclusion_spans(index: int, size: int) -> list[Span]:
    """What the path from a leaf to the root of a tree of this size is made of, from the leaf upwards."""
    start, end, path = 0, size, list[Span]()
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_spans(earlier: int, later: int) -> list[Span]:
    """What proves that a tree of `later` leaves begins with the tree of `earlier` leaves, 0 < earlier <= later."""
    start, end, path = 0, later, list[Span]()
    while earlier < end:
        middle = start + _split(end - start)
        if earlier <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return [*([(start, end)] if start else []), *path[::-1]]


def _split(count: int) -> int:
    """The largest power of two below a count over 1."""
    return int(1 << (count - 1).bit_length() - 1)


def hash_of(span: Span, known: Mapping[Subtree, bytes]) -> bytes:
    """The hash over a span, from the hashes of its subtrees. Raises KeyError."""
    return fold([known[each] for each in subtrees(span)])


# ---- who has only hashes and proofs ----------------------------------------------------------------------------------
def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that a path leads to from a leaf (RFC 9162 section 2.1.3.2); None if the path has not that form."""
    if not 0 <= index < size:
        return None
    here, last, result = index, size - 1, leaf
    for each in path:
        if last == 0:
            return None
        if here & 1 or here == last:
            result = node_hash(each, result)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            result = node_hash(result, each)
        here, last = here >> 1, last >> 1
    return result if last == 0 else None


def is_included(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path proves that the tree with this size and root has the leaf at this index."""
    return root_from_inclusion(leaf, index, size, path) == root


def is_consistent(earlier: int, later: int, root: bytes, later_root: bytes, path: Sequence[bytes]) -> bool:
    """Whether the path proves that the later tree begins with the earlier one (RFC 9162 section 2.1.4.2)."""
    if not 0 < earlier < later:
        return not path and ((earlier == later and root == later_root) or (earlier == 0 < later and root == EMPTY))
    here, last = earlier - 1, later - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    steps = iter([root, *path] if not earlier & (earlier - 1) else path)
    first = next(steps, None)
    if first is None:
        return False
    old = new = first
    for each in steps:
        if last == 0:
            return False
        if here & 1 or here == last:
            old, new = node_hash(each, old), node_hash(each, new)
            while here and not here & 1:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, each)
        here, last = here >> 1, last >> 1
    return last == 0 and old == root and new == later_root


# ---- who lets a tree grow --------------------------------------------------------------------------------------------
class Edge:
    """The right edge of a tree, which is all it needs to grow: fewer than 256 leaves, and kept subtrees above them."""

    def __init__(self, size: int = 0, rows: Iterable[Sequence[bytes]] = ()) -> None:
        self.size = size
        self._rows = [list(row) for row in rows] or [[]]
        if [len(row) for row in self._rows] != [end - start for start, end in edge_spans(size)]:
            raise ValueError("an edge of another size")

    def append(self, leaves: Sequence[bytes]) -> dict[Subtree, bytes]:
        """Let leaves follow; gives the subtrees to be kept that have become complete."""
        self._rows[0] += leaves
        self.size += len(leaves)
        kept: dict[Subtree, bytes] = {}
        number, row = 0, self._rows[0]
        while len(row) >= WIDTH:
            level = BITS * (number + 1)
            full = len(row) - len(row) % WIDTH
            tops = [top(row[start : start + WIDTH]) for start in range(0, full, WIDTH)]
            first = (self.size >> level) - len(tops)
            kept |= {(level, first + nth): each for nth, each in enumerate(tops)}
            del row[:full]
            number += 1
            if number == len(self._rows):
                self._rows.append([])
            row = self._rows[number]
            row += tops
        return kept

    def root(self) -> bytes:
        """The root of the tree as it is now."""
        return fold([peak for row in reversed(self._rows) for peak in peaks(row)])


def edge_spans(size: int) -> list[Span]:
    """Where the rows of the right edge stand: the first among the leaves, the next among the kept subtrees above ..."""
    spans, count = list[Span](), size
    while count or not spans:
        spans.append((count - count % WIDTH, count))
        count >>= BITS
    return spans
