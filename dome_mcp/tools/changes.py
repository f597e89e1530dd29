"""Telling the user's listeners which resources a write has changed; for every shell that writes."""

from dome_mcp.app import Dome
from dome_mcp.feed import Change
from dome_mcp.tools.uris import REMINDERS, STATUS, TASKS, note_uri


def tell_changed(dome: Dome, note_id: str) -> None:
    """Says that this note, and with it the list and the status, are not what they were."""
    dome.feed.tell(dome.user_id, Change((note_uri(note_id), STATUS), is_listing=True))


def tell_agenda_changed(dome: Dome) -> None:
    """Says that tasks and reminders, which move together, are not what they were."""
    dome.feed.tell(dome.user_id, Change((TASKS, REMINDERS, STATUS)))
