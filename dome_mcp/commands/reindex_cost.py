"""What moving to another embedding model will cost, told before it begins."""

from collections.abc import Iterator

from dome_mcp.commands.cloud_plan import free_chunks
from dome_mcp.core.ports import Embedder
from dome_mcp.services.reindexing import MoveSize

_CHARACTERS_A_TOKEN = 4
"""Of prose; a rough measure, and so told as one."""

_NEURONS_PER_MILLION_TOKENS = {
    "@cf/baai/bge-small-en-v1.5": 1_841,
    "@cf/baai/bge-base-en-v1.5": 6_058,
    "@cf/baai/bge-large-en-v1.5": 18_582,
    "@cf/baai/bge-m3": 1_075,
    "@cf/qwen/qwen3-embedding-0.6b": 1_075,
}
"""Source: https://developers.cloudflare.com/workers-ai/platform/pricing/ (2026-11)."""

_FREE_NEURONS_A_DAY = 10_000
"""Source: as above."""


def cost_of_move(size: MoveSize, embedder: Embedder, name: str, *, is_in_vectorize: bool) -> str:
    """What there is to embed, what it costs where that is known, and what is stored meanwhile."""
    return "; ".join(_parts(size, embedder, name, is_in_vectorize=is_in_vectorize)) + "."


def _parts(
    size: MoveSize, embedder: Embedder, name: str, *, is_in_vectorize: bool
) -> Iterator[str]:
    tokens = size.characters // _CHARACTERS_A_TOKEN
    yield f"To embed: {size.chunks:,} chunks, about {tokens:,} tokens"
    if (rate := _NEURONS_PER_MILLION_TOKENS.get(name)) is not None:
        neurons = -(-tokens * rate // 1_000_000)
        yield f"about {neurons:,} neurons of {_FREE_NEURONS_A_DAY:,} that are free a day"
    if is_in_vectorize:
        present = size.present * size.present_dimensions
        to_come = size.present * embedder.dimensions
        yield (
            f"stored dimensions {present:,} now, {present + to_come:,} while both indexes are "
            f"there, {to_come:,} then, of {free_chunks(1):,} on the Free plan"
        )
