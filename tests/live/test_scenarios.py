"""The scenarios of `tests/services/test_scenarios.py` on the account, and what they do without.

That is a model that knows meanings, and a queue between what claims a notice and what sends it. The
clock of notes and reminders is the tests'; that of the account is its own.
"""

from collections.abc import AsyncIterator

import pytest

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.provisioning import Resource, index_metadata
from dome_mcp.backends.cloudflare.queues import CloudflareQueue
from dome_mcp.backends.cloudflare.vectorize_index import METADATA_INDEXES
from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.core.ports import Ports
from dome_mcp.core.reminder_actions import ReminderAction
from dome_mcp.core.reminder_drafts import NewReminder
from dome_mcp.services.channels import add_channel
from dome_mcp.services.dispatch import attempt_delivery, tick
from dome_mcp.services.ingest import ingest
from dome_mcp.services.notes import delete_note
from dome_mcp.services.reminders import create_reminder, inbox, update_reminder
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.settings import Settings
from dome_mcp.wiring import open_services
from tests.live.account import PlainCalls, on_resources
from tests.live.conftest import MODEL
from tests.live.marks import LIVE
from tests.live.pulling import let_pull, pulled
from tests.live.resources import made
from tests.services.dispatching import HOOK, Sink
from tests.services.notes_for_tests import NOW, USER, draft, later
from tests.services.test_scenarios import *  # noqa: F403 - pytest collects the tests from here
from tests.services.writes import index_all

pytestmark = LIVE

DIMENSIONS = 384
BERLIN = "Europe/Berlin"
BOILER = "The boiler was serviced on 4 November 2025 by Ulrich Brandt. The invoice came to 238 EUR."
TRIP = "We fly to Lisbon on 9 May at 06:45. The booking code is XK7PLM."


@pytest.fixture
async def queue(api: CloudflareApi, ask: PlainCalls) -> AsyncIterator[Resource]:
    """An empty queue that can be pulled from."""
    async with made(api, "queue") as resource:
        await let_pull(ask, resource)
        yield resource


@pytest.fixture
async def ports(
    api: CloudflareApi,
    settings: Settings,
    database_resource: Resource,
    bucket: Resource,
    queue: Resource,
) -> AsyncIterator[Ports]:
    """The ports of a DOME with its data in resources of its own, opened by its settings."""
    async with made(api, "index", dimensions=DIMENSIONS) as index:
        await index_metadata(api, index, METADATA_INDEXES)
        there = on_resources(settings, database_resource, index, bucket, queue, model=MODEL)
        async with open_services(there) as dome:
            yield dome.ports
            for key in await dome.ports.blobs.keys():
                await dome.ports.blobs.delete(key)


async def texts_found(ports: Ports, query: str) -> list[str]:
    """What is found by meaning alone, nearest first."""
    found = await search(SearchRequest(query, mode="semantic"), ports, user_id=USER)
    assert found.index.note is None
    return [passage.text for passage in found.passages]


async def test_a_file_is_found_by_its_meaning_at_once_and_leaves_no_blob_once_deleted(
    ports: Ports,
) -> None:
    boiler = draft(BOILER, origin="file:///boiler.txt")
    note = (await ingest(boiler, ports, user_id=USER, now=NOW)).note
    await ingest(draft(TRIP), ports, user_id=USER, now=NOW)
    await index_all(ports, limit=32)
    assert len(await ports.blobs.keys()) == 1
    assert (await texts_found(ports, "who repaired the heating"))[0] == BOILER
    assert (await texts_found(ports, "when does our plane leave"))[0] == TRIP
    await delete_note(note.note_id, ports, user_id=USER, now=later(1))
    assert BOILER not in await texts_found(ports, "who repaired the heating")
    assert list(await ports.blobs.keys()) == []


async def test_a_reminder_fires_goes_through_the_queue_and_is_acknowledged(
    api: CloudflareApi, ask: PlainCalls, ports: Ports, queue: Resource
) -> None:
    database, sink, policy = ports.database, Sink(), DeliveryPolicy()
    await add_channel(HOOK, ports, user_id=USER, now=NOW, allow_private=False)
    new = NewReminder(text="Water the plants", at="+10m", channels=("hook",))
    view = await create_reminder(new, ports, user_id=USER, now=NOW, zone=BERLIN)
    driver = CloudflareQueue(api, queue.key)
    assert (await tick(database, driver, policy, now=later(9))).fired == 0
    ticked = await tick(database, driver, policy, now=later(10))
    assert (ticked.fired, ticked.claimed) == (1, 1)

    (message,) = await pulled(ask, queue, 1)
    state = await attempt_delivery(
        message["body"], database, {"webhook": sink}, policy, now=later(10)
    )
    assert state == "DELIVERED"
    assert [notice.text for notice in sink.notices] == ["Water the plants"]
    await driver.settle([message["lease_id"]])

    (waiting,) = await inbox(ports, user_id=USER, now=later(11))
    assert waiting.reminder.reminder_id == view.reminder.reminder_id
    acknowledged = ReminderAction("acknowledge")
    await update_reminder(
        view.reminder.reminder_id, acknowledged, ports, user_id=USER, now=later(11), zone=BERLIN
    )
    assert list(await inbox(ports, user_id=USER, now=later(12))) == []
