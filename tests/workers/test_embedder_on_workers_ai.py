"""The embedder suite over HTTP: Workers AI, played with the model that DOME carries."""

import pytest

from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.workers_ai import workers_ai_embedder
from dome_mcp.core.ports import Embedder
from tests.conformance.embedder_suite import *  # noqa: F403 - pytest collects the suite from here


@pytest.fixture
def embedder(api: CloudflareApi) -> Embedder:
    """The carried model has the dimensions of bge-small."""
    return workers_ai_embedder(api, embedding_model("@cf/baai/bge-small-en-v1.5"))
