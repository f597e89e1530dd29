"""The embedder suite over every driver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dome_mcp.backends.cloudflare.embedding_models import embedding_model
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.workers_ai import workers_ai_embedder
from dome_mcp.backends.embedded.models import LazyEmbedder, describe
from dome_mcp.core.ports import Embedder
from tests.conformance.embedder_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.ai import WorkersAiSimulator


@pytest.fixture(scope="module")
def carried() -> LazyEmbedder:
    """The model that comes with DOME, loaded once for all tests."""
    return LazyEmbedder(describe(None, cache=Path()))


@pytest.fixture(params=["carried", "workers-ai"])
async def embedder(
    request: pytest.FixtureRequest, carried: LazyEmbedder
) -> AsyncIterator[Embedder]:
    """A driver; the simulated service has the carried model, which has bge-small's dimensions."""
    if request.param == "carried":
        yield carried
        return
    account = SimulatedAccount()
    account.register("ai", WorkersAiSimulator(embed=carried.embed_passages))
    async with CloudflareApi.open(account.account, transport=account.transport) as api:
        yield workers_ai_embedder(api, embedding_model("@cf/baai/bge-small-en-v1.5"))
