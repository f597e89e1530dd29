"""Workers AI and Vectorize by the bindings `env.AI` and `env.VECTORIZE`. Only a Worker has them.

What a binding throws has no HTTP status; its code stands in its words.

Source: https://developers.cloudflare.com/workers-ai/configuration/bindings/,
https://developers.cloudflare.com/vectorize/reference/client-api/ (2026-10) and the bindings' own
code, `cloudflare-internal:ai-api` and `…:vectorize-api` in npm's workerd 1.20261117.1.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pyodide.ffi import JsException  # pyright: ignore[reportMissingImports] - only in a Worker
from workers import Blob

from dome_mcp.backends import chat_forms
from dome_mcp.backends.cloudflare import chat_models, embedding, markdown_shapes
from dome_mcp.backends.cloudflare.ai_refusals import read_thrown
from dome_mcp.backends.cloudflare.embedding_models import EmbeddingModel
from dome_mcp.backends.cloudflare.run_form import RUN_FORM
from dome_mcp.backends.cloudflare.vectorize_shapes import (
    BACKEND,
    IndexInfo,
    StoredVector,
    field_of,
    index_info,
    matched_ids,
    misfit,
    query_options,
    read_thrown_by_index,
)
from dome_mcp.core.errors import BackendUnavailable
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import Vector

_VECTORIZE_SECONDS = 60.0

_SENT_AT_ONCE = 200
"""A Worker may send 1,000, but has 128 MB, of which so many of 1,024 dimensions take ten or so.
Source: https://developers.cloudflare.com/workers/platform/limits/ (2026-09)."""


def binding_embedder(ai: Any, model: EmbeddingModel) -> embedding.WorkersAiEmbedder:
    """The `Embedder` on `env.AI`."""

    async def ask(model: str, body: dict[str, Any], *, seconds: float) -> Any:
        with _ai_errors(embedding.BACKEND, "embed"):
            async with asyncio.timeout(seconds):
                return await ai.run(model, body)

    return embedding.WorkersAiEmbedder(ask, model)


class AiBindingMarkdown:
    """The `Converter` on `env.AI`."""

    def __init__(self, ai: Any) -> None:
        self._ai = ai

    @property
    def content_types(self) -> Mapping[str, str]:
        return markdown_shapes.CONVERTIBLE

    async def to_markdown(self, data: bytes, *, filename: str) -> str:
        """See `Converter.to_markdown`."""
        name, content_type = markdown_shapes.to_be_sent(data, filename)
        document = {"name": name, "blob": Blob([data], content_type)}
        options = {"conversionOptions": markdown_shapes.CONVERSION_OPTIONS}
        with _ai_errors(markdown_shapes.BACKEND, "convert"):
            async with asyncio.timeout(markdown_shapes.TIMEOUT_SECONDS):
                results = await self._ai.toMarkdown([document], options)
        return markdown_shapes.converted(results, filename)


class AiBindingLanguageModel:
    """The `LanguageModel` on `env.AI`, for the models that Cloudflare hosts: `@cf/…`."""

    def __init__(
        self,
        ai: Any,
        model: str = chat_models.DEFAULT_MODEL,
        *,
        context_tokens: int | None = None,
    ) -> None:
        self._ai = ai
        self._model = model
        self._context_tokens = context_tokens or chat_models.CONTEXT_TOKENS.get(
            model, chat_models.UNKNOWN_CONTEXT_TOKENS
        )

    @property
    def model(self) -> str:
        return self._model

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        """The model's next message (see `LanguageModel.complete`)."""
        prompt = chat_forms.Prompt(self._model, turns, max_tokens, temperature)
        answer = await self._run("complete", prompt)
        return chat_forms.read_completion(json.dumps(answer).encode(), RUN_FORM)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        """The same message in pieces (see `LanguageModel.stream`)."""
        prompt = chat_forms.Prompt(self._model, turns, max_tokens, temperature, is_streamed=True)
        reader = (await self._run("stream", prompt)).getReader()
        try:
            async for piece in chat_forms.read_pieces(_chunks(reader), RUN_FORM):
                yield piece
        finally:
            await reader.cancel()  # whoever leaves halfway ends the model's work

    async def _run(self, operation: str, prompt: chat_forms.Prompt) -> Any:
        with _ai_errors(chat_forms.BACKEND, operation):
            async with asyncio.timeout(chat_models.TIMEOUT_SECONDS):
                return await self._ai.run(self._model, RUN_FORM.body(prompt))


class VectorizeBindingIndex:
    """The `Index` on `env.VECTORIZE`, which a deployment made and bound."""

    def __init__(self, binding: Any) -> None:
        self._binding = binding

    @property
    def sent_at_once(self) -> int:
        return _SENT_AT_ONCE

    async def make(self, dimensions: int) -> bool:
        """Makes nothing, which only the REST interface can, and returns False.

        Raises:
            BackendRejected: the index is for vectors of other dimensions.
        """
        if (await self.info()).dimensions != dimensions:
            raise misfit("of this Worker", "make")
        return False

    async def upsert(self, vectors: Sequence[StoredVector]) -> str:
        """See `Index.upsert`."""
        fields = [{**each.fields, "values": list(each.values)} for each in vectors]
        with _vectorize_errors("upsert"):
            async with asyncio.timeout(_VECTORIZE_SECONDS):
                result = await self._binding.upsert(fields)
        return str(field_of(result, "mutationId", "upsert"))

    async def delete(self, vector_ids: Sequence[str]) -> str:
        """See `Index.delete`."""
        with _vectorize_errors("delete"):
            async with asyncio.timeout(_VECTORIZE_SECONDS):
                result = await self._binding.deleteByIds(list(vector_ids))
        return str(field_of(result, "mutationId", "delete"))

    async def nearest(
        self, vector: Vector, *, namespace: str, where: Mapping[str, Any] | None = None
    ) -> list[str]:
        """See `Index.nearest`."""
        with _vectorize_errors("query"):
            async with asyncio.timeout(_VECTORIZE_SECONDS):
                options = query_options(namespace, where)
                result = await self._binding.query(list(vector), options)
        return matched_ids(result)

    async def info(self) -> IndexInfo:
        """See `Index.info`."""
        with _vectorize_errors("info"):
            async with asyncio.timeout(_VECTORIZE_SECONDS):
                result = await self._binding.describe()
        return index_info(result)


async def _chunks(reader: Any) -> AsyncIterator[bytes]:
    while True:
        with _ai_errors(chat_forms.BACKEND, "stream"):
            async with asyncio.timeout(chat_models.TIMEOUT_SECONDS):
                piece = await reader.read()
        if piece.done:
            return
        yield piece.value.to_bytes()


@contextmanager
def _ai_errors(backend: str, operation: str) -> Iterator[None]:
    try:
        yield
    except JsException as error:
        now = datetime.now(UTC)
        raise read_thrown(str(error), backend=backend, operation=operation, now=now) from error
    except TimeoutError as error:
        raise BackendUnavailable(
            backend, operation, "Workers AI did not answer in time.", "Try again later."
        ) from error


@contextmanager
def _vectorize_errors(operation: str) -> Iterator[None]:
    try:
        yield
    except JsException as error:
        raise read_thrown_by_index(str(error), operation) from error
    except TimeoutError as error:
        raise BackendUnavailable(
            BACKEND, operation, "Vectorize did not answer in time.", "Try again later."
        ) from error
