"""The server as a process: the whole scenario, what it writes where, and how it ends."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters

from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.core.agenda import DeliveryPolicy
from dome_mcp.services.dispatch import tick
from tests.server.processes import COMMAND, environment, started
from tests.serving import BREAD, ERAS, LISBON, call, refused

pytestmark = pytest.mark.anyio

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@pytest.mark.parametrize("era", ERAS)
async def test_notes_are_saved_found_answered_from_changed_and_deleted(
    tmp_path: Path, era: str
) -> None:
    env = environment(tmp_path, DOME_EMBEDDING_MODEL="")
    server = StdioServerParameters(command=COMMAND[0], args=COMMAND[1:], env=env)
    async with Client(server, mode=era) as client:
        stored = await call(client, "ingest", text=LISBON, tags=["travel"])
        note_id = stored["note_id"]
        await call(client, "ingest", text=BREAD)
        assert stored["status"] == "ready"
        found = await call(client, "search", query="place to stay in Portugal", mode="semantic")
        assert found["passages"][0]["note_id"] == note_id
        answer = await call(client, "rag_answer", question="Which hotel did Anna book?")
        assert "Miramar" in answer["answer"]
        assert len((await call(client, "list_notes"))["notes"]) == 2
        changed = await call(
            client, "update_note", note_id=note_id, revision=1, text="Anna cancelled the trip."
        )
        assert changed["revision"] == 2
        assert (await call(client, "get_note", note_id=note_id))["text"].startswith("Anna canc")
        await call(client, "delete_note", note_id=note_id)
        assert "no note" in await refused(client, "get_note", note_id=note_id)


@pytest.mark.parametrize("era", ERAS)
async def test_what_fired_while_no_assistant_ran_is_told_to_the_next_one(
    tmp_path: Path, era: str
) -> None:
    server = StdioServerParameters(
        command=COMMAND[0], args=COMMAND[1:], env=environment(tmp_path, DOME_TIMEZONE="Asia/Tokyo")
    )
    async with Client(server, mode=era) as client:
        made = await call(client, "create_reminder", text="Call Anna", at="+1h", repeat="daily")
        reminder_id = made["reminder"]["reminder_id"]
        assert len(made["reminder"]["next_fires"]) == 3
        assert made["reminder"]["local"].endswith("+09:00")
        await call(client, "create_task", description="Paint the shelf", due="+2h", remind=["-1h"])
    async with SqliteDatabase.open(tmp_path / "dome.db") as database:
        later = datetime.now(UTC) + timedelta(days=1, hours=2)
        ticked = await tick(database, Dropping(), DeliveryPolicy(), now=later)
    assert ticked.fired == 2
    async with Client(server, mode=era) as client:
        inbox = (await call(client, "list_tasks"))["inbox"]
        assert {fired["text"] for fired in inbox} == {"Call Anna", "Paint the shelf"}
        seen = await call(client, "update_reminder", reminder_id=reminder_id, action="acknowledge")
        assert [fired["text"] for fired in seen["inbox"]] == ["Paint the shelf"]
        (task,) = (await call(client, "list_tasks"))["tasks"]
        done = await call(client, "complete_task", task_id=task["task_id"])
        assert "inbox" not in done


class Dropping:
    """A queue whose messages are all lost."""

    async def send(self, bodies: Sequence[str]) -> None:
        pass


async def test_standard_output_carries_the_protocol_and_nothing_else(tmp_path: Path) -> None:
    async with started(tmp_path, DOME_LOG_LEVEL="DEBUG") as server:
        await server.shake_hands()
        await server.call("ingest", text=LISBON)
        await server.ask("tools/call", name="get_note", arguments={"note_id": "none"})
        assert await server.hang_up() == 0
    messages = [json.loads(line) for line in server.output]
    assert len(messages) >= 3
    assert all(message["jsonrpc"] == "2.0" for message in messages)


async def test_it_ends_well_when_its_input_ends_before_a_word_was_said(tmp_path: Path) -> None:
    async with started(tmp_path) as server:
        assert await server.hang_up() == 0
    assert server.output == []


async def test_it_closes_the_database_when_its_input_ends(tmp_path: Path) -> None:
    async with started(tmp_path) as server:
        await server.shake_hands()
        await server.call("ingest", text=LISBON)
        assert (tmp_path / "dome.db-wal").exists()
        assert await server.hang_up() == 0
    assert (tmp_path / "dome.db").exists()
    assert not (tmp_path / "dome.db-wal").exists()


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_with_the_database_closed(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with started(tmp_path) as server:
        await server.shake_hands()
        await server.call("ingest", text=LISBON)
        server.process.send_signal(number)
        # The client does not hang up: the process has to leave on its own.
        assert await server.end() == 128 + number
    assert not (tmp_path / "dome.db-wal").exists()


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_in_the_middle_of_a_call(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with started(tmp_path) as server:
        await server.shake_hands()
        first = await server.call("ingest", text=LISBON)
        long_text = "\n\n".join(f"Paragraph {n} of a long report." for n in range(20_000))
        await server.tell("tools/call", _id=99, name="ingest", arguments={"text": long_text})
        server.process.send_signal(number)
        assert await server.end() == 128 + number
    async with started(tmp_path) as server:
        await server.shake_hands()
        titles = [note["note_id"] for note in (await server.call("list_notes"))["notes"]]
        assert first["note_id"] in titles
        assert await server.hang_up() == 0


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    async with started(tmp_path) as server:
        await server.shake_hands()
        stored = await server.call("ingest", text=LISBON)
        server.process.kill()
        await server.process.wait()
    async with started(tmp_path) as server:
        await server.shake_hands()
        found = await server.call("search", query="Miramar")
        assert found["passages"][0]["note_id"] == stored["note_id"]
        assert await server.hang_up() == 0


async def test_two_servers_share_one_data_folder(tmp_path: Path) -> None:
    async with started(tmp_path) as one, started(tmp_path) as other:
        await one.shake_hands()
        await other.shake_hands()
        stored = await one.call("ingest", text=LISBON)
        assert (await other.call("ingest", text=LISBON))["duplicate"]
        await other.call("delete_note", note_id=stored["note_id"])
        assert (await one.call("list_notes"))["notes"] == []


async def test_drivers_and_parsers_are_not_imported_before_the_first_answer() -> None:
    heavy = ["numpy", "onnxruntime", "kitoken", "apsw", "httpx", "trafilatura", "openpyxl"]
    code = (
        "import sys; import dome_mcp.stdio; "
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    assert await output_of(code) == "[]"


async def output_of(code: str) -> str:
    result = await anyio.run_process([sys.executable, "-c", code])
    return result.stdout.decode().strip()
