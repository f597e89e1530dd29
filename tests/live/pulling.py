"""Taking messages from a queue of the account without the driver."""

from typing import Any

import anyio

from dome_mcp.backends.cloudflare.provisioning import Resource
from tests.live.account import PlainCalls

PATIENCE_SECONDS = 120
LEASE_MS = 60_000
PAUSE_SECONDS = 0.5


async def let_pull(ask: PlainCalls, queue: Resource) -> None:
    """Gives a queue the consumer that makes it answer pulls."""
    body = {"type": "http_pull", "settings": {"batch_size": 10, "max_retries": 3}}
    assert (await ask("POST", f"/queues/{queue.key}/consumers", json=body)).result


async def pulled(ask: PlainCalls, queue: Resource, count: int) -> list[Any]:
    """So many messages, leased, after waiting for them."""
    path = f"/queues/{queue.key}/messages/pull"
    asked = {"batch_size": count, "visibility_timeout_ms": LEASE_MS}
    messages: list[Any] = []
    with anyio.fail_after(PATIENCE_SECONDS):
        while len(messages) < count:
            messages += (await ask("POST", path, json=asked)).result["messages"]
            await anyio.sleep(PAUSE_SECONDS)
    return messages
