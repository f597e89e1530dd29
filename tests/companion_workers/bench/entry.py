"""A Worker for tests: the drivers of a Worker, served over HTTP.

A request is `POST /{binding}/{method}` with the arguments as JSON; the answer is `{"result": …}`,
or `{"error": …}` with what makes the same error again. Bytes are `{"base64": …}`.
"""

import base64
import importlib
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import workers
from workers import Response, WorkerEntrypoint

from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.vectorize_shapes import StoredVector
from dome_mcp.core.agenda import Action, Channel, Notice
from dome_mcp.core.errors import DomeError
from dome_mcp.core.model import Turn
from dome_mcp.core.ports import Statement
from dome_mcp.core.timestamps import from_ms
from worker_companions.ai_bindings import (
    AiBindingLanguageModel,
    AiBindingMarkdown,
    VectorizeBindingIndex,
    binding_embedder,
)
from worker_companions.bindings import D1BindingDatabase, QueueBinding, R2BindingBlobs
from worker_companions.channels import worker_notifiers
from worker_companions.clock import Clocks
from worker_companions.memory import Memories
from worker_companions.session_json import to_exchange, to_json


class Models:
    """The drivers on Workers AI; the embedder's model has the dimensions of the carried one."""

    def __init__(self, binding: Any) -> None:
        self._embedder = binding_embedder(binding, embedding_model("@cf/baai/bge-small-en-v1.5"))
        self._converter = AiBindingMarkdown(binding)
        self._language_model = AiBindingLanguageModel(binding)

    async def embed_passages(self, texts: list[str]) -> list[list[float]]:
        return [list(vector) for vector in await self._embedder.embed_passages(texts)]

    async def embed_query(self, text: str) -> list[float]:
        return list(await self._embedder.embed_query(text))

    async def to_markdown(self, data: bytes, filename: str) -> str:
        return await self._converter.to_markdown(data, filename=filename)

    async def complete(self, turns: list[tuple[Any, str]], max_tokens: int) -> dict[str, Any]:
        said = [Turn(*each) for each in turns]
        return asdict(await self._language_model.complete(said, max_tokens=max_tokens))

    async def stream(self, turns: list[tuple[Any, str]], max_tokens: int) -> list[dict[str, Any]]:
        """The pieces, when all have come."""
        said = [Turn(*each) for each in turns]
        pieces = self._language_model.stream(said, max_tokens=max_tokens)
        return [asdict(each) async for each in pieces]


class Vectors:
    """An index of Vectorize."""

    def __init__(self, binding: Any) -> None:
        self._index = VectorizeBindingIndex(binding)

    async def make(self, dimensions: int) -> bool:
        return await self._index.make(dimensions)

    async def upsert(self, vectors: list[dict[str, Any]]) -> str:
        return await self._index.upsert([StoredVector(**each) for each in vectors])

    async def delete(self, vector_ids: list[str]) -> str:
        return await self._index.delete(vector_ids)

    async def nearest(
        self, vector: list[float], namespace: str, where: dict[str, Any] | None
    ) -> list[str]:
        return await self._index.nearest(vector, namespace=namespace, where=where)

    async def info(self) -> dict[str, Any]:
        return asdict(await self._index.info())


class Modules:
    """The modules that lie in the bundle."""

    def __init__(self, _binding: Any) -> None:
        pass

    async def load(self, name: str) -> str:
        """Imports a module, and returns its name."""
        return importlib.import_module(name).__name__


class Backlog:
    """What waits on a queue."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    async def count(self) -> int:
        """How many messages no consumer was given yet."""
        return int((await self._binding.metrics())["backlogCount"])


class Outbox:
    """A queue's binding that keeps what it is given, which no consumer is told all of."""

    def __init__(self, _binding: Any) -> None:
        self._messages: list[dict[str, Any]] = []

    async def sendBatch(self, messages: list[dict[str, Any]]) -> None:  # noqa: N802 - theirs
        self._messages += messages

    async def sent(self, bodies: list[str]) -> list[dict[str, Any]]:
        """The messages as `QueueBinding` hands them to the binding."""
        await QueueBinding(self).send(bodies)
        return self._messages


