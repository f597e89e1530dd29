"""A server whose DOME has documents converted by a simulated account."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dome_mcp.app import Dome
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.markdown import WorkersAiConverter
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.settings import Settings
from tests.services.conftest import WordEmbedder, make_ports
from tests.serving import Serving, serving
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.ai import WorkersAiSimulator

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
CAT = "A grey cat sleeps on a red sofa. A clock on the wall shows ten past nine."


@dataclass(frozen=True, slots=True)
class Converting:
    """The server, and the account that describes every picture as a cat."""

    served: Serving
    account: SimulatedAccount


@asynccontextmanager
async def converting(home: Path) -> AsyncIterator[Converting]:
    """A server over a data folder, without any notes."""
    account = SimulatedAccount()
    account.register("ai", WorkersAiSimulator(convert=lambda _: CAT))

    @asynccontextmanager
    async def open_here(settings: Settings) -> AsyncIterator[Dome]:
        async with (
            SqliteDatabase.open(None) as database,
            CloudflareApi.open(account.account, transport=account.transport, sleep=at_once) as api,
        ):
            ports = await make_ports(database, settings.home, WordEmbedder())
            converter = WorkersAiConverter(api)
            yield Dome.of_owner(settings, ports, holder="test", converter=converter)

    async with serving(home, opener=open_here) as served:
        yield Converting(served, account)


async def at_once(seconds: float) -> None:
    """Waits for nothing between two tries."""
