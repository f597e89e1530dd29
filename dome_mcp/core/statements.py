"""What the ports take and give: SQL statements and rows, vectors and what they belong to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Value = str | int | float | bytes | None
Row = Mapping[str, Value]
Vector = Sequence[float]
"""An embedding of unit length; drivers give an `array('f')`, which numpy reads without a copy."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement in the dialect SQLite and D1 share, its parameters named `?1` to `?100`."""

    sql: str
    params: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class VectorEntry:
    """A chunk's vector, as a `VectorIndex` takes it."""

    chunk_id: str
    vector: Vector
