"""Vectorize's REST interface (V2), with its delays, limits and refusals.

Time stands still until `advance` is called. The refusals' words are ours, and so are their codes,
except for the one of too many ids to delete.

Source: https://developers.cloudflare.com/vectorize/reference/client-api/ and
https://developers.cloudflare.com/vectorize/platform/limits/ (2026-09).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.simulators.cloudflare.account import failed, succeeded
from tests.simulators.cloudflare.vectorize_index import BadRequest, SimulatedIndex, checked_filter

INDEX_NAME = "dome"

MAX_TOP_K = 100
MAX_TOP_K_WITH_VALUES = 50
DEFAULT_TOP_K = 5
MAX_VECTORS = 5_000
MAX_BODY_BYTES = 100_000_000
MAX_DELETED_IDS = 100
MAX_FETCHED_IDS = 20
MAX_LISTED = 1_000
MAX_NAME_BYTES = 64
MAX_METADATA_BYTES = 10 * 1024
MAX_METADATA_INDEXES = 10
MAX_FILTER_BYTES = 2_048
MAX_DIMENSIONS = 1_536

TOO_MANY_IDS = 40007
BAD_REQUEST = 40000
NO_SUCH_INDEX = 3000

MEDIAN_DELAY_SECONDS = 30.0
_START = datetime(2026, 11, 23, 10, tzinfo=UTC)


@dataclass(slots=True)
class VectorizeSimulator:
    """The indexes of one account."""

    delay_seconds: float = MEDIAN_DELAY_SECONDS
    indexes: dict[str, SimulatedIndex] = field(default_factory=dict)
    _now: float = 0.0

    def create(self, dimensions: int, *, name: str = INDEX_NAME) -> SimulatedIndex:
        """An empty index for cosines, without metadata indexes."""
        index = SimulatedIndex(name, dimensions, "cosine", self.delay_seconds)
        self.indexes[name] = index
        return index

    def advance(self, seconds: float) -> None:
        """Lets time pass, and what is due take effect."""
        self._now += seconds
        self._catch_up()

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        self._catch_up()
        try:
            return self._answer(request, path.removeprefix("/v2/indexes").strip("/"))
        except BadRequest as error:
            return failed(400, BAD_REQUEST, str(error))
        finally:
            self._catch_up()

    def _catch_up(self) -> None:
        for index in self.indexes.values():
            index.catch_up(self._now)

    def _answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if not path:
            return self._of_all(request)
        name, _, operation = path.partition("/")
        index = self.indexes.get(name)
        if index is None:
            return failed(404, NO_SUCH_INDEX, "vectorize.index.not_found")
        match request.method, operation:
            case "GET", "":
                return succeeded(_description(index))
            case "DELETE", "":
                del self.indexes[name]
                return succeeded()
            case "GET", "info":
                return succeeded(_info(index))
            case "GET", "metadata_index/list":
                return succeeded({"metadataIndexes": _metadata_indexes(index)})
            case "GET", "list":
                return succeeded(_listed(index, request.url.params))
            case "POST", "upsert" | "insert":
                lines = _lines(request, index)
                replaces = operation == "upsert"
                return _mutation(index.write(lines, replaces=replaces, now=self._now))
            case "POST", _:
                return self._posted(index, operation, json.loads(request.content))
        return failed(404, NO_SUCH_INDEX, "no such operation")

    def _posted(self, index: SimulatedIndex, operation: str, body: Any) -> httpx.Response:
        match operation:
            case "query":
                return succeeded(_answered(index, body))
            case "get_by_ids":
                if len(body["ids"]) > MAX_FETCHED_IDS:
                    return failed(400, TOO_MANY_IDS, "too many ids in payload")
                found = (index.vectors.get(each) for each in body["ids"])
                return succeeded([_shown(each, True, "all") for each in found if each])
            case "delete_by_ids":
                if len(body["ids"]) > MAX_DELETED_IDS:
                    words = f"too many ids in payload; max id count is {MAX_DELETED_IDS}"
                    return failed(400, TOO_MANY_IDS, words)
                return _mutation(index.delete(body["ids"], now=self._now))
            case "metadata_index/create":
                _check(len(index.metadata_indexes) < MAX_METADATA_INDEXES, "too many indexes")
                _check(body["indexType"] in {"string", "number", "boolean"}, "no such type")
                name, kind = body["propertyName"], body["indexType"]
                return _mutation(index.create_metadata_index(name, kind, now=self._now))
            case "metadata_index/delete":
                return _mutation(index.delete_metadata_index(body["propertyName"], now=self._now))
        return failed(404, NO_SUCH_INDEX, "no such operation")

    def _of_all(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return succeeded([_description(index) for index in self.indexes.values()])
        body = json.loads(request.content)
        name, config = body["name"], body["config"]
        _check(len(name.encode()) <= MAX_NAME_BYTES, "the name is too long")
        _check(name not in self.indexes, "there is an index of this name")
        _check(1 <= config["dimensions"] <= MAX_DIMENSIONS, "no such dimensions")
        index = SimulatedIndex(name, config["dimensions"], config["metric"], self.delay_seconds)
        self.indexes[name] = index
        return succeeded(_description(index))


def _answered(index: SimulatedIndex, body: Mapping[str, Any]) -> dict[str, Any]:
    values, metadata = body.get("returnValues", False), body.get("returnMetadata", "none")
    count = body.get("topK", DEFAULT_TOP_K)
    most = MAX_TOP_K_WITH_VALUES if values or metadata == "all" else MAX_TOP_K
    _check(1 <= count <= most, f"topK must be between 1 and {most}")
    _check(len(body["vector"]) == index.dimensions, f"expected {index.dimensions} dimensions")
    where = checked_filter(body.get("filter"))
    _check(len(json.dumps(where, separators=(",", ":"))) < MAX_FILTER_BYTES, "filter too long")
    found = index.nearest(body["vector"], namespace=body.get("namespace"), where=where, count=count)
    matches = [{**_shown(each, values, metadata), "score": score} for each, score in found]
    return {"count": len(matches), "matches": matches}


def _shown(vector: Any, values: bool, metadata: str) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": vector.vector_id, "namespace": vector.namespace}
    if values:
        shown["values"] = list(vector.values)
    if metadata != "none":
        shown["metadata"] = dict(vector.metadata if metadata == "all" else vector.indexed)
    return shown


def _lines(request: httpx.Request, index: SimulatedIndex) -> list[dict[str, Any]]:
    """The vectors of an upsert, refused together where one of them is wrong."""
    _check(request.headers.get("Content-Type") == "application/x-ndjson", "NDJSON is expected")
    _check(len(request.content) <= MAX_BODY_BYTES, "the body is too large")
    lines = [json.loads(line) for line in request.content.splitlines() if line.strip()]
    _check(1 <= len(lines) <= MAX_VECTORS, f"send 1 to {MAX_VECTORS} vectors")
    for line in lines:
        _check(len(line["values"]) == index.dimensions, f"expected {index.dimensions} dimensions")
        _check(len(line["id"].encode()) <= MAX_NAME_BYTES, "an id is too long")
        _check(len(line.get("namespace", "").encode()) <= MAX_NAME_BYTES, "a namespace is too long")
        metadata = json.dumps(line.get("metadata") or {})
        _check(len(metadata) <= MAX_METADATA_BYTES, "metadata is too long")
    return lines


def _listed(index: SimulatedIndex, params: httpx.QueryParams) -> dict[str, Any]:
    count, start = int(params.get("count", 100)), int(params.get("cursor", 0))
    _check(1 <= count <= MAX_LISTED, f"list 1 to {MAX_LISTED} ids at once")
    ids = sorted(index.vectors)[start : start + count]
    is_more = start + count < len(index.vectors)
    return {
        "count": len(ids),
        "totalCount": len(index.vectors),
        "isTruncated": is_more,
        "nextCursor": str(start + count) if is_more else None,
        "cursorExpirationTimestamp": (_START + timedelta(days=1)).isoformat(),
        "vectors": [{"id": each} for each in ids],
    }


def _info(index: SimulatedIndex) -> dict[str, Any]:
    info: dict[str, Any] = {"dimensions": index.dimensions, "vectorCount": len(index.vectors)}
    if index.processed is not None and index.processed_at is not None:
        at = _START + timedelta(seconds=index.processed_at)
        info |= {
            "processedUpToDatetime": at.isoformat(),
            "processedUpToMutation": index.processed,
        }
    return info


def _description(index: SimulatedIndex) -> dict[str, Any]:
    return {
        "name": index.name,
        "description": "",
        "config": {"dimensions": index.dimensions, "metric": index.metric},
        "created_on": _START.isoformat(),
        "modified_on": _START.isoformat(),
    }


def _metadata_indexes(index: SimulatedIndex) -> list[dict[str, str]]:
    return [
        {"propertyName": name, "indexType": kind} for name, kind in index.metadata_indexes.items()
    ]


def _mutation(mutation_id: str) -> httpx.Response:
    return succeeded({"mutationId": mutation_id})


def _check(is_right: bool, words: str) -> None:
    if not is_right:
        raise BadRequest(words)
