"""Embedding models of Workers AI, asked over REST."""

from collections.abc import Mapping
from typing import Any

from dome_mcp.backends.cloudflare.ai_refusals import read_ai
from dome_mcp.backends.cloudflare.embedding import BACKEND, WorkersAiEmbedder
from dome_mcp.backends.cloudflare.embedding_models import EmbeddingModel
from dome_mcp.backends.cloudflare.http import CloudflareApi


def workers_ai_embedder(
    api: CloudflareApi, model: EmbeddingModel, *, headers: Mapping[str, str] | None = None
) -> WorkersAiEmbedder:
    """The `Embedder` of an account.

    `headers` go with each request: those of `ai_gateway.Gateway.headers`, where the requests are
    to pass a gateway.
    """

    async def ask(model: str, body: dict[str, Any], *, seconds: float) -> Any:
        return await api.call(
            "POST",
            f"/ai/run/{model}",
            backend=BACKEND,
            operation="embed",
            json=body,
            headers=headers,
            is_repeatable=True,
            timeout_seconds=seconds,
            reader=read_ai,
        )

    return WorkersAiEmbedder(ask, model)
