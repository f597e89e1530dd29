"""The ports on a Worker's bindings: `env.DB`, `env.DELIVERIES`, `env.BLOBS`.

Only a Worker can import this. The SDK turns what a binding takes and gives into plain Python:
dict, list, None. A binding has no HTTP status; what it throws is read by the same words as what
the REST API answers (dome_mcp/backends/cloudflare/d1_errors.py).

Source: https://developers.cloudflare.com/workers/languages/python/ and
https://developers.cloudflare.com/d1/worker-api/ (2026-11).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pyodide.ffi import JsException  # pyright: ignore[reportMissingImports] - only in a Worker

from dome_mcp.backends.cloudflare.d1_errors import BACKEND as D1
from dome_mcp.backends.cloudflare.d1_errors import read_refusal
from dome_mcp.backends.cloudflare.d1_statements import decoded, encoded
from dome_mcp.backends.cloudflare.queue_batches import BACKEND as QUEUES
from dome_mcp.backends.cloudflare.queue_batches import batches
from dome_mcp.backends.cloudflare.r2_keys import BACKEND as R2
from dome_mcp.backends.cloudflare.r2_keys import is_key, require_key
from dome_mcp.backends.cloudflare.verdicts import Refusal
from dome_mcp.core.errors import BackendError, BackendUnavailable, NotFound
from dome_mcp.core.ports import Row, Statement, Value

_THROWN = 0
"""Stands for the HTTP status that a binding's refusal does not have."""


class D1BindingDatabase:
    """`Database` on a D1 binding."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def query(self, statement: Statement) -> Sequence[Row]:
        """The rows of one statement (see `Database.query`)."""
        with _d1_errors("query"):
            result = await self._prepared(statement, "query").all()
        return _rows(result)

    async def batch(self, statements: Sequence[Statement]) -> Sequence[Sequence[Row]]:
        """The rows of each statement, all run or none (see `Database.batch`)."""
        if not statements:
            return []
        with _d1_errors("batch"):
            prepared = [self._prepared(each, "batch") for each in statements]
            results = await self._binding.batch(prepared)
        return [_rows(result) for result in results]

    def _prepared(self, statement: Statement, operation: str) -> Any:
        fitting = encoded(statement, operation)
        return self._binding.prepare(fitting.sql).bind(*map(_to_js_value, fitting.params))


class QueueBinding:
    """`EventQueue` on a queue's producer binding."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def send(self, bodies: Sequence[str]) -> None:
        """Hands messages over (see `EventQueue.send`), in as few calls as the limits allow.

        Raises:
            BackendRejected: a message is longer than 128 kB; then none was sent.
        """
        for batch in list(batches(bodies)):
            messages = [{"body": body, "contentType": "text"} for body in batch]
            with outages(QUEUES, "send", "The queue"):
                await self._binding.sendBatch(messages)


class R2BindingBlobs:
    """`BlobStore` on an R2 binding; a listing comes in pages of `page_keys`, 1,000 at most."""

    def __init__(self, binding: Any, *, page_keys: int = 1000) -> None:
        self._binding = binding
        self._page_keys = page_keys

    async def put(self, key: str, data: bytes) -> None:
        """Stores the bytes; see `BlobStore.put`."""
        require_key(key, "put")
        with outages(R2, "put", "R2"):
            await self._binding.put(key, data)

    async def get(self, key: str) -> bytes:
        """The bytes of a key; see `BlobStore.get`."""
        require_key(key, "get")
        with outages(R2, "get", "R2"):
            found = await self._binding.get(key)
            if found is None:
                raise NotFound("blob", key)
            return bytes(await found.arrayBuffer())

    async def delete(self, key: str) -> None:
        """Removes a key; see `BlobStore.delete`."""
        require_key(key, "delete")
        with outages(R2, "delete", "R2"):
            await self._binding.delete(key)

    async def keys(self, prefix: str = "") -> Sequence[str]:
        """Every key that starts with `prefix`, sorted; see `BlobStore.keys`."""
        options: dict[str, str | int] = {"prefix": prefix, "limit": self._page_keys}
        keys: list[str] = []
        while True:
            with outages(R2, "keys", "R2"):
                listed = await self._binding.list(options)
            keys.extend(key for each in listed["objects"] if is_key(key := str(each.key)))
            if not listed["truncated"]:
                return sorted(keys)
            options["cursor"] = listed["cursor"]


def _to_js_value(value: Value) -> Value:
    """The value to bind: a whole number near 2**53 would become a BigInt, which D1 refuses."""
    return float(value) if isinstance(value, int) else value


def _rows(result: Any) -> list[Row]:
    return [{name: decoded(value) for name, value in row.items()} for row in result["results"]]


@contextmanager
def _d1_errors(operation: str) -> Iterator[None]:
    try:
        yield
    except JsException as error:
        raise _d1_error(str(error), operation) from error


def _d1_error(said: str, operation: str) -> BackendError:
    refusal = Refusal(
        D1,
        operation,
        D1,
        status=_THROWN,
        code=None,
        message=said,
        retry_after=None,
        now=datetime.now(UTC),
    )
    verdict = read_refusal(refusal)
    if verdict is not None:
        return verdict.error
    return BackendUnavailable(D1, operation, "D1 failed.", "Try again in a few seconds.")


@contextmanager
def outages(backend: str, operation: str, name: str) -> Iterator[None]:
    try:
        yield
    except JsException as error:
        raise BackendUnavailable(
            backend, operation, f"{name} cannot be used now.", "Try again in a few seconds."
        ) from error
