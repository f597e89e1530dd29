"""The reranker suite over Workers AI."""

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.reranking import WorkersAiReranker
from tests.conformance.reranker_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.live.marks import LIVE

pytestmark = LIVE


@pytest.fixture
def reranker(api: CloudflareApi) -> WorkersAiReranker:
    return WorkersAiReranker(api)
