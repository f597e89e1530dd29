"""The embedder suite over HTTP: Workers AI, played with the model that DOME carries."""

import pytest

from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.workers_ai import WorkersAiEmbedder
from tests.conformance.embedder_suite import *  # noqa: F403 - pytest collects the suite from here


@pytest.fixture
def embedder(api: CloudflareApi) -> WorkersAiEmbedder:
    """The carried model has the dimensions of bge-small."""
    return WorkersAiEmbedder(api, embedding_model("@cf/baai/bge-small-en-v1.5"))
