"""Files of the laptop, sent under its own rules, and what takes the server long."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import anyio.lowlevel
import httpx
import pytest
from mcp import Client

from dome_mcp.remote.jobs import running_jobs
from tests.api_client.laptop import Laptop, client_over_api
from tests.serving import Serving, call, refused, served, text_of

__all__ = ["served"]

pytestmark = pytest.mark.anyio

LARGE = "Turbine report.\n\n" + "The turbine hums at noon. " * 45_000
"""Over a megabyte, from where on a file is a job."""

Connected = tuple[Client, Laptop]


@pytest.fixture
async def connected(served: Serving, tmp_path: Path) -> AsyncIterator[Connected]:
    async with client_over_api(served, tmp_path / "laptop") as both:
        yield both


async def test_a_file_of_the_laptop_is_stored_with_its_address_as_source(
    connected: Connected, tmp_path: Path
) -> None:
    client, laptop = connected
    path = tmp_path / "Café shelf.md"
    path.write_text("# Shelf\n\nThe shelf needs six brackets.\n")
    stored = await call(client, "ingest", path=str(path), tags=["home", "wood"])
    assert laptop.line.asked == ["POST /api/ingest"]
    note = await call(client, "get_note", note_id=stored["note_id"])
    assert (note["title"], note["tags"]) == ("Shelf", ["home", "wood"])
    assert note["source"] == path.as_uri()
    assert note["content_type"] == "text/markdown"


async def test_the_laptops_own_rules_decide_which_files_leave_it(
    connected: Connected, tmp_path: Path
) -> None:
    client, laptop = connected
    own = tmp_path / "laptop"
    own.mkdir()
    (own / "config.toml").write_text("")
    (tmp_path / ".hidden.md").write_text("x")
    for path, words in (
        ("/etc/passwd", "outside the folders DOME may read"),
        (str(own / "config.toml"), "its own data folder"),
        (str(tmp_path / ".hidden.md"), "hidden"),
        (str(tmp_path / "gone.md"), "There is no file"),
    ):
        assert words in await refused(client, "ingest", path=path)
    assert laptop.line.sent == []


async def test_a_token_without_admin_may_send_files_of_its_own_machine(
    served: Serving, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_text("Six brackets.")
    async with client_over_api(served, tmp_path / "laptop", "notes:write") as (client, _):
        assert (await call(client, "ingest", path=str(tmp_path / "a.txt")))["chunks"] == 1


async def test_what_takes_long_is_followed_until_it_is_stored(
    served: Serving, connected: Connected, tmp_path: Path
) -> None:
    client, laptop = connected
    (tmp_path / "report.txt").write_text(LARGE)
    seen: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert total == 2
        seen.append((progress, message))

    with anyio.fail_after(60):
        async with running_jobs(served.dome if served.opened else await served.door.dome()):
            result = await client.call_tool(
                "ingest", {"path": str(tmp_path / "report.txt")}, progress_callback=hear
            )
    assert not result.is_error, text_of(result)
    assert text_of(result).startswith("Stored note ")
    post, *looks = laptop.line.asked
    assert post == "POST /api/ingest"
    assert set(looks) == {f"GET {laptop.line.sent[1].url.path}"}
    steps = [progress for progress, _ in seen]
    assert steps == sorted(set(steps))
    assert [seen[0], seen[-1]] == [(0, "Reading"), (2, "Stored")]
    assert (1, "The server is reading it") in seen


async def test_a_job_that_fails_is_told_in_the_servers_words(
    served: Serving, connected: Connected
) -> None:
    client, _ = connected
    with anyio.fail_after(60):
        async with running_jobs(await served.door.dome()):
            message = await refused(client, "ingest", url="http://127.0.0.1:9/page")
    assert "DOME_ALLOW_PRIVATE_URLS" in message


async def test_who_gives_up_waiting_leaves_a_job_that_is_done_all_the_same(
    served: Serving, connected: Connected, tmp_path: Path
) -> None:
    client, laptop = connected
    (tmp_path / "report.txt").write_text(LARGE)
    dome = await served.door.dome()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:

            async def send() -> None:
                await client.call_tool("ingest", {"path": str(tmp_path / "report.txt")})

            tasks.start_soon(send)
            while len(laptop.line.sent) < 2:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        asked = len(laptop.line.sent)
        async with running_jobs(dome):
            while not (found := (await call(client, "list_notes"))["notes"]):
                await anyio.lowlevel.checkpoint()
    assert [note["title"] for note in found] == ["Turbine report."]
    assert not any("/ingest/" in each for each in laptop.line.asked[asked + 1 :])


async def test_a_server_that_goes_away_meanwhile_is_said_to_have_accepted_it(
    connected: Connected, tmp_path: Path
) -> None:
    client, laptop = connected
    (tmp_path / "report.txt").write_text(LARGE)
    accepted = {"job_id": "01JOB", "state": "waiting", "created": "", "updated": ""}
    laptop.line.troubles.append(httpx.Response(202, json=accepted))
    laptop.line.troubles += [httpx.ConnectError("down")] * 3
    message = await refused(client, "ingest", path=str(tmp_path / "report.txt"))
    assert "cannot be reached. It was accepted, and is stored all the same" in message
