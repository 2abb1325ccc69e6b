"""Merkle tree hashing, inclusion and consistency proofs of RFC 9162, section 2.1, on hashes of 32 bytes.

A tree of n leaves is asked for through the hashes of its *complete* subtrees: node ``(level, position)`` covers the
leaves from ``position * 2**level`` up to ``(position + 1) * 2**level``. Once all its leaves are there, it never
changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from cephstd.errors import InputError, LogInconsistent

Node = tuple[int, int]
Lookup = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256().digest()


def hash_leaf(data: bytes) -> bytes:
    """Hash of a leaf: SHA-256 of 0x00 and its bytes."""
    return hashlib.sha256(b"\x00" + data).digest()


def hash_children(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node: SHA-256 of 0x01 and its children's hashes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def complete_nodes(first: int, end: int) -> list[Node]:
    """The fewest complete subtrees that cover the leaves `first` up to `end`, from left to right.

    >>> complete_nodes(0, 7)
    [(2, 0), (1, 2), (0, 6)]
    """
    nodes = []
    while first < end:
        aligned = (first & -first).bit_length() - 1 if first else end.bit_length()
        level = min(aligned, (end - first).bit_length() - 1)
        nodes.append((level, first >> level))
        first += 1 << level
    return nodes


def grow(size: int, leaves: Iterable[bytes], lookup: Lookup) -> Iterator[tuple[Node, bytes]]:
    """Every node that becomes complete when `leaves` (hashes) follow a tree of `size` leaves.

    `lookup` is asked for complete nodes of the tree as it was.
    """
    pending = {node: lookup(*node) for node in complete_nodes(0, size)}
    for position, leaf in enumerate(leaves, start=size):
        node, digest = (0, position), leaf
        yield node, digest
        while node[1] % 2:
            digest = hash_children(pending.pop((node[0], node[1] - 1)), digest)
            node = (node[0] + 1, node[1] // 2)
            yield node, digest
        pending[node] = digest


def root(size: int, lookup: Lookup) -> bytes:
    """Root hash of the tree over the first `size` leaves."""
    return _hash_range(0, size, lookup) if size else EMPTY_ROOT


def inclusion_path(index: int, size: int, lookup: Lookup) -> list[bytes]:
    """Audit path of leaf `index` in the tree of `size` leaves, from the leaf upwards (2.1.3.1).

    Raises
    ------
    InputError
        When the tree has no such leaf.
    """
    if not 0 <= index < size:
        raise InputError(f"Expected a leaf of a tree of {size}, found index {index}.")
    return [_hash_range(first, end, lookup) for first, end in _inclusion_ranges(index, 0, size)]


def consistency_path(first_size: int, size: int, lookup: Lookup) -> list[bytes]:
    """Proof that the tree of `first_size` leaves is the beginning of that of `size` leaves (2.1.4.1).

    Raises
    ------
    InputError
        When the sizes do not fit.
    """
    if not 0 < first_size <= size:
        raise InputError(f"Expected sizes in order and above zero, found {first_size} and {size}.")
    return [_hash_range(first, end, lookup) for first, end in _consistency_ranges(first_size, 0, size, True)]


def ranges_needed(index: int, size: int) -> list[Node]:
    """Complete nodes that `inclusion_path` looks up, so that they can be fetched at once."""
    return [node for first, end in _inclusion_ranges(index, 0, size) for node in complete_nodes(first, end)]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> None:
    """Check that a leaf hash stands at `index` in the tree of `size` leaves with root `expected` (2.1.3.2).

    Raises
    ------
    LogInconsistent
        When it does not.
    """
    if not 0 <= index < size:
        raise LogInconsistent(f"The proof names entry {index} of a log of {size}.")
    node, last, digest = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise LogInconsistent("The proof is longer than the log's tree is high.")
        if node % 2 or node == last:
            digest = hash_children(sibling, digest)
            while not node % 2 and node:
                node, last = node >> 1, last >> 1
        else:
            digest = hash_children(digest, sibling)
        node, last = node >> 1, last >> 1
    if last or digest != expected:
        raise LogInconsistent("The proof does not lead from the entry to the checkpoint's root.")


def check_consistency(first_size: int, size: int, first_root: bytes, second_root: bytes, path: Sequence[bytes]) -> None:
    """Check that a tree is the beginning of a later one (2.1.4.2).

    Raises
    ------
    LogInconsistent
        When it is not, by this proof.
    """
    broken = LogInconsistent(f"The log of {size} entries does not continue that of {first_size}: it was rewritten.")
    if not 0 < first_size <= size:
        raise LogInconsistent(f"Expected sizes in order and above zero, found {first_size} and {size}.")
    if first_size == size:
        if path or first_root != second_root:
            raise broken
        return
    hashes = list(path)
    if first_size & (first_size - 1) == 0:
        hashes.insert(0, first_root)
    if not hashes:
        raise broken
    node, last = first_size - 1, size - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise broken
        if node % 2 or node == last:
            before, after = hash_children(sibling, before), hash_children(sibling, after)
            while not node % 2 and node:
                node, last = node >> 1, last >> 1
        else:
            after = hash_children(after, sibling)
        node, last = node >> 1, last >> 1
    if last or before != first_root or after != second_root:
        raise broken


def _hash_range(first: int, end: int, lookup: Lookup) -> bytes:
    *rest, digest = [lookup(*node) for node in complete_nodes(first, end)]
    for left in reversed(rest):
        digest = hash_children(left, digest)
    return digest


def _split(first: int, end: int) -> int:
    """Where RFC 9162 divides a range: after the largest power of two of leaves that is less than all."""
    return first + (1 << ((end - first - 1).bit_length() - 1))


def _inclusion_ranges(index: int, first: int, end: int) -> list[tuple[int, int]]:
    if end - first == 1:
        return []
    middle = _split(first, end)
    if index < middle:
        return [*_inclusion_ranges(index, first, middle), (middle, end)]
    return [*_inclusion_ranges(index, middle, end), (first, middle)]


def _consistency_ranges(size: int, first: int, end: int, whole: bool) -> list[tuple[int, int]]:
    """`whole` is true while the range starts where the earlier tree does, so that its root is known already."""
    if size == end:
        return [] if whole else [(first, end)]
    middle = _split(first, end)
    if size <= middle:
        return [*_consistency_ranges(size, first, middle, whole), (middle, end)]
    return [*_consistency_ranges(size, middle, end, False), (first, middle)]
