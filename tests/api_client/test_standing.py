"""What a token may do decides what a client of the laptop sees."""

from pathlib import Path

import httpx
import pytest
from mcp import Client
from mcp.types import TextResourceContents

from dome_mcp.core.access import Scope
from tests.acting import caller, client_of
from tests.api_client.laptop import client_over_api
from tests.serving import ERAS, Serving, call, refused, served

__all__ = ["served"]

pytestmark = pytest.mark.anyio


async def seen(client: Client) -> tuple[list[str], list[str], list[str]]:
    """The tools, prompts and resources that are listed."""
    return (
        [tool.name for tool in (await client.list_tools()).tools],
        [prompt.name for prompt in (await client.list_prompts()).prompts],
        [str(each.uri) for each in (await client.list_resources()).resources],
    )


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("scope", ["notes:read", "notes:write", "tasks:read", "tasks:write"])
async def test_what_the_token_may_not_do_is_not_listed(
    served: Serving, tmp_path: Path, scope: Scope, mode: str
) -> None:
    async with (
        client_over_api(served, tmp_path / "laptop", scope, mode=mode) as (client, laptop),
        client_of(served, caller("me", scope)) as there,
    ):
        assert await seen(client) == await seen(there)
        assert [request.url.path for request in laptop.line.sent].count("/api/me") == 1


async def test_what_the_token_may_not_do_is_refused_by_the_server_before_it_was_listed(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop", "notes:read") as (client, laptop):
        message = await refused(client, "create_task", description="Paint")
        assert message.startswith("This token lacks the scope tasks:write. ")
        assert laptop.line.asked == ["POST /api/tasks"]


async def test_a_server_that_is_away_leaves_the_tools_and_is_asked_again(
    served: Serving, tmp_path: Path
) -> None:
    async with client_over_api(served, tmp_path / "laptop", "notes:read") as (client, laptop):
        laptop.line.troubles += [httpx.ConnectError("down")] * 3
        assert len((await client.list_tools()).tools) == 14
        laptop.line.troubles += [httpx.ConnectError("down")] * 3
        assert "cannot be reached" in await refused(client, "list_notes")
        assert len((await client.list_tools()).tools) == 4
        assert (await call(client, "list_notes"))["notes"] == []


async def test_the_status_of_a_server_that_is_away_says_so(served: Serving, tmp_path: Path) -> None:
    async with client_over_api(served, tmp_path / "laptop") as (client, laptop):
        laptop.line.troubles += [httpx.ConnectError("down")] * 3
        (content,) = (await client.read_resource("dome://status")).contents
    assert isinstance(content, TextResourceContents)
    assert '"health": "down"' in content.text
    assert "cannot be reached" in content.text
