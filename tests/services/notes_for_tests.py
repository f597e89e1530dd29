"""Drafts and a clock for the tests of the services."""

from datetime import UTC, datetime, timedelta

from dome_mcp.core.drafts import Labels, NoteDraft, draft_note
from dome_mcp.core.model import Document, Original, Section

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
USER = "me"


def later(minutes: int) -> datetime:
    return NOW + timedelta(minutes=minutes)


def draft(
    text: str,
    *,
    user_id: str = USER,
    now: datetime = NOW,
    origin: str | None = None,
    **labels: object,
) -> NoteDraft:
    """A note of plain text; with an origin, one that was read from a file."""
    original = Original(text.encode(), "notes.txt") if origin else None
    return draft_note(
        Document(text, "text/plain"),
        Labels(**labels),
        user_id=user_id,
        now=now,
        original=original,
        origin=origin,
    )  # fmt: skip


def long_document(sections: int) -> Document:
    """A document of so many headed sections, each one chunk long."""
    parts: list[str] = []
    spans: list[Section] = []
    at = 0
    for number in range(sections):
        part = f"Section {number}. " + f"Fact {number} about item{number}. " * 30 + "\n\n"
        spans.append(Section(at, at + len(part), page=number + 1, heading=f"Heading {number}"))
        parts.append(part)
        at += len(part)
    return Document("".join(parts), "text/plain", title="Long", sections=tuple(spans))
