"""Tasks and reminders as resources: what is open, with what the user has to be told."""

from mcp.types import Resource

from dome_mcp.app import Dome
from dome_mcp.services.reminders import ReminderQuery, list_reminders
from dome_mcp.services.tasks import TaskFilter, list_tasks
from dome_mcp.tools.agenda import reminder_result, task_result
from dome_mcp.tools.agenda_results import RemindersListed, TasksListed
from dome_mcp.tools.attention import attention
from dome_mcp.tools.uris import REMINDERS, TASKS

PAGE = 100
"""How many a resource shows; its cursor is for the tool that lists the rest."""

_JSON = "application/json"

RESOURCES = (
    Resource(
        uri=TASKS,
        name="tasks",
        title="Tasks",
        description="Pending tasks, those due first in front, with their reminders.",
        mime_type=_JSON,
    ),
    Resource(
        uri=REMINDERS,
        name="reminders",
        title="Reminders",
        description="Upcoming reminders, and those that fired and nobody acknowledged.",
        mime_type=_JSON,
    ),
)


async def read_tasks(dome: Dome) -> TasksListed:
    """The pending tasks, as list_tasks gives them."""
    zone = dome.zone
    page = await list_tasks(
        TaskFilter(), dome.ports, user_id=dome.user_id, now=dome.now(), zone=zone.key, limit=PAGE
    )
    tasks = [task_result(view, zone=zone) for view in page.tasks]
    listed: TasksListed = {"tasks": tasks, **(await attention(dome)).notices()}
    if page.next_cursor:
        listed["next_cursor"] = page.next_cursor
    return listed


async def read_reminders(dome: Dome) -> RemindersListed:
    """The upcoming reminders, as list_reminders gives them."""
    page = await list_reminders(
        ReminderQuery("upcoming"), dome.ports, user_id=dome.user_id, now=dome.now(), limit=PAGE
    )
    reminders = [reminder_result(view) for view in page.reminders]
    listed: RemindersListed = {"reminders": reminders, **(await attention(dome)).notices()}
    if page.next_cursor:
        listed["next_cursor"] = page.next_cursor
    return listed
