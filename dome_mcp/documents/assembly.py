"""Parts of a document, in order, put together into one clean text with locations."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Literal

from dome_mcp.core.model import Document, Section

HeadingPath = tuple[tuple[int, str], ...]
"""The headings a place stands under, outermost first, each with its level (1 to 6)."""

_LINE_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# NULs and other controls, lone surrogates and noncharacters, byte order marks, and the soft
# hyphens that would hide a word from search; zero-width spaces only where they part no words.
_NOISE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\ud800-\udfff\ufeff\ufffe\uffff]|\u200b(?!\\w)"
)
# From its first space only: a run that ends no line is not tried again from each of its spaces.
_TRAILING_SPACE = re.compile(r"(?<![^\S\n])[^\S\n]++$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_FENCED = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*\n.*?(?:^ {0,3}\1[^\n]*$|\Z)", re.M | re.S)
_LEADING_BLANK_LINES = re.compile(r"(?:[^\S\n]*+\n)+")

_MEANINGLESS_TITLE = re.compile(
    r"(?:untitled|unbenannt|sans titre|sin título|no title|title|new)?[\s_-]*"
    r"(?:document|dokument|presentation|präsentation|powerpoint presentation|workbook|slide|"
    r"book|mappe|sheet|page|scan)?[\s_-]*\d*"
    r"|(?:table of )?contents|inhalt(?:sverzeichnis)?|sommaire|índice"
    r"|microsoft (?:word|powerpoint|excel) - .*"
    r"|.*\.(?:docx?|pptx?|xlsx?|pdf|tex|dvi|indd|qxd|rtf|odt|pages|html?|txt|md)",
    re.IGNORECASE,
)
_MARKERS = re.compile(r"^[#>*\-\s]+|[*_#\s]+$")
_MAX_TITLE = 200
_MAX_TITLE_LINE = 80
_RUNNING_TEXT = re.compile(r"[.!?;:,] .*[^\W\d_]{2}|[,;:-]\Z")


@dataclass(frozen=True, slots=True)
class Source:
    """What is known of the bytes besides themselves."""

    filename: str
    content_type: str
    charset: str | None = None
    """The encoding that whoever sent the bytes declared."""


@dataclass(frozen=True, slots=True)
class Part:
    """Text that shares one location. Verbatim text keeps its blank lines and its spaces."""

    text: str
    page: int | None = None
    heading: str | None = None
    is_verbatim: bool = False


def descend(path: HeadingPath, level: int, name: str) -> HeadingPath:
    """The path after a heading of this level: what is as deep or deeper is left behind."""
    kept = tuple(step for step in path if step[0] < level)
    clean = " ".join(normalize(name).split()).replace(" > ", " › ")[:_MAX_TITLE]
    return (*kept, (level, clean)) if clean else kept


def joined(path: HeadingPath) -> str | None:
    """The path as `A > B`, None where it is empty."""
    return " > ".join(name for _, name in path) or None


def normalize(text: str, *, is_verbatim: bool = False) -> str:
    """The text in NFC with `\\n` line ends, without controls, lone surrogates or soft hyphens.

    Unless it is verbatim, at most two line ends stand in a row outside fenced code, and no line
    ends in spaces.
    """
    clean = unicodedata.normalize("NFC", _NOISE.sub("", _LINE_BREAKS.sub("\n", text)))
    if not is_verbatim:
        clean = _collapsed(clean)
    lead = _LEADING_BLANK_LINES.match(clean)
    return clean[lead.end() if lead else 0 :].rstrip()


def _collapsed(text: str) -> str:
    pieces: list[str] = []
    position = 0
    for match in _FENCED.finditer(text):
        pieces += _without_blank_lines(text[position : match.start()]), match[0]
        position = match.end()
    return "".join([*pieces, _without_blank_lines(text[position:])])


def _without_blank_lines(text: str) -> str:
    return _BLANK_LINES.sub("\n\n", _TRAILING_SPACE.sub("", text))


def assemble(
    parts: Iterable[Part],
    source: Source,
    *,
    title: str | None = None,
    created_at: datetime | None = None,
    tags: tuple[str, ...] = (),
    title_from: Collection[Literal["heading", "line"]] = ("heading", "line"),
) -> Document:
    """The document of these parts, a blank line between each two.

    The title is the one given unless a program made it up, else what `title_from` allows: the
    first heading, the first line where it is short; else the file's name without its extension.
    """
    texts: list[str] = []
    sections: list[Section] = []
    position = 0
    for part in parts:
        text = normalize(part.text, is_verbatim=part.is_verbatim)
        if not text:
            continue
        end = position + len(text)
        last = sections[-1] if sections else None
        if last and (last.page, last.heading) == (part.page, part.heading):
            sections[-1] = Section(last.start, end, last.page, last.heading)
        else:
            sections.append(Section(position, end, part.page, part.heading))
        texts.append(text)
        position = end + len("\n\n")
    text = "\n\n".join(texts)
    return Document(
        text=text,
        content_type=source.content_type,
        title=_meaningful(title)
        or ("heading" in title_from and _first_heading(sections))
        or ("line" in title_from and _short_line(text))
        or PurePath(source.filename).stem
        or None,
        created_at=created_at,
        sections=tuple(sections),
        tags=tags,
    )


def _meaningful(title: str | None) -> str | None:
    """The title on one line; None where a program made it up."""
    clean = " ".join(normalize((title or "")[: 2 * _MAX_TITLE]).split())
    return None if _MEANINGLESS_TITLE.fullmatch(clean) else clean[:_MAX_TITLE]


def _first_heading(sections: Sequence[Section]) -> str | None:
    heading = next((section.heading for section in sections if section.heading), None)
    return heading.split(" > ")[0] if heading else None


def _short_line(text: str) -> str | None:
    """The first line, unless it is the beginning of running text."""
    line = text[: 2 * _MAX_TITLE_LINE].split("\n", 1)[0]
    line = _MARKERS.sub("", line)
    is_name = len(line) <= _MAX_TITLE_LINE and any(map(str.isalpha, line))
    is_name = is_name and not _MEANINGLESS_TITLE.fullmatch(line)
    return line if is_name and not _RUNNING_TEXT.search(line) else None
