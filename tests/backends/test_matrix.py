"""The vectors in memory: what stays, what moves, what is nearest."""

import sys

import numpy as np

from dome_mcp.backends.embedded import matrix


def test_both_kernels_give_the_same_products() -> None:
    random = np.random.default_rng(0)
    codes = random.integers(-127, 128, (1_000, 384)).astype(np.int8)
    exact = codes.astype(np.int64) @ codes[0].astype(np.int64)
    for dots in (matrix.dots_by_simsimd, matrix.dots_by_numpy):
        out = np.empty(1_000, np.float32)
        dots(codes[0], codes, out=out)
        assert (out == exact).all(), dots.__name__


def test_the_kernel_leaves_the_references_of_none_alone() -> None:
    codes = np.ones((16, 384), np.int8)
    out = np.empty(16, np.float32)
    before = sys.getrefcount(None)
    for _ in range(1_000):
        matrix.dots_by_simsimd(codes[0], codes, out=out)
    assert abs(sys.getrefcount(None) - before) < 100


def test_a_matrix_holds_what_was_added_and_not_removed_across_blocks() -> None:
    random = np.random.default_rng(0)
    held = matrix.Matrix(4)
    expected: set[int] = set()
    next_key = 1
    for _ in range(12):
        keys = list(range(next_key, next_key + 3_000))
        next_key += 3_000
        rows = random.normal(size=(3_000, 4)).astype("<f2")
        held.add(keys, [key % 7 for key in keys], stored=[row.tobytes() for row in rows])
        expected.update(keys)
        gone = random.choice(sorted(expected), 2_000, replace=False).tolist()
        held.remove([*gone, 10**9])
        expected.difference_update(gone)
        assert len(held) == len(expected)
        assert set(held.nearest([1, 0, 0, 0], 10**6)) == expected
        of_two_notes = held.nearest([1, 0, 0, 0], 10**6, note_keys=np.array([3, 5, 99]))
        assert set(of_two_notes) == {key for key in expected if key % 7 in (3, 5)}
    held.remove(list(expected))
    assert len(held) == 0
    assert held.nearest([1, 0, 0, 0], 10) == []
    assert held.last_key == next_key - 1


def test_a_moved_row_keeps_its_vector() -> None:
    held = matrix.Matrix(2)
    angles = np.linspace(0, 3, 500)
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype("<f2")
    held.add(range(1, 501), [1] * 500, stored=[row.tobytes() for row in rows])
    held.remove(range(1, 401, 2))
    for key in (2, 200, 402, 500):
        assert key in held.nearest(rows[key - 1].astype(np.float32), 8)


def test_cosines_do_not_depend_on_length() -> None:
    stored = [np.array(row, "<f2").tobytes() for row in ([3, 0], [0, 0.5], [-1, 0], [0, 0])]
    assert matrix.cosines([2.0, 0.0], stored) == [1.0, 0.0, -1.0, 0.0]
