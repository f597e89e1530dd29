"""An Obsidian vault: its notes with their links as words, and whatever else can be read in it.

A note keeps its file as its original. Its name is its title; tags come from the front matter and
from the text; aliases and links become words, so that they are found.
Source: https://help.obsidian.md/Linking+notes+and+files/Internal+links (2026-11).
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio.to_thread

from dome_mcp.app import Dome
from dome_mcp.commands.output import Progress
from dome_mcp.commands.reading import read_files, write
from dome_mcp.commands.tally import Tally
from dome_mcp.core.drafts import Labels, NoteDraft, draft_note
from dome_mcp.core.errors import DomeError
from dome_mcp.core.model import Document, Original
from dome_mcp.documents import markdown_text
from dome_mcp.documents.assembly import Source
from dome_mcp.documents.registry import SUPPORTED_EXTENSIONS
from dome_mcp.sources.files import read_file, walk

_AT_ONCE = 50
_NOTE = ".md"
_LINK = re.compile(r"(!?)\[\[([^\[\]|#]*)(#[^\[\]|]*)?(?:\|([^\[\]]*))?\]\]")
_TAG = re.compile(r"(?<!\S)#(\w[\w/-]*)")
_COMMENT = re.compile(r"%%.*?%%", re.S)
_CODE = re.compile(r"(^(`{3,}|~{3,}).*?^\2[^\n]*$|`[^`\n]*`)", re.M | re.S)
_ALIASES = re.compile(r"^aliases:[^\S\n]*(.*(?:\n[^\S\n]*- .*)*)", re.M | re.I)


async def read_vault(
    dome: Dome, vault: Path, labels: Labels, *, tally: Tally, show: Progress
) -> None:
    """Stores the vault's notes and attachments, each once; hidden folders are passed over.

    Raises:
        BackendUnavailable, QuotaExhausted: nothing more can be stored now.
    """
    files = await anyio.to_thread.run_sync(_files, dome, vault, tally)
    notes = [file for file in files if file.suffix.lower() == _NOTE]
    for start in range(0, len(notes), _AT_ONCE):
        batch = notes[start : start + _AT_ONCE]
        drafts = await anyio.to_thread.run_sync(partial(_drafts, dome, batch, labels, tally))
        await write(dome, drafts, tally=tally)
        show("reading notes", start + len(batch), len(notes))
    others = [str(file) for file in files if file.suffix.lower() != _NOTE]
    await read_files(dome, others, labels, tally=tally, show=show)


def to_markdown(text: str) -> str:
    """The note as Markdown that stands by itself: no links of Obsidian's, no comments."""
    parts = _CODE.split(text)
    # Each piece of code is followed by the mark that its pattern remembers.
    for place in range(0, len(parts), 3):
        parts[place] = _LINK.sub(_words, _COMMENT.sub("", parts[place]))
    del parts[2::3]
    return "".join(parts)


def inline_tags(text: str) -> list[str]:
    """The tags that stand in the text itself, once each; a number alone is none."""
    prose = _CODE.sub("", _COMMENT.sub("", text))
    found = (match[1].rstrip("/-") for match in _TAG.finditer(prose))
    return list(dict.fromkeys(tag for tag in found if not tag.isdigit()))


def aliases(text: str) -> list[str]:
    """The other names that the front matter gives the note."""
    head = text.split("\n---", 1)[0] if text.startswith("---") else ""
    match = _ALIASES.search(head)
    if match is None:
        return []
    first, *rest = match[1].splitlines() or [""]
    items = [*first.strip().strip("[]").split(","), *(line.strip()[2:] for line in rest)]
    return [name for item in items if (name := item.strip().strip("\"'").strip())]


def _words(match: re.Match[str]) -> str:
    """A link in words: what it is called here, and what it leads to where that is another name."""
    is_embedded, note, heading, shown = match[1], match[2].strip(), match[3] or "", match[4]
    place = heading.lstrip("#").strip()
    if place.startswith("^"):  # A paragraph, which has a number and no name.
        place = ""
    target = ": ".join(part for part in (note, place.replace("#", ": ")) if part)
    if is_embedded:
        return f"(see {target})"
    if shown and shown.strip() and shown.strip() != target:
        return f"{shown.strip()} ({target})"
    return target


def _files(dome: Dome, vault: Path, tally: Tally) -> list[Path]:
    return list(
        walk(
            [str(vault)],
            roots=dome.settings.allowed_roots,
            extensions=SUPPORTED_EXTENSIONS,
            excluded=(dome.settings.home,),
            on_skipped=lambda path, reason: tally.skip(str(path), reason),
        )
    )


def _drafts(
    dome: Dome, files: Sequence[Path], labels: Labels, tally: Tally
) -> list[tuple[str, NoteDraft]]:
    drafts: list[tuple[str, NoteDraft]] = []
    for file in files:
        try:
            drafts.append((str(file), _draft(dome, file, labels)))
        except DomeError as error:
            tally.fail(str(file), error)
    return drafts


def _draft(dome: Dome, file: Path, labels: Labels) -> NoteDraft:
    settings = dome.settings
    source = read_file(
        str(file),
        roots=settings.allowed_roots,
        max_bytes=settings.max_document_bytes,
        excluded=(settings.home,),
    )
    text = source.data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    front_matter, body = markdown_text.split_front_matter(text)
    also = aliases(text)
    words = to_markdown(body) + (f"\n\nAlso called: {', '.join(also)}.\n" if also else "")
    document = markdown_text.parse_text(words, Source(source.filename, "text/markdown", "utf-8"))
    document = replace(document, tags=front_matter.tags)
    title = labels.title or front_matter.title or file.stem
    return draft_note(
        _dated(dome, document, front_matter.created_at or source.modified_at),
        replace(labels, title=title, tags=(*labels.tags, *inline_tags(body))),
        user_id=dome.user_id,
        now=dome.now(),
        original=Original(source.data, source.filename),
        origin=source.source_uri,
    )


def _dated(dome: Dome, document: Document, date: datetime) -> Document:
    """The document with its date as an instant; one without an offset is of the user's zone."""
    if date.tzinfo is None:
        date = date.replace(tzinfo=dome.zone)
    return replace(document, created_at=date.astimezone(UTC))
