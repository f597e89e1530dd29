"""The ports on Workers AI and Vectorize as a Worker's drivers serve them (see remote.py)."""

from array import array
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.vectorize_shapes import IndexInfo, StoredVector
from dome_mcp.core.model import Completion, Turn
from dome_mcp.core.ports import Vector
from tests.companion_workers.remote import Binding

SMALL = embedding_model("@cf/baai/bge-small-en-v1.5")


@dataclass
class RemoteEmbedder:
    binding: Binding
    model: str = SMALL.model_id
    dimensions: int = SMALL.dimensions
    max_batch: int = SMALL.max_batch
    is_ready: bool = True

    async def warm_up(self) -> None:
        """There is nothing to load."""

    async def embed_passages(self, texts: Sequence[str]) -> Sequence["array[float]"]:
        found = await self.binding.call("embed_passages", list(texts))
        return [array("f", each) for each in found]

    async def embed_query(self, text: str) -> "array[float]":
        return array("f", await self.binding.call("embed_query", text))


@dataclass
class RemoteLanguageModel:
    """Its pieces come together, when all are there."""

    binding: Binding
    model: str = "@cf/zai-org/glm-4.7-flash"
    context_tokens: int = 131_072

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        said = [(turn.role, turn.content) for turn in turns]
        return Completion(**await self.binding.call("complete", said, max_tokens))

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        said = [(turn.role, turn.content) for turn in turns]
        for piece in await self.binding.call("stream", said, max_tokens):
            yield Completion(**piece)


@dataclass
class RemoteIndex:
    binding: Binding
    sent_at_once: int = 2

    async def make(self, dimensions: int) -> bool:
        return await self.binding.call("make", dimensions)

    async def upsert(self, vectors: Sequence[StoredVector]) -> str:
        return await self.binding.call("upsert", [asdict(each) for each in vectors])

    async def delete(self, vector_ids: Sequence[str]) -> str:
        return await self.binding.call("delete", list(vector_ids))

    async def nearest(
        self, vector: Vector, *, namespace: str, where: Mapping[str, Any] | None = None
    ) -> list[str]:
        return await self.binding.call("nearest", list(vector), namespace, where)

    async def info(self) -> IndexInfo:
        return IndexInfo(**await self.binding.call("info"))
