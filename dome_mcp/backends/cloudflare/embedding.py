"""The `Embedder` port on an embedding model of Workers AI, whoever asks it: REST or a binding.

This runs inside Workers too, so it imports the standard library alone.

Source: https://developers.cloudflare.com/workers-ai/models/bge-small-en-v1.5/ (2026-10).
"""

import math
from array import array
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from dome_mcp.backends.cloudflare.embedding_models import EmbeddingModel
from dome_mcp.core.errors import BackendProtocolError, InputTooLong

BACKEND = "embedder"
PASSAGES_SECONDS = 60.0
QUERY_SECONDS = 10.0
"""Somebody waits for a question's vector; without it the search goes on by keyword."""

_TOKEN_CHARACTERS = 16
"""More characters than a token has in running text; what a text has beyond is not even sent."""

_TOKEN_BYTES = 3
"""Fewer bytes than a token has in most scripts, so that a request is rather too small."""

_NOTHING = " "
"""Stands for an empty text, which the service refuses (`minLength` 1)."""


class Ask(Protocol):
    """A way to the models of an account."""

    async def __call__(self, model: str, body: dict[str, Any], *, seconds: float) -> Any:
        """What the model of that name makes of an input, within so many seconds.

        Raises:
            InputTooLong: a text is too long for the model.
            BackendError: the model cannot be asked.
        """
        ...


class WorkersAiEmbedder:
    """An embedding model of Workers AI."""

    def __init__(self, ask: Ask, model: EmbeddingModel) -> None:
        self._ask = ask
        self._spec = model

    @property
    def model(self) -> str:
        return self._spec.model_id

    @property
    def dimensions(self) -> int:
        return self._spec.dimensions

    @property
    def max_batch(self) -> int:
        return self._spec.max_batch

    @property
    def is_ready(self) -> bool:
        """Always: the model is loaded at Cloudflare's."""
        return True

    async def warm_up(self) -> None:
        """Does nothing; there is nothing to load here."""

    async def embed_passages(self, texts: Sequence[str]) -> Sequence["array[float]"]:
        """One unit vector per text (see `Embedder.embed_passages`)."""
        vectors: list[array[float]] = []
        for some in self._requests([self._fitting(text) for text in texts]):
            vectors += await self._embed("text", some, PASSAGES_SECONDS)
        return vectors

    async def embed_query(self, text: str) -> "array[float]":
        """The unit vector of a question (see `Embedder.embed_query`)."""
        question = self._fitting(self._spec.query_prefix + text)
        return (await self._embed(self._spec.query_field, [question], QUERY_SECONDS))[0]

    def _fitting(self, text: str) -> str:
        """The text as it can be sent: not empty, without lone surrogates, and cut."""
        cut = text[: self._spec.max_tokens * _TOKEN_CHARACTERS]
        return cut.encode("utf-8", "replace").decode("utf-8") or _NOTHING

    def _requests(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """The texts in as few requests as the model's limits allow, in order."""
        limit = self._spec.max_request_tokens
        budget = math.inf if limit is None else limit * _TOKEN_BYTES
        some: list[str] = []
        size = 0
        for text in texts:
            length = len(text.encode())
            if some and (len(some) == self._spec.max_batch or size + length > budget):
                yield some
                some, size = [], 0
            some.append(text)
            size += length
        if some:
            yield some

    async def _embed(self, field: str, texts: list[str], seconds: float) -> list["array[float]"]:
        """A vector per text; what turns out too long is sent again in halves.

        The pages say how much a model reads, and only of some what becomes of the rest.
        """
        try:
            return await self._asked(field, texts, seconds)
        except InputTooLong:
            half = len(texts) // 2
            if half:
                first = await self._embed(field, texts[:half], seconds)
                return first + await self._embed(field, texts[half:], seconds)
            shorter = texts[0][: len(texts[0]) // 2]
            if not shorter:
                raise
        return await self._embed(field, [shorter], seconds)

    async def _asked(self, field: str, texts: list[str], seconds: float) -> list["array[float]"]:
        body: dict[str, Any] = {field: texts}
        if self._spec.pooling is not None:
            body["pooling"] = self._spec.pooling
        if self._spec.truncates_on_request:
            body["truncate_inputs"] = True
        result = await self._ask(self._spec.name, body, seconds=seconds)
        return self._vectors(result, len(texts))

    def _vectors(self, result: Any, count: int) -> list["array[float]"]:
        try:
            pooling = result.get("pooling") or self._spec.pooling
            vectors = [_unit(array("f", numbers)) for numbers in result["data"]]
        except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise _broken("has no vectors in it") from error
        if pooling != self._spec.pooling and self._spec.pooling is not None:
            raise _broken(f"has vectors of another pooling than {self._spec.pooling}")
        if len(vectors) != count:
            raise _broken(f"has {len(vectors)} vectors for {count} texts")
        if any(len(vector) != self._spec.dimensions for vector in vectors):
            raise _broken(f"has vectors that are not of {self._spec.dimensions} dimensions")
        return vectors


def _unit(vector: "array[float]") -> "array[float]":
    """The vector at unit length.

    Raises:
        ValueError: it has no direction.
    """
    length = math.hypot(*vector)
    if not 0 < length < math.inf:
        raise ValueError("a vector without direction")
    return array("f", (number / length for number in vector))


def _broken(what: str) -> BackendProtocolError:
    return BackendProtocolError(BACKEND, "embed", f"Workers AI's answer {what}.")
