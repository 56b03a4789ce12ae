"""The tree against RFC 9162 section 2.1 as it is written there: recursive, slow, and plain to see right."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torv.ecosystem.audit.tree import (
    EMPTY,
    WIDTH,
    Edge,
    Subtree,
    consistency_spans,
    edge_spans,
    fold,
    hash_of,
    inclusion_spans,
    is_consistent,
    is_included,
    leaf_hash,
    node_hash,
    subtrees,
    top,
)

LEAVES = [leaf_hash(str(number).encode()) for number in range(2 * WIDTH + 90)]
sizes = st.integers(1, len(LEAVES))


# ---- the oracle ------------------------------------------------------------------------------------------------------
def half(count: int) -> int:
    """The largest power of two smaller than a count."""
    k = 1
    while 2 * k < count:
        k *= 2
    return k


def mth(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    k = half(len(leaves))
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path_of(m: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = half(len(leaves))
    if m < k:
        return [*path_of(m, leaves[:k]), mth(leaves[k:])]
    return [*path_of(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], *, is_whole: bool) -> list[bytes]:
    if m == len(leaves):
        return [] if is_whole else [mth(leaves)]
    k = half(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], is_whole=is_whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], is_whole=False), mth(leaves[:k])]


def ours(spans: list[tuple[int, int]]) -> list[bytes]:
    """What our spans stand for."""
    known = {each: top(LEAVES[each[1] << each[0] : (each[1] + 1) << each[0]]) for s in spans for each in subtrees(s)}
    return [hash_of(span, known) for span in spans]


# ---- like the oracle -------------------------------------------------------------------------------------------------
@given(st.lists(st.integers(0, WIDTH + 50), max_size=6))
def test_an_edge_that_grows_in_steps_has_the_root_of_the_definition(steps: list[int]) -> None:
    kept: dict[Subtree, bytes] = {}
    edge = Edge()
    for step in steps:
        kept |= edge.append(LEAVES[edge.size : edge.size + step])
        assert edge.root() == mth(LEAVES[: edge.size])
    assert kept == {(8, n): mth(LEAVES[n * WIDTH : (n + 1) * WIDTH]) for n in range(edge.size // WIDTH)}


@given(sizes, st.integers(0, WIDTH))
def test_an_edge_goes_on_from_what_was_kept(size: int, more: int) -> None:
    rows = [LEAVES, [mth(LEAVES[n * WIDTH : (n + 1) * WIDTH]) for n in range(2)]]
    edge = Edge(size, [row[first:last] for row, (first, last) in zip(rows, edge_spans(size), strict=False)])
    assert edge.root() == mth(LEAVES[:size])
    edge.append(LEAVES[size : size + more])
    assert edge.root() == mth(LEAVES[: edge.size])


@given(st.data(), sizes)
def test_a_proof_of_inclusion_is_that_of_the_definition_and_holds(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    path = ours(inclusion_spans(index, size))
    assert path == path_of(index, LEAVES[:size])
    assert is_included(LEAVES[index], index, size, path, mth(LEAVES[:size]))


@given(st.data(), sizes)
def test_a_proof_of_consistency_is_that_of_the_definition_and_holds(data: st.DataObject, later: int) -> None:
    earlier = data.draw(st.integers(1, later))
    path = ours(consistency_spans(earlier, later))
    assert path == subproof(earlier, LEAVES[:later], is_whole=True)
    assert is_consistent(earlier, later, mth(LEAVES[:earlier]), mth(LEAVES[:later]), path)


def test_a_tree_of_65_536_leaves_keeps_a_second_row() -> None:
    kept: dict[Subtree, bytes] = {}
    edge = Edge()
    for _ in range(WIDTH):
        kept |= edge.append(LEAVES[:WIDTH])
    assert sorted(level for level, _ in kept) == [8] * WIDTH + [16]
    assert edge.root() == kept[16, 0] == top(LEAVES[:WIDTH] * WIDTH)


def test_the_known_roots_of_small_trees() -> None:
    """The test vectors that implementations of Certificate Transparency share."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [leaf_hash(bytes.fromhex(each)) for each in inputs]
    edge = Edge()
    assert edge.root() == EMPTY
    edge.append(leaves[:1])
    assert edge.root().hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    edge.append(leaves[1:])
    assert edge.root().hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


# ---- attack 68: a proof that is not one ------------------------------------------------------------------------------
@given(st.data(), st.integers(2, 300))
def test_68_a_proof_for_another_leaf_place_or_size_does_not_hold(data: st.DataObject, size: int) -> None:
    index = data.draw(st.integers(0, size - 1))
    other = data.draw(st.integers(0, size - 1).filter(lambda each: each != index))
    path, root = ours(inclusion_spans(index, size)), mth(LEAVES[:size])
    assert not is_included(LEAVES[other], index, size, path, root)
    assert not is_included(LEAVES[index], other, size, path, root)
    assert not is_included(LEAVES[index], index, size, path, mth(LEAVES[: size + 1]))
    assert not is_included(LEAVES[index], index, size, path[:-1], root)
    assert not is_included(LEAVES[index], index, size, [*path, root], root)
    assert not is_included(LEAVES[index], size, size, path, root)
    assert not is_included(LEAVES[index], -1, size, path, root)
    assert not is_included(root, 0, 1, path, root)


@given(st.data(), st.integers(2, 300))
def test_68_a_false_proof_of_consistency_does_not_hold(data: st.DataObject, later: int) -> None:
    earlier = data.draw(st.integers(1, later - 1))
    path = ours(consistency_spans(earlier, later))
    root, later_root = mth(LEAVES[:earlier]), mth(LEAVES[:later])
    other = mth([*LEAVES[: earlier - 1], LEAVES[-1]])
    assert not is_consistent(earlier, later, other, later_root, path)
    assert not is_consistent(earlier, later, root, other, path)
    assert not is_consistent(earlier, later, root, later_root, path[:-1])
    assert not is_consistent(earlier, later, root, later_root, [*path, root])
    assert not is_consistent(later, earlier, later_root, root, path)
    assert not is_consistent(earlier, later, root, later_root, [])


def test_68_the_empty_tree_and_the_tree_of_one_leaf() -> None:
    [leaf] = LEAVES[:1]
    assert is_included(leaf, 0, 1, [], leaf)
    assert not is_included(leaf, 0, 0, [], EMPTY)
    assert not is_included(leaf, 0, 1, [leaf], leaf)
    assert is_consistent(0, 1, EMPTY, leaf, [])
    assert not is_consistent(0, 1, leaf, leaf, [])
    assert is_consistent(1, 1, leaf, leaf, [])
    assert not is_consistent(1, 1, leaf, EMPTY, [])
    assert is_consistent(0, 0, EMPTY, EMPTY, [])
    assert inclusion_spans(0, 1) == consistency_spans(1, 1) == []


def test_a_node_can_never_be_passed_off_as_a_leaf() -> None:
    left, right = LEAVES[:2]
    assert leaf_hash(left + right) != node_hash(left, right) == fold([left, right])


def test_an_edge_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="size"):
        Edge(3, [LEAVES[:2]])
