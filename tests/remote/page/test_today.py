"""Today: what is due, what fired, what failed, and what is added."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Locator, Page, Route, expect

from dome_mcp.core.reminder_drafts import NewReminder
from dome_mcp.core.task_drafts import NewTask
from dome_mcp.services import reminders, tasks
from dome_mcp.services.reminders import ReminderQuery
from dome_mcp.services.tasks import TaskFilter
from tests.remote.page.conftest import Visit
from tests.remote.page.website import USER, Website

pytestmark = pytest.mark.anyio

BERLIN = ZoneInfo("Europe/Berlin")


async def add_task(
    site: Website, description: str, *, due: str | None = None, repeat: str | None = None
) -> str:
    dome = await site.dome()
    view = await tasks.create_task(
        NewTask(description, due=due, repeat=repeat),
        dome.ports,
        user_id=USER,
        now=datetime.now(UTC) - timedelta(days=2),
        zone=dome.zone.key,
    )
    return view.task.task_id


async def status_of(site: Website, description: str) -> str:
    dome = await site.dome()
    page = await tasks.list_tasks(
        TaskFilter(status="all"),
        dome.ports,
        user_id=USER,
        now=datetime.now(UTC),
        zone=dome.zone.key,
        limit=50,
        cursor=None,
    )
    (task,) = [view.task for view in page.tasks if view.task.description == description]
    return task.status


def section(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=name, exact=True)


async def test_tasks_stand_where_their_time_puts_them(visit: Visit, page: Page):
    now = datetime.now(UTC)
    await add_task(visit.site, "Late", due=(now - timedelta(days=1)).isoformat())
    await add_task(visit.site, "Soon", due=(now + timedelta(days=3)).isoformat())
    await add_task(visit.site, "Some day")
    # The user is in Berlin: for their browser both are on one day.
    tonight = now.astimezone(BERLIN).replace(hour=23, minute=59, second=59)
    await add_task(visit.site, "Tonight", due=tonight.isoformat())
    midnight = tonight + timedelta(seconds=1)
    await add_task(visit.site, "At midnight", due=midnight.isoformat())
    await visit.go("#/today")
    for name, what in {
        "Overdue": ["Late"],
        "Due today": ["Tonight"],
        "Due later": ["At midnight", "Soon"],
        "Without a date": ["Some day"],
    }.items():
        await expect(section(page, name).locator(".what")).to_have_text(what)


async def test_a_task_is_completed_and_opened_again(visit: Visit, page: Page):
    await add_task(visit.site, "Water the plants")
    await visit.go("#/today")
    await page.get_by_role("button", name="Complete: Water the plants").click()
    await expect(page.locator(".board .what")).to_have_count(0)
    assert await status_of(visit.site, "Water the plants") == "completed"
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator(".board .what")).to_have_text(["Water the plants"])
    assert await status_of(visit.site, "Water the plants") == "pending"


async def test_a_repeating_task_says_when_it_is_due_next(visit: Visit, page: Page):
    due = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await add_task(visit.site, "Water the plants", due=due, repeat="daily")
    await visit.go("#/today")
    await page.get_by_role("button", name="Complete: Water the plants").click()
    await expect(page.get_by_role("status").filter(has_text="Done. Next:")).to_be_visible()
    await expect(page.locator(".board .what")).to_have_text(["Water the plants"])


async def test_what_fired_waits_until_it_is_done(visit: Visit, page: Page):
    await visit.site.fired("Take the bread out")
    await visit.go("#/today")
    waiting = section(page, "Waiting for you")
    await expect(waiting.locator(".what")).to_have_text(["Take the bread out"])
    await page.get_by_role("button", name="Done: Take the bread out").click()
    await expect(waiting).to_have_count(0)
    await page.reload()
    await expect(page.get_by_role("heading", name="Nothing is waiting")).to_be_visible()


async def test_what_fired_is_snoozed_for_an_hour(visit: Visit, page: Page):
    reminder_id = await visit.site.fired("Take the bread out")
    await visit.go("#/today")
    before = datetime.now(UTC)
    await page.get_by_role("button", name="Snooze 1 h: Take the bread out").click()
    await expect(section(page, "Reminders to come").locator(".what")).to_have_text(
        ["Take the bread out"]
    )
    await expect(section(page, "Waiting for you")).to_have_count(0)
    dome = await visit.site.dome()
    found = await reminders.list_reminders(
        ReminderQuery("upcoming"),
        dome.ports,
        user_id=USER,
        now=before,
        limit=5,
        cursor=None,
    )
    (view,) = found.reminders
    assert view.reminder.reminder_id == reminder_id
    due = view.next_fires[0] - before
    assert timedelta(minutes=59) < due < timedelta(minutes=62)


async def test_a_delivery_that_failed_is_plain_to_see(visit: Visit, page: Page):
    await visit.site.fired("Rent is due", is_delivered=False)
    await visit.go("#/today")
    for name in ("Waiting for you", "Not delivered"):
        await expect(section(page, name)).to_contain_text("desktop failed No screen is connected.")


async def test_that_no_companion_runs_is_plain_to_see(visit: Visit, page: Page):
    dome = await visit.site.dome()
    await reminders.create_reminder(
        NewReminder(text="Call mum", at="+2h"),
        dome.ports,
        user_id=USER,
        now=datetime.now(UTC),
        zone=dome.zone.key,
    )
    await visit.go("#/today")
    await expect(page.locator(".board").get_by_role("alert")).to_contain_text("companion")


async def test_a_task_is_added_for_the_users_own_time(visit: Visit, page: Page):
    await visit.go("#/today")
    await page.get_by_label("What").fill("Send the papers")
    await page.get_by_label("When").fill("2031-03-04T09:30")
    await page.keyboard.press("Enter")
    await expect(
        page.get_by_text("Added for Tuesday 4 March 2031, 09:30 (Europe/Berlin).")
    ).to_be_visible()
    await expect(section(page, "Due later").locator(".what")).to_have_text(["Send the papers"])
    await expect(section(page, "Due later")).to_contain_text("09:30")
    await expect(page.get_by_label("What")).to_be_focused()
    await expect(page.get_by_label("What")).to_have_value("")


async def test_a_reminder_needs_a_time_and_is_given_one(visit: Visit, page: Page):
    await visit.go("#/today")
    await page.get_by_label("Kind").select_option("Reminder")
    await expect(page.get_by_label("When")).not_to_have_value("")
    await page.get_by_label("What").fill("Stretch")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(section(page, "Reminders to come").locator(".what")).to_have_text(["Stretch"])


async def test_what_is_sent_again_after_a_failure_is_added_once(visit: Visit, page: Page):
    visit.watch.expected = {502}

    async def lose_the_answer(route: Route) -> None:
        if route.request.method == "POST":
            await route.fetch()
            await route.fulfill(status=502, body="a proxy's page")
        else:
            await route.continue_()

    await visit.go("#/today")
    await page.route("**/api/tasks", lose_the_answer)
    await page.get_by_label("What").fill("Send the papers")
    await page.keyboard.press("Enter")
    await expect(
        page.get_by_role("alert").filter(has_text="The server answered 502.")
    ).to_be_visible()
    await expect(page.get_by_label("What")).to_have_value("Send the papers")
    await page.unroute("**/api/tasks")
    await page.keyboard.press("Enter")
    await expect(page.locator(".board .what")).to_have_text(["Send the papers"])


async def test_a_refusal_says_what_to_send_instead(visit: Visit, page: Page):
    visit.watch.expected = {422}
    await visit.go("#/today")
    await page.get_by_label("Kind").select_option("Reminder")
    await page.get_by_label("What").fill("Stretch")
    await page.get_by_label("When").evaluate("field => { field.min = ''; }")
    await page.get_by_label("When").fill("2001-03-04T09:30")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.get_by_role("alert").filter(has_text="is in the past")).to_be_visible()
