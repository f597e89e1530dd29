"""The endpoint under test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.remote.serving_http import Served, serving_http


@pytest.fixture
async def endpoint(tmp_path: Path) -> AsyncIterator[Served]:
    """The whole endpoint on a loopback port, without any notes."""
    async with serving_http(tmp_path / "home") as served:
        yield served
