"""The reranker suite over every driver."""

from collections.abc import AsyncIterator

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.reranking import WorkersAiReranker
from dome_mcp.core.ports import Reranker
from tests.conformance.reranker_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.ai import WorkersAiSimulator


@pytest.fixture
async def reranker() -> AsyncIterator[Reranker]:
    account = SimulatedAccount()
    account.register("ai", WorkersAiSimulator())
    async with CloudflareApi.open(account.account, transport=account.transport) as api:
        yield WorkersAiReranker(api)
