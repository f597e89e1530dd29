"""Drivers, opened on a simulated account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.d1 import D1Simulator


@asynccontextmanager
async def open_d1(account: SimulatedAccount, simulator: D1Simulator) -> AsyncIterator[D1Database]:
    """The driver on `simulator`, which is registered with the account and closed at the end."""
    account.register("d1", simulator)
    with closing(simulator):
        async with CloudflareApi.open(account.account, transport=account.transport) as api:
            yield D1Database(api, simulator.database_id)
