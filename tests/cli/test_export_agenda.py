"""Tasks and reminders in `export` and `import`."""

import json
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from dome_mcp.app import opened
from dome_mcp.services.reminders import NewReminder, create_reminder
from dome_mcp.services.tasks import NewTask, create_task
from dome_mcp.settings import load
from tests.cli.conftest import Cli


@pytest.fixture
def busy(cli: Cli) -> Cli:
    """A home with a task that repeats, its reminder, and a reminder of its own."""

    async def add() -> None:
        async with opened(load(cli.environ)) as dome:
            user, now, zone = dome.user_id, dome.now(), dome.settings.timezone.key
            new = NewTask(
                "Water the plants", due="+2d", repeat="weekly", tags=("home",), remind=("-1h",)
            )
            await create_task(new, dome.ports, user_id=user, now=now, zone=zone)
            at = (now + timedelta(days=3)).isoformat()
            own = NewReminder("Größe messen", at=at)
            await create_reminder(own, dome.ports, user_id=user, now=now, zone=zone)

    anyio.run(add)
    return cli


def test_tasks_and_reminders_imported_elsewhere_and_exported_again_are_the_same(
    busy: Cli, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    other = ("--home", str(busy.home.with_name("other")))
    ran = busy("export", str(first), "--json")
    assert (ran.json["tasks"], ran.json["reminders"]) == (1, 2)
    ran = busy("import", str(first), "--json", *other)
    assert (ran.code, ran.json["tasks"], ran.json["reminders"]) == (0, 1, 2)
    busy("export", str(second), *other)
    for name in ("tasks.jsonl", "reminders.jsonl"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    again = busy("import", str(first), "--json", *other)
    assert (again.code, again.json["tasks"], again.json["reminders"]) == (0, 0, 0)


def test_a_damaged_line_fails_alone(busy: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    busy("export", str(folder))
    lines = (folder / "reminders.jsonl").read_text(encoding="utf-8").splitlines()
    damaged = json.dumps({**json.loads(lines[0]), "state": "asleep"})
    (folder / "reminders.jsonl").write_text(f"{damaged}\n{lines[1]}\nnot JSON\n", encoding="utf-8")
    ran = busy("import", str(folder), "--json", "--home", str(busy.home.with_name("other")))
    assert (ran.code, ran.json["tasks"], ran.json["reminders"]) == (1, 1, 1)
    assert [each["source"] for each in ran.json["failed"]] == [
        "reminders.jsonl line 1",
        "reminders.jsonl line 3",
    ]
