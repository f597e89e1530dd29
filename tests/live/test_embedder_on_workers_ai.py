"""The embedder suite over Workers AI: the smallest model, and the one that DOME takes by itself."""

import pytest

from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.workers_ai import workers_ai_embedder
from dome_mcp.cloudflare_wiring import DEFAULT_EMBEDDING_MODEL
from dome_mcp.core.ports import Embedder
from tests.conformance.embedder_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.live.conftest import MODEL
from tests.live.marks import LIVE

pytestmark = LIVE


@pytest.fixture(params=[MODEL, DEFAULT_EMBEDDING_MODEL])
def embedder(request: pytest.FixtureRequest, api: CloudflareApi) -> Embedder:
    return workers_ai_embedder(api, embedding_model(request.param))
