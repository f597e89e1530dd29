"""Reminders and the inbox over REST."""

from collections.abc import AsyncIterator

import pytest

from dome_mcp.core.ports import Statement
from tests.agenda_serving import AgendaServing
from tests.remote.rest.conftest import Api, api_over, problem_in

pytestmark = pytest.mark.anyio

FORGET_ANSWERS = Statement("UPDATE idempotency SET status = NULL, headers = NULL, body = NULL", ())


@pytest.fixture
async def api(agenda: AgendaServing) -> AsyncIterator[Api]:
    """The owner's client, on Monday 2 March 2026 at nine, in Berlin."""
    async with api_over(agenda.served.door) as client:
        yield client


async def remind(api: Api, **asked: object) -> dict:
    response = await api.post("/api/reminders", json={"text": "Call Anna", **asked})
    assert response.status_code == 201, response.text
    return response.json()["reminder"]


async def act(api: Api, reminder: dict, action: str, **details: object) -> dict:
    path = f"/api/reminders/{reminder['reminder_id']}/{action}"
    response = await api.post(path, json=details) if details else await api.post(path)
    assert response.status_code == 200, response.text
    return response.json()["reminder"]


async def test_a_new_reminder_echoes_its_local_time_zone_and_next_fires(api: Api):
    asked = {"text": "Stretch", "at": "2026-03-03T07:30", "repeat": "daily"}
    response = await api.post("/api/reminders", json=asked)
    reminder = response.json()["reminder"]
    assert reminder["local"] == "2026-03-03T07:30:00+01:00"
    assert reminder["timezone"] == "Europe/Berlin"
    assert [fire[:10] for fire in reminder["next_fires"]] == [
        "2026-03-03", "2026-03-04", "2026-03-05"
    ]  # fmt: skip
    read = await api.get(response.headers["location"])
    assert read.json()["reminder"]["reminder_id"] == reminder["reminder_id"]


async def test_a_reminder_without_any_channel_says_so(api: Api):
    assert "comes as a desktop notice" in (await remind(api, at="+1h"))["warnings"][0]
    ann = api.as_("ann", "tasks:read", "tasks:write")
    assert "told here and nowhere else" in (await remind(ann, at="+1h"))["warnings"][0]


async def test_a_fired_reminder_is_in_the_inbox_until_it_is_acknowledged(
    api: Api, agenda: AgendaServing
):
    reminder = await remind(api, at="+10m")
    await agenda.fire(minutes=10)
    inbox = (await api.get("/api/inbox")).json()
    assert [item["reminder_id"] for item in inbox["inbox"]] == [reminder["reminder_id"]]
    assert inbox["has_more"] is False
    await act(api, reminder, "acknowledge")
    assert (await api.get("/api/inbox")).json()["inbox"] == []


async def test_the_inbox_says_that_nothing_will_fire_without_a_companion(
    api: Api, agenda: AgendaServing
):
    await remind(api, at="+1d")
    assert "No companion runs" in (await api.get("/api/inbox")).json()["warnings"][0]
    await agenda.beat()
    assert (await api.get("/api/inbox")).json()["warnings"] == []


async def test_every_action_does_what_it_says(api: Api, agenda: AgendaServing):
    reminder = await remind(api, at="2026-03-03T07:30", repeat="daily")
    snoozed = await act(api, reminder, "snooze", by="2h")
    assert snoozed["local"] == "2026-03-03T09:30:00+01:00"
    moved = await act(api, reminder, "reschedule", at="2026-03-04T10:00", scope="series")
    assert [fire[:16] for fire in moved["next_fires"][:2]] == [
        "2026-03-04T10:00", "2026-03-05T10:00"
    ]  # fmt: skip
    assert (await act(api, reminder, "cancel"))["next_fires"] == []
    assert (await act(api, reminder, "resume"))["local"] == "2026-03-04T10:00:00+01:00"
    skipped = await act(api, reminder, "cancel", scope="occurrence")
    assert skipped["local"] == "2026-03-05T10:00:00+01:00"


async def test_a_repeated_move_moves_once_also_where_the_first_answer_was_lost(
    api: Api, agenda: AgendaServing
):
    reminder = await remind(api, at="2026-03-03T08:00")
    path = f"/api/reminders/{reminder['reminder_id']}/reschedule"
    agenda.clock.advance(minutes=1)
    key = {"Idempotency-Key": "move-1"}
    await api.post(path, json={"by": "2h"}, headers=key)
    await agenda.database.query(FORGET_ANSWERS)
    agenda.clock.advance(minutes=1)
    again = await api.post(path, json={"by": "2h"}, headers=key)
    assert again.json()["reminder"]["local"] == "2026-03-03T10:00:00+01:00"


async def test_listings_by_state_and_task_go_on_by_cursor(api: Api, agenda: AgendaServing):
    task = (await api.post("/api/tasks", json={"description": "T", "due": "+3d"})).json()["task"]
    own = await remind(api, text=None, task_id=task["task_id"], at="-1h")
    for minutes in (5, 6):
        await remind(api, text=f"in {minutes}", at=f"+{minutes}m")
    first = (await api.get("/api/reminders", params={"limit": 2})).json()
    rest = (await api.get("/api/reminders", params={"cursor": first["next_cursor"]})).json()
    assert [each["text"] for page in (first, rest) for each in page["reminders"]] == [
        "in 5", "in 6", "T"
    ]  # fmt: skip
    of_task = (await api.get("/api/reminders", params={"task_id": task["task_id"]})).json()
    assert [each["reminder_id"] for each in of_task["reminders"]] == [own["reminder_id"]]
    await agenda.fire(minutes=6)
    fired = (await api.get("/api/reminders", params={"state": "fired"})).json()
    assert {each["text"] for each in fired["reminders"]} == {"in 5", "in 6"}


async def test_the_desktop_of_the_machine_takes_admin(api: Api):
    ann = api.as_("ann", "tasks:read", "tasks:write")
    asked = {"text": "Boo", "at": "+1h", "channels": ["desktop"]}
    problem_in(await ann.post("/api/reminders", json=asked), 403, "insufficient-scope")
    assert (await ann.get("/api/reminders")).json() == {"reminders": []}


@pytest.mark.parametrize(
    "asked",
    [
        {"at": "+1h"},
        {"text": "x", "task_id": "y", "at": "+1h"},
        {"text": "x", "at": "2020-01-01"},
        {"text": "x", "at": "+1h", "count": 0},
        {"text": "x", "at": "+1h", "repeat": "daily", "count": 10**30},
        {"text": "x", "at": "+1h", "catch_up": "perhaps"},
        {"text": "x", "at": "+99999999999999999999d"},
    ],
)
async def test_a_reminder_that_cannot_work_is_refused(api: Api, asked: dict):
    problem_in(await api.post("/api/reminders", json=asked), 422, "invalid-input")


async def test_what_is_not_there_or_cannot_be_done_is_told_apart(api: Api):
    problem_in(await api.post("/api/reminders/none/cancel"), 404, "not-found")
    problem_in(await api.get("/api/reminders/none"), 404, "not-found")
    reminder = await remind(api, at="+1h")
    path = f"/api/reminders/{reminder['reminder_id']}"
    problem_in(await api.post(f"{path}/explode"), 422, "invalid-input")
    problem_in(await api.post(f"{path}/reschedule"), 422, "invalid-input")
    asked = {"text": "x", "at": "+1h", "channels": ["nowhere"]}
    problem_in(await api.post("/api/reminders", json=asked), 404, "not-found")
