"""Queues in the local Cloudflare: a real queue between publishing and pulling."""

from collections.abc import Sequence
from typing import Any

import anyio
import httpx
import pytest

from tests.workers.calls import result
from tests.workers.local_cloudflare.running import QUEUES

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 20


async def pulled(client: httpx.AsyncClient, queue: str, **options: int) -> Sequence[Any]:
    """The next messages of a queue, after waiting for the first."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            answer = await result(client, f"queues/{queue}/messages/pull", options)
            if answer["messages"]:
                return answer["messages"]


async def test_a_published_message_is_pulled_returned_and_acknowledged(
    client: httpx.AsyncClient,
) -> None:
    queue = QUEUES[0]
    body = {"body": '{"kind": "due"}', "content_type": "text"}
    await result(client, f"queues/{queue}/messages", body)
    (first,) = await pulled(client, queue)
    assert (first["body"], first["attempts"]) == ('{"kind": "due"}', 1)
    assert first["metadata"]["CF-Content-Type"] == "text"
    empty = await result(client, f"queues/{queue}/messages/pull", {})
    assert empty == {"message_backlog_count": 1, "messages": []}
    returned = {"retries": [{"lease_id": first["lease_id"]}]}
    assert (await result(client, f"queues/{queue}/messages/ack", returned))["retryCount"] == 1
    (second,) = await pulled(client, queue)
    assert (second["id"], second["attempts"]) == (first["id"], 2)
    taken = {"acks": [{"lease_id": first["lease_id"]}, {"lease_id": second["lease_id"]}]}
    settled = await result(client, f"queues/{queue}/messages/ack", taken)
    assert settled["ackCount"] == 1
    assert list(settled["warnings"]) == [first["lease_id"]]


async def test_a_batch_of_json_messages_comes_in_base64(client: httpx.AsyncClient) -> None:
    queue = QUEUES[1]
    messages = [{"body": {"n": number}, "content_type": "json"} for number in range(3)]
    await result(client, f"queues/{queue}/messages/batch", {"messages": messages})
    bodies = []
    while len(bodies) < 3:
        leased = await pulled(client, queue, batch_size=10)
        bodies += [each["body"] for each in leased]
        acks = [{"lease_id": each["lease_id"]} for each in leased]
        await result(client, f"queues/{queue}/messages/ack", {"acks": acks})
    assert sorted(bodies) == ["eyJuIjowfQ==", "eyJuIjoxfQ==", "eyJuIjoyfQ=="]
    too_many = {"messages": [{"body": "x"}] * 101}
    refused = await client.post(f"queues/{queue}/messages/batch", json=too_many)
    assert refused.status_code == 413
