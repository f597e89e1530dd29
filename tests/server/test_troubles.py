"""The server where another program holds the lock, the disk is full, or the folder is no good."""

from pathlib import Path

import apsw
import pytest
from mcp import Client

from dome_mcp.core.ports import Statement
from tests.server.processes import started
from tests.serving import BREAD, LISBON, Serving, call, refused

pytestmark = pytest.mark.anyio


async def test_a_server_that_starts_while_another_writes_answers_all_the_same(
    tmp_path: Path,
) -> None:
    async with started(tmp_path) as server:
        await server.shake_hands()
        stored = await server.call("ingest", text=LISBON)
        assert await server.hang_up() == 0
    writer = apsw.Connection(str(tmp_path / "dome.db"))
    writer.execute("BEGIN IMMEDIATE")
    async with started(tmp_path) as server:
        await server.shake_hands()
        found = await server.call("search", query="Miramar")
        writer.execute("COMMIT")
        assert found["passages"][0]["note_id"] == stored["note_id"]
        assert (await server.call("list_notes"))["notes"]
        assert await server.hang_up() == 0
    writer.close()


async def test_on_a_full_disk_nothing_acknowledged_is_lost_and_with_room_it_goes_on(
    client: Client, served: Serving
) -> None:
    first = await call(client, "ingest", text=LISBON)
    database = served.dome.ports.database
    ((row,),) = await database.batch([Statement("PRAGMA page_count")])
    await database.batch([Statement(f"PRAGMA max_page_count = {row['page_count']}")])
    long_text = " ".join(f"Sentence {number} of a report." for number in range(2_000))
    for _ in range(2):
        message = await refused(client, "ingest", text=long_text)
        assert message.startswith("The disk is full; nothing was written.")
    listed = await call(client, "list_notes")
    assert [note["note_id"] for note in listed["notes"]] == [first["note_id"]]
    await database.batch([Statement("PRAGMA max_page_count = 1000000")])
    assert (await call(client, "ingest", text=long_text))["duplicate"] is False
    assert (await call(client, "search", query="Miramar"))["passages"]


async def test_a_folder_that_cannot_be_used_is_said_and_is_used_once_it_can_be(
    tmp_path: Path,
) -> None:
    (tmp_path / "dome.db").mkdir()
    async with started(tmp_path) as server:
        await server.shake_hands()
        refusal = await server.ask("tools/call", name="ingest", arguments={"text": BREAD})
        assert refusal["isError"]
        assert "Set DOME_HOME to a folder" in refusal["content"][0]["text"]
        (tmp_path / "dome.db").rmdir()
        assert not (await server.call("ingest", text=BREAD))["duplicate"]
        assert await server.hang_up() == 0
