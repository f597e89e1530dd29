"""The `Reranker` port on Workers AI.

Source: https://developers.cloudflare.com/workers-ai/models/bge-reranker-base/ (2026-10).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dome_mcp.backends.cloudflare.ai_refusals import read_ai
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.core.errors import BackendProtocolError, ConfigurationError

RERANKER = "@cf/baai/bge-reranker-base"
BACKEND = "reranker"

_MAX_CHARACTERS = 8_000
"""More than the model reads (512 tokens) of a question or a text."""

_NOTHING = " "


def workers_ai_reranker(
    api: CloudflareApi, model: str, *, headers: Mapping[str, str] | None = None
) -> "WorkersAiReranker":
    """The driver for a model by its name at Workers AI; `headers` as for `workers_ai_embedder`.

    Raises:
        ConfigurationError: DOME does not know how to ask such a model.
    """
    if model != RERANKER:
        problem = f"Workers AI's reranker {model!r} is not one that DOME can use"
        raise ConfigurationError([f"{problem}; set DOME_RERANKER={RERANKER}"])
    return WorkersAiReranker(api, model, headers=headers)


class WorkersAiReranker:
    """A model that reads a question and a text together; its scores are from 0 to 1.

    `headers` as for `workers_ai_embedder`.
    """

    def __init__(
        self,
        api: CloudflareApi,
        model: str = RERANKER,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._api = api
        self._model = model
        self._headers = headers

    @property
    def model(self) -> str:
        return self._model

    async def rerank(self, query: str, texts: Sequence[str]) -> Sequence[float]:
        """One score per text, in the order of the texts (see `Reranker.rerank`)."""
        if not texts:
            return []
        result = await self._api.call(
            "POST",
            f"/ai/run/{self._model}",
            backend=BACKEND,
            operation="rerank",
            json={
                "query": _fitting(query),
                "contexts": [{"text": _fitting(text)} for text in texts],
                "top_k": len(texts),
            },
            headers=self._headers,
            is_repeatable=True,
            reader=read_ai,
        )
        return _scores(result, len(texts))


def _scores(result: Any, count: int) -> list[float]:
    """The scores by the order of the texts; the service sends them best first."""
    try:
        by_text = {int(each["id"]): float(each["score"]) for each in result["response"]}
        return [by_text[number] for number in range(count)]
    except (LookupError, TypeError, ValueError) as error:
        raise BackendProtocolError(
            BACKEND, "rerank", "Workers AI's answer has no score for some text."
        ) from error


def _fitting(text: str) -> str:
    cut = text[:_MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
    return cut or _NOTHING
