"""A reminder that a Worker claimed goes over the queue to a companion on the user's machine."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from dome_mcp.backends.cloudflare.d1 import D1Database
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.queues import CloudflareQueue
from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.services.dispatch import tick
from tests.companions.conftest import until
from tests.serving import call
from tests.simulators.webhook_sink import running_webhook_sink
from tests.workers.calls import result
from tests.workers.cloud_user import Machine
from tests.workers.local_cloudflare.running import LocalCloudflare

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 120
TEXT = "Call Anna"


async def test_what_a_worker_claimed_is_pulled_and_sent_once(
    new_account: LocalCloudflare, transport: httpx.AsyncHTTPTransport, tmp_path: Path
) -> None:
    machine = Machine(tmp_path / "home", new_account.settings)
    machine.dome("cloud", "init", "--yes")
    with anyio.fail_after(PATIENCE_SECONDS), running_webhook_sink() as hook:
        machine.dome("channel", "add", "hook", "--webhook", hook.url(), "--allow-private")
        async with machine.assistant("auto") as client:
            await call(client, "create_reminder", text=TEXT, at="+1h")

        async def is_delivered() -> bool:
            return len(hook.posted) > 0 and await backlog(new_account, queue_id) == 0

        async with new_account.client() as account:
            queue_id = await only_id(account, "queues", "queue_id")
            database_id = await only_id(account, "d1/database", "uuid")
            await let_pull(account, queue_id)
        async with CloudflareApi.open(new_account.account, transport=transport) as api:
            queue, database = CloudflareQueue(api, queue_id), D1Database(api, database_id)
            assert await claim(database, queue) == 1
        with machine.companion():
            await until(is_delivered)
    assert [posted.json["text"] for posted in hook.posted] == [TEXT]


async def only_id(account: httpx.AsyncClient, path: str, name: str) -> str:
    """The id of the one resource that `cloud init` made of a kind."""
    (made,) = (await account.get(path)).json()["result"]
    return made[name]


async def let_pull(account: httpx.AsyncClient, queue_id: str) -> None:
    """Gives the queue a pull consumer, where it has none from its making."""
    path = f"queues/{queue_id}/consumers"
    if not (await account.get(path)).json()["result"]:
        await result(account, path, {"type": "http_pull"})


async def claim(database: D1Database, queue: CloudflareQueue) -> int:
    """What a Worker's tick does when the hour has come; nobody else may send it for an hour."""
    policy = DeliveryPolicy(claim_seconds=3600)
    later = datetime.now(UTC) + timedelta(hours=1, minutes=1)
    return (await tick(database, queue, policy, now=later)).claimed


async def backlog(cloudflare: LocalCloudflare, queue_id: str) -> Any:
    async with cloudflare.client() as account:
        metrics = (await account.get(f"queues/{queue_id}/metrics")).json()["result"]
    return metrics["backlog_count"]
