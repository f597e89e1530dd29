"""A user's vectors in memory, and the scan that finds those nearest to a query.

Each vector is kept as int8, scaled by its own largest value: 384 bytes where fp32 takes 1,536. The
scan ranks by those codes; its error is of the order of 0.002 in cosine, so the caller asks for
more than it needs and ranks that handful again by the stored vectors (`cosines`).

The rows stand in blocks, in no particular order. A new block is all that growing costs, and a
removed row's place is taken by the last one, so there are no holes to skip or to compact.

numpy makes this module too heavy for a start-up; `vectors.py` imports it at the first search.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

try:
    import simsimd
except ImportError:  # there is no wheel of it for every platform
    simsimd = None

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int8]
Keys = npt.NDArray[np.int64]

BLOCK_ROWS = 8192
_SLICE_ROWS = 256
"""Rows that are converted at once: their floats stay in the CPU's cache."""

_STORED = np.dtype("<f2")
_TINY = np.float32(1e-30)


def cosines(query: Sequence[float], stored: Sequence[bytes]) -> list[float]:
    """The cosine of the query with each stored vector (float16, little-endian), in order."""
    wanted = np.asarray(query, dtype=np.float32)
    rows = _floats(stored, wanted.size)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted)
    found = (rows @ wanted) / np.maximum(lengths, _TINY)
    return np.clip(found, -1.0, 1.0).tolist()


def parse_keys(text: str) -> Keys:
    """The integers of a comma-separated list."""
    return np.fromstring(text, dtype=np.int64, sep=",")


def _floats(stored: Sequence[bytes], dimensions: int) -> Floats:
    return np.frombuffer(b"".join(stored), _STORED).reshape(-1, dimensions).astype(np.float32)


def _quantize(rows: Floats) -> tuple[Codes, Floats]:
    """int8 codes `(n, d)` and scales `(n,)`, such that codes * scale is about the row.

    The rows are used up on the way.
    """
    largest = np.maximum(rows.max(axis=1), -rows.min(axis=1))
    scales = np.maximum(largest, _TINY) / np.float32(127)
    rows /= scales[:, None]
    np.rint(rows, out=rows)
    return rows.astype(np.int8), scales


def dots_by_simsimd(query: Codes, codes: Codes, *, out: Floats) -> None:
    """Writes the dot product of the query `(d,)` with each row of codes `(n, d)` to out `(n,)`."""
    assert simsimd is not None  # noqa: S101 - for the type checker; `_score` has looked
    # Its own `out` would save the copy, but each such call takes a reference off None (6.5.16).
    out[:] = np.asarray(simsimd.cdist(query[None], codes, "dot", out_dtype="f32"))[0]


def dots_by_numpy(query: Codes, codes: Codes, *, out: Floats) -> None:
    """The same as `dots_by_simsimd`, to the last bit, in five times the time."""
    wanted = query.astype(np.float32)
    for start in range(0, len(codes), _SLICE_ROWS):
        rows = codes[start : start + _SLICE_ROWS].astype(np.float32)
        np.dot(rows, wanted, out=out[start : start + _SLICE_ROWS])


@dataclass(slots=True)
class _Block:
    """Up to BLOCK_ROWS rows; memory that no row has touched yet costs nothing."""

    codes: Codes
    scales: Floats
    keys: Keys
    note_keys: Keys
    rows: int = 0

    def put(self, row: int, source: "_Block", *, source_row: int) -> None:
        """Copies one row here from a block."""
        self.codes[row] = source.codes[source_row]
        self.scales[row] = source.scales[source_row]
        self.keys[row] = source.keys[source_row]
        self.note_keys[row] = source.note_keys[source_row]


def _score(block: _Block, query: Codes, *, penalties: Floats | None, out: Floats) -> None:
    """Writes the scaled products, and what their notes take off them, to out `(rows,)`."""
    dots = dots_by_numpy if simsimd is None else dots_by_simsimd
    dots(query, block.codes[: block.rows], out=out)
    out *= block.scales[: block.rows]
    if penalties is not None:
        out += penalties[block.note_keys[: block.rows]]


