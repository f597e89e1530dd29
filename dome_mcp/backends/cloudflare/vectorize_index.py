"""One Vectorize index over REST: writing, asking, and how far it has come.

A write is answered at once with the id of a mutation and takes effect later: half of them within
30 seconds, 99 of 100 within two minutes. All calls can be repeated.

Source: https://developers.cloudflare.com/vectorize/reference/client-api/,
https://developers.cloudflare.com/vectorize/reference/metadata-filtering/ and
https://developers.cloudflare.com/vectorize/platform/limits/ (2026-09).
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import (
    Resource,
    Wanted,
    create,
    delete,
    find,
    index_metadata,
)
from dome_mcp.backends.cloudflare.refusals import NO_ROUTE, Refusal, Verdict
from dome_mcp.backends.cloudflare.vectorize_shapes import (
    BACKEND,
    METRIC,
    SENT_AT_ONCE,
    IndexInfo,
    field_of,
    index_info,
    matched_ids,
    misfit,
    query_options,
)
from dome_mcp.backends.cloudflare.vectorize_shapes import METADATA_INDEXES as METADATA_INDEXES
from dome_mcp.backends.cloudflare.vectorize_shapes import StoredVector as StoredVector
from dome_mcp.core.errors import BackendRejected
from dome_mcp.core.ports import Vector

UPSERT_SECONDS = 60.0


class VectorizeIndex:
    """The index `name` of the account. All methods raise what `CloudflareApi` does."""

    def __init__(self, api: CloudflareApi, name: str) -> None:
        self._api = api
        self._name = name
        self._path = f"/vectorize/v2/indexes/{name}"

    @property
    def sent_at_once(self) -> int:
        return SENT_AT_ONCE

    async def make(self, dimensions: int) -> bool:
        """Makes the index and its metadata indexes as far as they are not there.

        Whether anything was made, so that vectors of before are not in it or not found by all.

        Raises:
            BackendRejected: the index is there, and for vectors of other dimensions.
        """
        found = await find(self._api, "index", self._name)
        if found is not None and found.shape != (dimensions, METRIC):
            raise misfit(repr(self._name), "make")
        wanted = Wanted("index", self._name, dimensions)
        index = found or await create(self._api, wanted)
        lacked = await index_metadata(self._api, index, METADATA_INDEXES)
        return found is None or bool(lacked)

    async def fits(self, dimensions: int) -> bool:
        """Whether the index is there, and for vectors of so many dimensions."""
        found = await find(self._api, "index", self._name)
        return found is not None and found.shape == (dimensions, METRIC)

    async def remove(self) -> None:
        """Removes the index with all that is in it, where it is there."""
        await delete(self._api, Resource("index", self._name, self._name))

    async def upsert(self, vectors: Sequence[StoredVector]) -> str:
        """See `Index.upsert`."""
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
        return str(field_of(result, "mutationId", "upsert"))

    async def delete(self, vector_ids: Sequence[str]) -> str:
        """See `Index.delete`."""
        result = await self._post("delete_by_ids", {"ids": list(vector_ids)})
        return str(field_of(result, "mutationId", "delete_by_ids"))

    async def nearest(
        self, vector: Vector, *, namespace: str, where: Mapping[str, Any] | None = None
    ) -> list[str]:
        """See `Index.nearest`."""
        question = {"vector": list(vector), **query_options(namespace, where)}
        return matched_ids(await self._post("query", question))

    async def info(self) -> IndexInfo:
        """See `Index.info`."""
        return index_info(await self._get("info"))

    async def metadata_indexes(self) -> dict[str, str]:
        """The properties that the index can filter by, with their types."""
        listed = field_of(
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

    def _refusal(self, refusal: Refusal) -> Verdict | None:
        """What a refusal says about this index; None for what any service may say."""
        is_missing = refusal.status in (httpx.codes.NOT_FOUND, httpx.codes.GONE)
        if is_missing and refusal.code != NO_ROUTE:
            message = f"The account has no Vectorize index {self._name!r}."
            hint = (
                "`dome-mcp reindex` makes it and fills it again; or correct DOME_VECTORIZE_INDEX."
            )
            return Verdict(BackendRejected(refusal.backend, refusal.operation, message, hint))
        if refusal.status == httpx.codes.BAD_REQUEST and "dimension" in refusal.message.lower():
            return Verdict(misfit(repr(self._name), refusal.operation))
        return None


def _line(vector: StoredVector) -> str:
    return json.dumps(vector.fields, separators=(",", ":"), allow_nan=False) + "\n"
