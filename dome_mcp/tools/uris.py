"""The addresses of the resources."""

NOTE = "dome://notes/{id}"
ORIGINAL = "dome://notes/{id}/original"
STATUS = "dome://status"
TASKS = "dome://tasks"
REMINDERS = "dome://reminders"


def note_uri(note_id: str) -> str:
    """The address of a note's text."""
    return NOTE.replace("{id}", note_id)


def note_id_of(text: str) -> str:
    """The id in a note's address; any other text as it is."""
    return text.strip().removeprefix(note_uri(""))
