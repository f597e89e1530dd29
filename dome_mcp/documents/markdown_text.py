"""Markdown as text: headings become locations, front matter becomes title, date and tags."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from dome_mcp.core.model import Document
from dome_mcp.documents.assembly import HeadingPath, Part, Source, assemble, descend, joined
from dome_mcp.documents.dates import parse_date

_FRONT_MATTER = re.compile(r"\A---[^\S\n]*\n(.*?)^(?:---|\.\.\.)[^\S\n]*(?:\n|\Z)", re.M | re.S)
_FIELD = re.compile(r"(?P<name>[A-Za-z][\w-]*)\s*:\s*(?P<value>.*)")
_DATE_FIELDS = ("date", "created", "created_at", "published")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ATX = re.compile(r" {0,3}(#{1,6})(?:[^\S\n]+(.*))?")
_CLOSING_MARKS = re.compile(r"(?:\A|\s)#+\Z")
_MAX_HEADING = 500
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[^\S\n]*")
_LINK = re.compile(r"!?\[([^\[\]]*)\]\([^()]*\)")
_EMPHASIS = re.compile(r"(\*\*|__|\*|`)(.+?)\1")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What the block between `---` lines at the top of a note says."""

    title: str | None = None
    created_at: datetime | None = None
    tags: tuple[str, ...] = ()


def parse_text(text: str, source: Source) -> Document:
    """The document that a text makes, whose line ends may be of any kind."""
    front_matter, body = split_front_matter(text.replace("\r\n", "\n"))
    return assemble(
        markdown_parts(body),
        source,
        title=front_matter.title,
        created_at=front_matter.created_at,
        tags=front_matter.tags,
    )


def split_front_matter(text: str) -> tuple[FrontMatter, str]:
    """The front matter and the text behind it; the whole text where there is none."""
    match = _FRONT_MATTER.match(text.lstrip("\ufeff"))
    if match is None:
        return FrontMatter(), text
    fields = _fields(match[1])
    if not fields:
        return FrontMatter(), text
    dates = (parse_date(fields[name][0]) for name in _DATE_FIELDS if fields.get(name))
    found = FrontMatter(
        title=next(iter(fields.get("title", [])), None),
        created_at=next((date for date in dates if date), None),
        tags=tuple(tag.strip() for value in fields.get("tags", ()) for tag in value.split(",")),
    )
    return found, text.lstrip("\ufeff")[match.end() :]


def _fields(block: str) -> dict[str, list[str]]:
    """The fields of a flat YAML mapping; a list in either of its forms becomes several values."""
    fields: dict[str, list[str]] = {}
    name = ""
    for line in block.splitlines():
        match = _FIELD.fullmatch(line)
        if match:
            name = match["name"].lower()
            value = match["value"].strip()
            is_list = value.startswith("[") and value.endswith("]")
            values = value[1:-1].split(",") if is_list else [value]
            fields[name] = [clean for value in values if (clean := _unquoted(value))]
        elif name and line.lstrip().startswith("- "):
            fields[name].append(_unquoted(line.lstrip()[2:]))
    return fields


def _unquoted(value: str) -> str:
    return value.strip().strip("\"'").strip()


def markdown_parts(text: str, *, page: int | None = None, path: HeadingPath = ()) -> Iterator[Part]:
    """The text cut before each heading, every part with its path of headings under `path`."""
    for start, end, inner in _stretches(text, path):
        yield Part(text[start:end], page, joined(inner))


def _stretches(text: str, path: HeadingPath) -> Iterator[tuple[int, int, HeadingPath]]:
    base = max((level for level, _ in path), default=0)
    start = position = previous = 0
    fence = ""
    paragraph = ""
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\n")
        fence, is_code = _fenced(fence, bare)
        heading = None if is_code else _heading(bare, paragraph)
        if heading:
            level, name, is_setext = heading
            cut = previous if is_setext else position
            if cut > start:
                yield start, cut, path
            start = cut
            path = descend(path, base + level, _plain(name))
        # Only a paragraph of one line can be underlined into a heading.
        paragraph = "" if heading or is_code or paragraph else bare.strip()
        previous, position = position, position + len(line)
    yield start, position, path


def _fenced(fence: str, line: str) -> tuple[str, bool]:
    """The fence open after this line, and whether the line is code."""
    match = _FENCE.match(line)
    if fence:
        closes = match is not None and match[1].startswith(fence) and not line.strip(" `~")
        return ("" if closes else fence), True
    return (match[1], True) if match else ("", False)


def _heading(line: str, paragraph: str) -> tuple[int, str, bool] | None:
    if match := _ATX.fullmatch(line):
        return len(match[1]), match[2] or "", False
    if paragraph and (match := _SETEXT.fullmatch(line)):
        return (1 if match[1].startswith("=") else 2), paragraph, True
    return None


def _plain(heading: str) -> str:
    name = _CLOSING_MARKS.sub("", heading[:_MAX_HEADING].strip())
    return _EMPHASIS.sub(r"\2", _LINK.sub(r"\1", name)).strip()
