"""The embedding models of Workers AI, and how each is to be asked.

Source: https://developers.cloudflare.com/workers-ai/models/ (the schema of each model, 2026-10).
"""

from dataclasses import dataclass
from typing import Literal

from dome_mcp.core.errors import ConfigurationError

_BGE_QUERY = "Represent this sentence for searching relevant passages: "


@dataclass(frozen=True, slots=True)
class EmbeddingModel:
    """A model and what its requests look like.

    `name` is Cloudflare's. `max_tokens` is what it reads of one text, `max_batch` how many texts
    one request takes, `max_request_tokens` how much all of them may be together.

    `pooling` is said in every request where the model has a choice: the default is `mean`, `cls` is
    recommended, and vectors of the two can not be compared, which is why it is part of `model_id`.
    `truncates_on_request` is for models that refuse a longer text unless told to cut it; the others
    cut it by themselves. A question goes into `query_field`, a passage into `text`.
    """

    name: str
    dimensions: int
    max_tokens: int
    max_batch: int = 100
    max_request_tokens: int | None = None
    pooling: Literal["cls"] | None = None
    truncates_on_request: bool = False
    query_field: Literal["text", "queries"] = "text"
    query_prefix: str = ""

    @property
    def model_id(self) -> str:
        """The id that stands with every vector."""
        return self.name if self.pooling is None else f"{self.name}/{self.pooling}"


_MODELS = (
    EmbeddingModel("@cf/baai/bge-small-en-v1.5", 384, 512, pooling="cls", query_prefix=_BGE_QUERY),
    EmbeddingModel("@cf/baai/bge-base-en-v1.5", 768, 512, pooling="cls", query_prefix=_BGE_QUERY),
    EmbeddingModel("@cf/baai/bge-large-en-v1.5", 1024, 512, pooling="cls", query_prefix=_BGE_QUERY),
    EmbeddingModel(
        "@cf/baai/bge-m3", 1024, 8192, max_request_tokens=60_000, truncates_on_request=True
    ),
    EmbeddingModel(
        "@cf/qwen/qwen3-embedding-0.6b", 1024, 8192, max_batch=32, query_field="queries"
    ),
)
DEFAULT_EMBEDDING_MODEL = "@cf/baai/bge-m3"
"""Many languages, 1024 dimensions, and cheaper than the small English ones."""

EMBEDDING_MODELS = {model.name: model for model in _MODELS}


def embedding_model(name: str) -> EmbeddingModel:
    """The model of that name.

    Raises:
        ConfigurationError: DOME does not know how to ask such a model.
    """
    model = EMBEDDING_MODELS.get(name)
    if model is None:
        raise ConfigurationError(
            [
                f"Workers AI's embedding model {name!r} is not one that DOME can use; "
                f"choose one of {', '.join(sorted(EMBEDDING_MODELS))}"
            ]
        )
    return model
