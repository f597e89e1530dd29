"""What the tools of an assistant cost in calls to Cloudflare."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from tests.serving import BREAD, LISBON, call
from tests.workers.cloud_user import Machine
from tests.workers.local_cloudflare.running import LocalCloudflare

pytestmark = pytest.mark.anyio

PATIENCE_SECONDS = 120
TRIES = 3
NOTES = 12

MOST_CALLS = {
    "ingest": 9,
    "search": 3,
    "rag_answer": 5,
    "create_task": 7,
    "create_reminder": 8,
}
"""How many each may need, a short note and an answer in quotations."""


@pytest.fixture
async def client(new_account: LocalCloudflare, tmp_path: Path) -> AsyncIterator[Client]:
    """An assistant on a DOME that is on Cloudflare from the start."""
    machine = Machine(tmp_path / "home", new_account.settings)
    machine.dome("cloud", "init", "--yes")
    with anyio.fail_after(PATIENCE_SECONDS):
        async with machine.assistant("auto") as connected:
            # What comes first opens the backend, which is not what a tool costs.
            await call(connected, "ingest", text=BREAD)
            yield connected


async def calls_of(
    cloudflare: LocalCloudflare, client: Client, tool: str, *tries: dict[str, Any]
) -> Sequence[str]:
    """The calls of a tool: of several tries the fewest, as the server also works in between."""
    made: list[list[str]] = []
    for arguments in tries:
        cloudflare.forget_calls()
        await call(client, tool, **arguments)
        made.append(cloudflare.calls())
    return min(made, key=len)


async def test_each_tool_needs_no_more_calls_than_it_should(
    new_account: LocalCloudflare, client: Client
) -> None:
    asked = {
        "ingest": [{"text": f"{LISBON} {number}"} for number in range(TRIES)],
        "search": [{"query": "place to stay in Portugal"}] * TRIES,
        "rag_answer": [{"question": "Which hotel did Anna book?"}] * TRIES,
        "create_task": [{"description": f"Task {number}", "due": "+2d"} for number in range(TRIES)],
        "create_reminder": [{"text": f"Call {number}", "at": "+1d"} for number in range(TRIES)],
    }
    calls = {
        tool: await calls_of(new_account, client, tool, *tries) for tool, tries in asked.items()
    }
    figures = {tool: len(made) for tool, made in calls.items()}
    too_many = {tool: calls[tool] for tool, most in MOST_CALLS.items() if figures[tool] > most}
    assert too_many == {}, figures


@pytest.mark.parametrize(("tool", "field"), [("search", "query"), ("rag_answer", "question")])
async def test_more_results_need_no_more_calls(
    new_account: LocalCloudflare, client: Client, tool: str, field: str
) -> None:
    for number in range(NOTES):
        await call(client, "ingest", text=f"Anna booked hotel number {number} in Lisbon in May.")
    asked = {field: "Which hotel did Anna book in Lisbon?"}
    counts: dict[int, int] = {}
    for limit in (1, NOTES):
        result = await call(client, tool, **asked, limit=limit)
        assert len(result["passages"]) == limit
        tries = [{**asked, "limit": limit}] * TRIES
        counts[limit] = len(await calls_of(new_account, client, tool, *tries))
    assert counts[NOTES] == counts[1], counts
