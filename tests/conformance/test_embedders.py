"""The embedder suite over every driver."""

from pathlib import Path

import pytest

from dome_mcp.backends.embedded.models import LazyEmbedder, describe
from dome_mcp.core.ports import Embedder
from tests.conformance.embedder_suite import *  # noqa: F403 - pytest collects the suite from here


@pytest.fixture(scope="module", params=["carried"])
def embedder() -> Embedder:
    """The model that comes with DOME, loaded once for all tests."""
    return LazyEmbedder(describe(None, cache=Path()))
