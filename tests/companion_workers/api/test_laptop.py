"""A laptop without an account: the tools of its server, each by a request to the Worker."""

from pathlib import Path

import httpx
import pytest
from mcp import Client

from dome_mcp.api_client.connection import Api
from dome_mcp.api_client.server import build_api_server
from tests.api_client.laptop import Line
from tests.companion_workers.api.conftest import WorkerApi
from tests.companion_workers.running import RunningWorkers
from tests.serving import LISBON, call, refused, settings_in

pytestmark = pytest.mark.anyio


async def test_the_tools_of_a_laptop_work_over_the_worker_by_one_request_each(
    worker_api: WorkerApi, workers: RunningWorkers, tmp_path: Path
):
    (tmp_path / "shelf.txt").write_text("The shelf needs six brackets.")
    headers, auth = worker_api.headers, worker_api.auth
    url = f"{workers.url}/api/"
    async with (
        httpx.AsyncHTTPTransport() as there,
        httpx.AsyncClient(
            transport=(line := Line(there)), base_url=url, headers=headers, auth=auth, timeout=60
        ) as http,
    ):
        laptop = build_api_server(Api(http), settings_in(tmp_path / "laptop"))
        async with Client(laptop, mode="auto", cache=None) as client:
            await call(client, "ingest", text=LISBON, tags=["travel"])
            shelf = await call(client, "ingest", path=str(tmp_path / "shelf.txt"))
            line.sent.clear()
            found = await call(client, "search", query="How many brackets?")
            assert found["passages"][0]["note_id"] == shelf["note_id"]
            answer = await call(client, "rag_answer", question="When does the flight leave?")
            assert (answer["answered"], "nine" in answer["answer"]) == (True, True)
            task = await call(client, "create_task", description="Paint", due="+2d", remind=["-1h"])
            listed = await call(client, "list_reminders")
            assert listed["reminders"][0]["task_id"] == task["task"]["task_id"]
            await call(client, "complete_task", task_id=task["task"]["task_id"])
            await call(client, "delete_note", note_id=shelf["note_id"])
            assert "no web pages" in await refused(client, "ingest", url="https://example.org")
            assert len(line.asked) == 7