class Notifiers:
    """The notifiers of a Worker, whose clock stands where that of their receivers does."""

    def __init__(self, _binding: Any) -> None:
        pass

    async def notify(
        self,
        notice: dict[str, Any],
        channel: dict[str, Any],
        key: str,
        timeout_seconds: float,
        variables: dict[str, str] | None = None,
    ) -> str:
        """Sends a notice and returns the receipt; `variables` are all that the Worker then has."""
        env = workers.env if variables is None else SimpleNamespace(**variables)
        actions = tuple(Action(**each) for each in notice["actions"])
        options = tuple((name, value) for name, value in channel["options"])
        served = worker_notifiers(env, lambda: _NOW, timeout_seconds=timeout_seconds)
        return await served[channel["kind"]].notify(
            Notice(**{**notice, "actions": actions}),
            Channel(**{**channel, "options": options}),
            idempotency_key=key,
        )


_NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Sessions:
    """The memories of the users."""

    def __init__(self, binding: Any) -> None:
        self._memories = Memories(binding)

    async def remember(self, user_id: str, exchange: dict[str, Any]) -> None:
        await self._memories.remember(to_exchange(exchange), user_id=user_id)

    async def recall(self, user_id: str, session_id: str, now_ms: int, limit: int) -> list[Any]:
        now = from_ms(now_ms)
        found = await self._memories.recall(session_id, user_id=user_id, now=now, limit=limit)
        return [to_json(each) for each in found]

    async def list_sessions(self, user_id: str, now_ms: int, limit: int) -> list[Any]:
        now = from_ms(now_ms)
        found = await self._memories.list_sessions(user_id=user_id, now=now, limit=limit)
        return [to_json(each) for each in found]

    async def forget(self, user_id: str, session_id: str) -> int:
        return await self._memories.forget(session_id, user_id=user_id)


_DRIVERS: dict[str, Callable[[Any], Any]] = {
    "AI": Models,
    "VECTORIZE": Vectors,
    "DB": D1BindingDatabase,
    "MESSAGES": QueueBinding,
    "BLOBS": partial(R2BindingBlobs, page_keys=2),  # so that every listing has several pages
    "CLOCKS": Clocks,
    "MEMORIES": Sessions,
    "MODULES": Modules,
    "NOTIFIERS": Notifiers,
    "OUTBOX": Outbox,
    "BACKLOG": Backlog,
}
"""By what the name of a binding begins with."""
_ERRORS = DomeError.__module__
_FIELDS = (
    *("backend", "operation", "message", "hint", "retryable", "retry_after", "kind", "key"),
    "reason",
)
_KEEP = "INSERT INTO arrived (body) SELECT value FROM json_each(?1)"


class Default(WorkerEntrypoint):
    async def fetch(self, request: Any) -> Any:
        """Calls a driver."""
        _, binding, method = request.url.rsplit("/", 2)
        driver = _DRIVERS[binding.partition("_")[0]](getattr(self.env, binding, None))
        arguments = json.loads(await request.text(), object_hook=_from_json)
        try:
            result = await getattr(driver, method)(*arguments)
        except DomeError as error:
            said = {name: getattr(error, name) for name in _FIELDS if hasattr(error, name)}
            return _answer({"error": {"type": _kind(error), **said}})
        return _answer({"result": result})

    async def queue(self, batch: Any, *_rest: Any) -> None:
        """Keeps what arrived in a table of its own."""
        bodies = json.dumps([message.body for message in batch.messages])
        await D1BindingDatabase(self.env.DB_ARRIVED).query(Statement(_KEEP, (bodies,)))


def _kind(error: DomeError) -> str:
    """The name of the error, or of what it is one of, in core/errors.py."""
    kinds = (each.__name__ for each in type(error).__mro__ if each.__module__ == _ERRORS)
    return next(kinds)


def _answer(content: object) -> Any:
    return Response(json.dumps(content, default=_to_json))


def _to_json(value: object) -> object:
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    raise TypeError(f"{type(value).__name__} is not for the wire")


def _from_json(content: dict[str, Any]) -> object:
    if "base64" in content:
        return base64.b64decode(content["base64"])
    if "sql" in content:
        return Statement(content["sql"], tuple(content["params"]))
    return content
