"""The queue suite over a producer binding: what it sends, the consumer of the same Worker gets."""

import httpx
import pytest

from dome_mcp.core.ports import Statement
from tests.companion_workers.remote import Binding, RemoteDatabase, RemoteQueue
from tests.conformance.queue_suite import *  # noqa: F403 - pytest collects the suite from here


@pytest.fixture
async def bench(client: httpx.AsyncClient) -> RemoteQueue:
    arrived = RemoteDatabase(Binding(client, "DB_ARRIVED"))
    await arrived.query(Statement("CREATE TABLE IF NOT EXISTS arrived (body TEXT)"))
    return RemoteQueue(Binding(client, "MESSAGES"), arrived)


async def test_messages_are_text_which_who_pulls_them_gets_as_it_is(
    client: httpx.AsyncClient,
) -> None:
    sent = await Binding(client, "OUTBOX").call("sent", ["one", "two"])
    assert sent == [
        {"body": "one", "contentType": "text"},
        {"body": "two", "contentType": "text"},
    ]
