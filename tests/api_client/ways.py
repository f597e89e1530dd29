"""Clients of a server in each way that there is to it: fixtures for whatever should not differ."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from tests.agenda_serving import AgendaServing
from tests.api_client.laptop import client_over_api
from tests.serving import ERAS, Serving

WAYS = (*ERAS, "over the API")


@asynccontextmanager
async def _client_of(
    served: Serving, way: str, home: Path, **options: Any
) -> AsyncIterator[Client]:
    if way in ERAS:
        async with Client(served.server, mode=way) as connected:
            yield connected
        return
    async with client_over_api(served, home, **options) as (connected, _):
        yield connected


@pytest.fixture(params=WAYS)
async def client(
    request: pytest.FixtureRequest, served: Serving, tmp_path: Path
) -> AsyncIterator[Client]:
    """A client of the server, in each era of the protocol, and of one over its API."""
    async with _client_of(served, request.param, tmp_path / "laptop") as connected:
        yield connected


@pytest.fixture(params=WAYS)
async def agenda_client(
    request: pytest.FixtureRequest, agenda: AgendaServing, tmp_path: Path
) -> AsyncIterator[Client]:
    """A client of the server with the clock, in each of these ways."""
    async with _client_of(
        agenda.served, request.param, tmp_path / "laptop", clock=lambda: agenda.clock.now
    ) as connected:
        yield connected