def _largest(scores: Floats, count: int) -> Keys:
    """The indices of the `count` largest scores, in no order."""
    cut = max(len(scores) - count, 0)
    return np.argpartition(scores, cut)[cut:] if cut else np.arange(len(scores))


class Matrix:
    """Vectors by key. Not safe for threads: one call at a time."""

    def __init__(self, dimensions: int) -> None:
        self._dimensions = dimensions
        self._blocks: list[_Block] = []
        self._largest_note_key = 0
        self.last_key = 0
        """The largest key that was ever added."""

    def __len__(self) -> int:
        return sum(block.rows for block in self._blocks)

    def add(
        self, keys: Sequence[int], note_keys: Sequence[int], *, stored: Sequence[bytes]
    ) -> None:
        """Adds vectors (float16, little-endian) under keys that are larger than any before."""
        self._largest_note_key = max(self._largest_note_key, *note_keys)
        done = 0
        while done < len(keys):
            block = self._block_with_room()
            end = min(done + _SLICE_ROWS, len(keys), done + BLOCK_ROWS - block.rows)
            codes, scales = _quantize(_floats(stored[done:end], self._dimensions))
            target = slice(block.rows, block.rows + end - done)
            block.codes[target] = codes
            block.scales[target] = scales
            block.keys[target] = keys[done:end]
            block.note_keys[target] = note_keys[done:end]
            block.rows += end - done
            self.last_key = keys[end - 1]
            done = end

    def remove(self, keys: Sequence[int]) -> None:
        """Takes vectors out; a key that is not here is no error."""
        unwanted = np.asarray(keys, dtype=np.int64)
        # From the end, so that the row that fills a gap is never one that has to go itself.
        for block in reversed(self._blocks.copy()):
            hits = np.flatnonzero(np.isin(block.keys[: block.rows], unwanted))
            for row in reversed(hits.tolist()):
                self._fill(block, row)

    def nearest(
        self, query: Sequence[float], count: int, *, note_keys: Keys | None = None
    ) -> list[int]:
        """The keys of about the `count` nearest vectors, unordered, of these notes or of all."""
        codes = _quantize(np.array([query], dtype=np.float32))[0][0]
        scores = np.empty(len(self), np.float32)
        penalties = None if note_keys is None else self._penalties(note_keys)
        start = 0
        for block in self._blocks:
            _score(block, codes, penalties=penalties, out=scores[start : start + block.rows])
            start += block.rows
        if penalties is None:
            found = _largest(scores, count)
        else:
            allowed = np.flatnonzero(scores > -np.inf)
            found = allowed[_largest(scores[allowed], count)]
        return self._keys()[found].tolist() if len(found) else []

    def _penalties(self, note_keys: Keys) -> Floats:
        """What to add to a score, by note key: 0 for these notes, -inf for all others."""
        penalties = np.full(self._largest_note_key + 1, -np.inf, np.float32)
        penalties[note_keys[note_keys <= self._largest_note_key]] = 0
        return penalties

    def _keys(self) -> Keys:
        return np.concatenate([block.keys[: block.rows] for block in self._blocks])

    def _block_with_room(self) -> _Block:
        if not self._blocks or self._blocks[-1].rows == BLOCK_ROWS:
            self._blocks.append(
                _Block(
                    codes=np.empty((BLOCK_ROWS, self._dimensions), np.int8),
                    scales=np.empty(BLOCK_ROWS, np.float32),
                    keys=np.empty(BLOCK_ROWS, np.int64),
                    note_keys=np.empty(BLOCK_ROWS, np.int64),
                )
            )
        return self._blocks[-1]

    def _fill(self, block: _Block, row: int) -> None:
        last = self._blocks[-1]
        last.rows -= 1
        block.put(row, last, source_row=last.rows)
        if not last.rows:
            self._blocks.pop()
