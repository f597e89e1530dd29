"""A note as a Markdown file: what stands between the `---` lines above its text."""

import json
import re
import unicodedata
from datetime import UTC, datetime

from dome_mcp.core.model import Note

# A YAML scalar that means itself: no quotes, colons, brackets or signs that YAML reads otherwise.
_PLAIN = re.compile(r"[^\W\d_][\w ./()+-]*(?<! )")
_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
_LONGEST_SLUG = 60


def to_markdown(note: Note, *, original: str | None) -> str:
    """The note with its labels as YAML in front; `original` is the path of its original file."""
    fields: list[tuple[str, str | int | None]] = [
        ("id", note.note_id),
        ("title", note.title),
        ("context", note.context),
        ("source", note.source),
        ("created", _instant(note.created_at)),
        ("updated", _instant(note.updated_at)),
        ("content_type", note.content_type),
        ("revision", note.revision),
        ("original", original),
    ]
    lines = [f"{name}: {_scalar(value)}" for name, value in fields if value is not None]
    if note.tags:
        lines += ["tags:", *(f"  - {_scalar(tag)}" for tag in note.tags)]
    return "\n".join(("---", *lines, "---", "", note.text or "")) + "\n"


def file_name(note: Note) -> str:
    """A name that says what the note is and that no other note has; safe on every system."""
    plain = unicodedata.normalize("NFKC", note.title).lower()
    slug = re.sub(r"[^\w]+", "-", plain).strip("-_")[:_LONGEST_SLUG].rstrip("-_")
    return f"{slug}-{note.note_id}.md" if slug else f"{note.note_id}.md"


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _scalar(value: str | int) -> str:
    if isinstance(value, int):
        return str(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    # A JSON string is a YAML one.
    return json.dumps(value, ensure_ascii=False)
