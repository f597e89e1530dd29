"""Texts of other systems as notes: their metadata becomes title, source, tags and date."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import cast

import anyio.to_thread

from dome_mcp.app import Dome
from dome_mcp.commands.output import Progress
from dome_mcp.commands.reading import write
from dome_mcp.commands.tally import Tally
from dome_mcp.core.drafts import MAX_SOURCE, MAX_TAGS, MAX_TITLE, Labels, NoteDraft
from dome_mcp.core.errors import DomeError
from dome_mcp.core.timestamps import parse_instant
from dome_mcp.texts import draft_of_text

_AT_ONCE = 100
_TITLES = ("title", "name")
_SOURCES = ("source", "url", "uri", "file_path", "path", "file_name", "filename")
_DATES = ("created_at", "date", "created", "timestamp", "creation_date")


@dataclass(frozen=True, slots=True)
class Foreign:
    """A text of another system; `place` says where it stood, `metadata` is what came with it."""

    place: str
    text: str
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])


async def store_records(
    dome: Dome,
    records: Iterable[Foreign | tuple[str, DomeError]],
    labels: Labels,
    *,
    tally: Tally,
    show: Progress,
) -> None:
    """Stores a note for each text; a pair is a place that could not be read, and why.

    Raises:
        BackendUnavailable, QuotaExhausted: nothing more can be stored now.
        InvalidInput: what the records come from cannot be read at all.
    """
    batches = _batches(records)
    done = 0
    while batch := await anyio.to_thread.run_sync(next, batches, None):
        drafts = await anyio.to_thread.run_sync(partial(_drafts, dome, batch, labels, tally))
        await write(dome, drafts, tally=tally)
        done += len(batch)
        show("reading records", done, None)


def _batches(
    records: Iterable[Foreign | tuple[str, DomeError]],
) -> Iterator[list[Foreign | tuple[str, DomeError]]]:
    iterator = iter(records)
    while batch := list(islice(iterator, _AT_ONCE)):
        yield batch


def _drafts(
    dome: Dome, batch: Iterable[Foreign | tuple[str, DomeError]], labels: Labels, tally: Tally
) -> list[tuple[str, NoteDraft]]:
    drafts: list[tuple[str, NoteDraft]] = []
    for record in batch:
        if isinstance(record, tuple):
            tally.fail(*record)
            continue
        try:
            draft = draft_of_text(dome, record.text, _labels(dome, record.metadata, labels))
        except DomeError as error:
            tally.fail(record.place, error)
        else:
            drafts.append((record.place, draft))
    return drafts


def _labels(dome: Dome, metadata: Mapping[str, object], labels: Labels) -> Labels:
    title, source = _first(metadata, _TITLES), _first(metadata, _SOURCES)
    return Labels(
        title=title[:MAX_TITLE] if title else None,
        tags=(*_tags(metadata.get("tags")), *labels.tags)[:MAX_TAGS],
        context=labels.context,
        source=source if source and len(source) <= MAX_SOURCE else None,
        created_at=_date(dome, metadata),
    )


def _first(metadata: Mapping[str, object], names: Iterable[str]) -> str | None:
    for name in names:
        value = metadata.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _tags(value: object) -> list[str]:
    """Tags as a list, as JSON of one, as an array of PostgreSQL, or with commas between."""
    if isinstance(value, str):
        text = value.strip()
        try:
            value = json.loads(text) if text.startswith("[") else text.strip("{}").split(",")
        except ValueError:
            return []
    if not isinstance(value, list):
        return []
    items = [str(item).strip().strip('"') for item in cast("list[object]", value)]
    return [item for item in items if item]


def _date(dome: Dome, metadata: Mapping[str, object]) -> datetime | None:
    """The first date that can be read; a text is worth having without one."""
    for name in _DATES:
        value = metadata.get(name)
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return datetime.fromtimestamp(value, UTC)
            if isinstance(value, str) and value.strip():
                return parse_instant(value.strip(), dome.zone, name=name)
        except (DomeError, OverflowError, ValueError, OSError):
            continue
    return None
