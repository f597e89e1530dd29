"""An embedding model that finds everything alike, made of one that does not."""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field

from dome_mcp.core.ports import Embedder, Vector


@dataclass
class SqueezedEmbedder:
    """Gives any two texts a cosine of 0.6 and 0.4 of what `inner` gives them, as bge and e5 do."""

    inner: Embedder
    max_batch: int = 100
    is_ready: bool = True
    batches: list[int] = field(default_factory=list)

    @property
    def model(self) -> str:
        return f"squeezed-{self.inner.model}"

    @property
    def dimensions(self) -> int:
        return self.inner.dimensions + 1

    async def warm_up(self) -> None:
        await self.inner.warm_up()

    async def embed_passages(self, texts: Sequence[str]) -> Sequence[Vector]:
        self.batches.append(len(texts))
        return [_squeezed(vector) for vector in await self.inner.embed_passages(texts)]

    async def embed_query(self, text: str) -> Vector:
        return _squeezed(await self.inner.embed_query(text))


def _squeezed(vector: Vector) -> Vector:
    return array("f", [*(math.sqrt(0.4) * value for value in vector), math.sqrt(0.6)])
