"""One Vectorize index in memory: mutations that take effect later, filters, exact cosines.

Source: https://developers.cloudflare.com/vectorize/reference/metadata-filtering/,
https://developers.cloudflare.com/vectorize/best-practices/insert-vectors/ and
https://developers.cloudflare.com/vectorize/platform/limits/ (2026-09).
"""

import math
import operator
import uuid
from array import array
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

INDEXED_BYTES = 64

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$eq": operator.eq,
    "$ne": operator.ne,
    "$in": lambda value, wanted: value in wanted,
    "$nin": lambda value, wanted: value not in wanted,
    "$lt": operator.lt,
    "$lte": operator.le,
    "$gt": operator.gt,
    "$gte": operator.ge,
}


class BadRequest(Exception):
    """What the service answers with 400."""


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector, and what of its metadata was indexed when it came."""

    vector_id: str
    values: "array[float]"
    namespace: str
    metadata: Mapping[str, Any]
    indexed: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Mutation:
    mutation_id: str
    due: float
    apply: Callable[[], None]


@dataclass(slots=True)
class SimulatedIndex:
    """An index of fixed dimensions; `delay_seconds` passes between a mutation and its effect."""

    name: str
    dimensions: int
    metric: str
    delay_seconds: float
    vectors: dict[str, StoredVector] = field(default_factory=dict)
    metadata_indexes: dict[str, str] = field(default_factory=dict)
    processed: str | None = None
    processed_at: float | None = None
    _waiting: deque[_Mutation] = field(default_factory=deque)

    def catch_up(self, now: float) -> None:
        """Lets what is due take effect, in the order it came."""
        while self._waiting and self._waiting[0].due <= now:
            mutation = self._waiting.popleft()
            mutation.apply()
            self.processed, self.processed_at = mutation.mutation_id, now

    def create_metadata_index(self, name: str, kind: str, *, now: float) -> str:
        return self._mutate(lambda: self.metadata_indexes.__setitem__(name, kind), now)

    def delete_metadata_index(self, name: str, *, now: float) -> str:
        return self._mutate(lambda: self.metadata_indexes.pop(name, None), now)

    def write(self, lines: Sequence[Mapping[str, Any]], *, replaces: bool, now: float) -> str:
        """Inserts (an id that is there stays as it is) or upserts (it is replaced whole)."""

        def apply() -> None:
            for line in lines:
                vector = self._stored(line)
                if replaces or vector.vector_id not in self.vectors:
                    self.vectors[vector.vector_id] = vector

        return self._mutate(apply, now)

    def delete(self, vector_ids: Sequence[str], *, now: float) -> str:
        def apply() -> None:
            for vector_id in vector_ids:
                self.vectors.pop(vector_id, None)

        return self._mutate(apply, now)

    def nearest(
        self,
        vector: Sequence[float],
        *,
        namespace: str | None,
        where: Mapping[str, Any],
        count: int,
    ) -> list[tuple[StoredVector, float]]:
        """The nearest that the filter lets through, best first, with their cosines."""
        wanted = array("f", vector)
        found = [
            (stored, _cosine(stored.values, wanted))
            for stored in self.vectors.values()
            if (namespace is None or stored.namespace == namespace)
            and all(_passes(stored.indexed, key, value) for key, value in where.items())
        ]
        found.sort(key=lambda each: -each[1])
        return found[:count]

    def _mutate(self, apply: Callable[[], object], now: float) -> str:
        mutation_id = str(uuid.uuid4())
        self._waiting.append(
            _Mutation(mutation_id, now + self.delay_seconds, lambda: (apply(), None)[1])
        )
        return mutation_id

    def _stored(self, line: Mapping[str, Any]) -> StoredVector:
        metadata = line.get("metadata") or {}
        indexed = {name: _cut(metadata[name]) for name in self.metadata_indexes if name in metadata}
        return StoredVector(
            line["id"], array("f", line["values"]), line.get("namespace", ""), metadata, indexed
        )


def checked_filter(where: Any) -> Mapping[str, Any]:
    """The filter, where it is one that Vectorize takes."""
    if where is None:
        return {}
    if not isinstance(where, Mapping) or not where:
        raise BadRequest("a filter is an object that is not empty")
    for condition in where.values():
        if isinstance(condition, list):
            raise BadRequest("an array is no value to be equal to")
        if isinstance(condition, Mapping) and not _is_condition(condition):
            raise BadRequest("a condition has one operator, or a lower and an upper bound")
    return where


def _is_condition(condition: Mapping[str, Any]) -> bool:
    names = set(condition)
    bounds = [names & {"$gt", "$gte"}, names & {"$lt", "$lte"}]
    is_range = all(len(bound) == 1 for bound in bounds) and len(names) == 2
    return names <= _COMPARISONS.keys() and (len(names) == 1 or is_range)


def _passes(indexed: Mapping[str, Any], name: str, condition: Any) -> bool:
    """Whether a vector passes; what is not indexed does not."""
    if name not in indexed:
        return False
    conditions = condition if isinstance(condition, Mapping) else {"$eq": condition}
    return all(
        _COMPARISONS[sign](indexed[name], _cut(wanted)) for sign, wanted in conditions.items()
    )


def _cut(value: Any) -> Any:
    """What an index sees of a value: 64 bytes of a text, cut between characters."""
    if isinstance(value, list):
        return [_cut(each) for each in value]
    if isinstance(value, str):
        return value.encode()[:INDEXED_BYTES].decode(errors="ignore")
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return math.fsum(map(operator.mul, one, other)) / (math.hypot(*one) * math.hypot(*other) or 1.0)
