"""Tasks over REST: added, listed, changed under a condition, completed."""

from collections.abc import AsyncIterator

import pytest

from tests.agenda_serving import AgendaServing
from tests.remote.rest.conftest import Api, api_over, problem_in

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(agenda: AgendaServing) -> AsyncIterator[Api]:
    """The owner's client, on Monday 2 March 2026 at nine, in Berlin."""
    async with api_over(agenda.served.door) as client:
        yield client


async def add(api: Api, description: str = "File the taxes", **more: object) -> dict:
    response = await api.post("/api/tasks", json={"description": description, **more})
    assert response.status_code == 201, response.text
    return response.json()["task"]


async def test_a_new_task_is_at_its_location_and_says_when_it_is_due_and_reminds(api: Api):
    asked = {"description": "File the taxes", "due": "2026-03-05T18:00", "remind": ["-1h"]}
    response = await api.post("/api/tasks", json=asked)
    task = response.json()["task"]
    assert response.status_code == 201
    assert task["due_local"] == "2026-03-05T18:00:00+01:00"
    assert task["timezone"] == "Europe/Berlin"
    (reminder,) = task["reminders"]
    assert reminder["next_fires"] == ["2026-03-05T17:00:00+01:00"]
    read = await api.get(response.headers["location"])
    assert read.json()["task"] == task
    assert read.headers["etag"] == response.headers["etag"] == '"1"'


async def test_times_without_an_offset_are_in_the_callers_own_zone(agenda: AgendaServing):
    async with api_over(agenda.served.door) as client:
        ann = client.as_("ann", "tasks:read", "tasks:write", zone="Asia/Tokyo")
        task = await add(ann, due="2026-03-05T18:00")
    assert task["due"] == "2026-03-05T18:00:00+09:00"


async def test_the_listing_takes_every_filter_and_goes_on_by_cursor(api: Api):
    await add(api, "late", due="2026-03-01", tags=["home"])
    for day in (3, 4, 5):
        await add(api, f"day {day}", due=f"2026-03-0{day}", tags=["home", "garden"])
    await add(api, "untagged", due="2026-03-03")
    wanted = {"tags": ["home", "garden"], "due_before": "2026-03-04", "limit": 1}
    first = (await api.get("/api/tasks", params=wanted)).json()
    following = {**wanted, "cursor": first["next_cursor"]}
    second = (await api.get("/api/tasks", params=following)).json()
    found = [task["description"] for page in (first, second) for task in page["tasks"]]
    assert found == ["day 3", "day 4"]
    assert "next_cursor" not in second
    overdue = (await api.get("/api/tasks", params={"overdue": True})).json()
    assert [task["description"] for task in overdue["tasks"]] == ["late"]


async def test_null_takes_the_due_time_away_and_what_is_not_sent_stays(api: Api):
    task = await add(api, due="2026-03-05", tags=["home"], repeat="weekly")
    edit = {"due": None, "repeat": None}
    changed = await api.patch(f"/api/tasks/{task['task_id']}", json=edit)
    after = changed.json()["task"]
    assert "due" not in after
    assert "repeat" not in after
    assert (after["description"], after["tags"]) == ("File the taxes", ["home"])


async def test_a_change_of_nothing_says_what_to_send(api: Api):
    task = await add(api)
    for edit in ({}, {"description": None}):
        refused = await api.patch(f"/api/tasks/{task['task_id']}", json=edit)
        assert "Send status" in str(problem_in(refused, 422, "invalid-input")["hint"])


async def test_a_change_of_a_stale_revision_is_refused_and_changes_nothing(api: Api):
    task = await add(api)
    path = f"/api/tasks/{task['task_id']}"
    first = await api.patch(path, json={"tags": ["a"]}, headers={"If-Match": '"1"'})
    assert first.headers["etag"] == '"2"'
    stale = await api.patch(path, json={"tags": ["b"]}, headers={"If-Match": '"1"'})
    problem_in(stale, 412, "stale-revision")
    assert (await api.get(path)).json()["task"]["tags"] == ["a"]


async def test_a_task_is_cancelled_and_reopened(api: Api):
    task = await add(api, due="+2d", remind=["-1h"])
    path = f"/api/tasks/{task['task_id']}"
    cancelled = (await api.patch(path, json={"status": "cancelled"})).json()["task"]
    assert cancelled["reminders"][0]["next_fires"] == []
    reopened = (await api.patch(path, json={"status": "pending"})).json()["task"]
    assert reopened["reminders"][0]["next_fires"] == task["reminders"][0]["next_fires"]


async def test_completing_stops_the_reminders_and_moves_a_repeating_task(api: Api):
    once = await add(api, due="+1d", remind=["-1h"])
    done = (await api.post(f"/api/tasks/{once['task_id']}/complete")).json()["task"]
    assert done["status"] == "completed"
    assert done["reminders"][0]["next_fires"] == []
    weekly = await add(api, "Water the plants", due="2026-03-03T09:00", repeat="weekly")
    moved = (await api.post(f"/api/tasks/{weekly['task_id']}/complete")).json()["task"]
    assert moved["status"] == "pending"
    assert moved["due_local"] == "2026-03-10T09:00:00+01:00"


async def test_a_repeated_request_adds_one_task(api: Api, agenda: AgendaServing):
    asked = {"description": "Once", "due": "+1h", "remind": ["-10m"]}
    key = {"Idempotency-Key": "b2b0"}
    first = await api.post("/api/tasks", json=asked, headers=key)
    agenda.clock.advance(minutes=5)
    second = await api.post("/api/tasks", json=asked, headers=key)
    assert second.json() == first.json()
    listed = (await api.get("/api/tasks")).json()["tasks"]
    assert [task["task_id"] for task in listed] == [first.json()["task"]["task_id"]]


async def test_linking_a_note_takes_the_scope_to_read_notes(api: Api):
    ann = api.as_("ann", "tasks:read", "tasks:write")
    asked = {"description": "Read it", "note_ids": ["01M86H6SY5XZP6022GFJ3XV4NQ"]}
    problem_in(await ann.post("/api/tasks", json=asked), 403, "insufficient-scope")
    task = await add(ann)
    edit = {"note_ids": asked["note_ids"]}
    refused = await ann.patch(f"/api/tasks/{task['task_id']}", json=edit)
    problem_in(refused, 403, "insufficient-scope")


async def test_a_write_tells_the_users_listeners_and_nobody_elses(api: Api, agenda: AgendaServing):
    await add(api)
    told: list[str] = []
    agenda.served.door.feed.listen("me", lambda change: told.extend(change.uris))
    agenda.served.door.feed.listen("ann", lambda _: told.append("another user"))
    await add(api, "Another")
    assert set(told) == {"dome://tasks", "dome://reminders", "dome://status"}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"description": ""}, 422),
        ({"description": " "}, 422),
        ({"description": "x", "due": "someday"}, 422),
        ({"description": "x", "timezone": "Mars/Olympus"}, 422),
        ({"description": "x", "repeat": "now and then"}, 422),
        ({"description": "x", "colour": "red"}, 422),
        ({"description": "x", "remind": "an hour before"}, 422),
    ],
)
async def test_a_task_that_cannot_work_is_refused_and_not_stored(
    api: Api, asked: dict, status: int
):
    refused = await api.post("/api/tasks", json=asked)
    assert refused.status_code == status, refused.text
    assert (await api.get("/api/tasks", params={"status": "all"})).json() == {"tasks": []}
