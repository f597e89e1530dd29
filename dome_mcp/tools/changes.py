"""Telling the user's listeners which resources a write has changed; for every shell that writes."""

from dome_mcp.app import Dome
from dome_mcp.feed import Change
from dome_mcp.tools.uris import REMINDERS, STATUS, TASKS, note_uri

AGENDA_CHANGE = Change((TASKS, REMINDERS, STATUS))
"""Tasks and reminders, which move together, are not what they were."""


def note_change(note_id: str) -> Change:
    """This note, and with it the list and the status, are not what they were."""
    return Change((note_uri(note_id), STATUS), is_listing=True)


def tell_changed(dome: Dome, note_id: str) -> None:
    """Says that a note is not what it was."""
    dome.feed.tell(dome.user_id, note_change(note_id))


def tell_agenda_changed(dome: Dome) -> None:
    """Says that tasks and reminders are not what they were."""
    dome.feed.tell(dome.user_id, AGENDA_CHANGE)
