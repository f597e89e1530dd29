"""The addresses of the resources."""

NOTE = "dome://notes/{id}"
ORIGINAL = "dome://notes/{id}/original"
STATUS = "dome://status"


def note_uri(note_id: str) -> str:
    """The address of a note's text."""
    return NOTE.replace("{id}", note_id)
