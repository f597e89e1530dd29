"""What a Vectorize index takes and gives, whoever asks it: REST or a binding.

This runs inside Workers too, so it imports the standard library alone.

Source: https://developers.cloudflare.com/vectorize/reference/client-api/ and
https://developers.cloudflare.com/vectorize/platform/limits/ (2026-09).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
)
from dome_mcp.core.ports import Vector

BACKEND = "vectorize"

MAX_TOP_K = 100
"""How many matches a query gives at most, without values and metadata."""

SENT_AT_ONCE = 1_000
"""Vectors of one upsert; over REST Vectorize takes 5,000, but they come out of the database first.
A Worker may send this many."""
MAX_DELETE = 100
"""Not among the published limits; more are refused with code 40007."""

MAX_NAME_BYTES = 64
"""Of an id, of a namespace, and of what is indexed of a text in the metadata."""

METRIC = "cosine"

METADATA_INDEXES: Mapping[str, str] = {"context": "string", "day": "number"}
"""What the index filters by, and its type. Each needs a metadata index that was made before the
first vector came: older vectors are not found by it, and have to be sent once more."""


_THROWN_CODE = re.compile(r"code = 4\d{4}")


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector as Vectorize keeps it; an upsert replaces all of it."""

    vector_id: str
    values: Sequence[float]
    namespace: str
    metadata: Mapping[str, str | int]

    @property
    def fields(self) -> dict[str, Any]:
        """The vector in Vectorize's words."""
        return {
            "id": self.vector_id,
            "values": self.values,
            "namespace": self.namespace,
            "metadata": self.metadata,
        }


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """How large an index is, and its last mutation that has taken effect (None: none yet)."""

    dimensions: int
    vectors: int
    processed: str | None


class Index(Protocol):
    """One index. A write takes effect later than it is answered; all calls can be repeated.

    All methods raise BackendError.
    """

    @property
    def sent_at_once(self) -> int:
        """The most vectors that one `upsert` should carry."""
        ...

    async def make(self, dimensions: int) -> bool:
        """Sees to it that the index is there; whether it, or a part of it, had to be made."""
        ...

    async def upsert(self, vectors: Sequence[StoredVector]) -> str:
        """Writes at most `sent_at_once` vectors and returns the mutation's id."""
        ...

    async def delete(self, vector_ids: Sequence[str]) -> str:
        """Removes at most MAX_DELETE vectors, there or not, and returns the mutation's id."""
        ...

    async def nearest(
        self, vector: Vector, *, namespace: str, where: Mapping[str, Any] | None = None
    ) -> list[str]:
        """The ids of the MAX_TOP_K nearest vectors, best first, as far as the index has come.

        `where` is a filter in Vectorize's form, over METADATA_INDEXES.
        """
        ...

    async def info(self) -> IndexInfo:
        """How far the index has come."""
        ...


def query_options(namespace: str, where: Mapping[str, Any] | None) -> dict[str, Any]:
    """What goes with the vector of a query for ids alone."""
    options: dict[str, Any] = {
        "topK": MAX_TOP_K,
        "namespace": namespace,
        "returnMetadata": "none",
        "returnValues": False,
    }
    return {**options, "filter": where} if where else options


def matched_ids(result: Any) -> list[str]:
    """The ids in the result of a query.

    Raises:
        BackendProtocolError: it is none.
    """
    matches = field_of(result, "matches", "query")
    return [str(field_of(match, "id", "query")) for match in matches]


def index_info(result: Any) -> IndexInfo:
    """The result of a question how far an index has come.

    Raises:
        BackendProtocolError: it is none.
    """
    return IndexInfo(
        int(field_of(result, "dimensions", "info")),
        int(field_of(result, "vectorCount", "info")),
        result.get("processedUpToMutation"),
    )


def field_of(value: Any, name: str, operation: str) -> Any:
    """A field of a result.

    Raises:
        BackendProtocolError: it is not there.
    """
    try:
        return value[name]
    except (LookupError, TypeError) as error:
        raise BackendProtocolError(
            BACKEND, operation, f"Vectorize's answer has no {name}."
        ) from error


def misfit(index: str, operation: str) -> BackendRejected:
    """The error for an index, as it is to be called, whose dimensions are others."""
    return BackendRejected(
        BACKEND,
        operation,
        f"The Vectorize index {index} is for vectors of other dimensions.",
        "An index keeps its dimensions: move with `dome-mcp reindex --to MODEL`.",
    )


def read_thrown_by_index(said: str, operation: str) -> BackendError:
    """The error for what the binding of an index throws: `VECTOR_QUERY_ERROR (code = 40006): …`.

    Source: `cloudflare-internal:vectorize-api` in npm's workerd 1.20261117.1.
    """
    found = _THROWN_CODE.search(said)
    if found is None:
        return BackendUnavailable(
            BACKEND, operation, "Vectorize failed or cannot be reached.", "Try again later."
        )
    if "dimension" in said.lower():
        return misfit("of this Worker", operation)
    return BackendRejected(BACKEND, operation, f"Vectorize refused the request ({found[0]}).")
