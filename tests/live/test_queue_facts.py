"""What DOME takes for granted of Queues, and the queue suite over a real one.

Source: https://developers.cloudflare.com/queues/configuration/pull-consumers/ and
https://developers.cloudflare.com/queues/examples/publish-to-a-queue-via-http/ (2026-11).
"""

import json
from base64 import b64decode
from collections.abc import AsyncIterator

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Resource
from tests.live.account import PlainCalls
from tests.live.marks import LIVE
from tests.live.pulling import let_pull, pulled
from tests.live.resources import made

pytestmark = LIVE

TEXT = '{"delivery": "naïve 🦉"}'


@pytest.fixture
async def queue(api: CloudflareApi, ask: PlainCalls) -> AsyncIterator[Resource]:
    """An empty queue with a pull consumer."""
    async with made(api, "queue") as resource:
        await let_pull(ask, resource)
        yield resource


async def test_a_publication_is_answered_without_the_id_of_a_message(
    ask: PlainCalls, queue: Resource
) -> None:
    body = {"body": TEXT, "content_type": "text"}
    answer = await ask("POST", f"/queues/{queue.key}/messages", json=body)
    assert (answer.status, answer.body["success"]) == (200, True), answer
    assert (answer.result or {}).keys() <= {"metadata"}, answer


async def test_a_text_is_pulled_as_it_was_published(ask: PlainCalls, queue: Resource) -> None:
    messages = [{"body": TEXT, "content_type": "text"}]
    await ask("POST", f"/queues/{queue.key}/messages/batch", json={"messages": messages})
    (message,) = await pulled(ask, queue, 1)
    assert message["body"] == TEXT, message
    assert message["metadata"]["CF-Content-Type"] == "text", message
    assert message["attempts"] == 1, message


async def test_json_is_pulled_in_base64(ask: PlainCalls, queue: Resource) -> None:
    messages = [{"body": {"n": 1}, "content_type": "json"}]
    await ask("POST", f"/queues/{queue.key}/messages/batch", json={"messages": messages})
    (message,) = await pulled(ask, queue, 1)
    assert message["metadata"]["CF-Content-Type"] == "json", message
    assert json.loads(b64decode(message["body"], validate=True)) == {"n": 1}, message


async def test_an_acknowledgement_is_counted(ask: PlainCalls, queue: Resource) -> None:
    messages = [{"body": TEXT, "content_type": "text"}]
    await ask("POST", f"/queues/{queue.key}/messages/batch", json={"messages": messages})
    (message,) = await pulled(ask, queue, 1)
    body = {"acks": [{"lease_id": message["lease_id"]}]}
    answer = await ask("POST", f"/queues/{queue.key}/messages/ack", json=body)
    assert (answer.result["ackCount"], answer.result["retryCount"]) == (1, 0), answer
