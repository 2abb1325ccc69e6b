"""RFC 9162 hashing against the published vectors of Certificate Transparency, and every proof of small trees."""

from __future__ import annotations

import hashlib

import pytest

from cephstd.audit import merkle
from cephstd.errors import InputError, LogInconsistent

# Leaves, roots and proofs as published with the reference implementation of Certificate Transparency.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {
    (0, 1): [],
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
}
CONSISTENCY = {
    (1, 1): [],
    (1, 8): INCLUSION[0, 8],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (3, 8): [
        "0298d122906dcfc10892cb53a73992fc5b9f493ea4c9badb27b791b4127a7fe7",
        "07506a85fd9dd2f120eb694f86011e5bb4662e5c415a62917033d4a9624487e7",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
}


def tree_of(leaves: list[bytes]) -> merkle.Lookup:
    nodes = dict(merkle.grow(0, map(merkle.hash_leaf, leaves), lambda level, position: b""))
    return lambda level, position: nodes[level, position]


def mth(leaves: list[bytes]) -> bytes:
    """The RFC's own recursive definition, 2.1.1."""
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


TREE = tree_of(LEAVES)
MANY = [bytes([n]) * 3 for n in range(40)]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_the_published_ones(size):
    assert merkle.root(size, TREE).hex() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUSION)
def test_inclusion_paths_are_the_published_ones(index, size):
    path = merkle.inclusion_path(index, size, TREE)
    assert [digest.hex() for digest in path] == INCLUSION[index, size]
    merkle.check_inclusion(merkle.hash_leaf(LEAVES[index]), index, size, path, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("first", "second"), CONSISTENCY)
def test_consistency_paths_are_the_published_ones(first, second):
    path = merkle.consistency_path(first, second, TREE)
    assert [digest.hex() for digest in path] == CONSISTENCY[first, second]
    merkle.check_consistency(first, second, bytes.fromhex(ROOTS[first]), bytes.fromhex(ROOTS[second]), path)


def test_every_tree_grows_to_the_recursive_definition_and_every_proof_holds():
    tree = tree_of(MANY)
    for size in range(1, len(MANY) + 1):
        expected = mth(MANY[:size])
        assert merkle.root(size, tree) == expected
        for index in range(size):
            path = merkle.inclusion_path(index, size, tree)
            merkle.check_inclusion(merkle.hash_leaf(MANY[index]), index, size, path, expected)
        for first in range(1, size + 1):
            path = merkle.consistency_path(first, size, tree)
            merkle.check_consistency(first, size, mth(MANY[:first]), expected, path)


def test_growing_in_pieces_gives_the_same_nodes():
    hashes = [merkle.hash_leaf(leaf) for leaf in MANY]
    whole = dict(merkle.grow(0, hashes, lambda level, position: b""))
    nodes: dict[merkle.Node, bytes] = {}

    def lookup(level: int, position: int) -> bytes:
        return nodes[level, position]

    for first, end in ((0, 1), (1, 4), (4, 13), (13, 40)):
        nodes.update(list(merkle.grow(first, hashes[first:end], lookup)))
    assert nodes == whole


def test_needed_nodes_are_those_that_a_path_looks_up():
    asked: list[merkle.Node] = []
    for size in (1, 7, 23, 40):
        for index in range(size):
            asked.clear()
            merkle.inclusion_path(index, size, lambda level, position: asked.append((level, position)) or b"")
            assert asked == merkle.ranges_needed(index, size)


def test_a_proof_of_another_thing_is_refused():
    tree = tree_of(MANY)
    root, leaf = mth(MANY), merkle.hash_leaf(MANY[5])
    path = merkle.inclusion_path(5, 40, tree)
    for wrong in (
        (merkle.hash_leaf(MANY[6]), 5, 40, path, root),
        (leaf, 4, 40, path, root),
        (leaf, 5, 41, path, mth(MANY[:39])),
        (leaf, 40, 40, path, root),
        (leaf, -1, 40, path, root),
        (leaf, 5, 40, path[:-1], root),
        (leaf, 5, 40, [*path, root], root),
        (leaf, 5, 40, path[::-1], root),
        (merkle.hash_children(leaf, path[0]), 2, 20, path[1:], mth(MANY[:20])),
    ):
        with pytest.raises(LogInconsistent):
            merkle.check_inclusion(*wrong)


def test_inconsistent_trees_are_refused():
    tree = tree_of(MANY)
    rewritten = [*MANY[:3], b"other", *MANY[4:]]
    path = merkle.consistency_path(13, 40, tree)
    for wrong in (
        (13, 40, mth(rewritten[:13]), mth(MANY), path),
        (13, 40, mth(MANY[:13]), mth(rewritten), path),
        (13, 40, mth(MANY[:13]), mth(rewritten), merkle.consistency_path(13, 40, tree_of(rewritten))),
        (12, 40, mth(MANY[:13]), mth(MANY), path),
        (13, 40, mth(MANY[:13]), mth(MANY), path[:-1]),
        (13, 40, mth(MANY[:13]), mth(MANY), []),
        (16, 40, mth(MANY[:16]), mth(MANY), []),
        (40, 40, mth(rewritten), mth(MANY), []),
        (40, 40, mth(MANY), mth(MANY), [mth(MANY)]),
        (40, 13, mth(MANY), mth(MANY[:13]), path),
        (0, 13, merkle.EMPTY_ROOT, mth(MANY[:13]), path),
    ):
        with pytest.raises(LogInconsistent):
            merkle.check_consistency(*wrong)


@pytest.mark.parametrize(
    "call", [lambda: merkle.inclusion_path(8, 8, TREE), lambda: merkle.consistency_path(8, 7, TREE)]
)
def test_what_the_tree_does_not_have_is_refused(call):
    with pytest.raises(InputError):
        call()
