"""A note for each line of JSON: the way in for many small texts."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import anyio.to_thread

from dome_mcp.app import Dome
from dome_mcp.commands.output import Progress
from dome_mcp.commands.reading import write
from dome_mcp.commands.tally import Tally
from dome_mcp.commands.typed import line_batches
from dome_mcp.core.drafts import Labels, NoteDraft
from dome_mcp.core.errors import DomeError, InvalidInput
from dome_mcp.core.timestamps import parse_instant
from dome_mcp.texts import draft_of_text

_FIELDS = ("text", "title", "tags", "context", "source", "created_at")


async def read_lines(
    dome: Dome, name: str, labels: Labels, *, tally: Tally, show: Progress
) -> None:
    """Stores a note for each line of a file, or of standard input for `-`.

    A line has `text` and may have `title`, `tags`, `context`, `source` and `created_at`; the
    labels' tags are added to a line's own, and their context serves where it has none.

    Raises:
        DomeError: the file cannot be opened, or nothing more can be stored now.
    """
    first = 1
    async for lines in line_batches(name):
        drafts = await anyio.to_thread.run_sync(
            partial(_drafts, dome, lines, labels, first=first, tally=tally)
        )
        await write(dome, drafts, tally=tally)
        first += len(lines)
        show("reading lines", first - 1, None)


def _drafts(
    dome: Dome, lines: Sequence[bytes], labels: Labels, *, first: int, tally: Tally
) -> list[tuple[str, NoteDraft]]:
    """The drafts of lines, for a worker thread; `first` is the number of the first line."""
    drafts: list[tuple[str, NoteDraft]] = []
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        try:
            record = _record(line)
            draft = draft_of_text(dome, str(record["text"]), _labels(dome, record, labels))
        except DomeError as error:
            tally.fail(f"line {number}", error)
        else:
            drafts.append((f"line {number}", draft))
    return drafts


def _record(line: bytes) -> Mapping[str, object]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidInput("The line is not JSON.", "Put one object on each line.") from error
    if not isinstance(record, dict) or not isinstance(record.get("text"), str):
        raise InvalidInput("The line is no object with a text.", 'Send {"text": "…"}.')
    fields = cast("dict[str, object]", record)
    if unknown := [name for name in fields if name not in _FIELDS]:
        raise InvalidInput(
            f"There is no field {unknown[0]!r}.", f"The fields are {', '.join(_FIELDS)}."
        )
    return fields


def _labels(dome: Dome, record: Mapping[str, object], labels: Labels) -> Labels:
    created_at = _optional(record, "created_at")
    return Labels(
        title=_optional(record, "title"),
        tags=(*_tags(record), *labels.tags),
        context=_optional(record, "context") or labels.context,
        source=_optional(record, "source"),
        created_at=parse_instant(created_at, dome.zone, name="created_at") if created_at else None,
    )


def _tags(record: Mapping[str, object]) -> tuple[str, ...]:
    tags = record.get("tags") or []
    if isinstance(tags, list):
        items = cast("list[object]", tags)
        if all(isinstance(item, str) for item in items):
            return tuple(cast("list[str]", items))
    raise InvalidInput("tags is no list of texts.", 'Send "tags": ["one", "two"].')


def _optional(record: Mapping[str, object], name: str) -> str | None:
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{name} is no text.", f'Send "{name}": "…", or leave it out.')
    return value
