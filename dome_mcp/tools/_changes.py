"""Telling clients which resources a tool has changed."""

from dome_mcp.tools._boundary import Call
from dome_mcp.tools.uris import REMINDERS, STATUS, TASKS, note_uri


async def tell_changed(call: Call, note_id: str) -> None:
    """Says that this note, and with it the list and the status, are not what they were."""
    await call.notify_resource_updated(note_uri(note_id))
    await call.notify_resource_updated(STATUS)
    await call.notify_resources_changed()


async def tell_agenda_changed(call: Call) -> None:
    """Says that tasks and reminders, which move together, are not what they were."""
    for uri in (TASKS, REMINDERS, STATUS):
        await call.notify_resource_updated(uri)
