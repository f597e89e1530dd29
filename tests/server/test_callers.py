"""Every message is on behalf of whoever sent that message, over every transport, in both eras."""

from collections.abc import AsyncIterator

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import INTERNAL_ERROR

from dome_mcp.core.access import Principal
from dome_mcp.server import build_server
from dome_mcp.tools.uris import TASKS
from tests.acting import ANNA, BEN, Actor, caller
from tests.server.over_http import HEADER, OverHttp, Transport, over_http
from tests.serving import BREAD, ERAS, LISBON, OFFERED, Serving, call, refused

pytestmark = pytest.mark.anyio

READER = caller("anna", "notes:read", "tasks:read")
CALLERS: dict[str, Principal] = {"anna": ANNA, "ben": BEN, "reader": READER}

each_way = pytest.mark.parametrize(
    ("transport", "era"), [(transport, era) for transport in ("http", "sse") for era in ERAS]
)


@pytest.fixture
async def remote(served: Serving) -> AsyncIterator[OverHttp]:
    async with over_http(served, CALLERS) as running:
        yield running


@each_way
async def test_a_message_with_a_weaker_token_in_a_session_may_do_what_that_token_may(
    remote: OverHttp, transport: Transport, era: str
) -> None:
    with anyio.fail_after(30):
        async with remote.client(transport, era, "anna") as (client, headers):
            note_id = (await call(client, "ingest", text=LISBON))["note_id"]
            headers[HEADER] = "reader"
            assert "lacks the scope notes:write" in await refused(client, "ingest", text=BREAD)
            assert "notes:write" in await refused(client, "delete_note", note_id=note_id)
            listed = {tool.name for tool in (await client.list_tools()).tools}
            assert "delete_note" not in listed
            assert "search" in listed
            headers[HEADER] = "anna"
            assert [note["note_id"] for note in (await call(client, "list_notes"))["notes"]] == [
                note_id
            ]


@each_way
async def test_a_message_of_another_user_in_a_session_finds_what_is_that_users(
    remote: OverHttp, transport: Transport, era: str
) -> None:
    with anyio.fail_after(30):
        async with remote.client(transport, era, "anna") as (client, headers):
            note_id = (await call(client, "ingest", text=LISBON))["note_id"]
            headers[HEADER] = "ben"
            assert "There is no note" in await refused(client, "get_note", note_id=note_id)
            with pytest.raises(MCPError, match="There is no note"):
                await client.read_resource(f"dome://notes/{note_id}")
            bens = (await call(client, "ingest", text=BREAD))["note_id"]
            headers[HEADER] = "anna"
            assert "There is no note" in await refused(client, "get_note", note_id=bens)


@each_way
async def test_a_message_that_nobody_vouches_for_does_nothing(
    remote: OverHttp, transport: Transport, era: str
) -> None:
    with anyio.fail_after(30):
        async with remote.client(transport, era, "anna") as (client, headers):
            headers[HEADER] = "stranger"
            for ask in (client.list_tools, client.list_resources, client.list_prompts):
                with pytest.raises(MCPError, match="Internal error, reference") as caught:
                    await ask()
                assert caught.value.error.code == INTERNAL_ERROR
            with pytest.raises(MCPError):
                await client.call_tool("ingest", {"text": BREAD})
            headers[HEADER] = "anna"
            assert (await call(client, "list_notes"))["notes"] == []


@pytest.mark.parametrize("era", ERAS)
async def test_without_the_step_that_identifies_nothing_works(served: Serving, era: str) -> None:
    server = build_server(served.door, identify=Actor(ANNA).identify, offer=OFFERED)
    server.middleware.remove(server._identified)
    async with Client(server, mode=era) as client:
        assert (await client.list_tools()).tools == []
        assert (await client.list_resources()).resources == []
        assert (await client.list_prompts()).prompts == []
        assert "lacks the scope notes:read" in await refused(client, "list_notes")
        with pytest.raises(MCPError, match="lacks the scope"):
            await client.read_resource("dome://status")


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_stream_over_http_carries_the_changes_of_its_own_user(
    remote: OverHttp, transport: Transport
) -> None:
    with anyio.fail_after(30):
        async with (
            remote.client(transport, "auto", "ben") as (client, _),
            client.listen(resources_list_changed=True, resource_subscriptions=[TASKS]) as told,
        ):
            async with remote.client(transport, "auto", "anna") as (anna, _):
                await call(anna, "ingest", text=LISBON)
            await call(client, "create_task", description="Varnish")
            # Anna's would have come first.
            assert await anext(told) == ResourceUpdated(uri=TASKS)
            await remote.server.close_streams()
            assert [event async for event in told] == []


async def test_the_lists_of_one_token_are_not_to_be_handed_to_another(served: Serving) -> None:
    async with Client(
        build_server(served.door, identify=Actor(ANNA).identify, offer=OFFERED)
    ) as client:
        lists = [
            await client.list_tools(),
            await client.list_prompts(),
            await client.list_resource_templates(),
        ]
    assert {(each.ttl_ms, each.cache_scope) for each in lists} == {(600_000, "private")}
