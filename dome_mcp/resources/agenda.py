"""Tasks and reminders as resources: what is open, with what the user has to be told."""

import json
from collections.abc import Mapping

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.types import Resource

from dome_mcp.app import Dome
from dome_mcp.services.reminders import ReminderQuery, list_reminders
from dome_mcp.services.tasks import TaskFilter, list_tasks
from dome_mcp.tools.agenda import reminder_result, task_result
from dome_mcp.tools.attention import attention
from dome_mcp.tools.uris import REMINDERS, TASKS

_PAGE = 100
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


async def read_tasks(dome: Dome) -> ReadResourceContents:
    """The pending tasks as JSON, shaped as list_tasks gives them."""
    zone = dome.zone
    page = await list_tasks(
        TaskFilter(), dome.ports, user_id=dome.user_id, now=dome.now(), zone=zone.key, limit=_PAGE
    )
    tasks = [task_result(view, zone=zone) for view in page.tasks]
    return await _contents(dome, {"tasks": tasks}, page.next_cursor)


async def read_reminders(dome: Dome) -> ReadResourceContents:
    """The upcoming reminders as JSON, shaped as list_reminders gives them."""
    page = await list_reminders(
        ReminderQuery("upcoming"), dome.ports, user_id=dome.user_id, now=dome.now(), limit=_PAGE
    )
    reminders = [reminder_result(view) for view in page.reminders]
    return await _contents(dome, {"reminders": reminders}, page.next_cursor)


async def _contents(
    dome: Dome, listed: Mapping[str, object], next_cursor: str | None
) -> ReadResourceContents:
    """With what the user has to be told, and the cursor for the tool that lists the rest."""
    more = {"next_cursor": next_cursor} if next_cursor else {}
    content = {**listed, **more, **(await attention(dome)).notices()}
    return ReadResourceContents(json.dumps(content, ensure_ascii=False), _JSON)
