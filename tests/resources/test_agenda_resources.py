"""Tasks and reminders as resources, in the status and in the daily briefing."""

import json
from typing import Any

import pytest
from mcp import Client

from tests.agenda_serving import AgendaServing
from tests.serving import call

pytestmark = pytest.mark.anyio


@pytest.fixture
def client(agenda_client: Client) -> Client:
    return agenda_client


async def read(client: Client, uri: str) -> dict[str, Any]:
    (contents,) = (await client.read_resource(uri)).contents
    assert contents.mime_type == "application/json"
    return json.loads(contents.text)


async def briefing(client: Client) -> str:
    (message,) = (await client.get_prompt("daily_briefing", {})).messages
    return message.content.text


async def test_the_tasks_are_the_pending_ones_as_list_tasks_gives_them(client: Client) -> None:
    await call(client, "create_task", description="Paint", due="+2d", remind=["-1h"])
    done = await call(client, "create_task", description="Pay")
    await call(client, "complete_task", task_id=done["task"]["task_id"])
    tasks = await read(client, "dome://tasks")
    assert [task["description"] for task in tasks["tasks"]] == ["Paint"]
    assert tasks["tasks"] == (await call(client, "list_tasks"))["tasks"]


async def test_the_reminders_are_the_upcoming_ones_and_those_that_fired(
    client: Client, agenda: AgendaServing
) -> None:
    await call(client, "create_reminder", text="Soon", at="+1h")
    await call(client, "create_reminder", text="Later", at="+3d")
    await agenda.fire(hours=1)
    reminders = await read(client, "dome://reminders")
    assert [reminder["text"] for reminder in reminders["reminders"]] == ["Later"]
    assert [fired["text"] for fired in reminders["inbox"]] == ["Soon"]


async def test_without_a_companion_every_view_says_so(
    client: Client, agenda: AgendaServing
) -> None:
    assert (await read(client, "dome://status"))["health"] == "ok"
    await call(client, "create_reminder", text="Call Anna", at="+1h")
    for uri in ("dome://tasks", "dome://reminders", "dome://status"):
        assert "companion install" in (await read(client, uri))["warnings"][0]
    assert "companion install" in await briefing(client)
    assert (await read(client, "dome://status"))["health"] == "degraded"
    await agenda.beat()
    status = await read(client, "dome://status")
    assert status["health"] == "ok"
    assert status["companion"] == {
        "running": True,
        "last_beat": "2026-03-02T09:00:00+01:00",
        "lag_seconds": 0,
        "last_errors": [],
    }


async def test_the_status_counts_tasks_reminders_and_notices(
    client: Client, agenda: AgendaServing
) -> None:
    await call(client, "create_task", description="File the tax return")
    await call(client, "create_reminder", text="Soon", at="+1h")
    await call(client, "create_reminder", text="Later", at="+9h")
    await agenda.fire(hours=1)
    status = await read(client, "dome://status")
    counted = ("tasks_pending", "tasks_overdue", "reminders_upcoming", "unacknowledged")
    assert [status[name] for name in counted] == [1, 0, 1, 1]


async def test_the_status_shows_what_fired_and_what_failed(
    client: Client, agenda: AgendaServing
) -> None:
    await call(client, "create_reminder", text="Call Anna", at="+1h")
    agenda.desktop.refusal = "No display."
    await agenda.fire(hours=1)
    (fired,) = (await read(client, "dome://status"))["inbox"]
    assert fired["text"] == "Call Anna"
    assert fired["failed"] == [{"channel": "desktop", "error": "No display."}]


async def test_the_briefing_has_what_is_due_today_what_fires_and_what_fired(
    client: Client, agenda: AgendaServing
) -> None:
    await call(client, "create_task", description="Overdue thing", due="2026-03-01")
    await call(client, "create_task", description="Thing of today", due="2026-03-02T23:30")
    await call(client, "create_task", description="Thing of tomorrow", due="2026-03-03T00:30")
    await call(client, "create_reminder", text="Fired thing", at="+30m")
    await call(client, "create_reminder", text="Evening thing", at="2026-03-02T20:00")
    await call(client, "create_reminder", text="Next day thing", at="2026-03-03T08:00")
    await agenda.fire(hours=1)
    text = await briefing(client)
    assert text.startswith("Brief me on my day.")
    assert "It is Monday, 2026-03-02 10:00 (Europe/Berlin)." in text
    for shown in ("Overdue thing · OVERDUE", "Thing of today", "Fired thing", "Evening thing"):
        assert shown in text
    for hidden in ("tomorrow", "Next day"):
        assert hidden not in text
    for subject in ("tasks", "reminders"):
        assert f"<{subject}-" in text


async def test_a_briefing_of_an_empty_day_says_so(client: Client) -> None:
    text = await briefing(client)
    assert "No task is due today or overdue." in text
    assert "No reminder fires later today." in text
    assert "There are no notes of today." in text
