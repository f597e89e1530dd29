"""Who hears of what changed: the user whose it is, as far as their token may read it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from mcp import Client, MCPDeprecationWarning
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourcesListChanged, ResourceUpdated
from mcp.types import ResourceListChangedNotification, ResourceUpdatedNotification

from dome_mcp import listening
from dome_mcp.app import Dome
from dome_mcp.core.access import Principal
from dome_mcp.protocol import FORBIDDEN, LIMIT_REACHED
from dome_mcp.server import build_server
from dome_mcp.tools.changes import tell_agenda_changed, tell_changed
from dome_mcp.tools.uris import REMINDERS, STATUS, TASKS, note_uri
from tests.acting import ANNA, BEN, Actor, caller, client_of
from tests.serving import BREAD, LISBON, OFFERED, Serving, call

pytestmark = pytest.mark.anyio

NOTE_ID = "01K00000000000000000000000"


@pytest.fixture(autouse=True)
async def opened(served: Serving) -> None:
    await served.door.dome()


class Heard:
    """What a handshake client was told, in order."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[str](100)

    async def hear(self, message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            await self._send.send(str(message.params.uri))
        if isinstance(message, ResourceListChangedNotification):
            await self._send.send("list")

    async def next(self) -> str:
        with anyio.fail_after(10):
            return await self._receive.receive()

    def close(self) -> None:
        self._send.close()
        self._receive.close()


@asynccontextmanager
async def handshake_client(served: Serving, actor: Actor) -> AsyncIterator[tuple[Client, Heard]]:
    heard = Heard()
    server = build_server(served.door, identify=actor.identify, offer=OFFERED)
    async with Client(server, mode="legacy", message_handler=heard.hear) as client:
        # The handshake's last message has been handled once another one is answered.
        await client.list_prompts()
        yield client, heard
    heard.close()


async def subscribe(client: Client, uri: str) -> None:
    with pytest.warns(MCPDeprecationWarning):
        await client.subscribe_resource(uri)


def acting(served: Serving, principal: Principal) -> Dome:
    return served.dome.acting(principal)


def listeners(served: Serving, principal: Principal) -> int:
    return len(served.door.feed._listeners.get(principal.user_id, {}))


def tell(served: Serving, principal: Principal, note_id: str = NOTE_ID) -> None:
    tell_changed(acting(served, principal), note_id)


async def test_a_stream_carries_the_changes_of_its_own_user_only(served: Serving) -> None:
    async with client_of(served, ANNA) as anna, client_of(served, BEN) as ben:
        stored = await call(anna, "ingest", text=LISBON)
        uri = note_uri(stored["note_id"])
        async with ben.listen(
            resources_list_changed=True, resource_subscriptions=[uri, TASKS]
        ) as told:
            await call(anna, "update_note", note_id=stored["note_id"], title="New")
            await call(anna, "create_task", description="Paint")
            await call(ben, "create_task", description="Varnish")
            await call(ben, "ingest", text=BREAD)
            with anyio.fail_after(10):
                # What was Anna's would have come first.
                assert await anext(told) == ResourceUpdated(uri=TASKS)
                assert await anext(told) == ResourcesListChanged()


async def test_a_handshake_client_hears_of_the_changes_of_its_own_user_only(
    served: Serving,
) -> None:
    async with handshake_client(served, Actor(BEN)) as (client, heard):
        for uri in (note_uri(NOTE_ID), TASKS):
            await subscribe(client, uri)
        tell(served, ANNA)
        tell_agenda_changed(acting(served, ANNA))
        tell(served, BEN)
        assert [await heard.next() for _ in range(2)] == [note_uri(NOTE_ID), "list"]
        tell_agenda_changed(acting(served, BEN))
        assert await heard.next() == TASKS


@pytest.mark.parametrize(
    ("uri", "scope"),
    [
        (note_uri(NOTE_ID), "notes:read"),
        (STATUS, "notes:read"),
        (TASKS, "tasks:read"),
        (REMINDERS, "tasks:read"),
    ],
)
async def test_listening_to_a_resource_takes_the_scope_to_read_it(
    served: Serving, uri: str, scope: str
) -> None:
    other = "tasks:read" if scope == "notes:read" else "notes:read"
    weak = caller("anna", other, "notes:write", "tasks:write", "admin")
    async with client_of(served, weak) as client:
        with pytest.raises(MCPError, match=scope) as caught:
            async with client.listen(resource_subscriptions=[uri]):
                pytest.fail("the stream was opened")
        assert caught.value.error.code == FORBIDDEN
    async with handshake_client(served, Actor(weak)) as (client, _):
        with pytest.raises(MCPError, match=scope) as caught:
            await subscribe(client, uri)
        assert caught.value.error.code == FORBIDDEN


async def test_who_may_not_read_notes_does_not_hear_that_there_are_more(served: Serving) -> None:
    weak = caller("anna", "tasks:read")
    async with (
        client_of(served, weak) as client,
        client.listen(resources_list_changed=True, resource_subscriptions=[TASKS]) as told,
        handshake_client(served, Actor(weak)) as (old_client, heard),
    ):
        assert not told.honored.resources_list_changed
        await subscribe(old_client, TASKS)
        tell(served, ANNA)
        tell_agenda_changed(acting(served, ANNA))
        with anyio.fail_after(10):
            assert await anext(told) == ResourceUpdated(uri=TASKS)
        assert await heard.next() == TASKS


async def test_a_subscription_is_of_whoever_asked_for_it_and_not_of_who_opened_the_connection(
    served: Serving,
) -> None:
    actor = Actor(ANNA)
    async with handshake_client(served, actor) as (client, heard):
        actor.principal = BEN
        await subscribe(client, TASKS)
        actor.principal = ANNA
        tell_agenda_changed(acting(served, ANNA))
        tell_agenda_changed(acting(served, BEN))
        tell(served, BEN)
        tell(served, ANNA)
        # Ben's task once, and of Anna's the list only, for which her handshake asked.
        assert [await heard.next() for _ in range(2)] == [TASKS, "list"]
        # Anna cannot end what Ben asked for.
        with pytest.warns(MCPDeprecationWarning):
            await client.unsubscribe_resource(TASKS)
        tell_agenda_changed(acting(served, BEN))
        assert await heard.next() == TASKS


async def test_a_client_that_left_is_no_longer_listened_for(served: Serving) -> None:
    async with (
        handshake_client(served, Actor(ANNA)) as (old_client, _),
        client_of(served, ANNA) as client,
        client.listen(resource_subscriptions=[TASKS]),
    ):
        await subscribe(old_client, TASKS)
        assert listeners(served, ANNA) == 2
    assert listeners(served, ANNA) == 0


async def test_the_same_news_is_told_once_to_a_client_that_does_not_read(
    served: Serving,
) -> None:
    reading = anyio.Event()
    told: list[str] = []
    all_told = anyio.Event()

    async def slow(message: Any) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            await reading.wait()
            told.append(str(message.params.uri))
            if told[-1] == REMINDERS:
                all_told.set()

    server = build_server(served.door, identify=Actor(ANNA).identify, offer=OFFERED)
    async with Client(server, mode="legacy", message_handler=slow) as client:
        await subscribe(client, TASKS)
        await subscribe(client, REMINDERS)
        with anyio.fail_after(10):
            for _ in range(500):
                tell_agenda_changed(acting(served, ANNA))
            await anyio.wait_all_tasks_blocked()
            reading.set()
            await all_told.wait()
    assert len(told) < 10


async def test_closing_ends_every_stream_with_its_last_message(served: Serving) -> None:
    server = build_server(served.door, identify=Actor(ANNA).identify, offer=OFFERED)
    async with Client(server) as client, client.listen(resource_subscriptions=[TASKS]) as told:
        with anyio.fail_after(10):
            await server.close_streams()
            assert [event async for event in told] == []
        assert listeners(served, ANNA) == 0


async def test_one_users_streams_cannot_use_up_anothers(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "MAX_STREAMS", 1)
    actor = Actor(ANNA)
    async with (
        client_of(served, actor) as client,
        client.listen(resource_subscriptions=[TASKS]),
    ):
        with pytest.raises(MCPError, match="streams are open") as caught:
            async with client.listen(resource_subscriptions=[TASKS]):
                pytest.fail("the stream was opened")
        assert caught.value.error.code == LIMIT_REACHED
        actor.principal = BEN
        async with client.listen(resource_subscriptions=[TASKS]) as told:
            tell_agenda_changed(acting(served, BEN))
            with anyio.fail_after(10):
                assert await anext(told) == ResourceUpdated(uri=TASKS)


async def test_a_handshake_client_cannot_subscribe_without_end(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "MAX_WISHES", 2)
    async with handshake_client(served, Actor(ANNA)) as (client, _):
        await subscribe(client, TASKS)
        with pytest.raises(MCPError) as caught:
            await subscribe(client, REMINDERS)
        assert caught.value.error.code == LIMIT_REACHED
