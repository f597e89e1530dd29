"""One Vectorize index over REST: writing, asking, and how far it has come.

A write is answered at once with the id of a mutation and takes effect later: half of them within
30 seconds, 99 of 100 within two minutes. All calls can be repeated.

Source: https://developers.cloudflare.com/vectorize/reference/client-api/,
https://developers.cloudflare.com/vectorize/reference/metadata-filtering/ and
https://developers.cloudflare.com/vectorize/platform/limits/ (2026-09).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.refusals import NO_ROUTE, Refusal, Verdict
from dome_mcp.core.errors import BackendProtocolError, BackendRejected
from dome_mcp.core.ports import Vector

BACKEND = "vectorize"

MAX_TOP_K = 100
"""How many matches a query gives at most, without values and metadata."""

MAX_UPSERT = 5_000
MAX_DELETE = 100
"""Not among the published limits; more are refused with code 40007."""

MAX_NAME_BYTES = 64
"""Of an id, of a namespace, and of what is indexed of a text in the metadata."""

METADATA_INDEXES: Mapping[str, str] = {"context": "string", "day": "number"}
"""What the index filters by, and its type. Each needs a metadata index that was made before the
first vector came: older vectors are not found by it, and `store.vector_ledger.stage_again` has to
send them once more."""

UPSERT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A vector as Vectorize keeps it; an upsert replaces all of it."""

    vector_id: str
    values: Sequence[float]
    namespace: str
    metadata: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """How large an index is, and its last mutation that has taken effect (None: none yet)."""

    dimensions: int
    vectors: int
    processed: str | None


class VectorizeIndex:
    """The index `name` of the account. All methods raise what `CloudflareApi` does."""

    def __init__(self, api: CloudflareApi, name: str) -> None:
        self._api = api
        self._name = name
        self._path = f"/vectorize/v2/indexes/{name}"

    async def upsert(self, vectors: Sequence[StoredVector]) -> str:
        """Writes at most MAX_UPSERT vectors and returns the mutation's id."""
        result = await self._api.call(
            "POST",
            f"{self._path}/upsert",
            backend=BACKEND,
            operation="upsert",
            content="".join(map(_line, vectors)).encode(),
            headers={"Content-Type": "application/x-ndjson"},
            params={"unparsable-behavior": "error"},
            is_repeatable=True,
            timeout_seconds=UPSERT_SECONDS,
            reader=self._refusal,
        )
        return str(self._field(result, "mutationId", "upsert"))

    async def delete(self, vector_ids: Sequence[str]) -> str:
        """Removes at most MAX_DELETE vectors, there or not, and returns the mutation's id."""
        result = await self._post("delete_by_ids", {"ids": list(vector_ids)})
        return str(self._field(result, "mutationId", "delete_by_ids"))

    async def nearest(
        self, vector: Vector, *, namespace: str, where: Mapping[str, Any] | None = None
    ) -> list[str]:
        """The ids of the MAX_TOP_K nearest vectors, best first, as far as the index has come.

        `where` is a filter in Vectorize's form, over METADATA_INDEXES.
        """
        question: dict[str, Any] = {
            "vector": list(vector),
            "topK": MAX_TOP_K,
            "namespace": namespace,
            "returnMetadata": "none",
            "returnValues": False,
        }
        if where:
            question["filter"] = where
        matches = self._field(await self._post("query", question), "matches", "query")
        return [str(self._field(match, "id", "query")) for match in matches]

    async def info(self) -> IndexInfo:
        """How far the index has come."""
        result = await self._get("info")
        return IndexInfo(
            int(self._field(result, "dimensions", "info")),
            int(self._field(result, "vectorCount", "info")),
            result.get("processedUpToMutation"),
        )

    async def metadata_indexes(self) -> dict[str, str]:
        """The properties that the index can filter by, with their types."""
        listed = self._field(
            await self._get("metadata_index/list"), "metadataIndexes", "metadata_index/list"
        )
        return {str(each["propertyName"]): str(each["indexType"]) for each in listed}

    async def _post(self, operation: str, body: Mapping[str, Any]) -> Any:
        return await self._api.call(
            "POST",
            f"{self._path}/{operation}",
            backend=BACKEND,
            operation=operation,
            json=body,
            is_repeatable=True,
            reader=self._refusal,
        )

    async def _get(self, operation: str) -> Any:
        return await self._api.call(
            "GET",
            f"{self._path}/{operation}",
            backend=BACKEND,
            operation=operation,
            is_repeatable=True,
            reader=self._refusal,
        )

    def _field(self, value: Any, name: str, operation: str) -> Any:
        try:
            return value[name]
        except (LookupError, TypeError) as error:
            raise BackendProtocolError(
                BACKEND, operation, f"Vectorize's answer has no {name}."
            ) from error

    def _refusal(self, refusal: Refusal) -> Verdict | None:
        """What a refusal says about this index; None for what any service may say."""
        is_missing = refusal.status in (httpx.codes.NOT_FOUND, httpx.codes.GONE)
        if is_missing and refusal.code != NO_ROUTE:
            message = f"The account has no Vectorize index {self._name!r}."
            hint = "Make it with `dome-mcp cloud init`, or correct DOME_VECTORIZE_INDEX."
        elif refusal.status == httpx.codes.BAD_REQUEST and "dimension" in refusal.message.lower():
            message = f"The Vectorize index {self._name!r} is for vectors of other dimensions."
            hint = "An index keeps its dimensions: move with `dome-mcp reindex --to MODEL`."
        else:
            return None
        return Verdict(BackendRejected(refusal.backend, refusal.operation, message, hint))


def _line(vector: StoredVector) -> str:
    fields = {
        "id": vector.vector_id,
        "values": vector.values,
        "namespace": vector.namespace,
        "metadata": vector.metadata,
    }
    return json.dumps(fields, separators=(",", ":"), allow_nan=False) + "\n"
