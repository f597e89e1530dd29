"""The program as an assistant starts it on a laptop, over a real server of its own."""

import sys
from pathlib import Path

import pytest

from tests.remote import processes as http_processes
from tests.server.processes import Server, started
from tests.serving import LISBON

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

HEAVY = ("numpy", "onnxruntime", "simsimd", "apsw", "kitoken", "pypdfium2", "lxml")
"""What drivers, models and parsers load; the laptop's server needs none of it."""

MOST_MEGABYTES = 130


def mapped(server: Server) -> set[str]:
    """Which of the heavy libraries the process has loaded."""
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    return {name for name in HEAVY if f"/{name}" in maps}


def peak_megabytes(server: Server) -> int:
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) // 1024


async def test_a_laptop_works_over_the_api_without_data_drivers_or_a_model(tmp_path: Path) -> None:
    home = tmp_path / "laptop"
    (tmp_path / "a.txt").write_text("The shelf needs six brackets.")
    async with http_processes.served(tmp_path / "there") as there:
        settings = {
            "DOME_API_URL": there.url,
            "DOME_API_TOKEN": await there.token(),
            "DOME_ALLOWED_ROOTS": str(tmp_path),
        }
        async with started(home, **settings) as laptop:
            await laptop.shake_hands()
            assert len((await laptop.ask("tools/list"))["tools"]) == 14
            await laptop.call("ingest", text=LISBON)
            stored = await laptop.call("ingest", path=str(tmp_path / "a.txt"))
            found = await laptop.call("search", query="brackets")
            await laptop.call("create_task", description="Paint", due="+1d", remind=["-1h"])
            assert (await laptop.call("list_reminders"))["reminders"]
            assert mapped(laptop) == set()
            peak = peak_megabytes(laptop)
            assert await laptop.hang_up() == 0
    assert found["passages"][0]["note_id"] == stored["note_id"]
    assert not home.exists()
    print(f"the laptop's server: {peak} MB at most")
    assert peak < MOST_MEGABYTES


async def test_a_wrong_token_and_a_server_that_is_not_there_are_said(tmp_path: Path) -> None:
    nowhere = {"DOME_API_URL": "http://127.0.0.1:9", "DOME_API_TOKEN": "dome_x"}
    async with started(tmp_path / "laptop", **nowhere) as laptop:
        await laptop.shake_hands()
        answer = await laptop.ask("tools/call", name="list_notes", arguments={})
        assert answer["isError"]
        assert "http://127.0.0.1:9 cannot be reached" in answer["content"][0]["text"]
        assert len((await laptop.ask("tools/list"))["tools"]) == 14
        assert await laptop.hang_up() == 0
