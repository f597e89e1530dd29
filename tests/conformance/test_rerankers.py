"""The reranker suite over every driver."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.reranking import WorkersAiReranker
from dome_mcp.backends.embedded.rerankers import LazyReranker, describe_reranker
from dome_mcp.core.ports import Reranker
from tests.conformance.reranker_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.cross_encoder import cross_encoder_folder
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.ai import WorkersAiSimulator


@pytest.fixture(params=["onnx", "workers-ai"])
async def reranker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reranker]:
    if request.param == "onnx":
        folder = cross_encoder_folder(tmp_path / "matching")
        yield LazyReranker(describe_reranker(str(folder), cache=tmp_path))
        return
    account = SimulatedAccount()
    account.register("ai", WorkersAiSimulator())
    async with CloudflareApi.open(account.account, transport=account.transport) as api:
        yield WorkersAiReranker(api)
