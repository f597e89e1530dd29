"""README's section on Cloudflare as its reader follows it, with an assistant at every step."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from dome_mcp.settings import DATABASE_FILE
from tests.companions.conftest import until
from tests.serving import BREAD, ERAS, LISBON, call, refused
from tests.simulators.webhook_sink import WebhookSink, running_webhook_sink
from tests.workers.cloud_user import Machine
from tests.workers.local_cloudflare.running import LocalCloudflare

pytestmark = pytest.mark.anyio

README = Path(__file__).parents[2] / "README.md"
RESOURCES = ("d1/database", "vectorize/v2/indexes", "r2/buckets", "queues")
PATIENCE_SECONDS = 240
BOILER = "# Boiler\n\nThe boiler was serviced in May by Hansen.\n"
HERE = "Water the plants"
SOON = "Call Anna"


def commands_of(section: str) -> list[list[str]]:
    """What a section of README has its reader type after `dome-mcp`."""
    text = README.read_text("utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    typed = [line for line in text.splitlines() if line.startswith("dome-mcp ")]
    return [shlex.split(line, comments=True)[1:] for line in typed]


@pytest.mark.parametrize("era", ERAS)
async def test_what_readme_says_of_cloudflare_is_so(
    new_account: LocalCloudflare, tmp_path: Path, era: str
) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    (documents / "boiler.md").write_text(BOILER)
    settings = {**new_account.settings, "DOME_ALLOWED_ROOTS": str(documents)}
    machine = Machine(tmp_path / "home", settings)
    with anyio.fail_after(PATIENCE_SECONDS), running_webhook_sink() as hook:
        machine.dome("channel", "add", "hook", "--webhook", hook.url(), "--allow-private")
        async with machine.assistant(era) as client:
            await fill(client, documents / "boiler.md")
            at_first = await seen(client)

        *there, back = commands_of("On Cloudflare")
        follow(there, machine)
        async with machine.assistant(era) as client:
            assert await seen(client) == at_first
            await work_with_notes(client, documents)
            await be_reminded(client, machine, hook)
            at_last = await seen(client)
        await see_it_elsewhere(machine.beside(tmp_path / "elsewhere"), era, at_last)

        assert back == ["pull", "--switch"]
        machine.dome(*back)
        async with machine.assistant(era) as client:
            assert await seen(client) == at_last
        machine.dome("cloud", "status")
        machine.dome("cloud", "destroy", "--confirm", "dome")
        async with Machine(tmp_path / "home-copy", {}).assistant(era) as client:
            assert await seen(client) == at_last
    assert [await made_in(new_account, path) for path in RESOURCES] == [[], [], {"buckets": []}, []]


def follow(commands: Sequence[Sequence[str]], machine: Machine) -> None:
    """Types the commands; the one that asks is told yes, as nobody is there to be asked."""
    for words in commands:
        machine.dome(*words, *(["--yes"] if words[:2] == ["cloud", "init"] else []))


async def made_in(cloudflare: LocalCloudflare, path: str) -> Any:
    """What the account has of a kind."""
    async with cloudflare.client() as client:
        return (await client.get(path)).json()["result"]


async def fill(client: Client, file: Path) -> None:
    """A little of everything."""
    await call(client, "ingest", text=LISBON, tags=["travel"])
    await call(client, "ingest", path=str(file))
    await call(client, "create_task", description="Paint the shelf", due="+2d", remind=["-1h"])
    await call(client, "create_reminder", text=HERE, at="+3d", repeat="weekly")


async def seen(client: Client) -> dict[str, Any]:
    """Everything an assistant sees: notes with their texts, tasks, reminders."""
    notes = (await call(client, "list_notes"))["notes"]
    ids = [note["note_id"] for note in notes]
    tasks = (await call(client, "list_tasks", status="all"))["tasks"]
    reminders = (await call(client, "list_reminders", state="all"))["reminders"]
    return {
        "notes": [(each["note_id"], each["title"], each["date"], each["tags"]) for each in notes],
        "texts": [(await call(client, "get_note", note_id=each))["text"] for each in ids],
        "tasks": [(each["task_id"], each["description"], each["status"]) for each in tasks],
        "reminders": [(each["reminder_id"], each["text"], each["state"]) for each in reminders],
    }


async def work_with_notes(client: Client, documents: Path) -> None:
    """What is stored is found at once, answered from, changed, and gone when it is deleted."""
    bread = (await call(client, "ingest", text=BREAD))["note_id"]
    assert await best(client, "what to do before making a loaf", "semantic") == bread
    (documents / "roof.md").write_text("# Roof\n\nJensen mended the gutter in October.\n")
    roof = (await call(client, "ingest", path=str(documents / "roof.md")))["note_id"]
    assert await best(client, "who repaired the gutter", "hybrid") == roof
    answer = await call(client, "rag_answer", question="Which hotel did Anna book?")
    assert "Miramar" in answer["answer"]
    assert answer["citations"][0]["quote"] in LISBON
    changed = await call(
        client, "update_note", note_id=bread, revision=1, text="Anna plays the cello on Sundays."
    )
    assert changed["revision"] == 2
    assert await best(client, "playing an instrument", "semantic") == bread
    await call(client, "delete_note", note_id=bread)
    assert "no note" in await refused(client, "get_note", note_id=bread)
    assert await best(client, "playing an instrument", "semantic") != bread


async def best(client: Client, query: str, mode: str) -> str:
    """The id of the note that is found first."""
    found = await call(client, "search", query=query, mode=mode)
    return found["passages"][0]["note_id"]


async def be_reminded(client: Client, machine: Machine, hook: WebhookSink) -> None:
    """A reminder comes once, and once more when it was put off; a task is done."""
    task = (await call(client, "create_task", description="Ring the dentist", due="+1d"))["task"]
    made = await call(client, "create_reminder", text=SOON, at="+2s", channels=["hook"])
    reminder_id = made["reminder"]["reminder_id"]
    with machine.companion():
        await until(lambda: has_come(hook, 1))
        await call(client, "update_reminder", reminder_id=reminder_id, action="snooze", by="+2s")
        await until(lambda: has_come(hook, 2))
        await call(client, "update_reminder", reminder_id=reminder_id, action="acknowledge")
        assert machine.problems() == []
    await call(client, "complete_task", task_id=task["task_id"])
    assert [posted.json["text"] for posted in hook.posted] == [SOON, SOON]
    assert len({posted.headers["Idempotency-Key"] for posted in hook.posted}) == 2


async def has_come(hook: WebhookSink, count: int) -> bool:
    return len(hook.posted) >= count


async def see_it_elsewhere(machine: Machine, era: str, expected: dict[str, Any]) -> None:
    """On a machine that has the settings and nothing else."""
    async with machine.assistant(era) as client:
        assert await seen(client) == expected
        found = await call(client, "search", query="who repaired the heating")
        assert "serviced in May by Hansen" in found["passages"][0]["text"]
    assert not (machine.home / DATABASE_FILE).exists()
