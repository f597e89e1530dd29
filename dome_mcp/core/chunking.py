"""A text cut into chunks that an embedding model can read whole.

The strategy, from the strongest boundary to the weakest:

- a change of page always cuts; a change of heading cuts too, unless what stands under it is so
  small that it can join a sibling;
- within a section, paragraphs are packed in order until the next one would not fit; a paragraph
  that cannot fit by itself is cut at sentences, then lines, then words, then anywhere;
- packing starts afresh at every section, so an edit moves no boundary outside its own section,
  and within it only as far as the next place where old and new boundaries coincide.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from dome_mcp.core.model import Chunk, Section
from dome_mcp.core.sentences import sentence_spans

# What a word-piece vocabulary of mostly English does: five letters of a Latin word, two digits,
# each letter of another script, and each mark are one piece; a Hangul syllable is two (it is
# taken apart into letters), which the empty match in front of it counts.
_PIECE = re.compile(r"[A-Za-zÀ-ɏ]{1,5}|\d{1,2}|(?=[가-힣])|\S")
_BLANK_LINES = re.compile(r"\n\s*\n")
_LINE_BREAK = re.compile(r"\n")
_TINY_SHARE = 5
"""What is smaller than one part in this many of the budget is tiny."""
_HEADING_SEPARATOR = " > "


def estimate_pieces(text: str) -> int:
    """About how many word pieces a BERT tokenizer makes of the text, rather too many than few."""
    return len(_PIECE.findall(text))


def split(text: str, sections: Sequence[Section] = (), *, max_pieces: int = 200) -> list[Chunk]:
    """The text as chunks of at most `max_pieces` estimated pieces, in order.

    Chunks do not overlap, are neither blank nor surrounded by whitespace, lie within one page,
    and together hold every character that is not whitespace. A chunk that joins small sections
    carries the heading they share.
    """
    chunks: list[Chunk] = []
    for region in _joined(_regions(text, sections, max_pieces), text, max_pieces):
        for start, end in _packed(text, region, max_pieces):
            chunks.append(
                Chunk(len(chunks), start, end, text[start:end], region.page, region.heading)
            )
    return chunks


class _Region(NamedTuple):
    """A stretch of text that shares one location, and its estimated size."""

    start: int
    end: int
    pieces: int
    page: int | None
    heading: str | None


class _Unit(NamedTuple):
    """A stretch that is not cut further; `opens` where a chunk should rather begin with it."""

    start: int
    end: int
    pieces: int
    opens: bool = False


def _regions(text: str, sections: Sequence[Section], max_pieces: int) -> Iterator[_Region]:
    """The sections that are not blank, and the text between them as regions without location."""
    position = 0
    for section in (*sections, Section(len(text), len(text))):
        start, end = max(section.start, position), min(section.end, len(text))
        for unit in _unit(text, position, start, enough=max_pieces):
            yield _Region(unit.start, unit.end, unit.pieces, None, None)
        for unit in _unit(text, start, end, enough=max_pieces):
            yield _Region(unit.start, unit.end, unit.pieces, section.page, section.heading)
        position = max(position, end)


def _joined(regions: Iterable[_Region], text: str, max_pieces: int) -> Iterator[_Region]:
    """The regions, with tiny ones joined to a neighbour they share a page and a heading with."""
    group: _Region | None = None
    for region in regions:
        joined = group and _join(group, region, text, max_pieces)
        if group and not joined:
            yield group
        group = joined or region
    if group:
        yield group


def _join(first: _Region, second: _Region, text: str, max_pieces: int) -> _Region | None:
    pieces = first.pieces + second.pieces
    is_tiny = min(first.pieces, second.pieces) * _TINY_SHARE <= max_pieces
    if first.page != second.page or not is_tiny or pieces > max_pieces:
        return None
    if first.pieces * 10 <= max_pieces and "\n" not in text[first.start : first.end]:
        # A short line by itself is a title or a heading over what follows.
        heading = second.heading
        is_related = not first.heading or _shared(first.heading, heading) == first.heading
    else:
        heading = _shared(first.heading, second.heading)
        is_related = heading is not None or first.heading == second.heading
    return _Region(first.start, second.end, pieces, first.page, heading) if is_related else None


def _shared(first: str | None, second: str | None) -> str | None:
    """The path of headings that both paths begin with, None where there is none."""
    names: list[str] = []
    for one, other in zip(_path(first), _path(second), strict=False):
        if one != other:
            break
        names.append(one)
    return _HEADING_SEPARATOR.join(names) or None


def _path(heading: str | None) -> list[str]:
    return heading.split(_HEADING_SEPARATOR) if heading else []


def _packed(text: str, region: _Region, max_pieces: int) -> Iterator[tuple[int, int]]:
    if region.pieces <= max_pieces:
        yield region.start, region.end
        return
    packs: list[list[_Unit]] = []
    size = 0
    for unit in _units(text, region, max_pieces):
        is_new = unit.opens and size * _TINY_SHARE > max_pieces
        if not packs or is_new or size + unit.pieces > max_pieces:
            packs.append([])
            size = 0
        packs[-1].append(unit)
        size += unit.pieces
    if len(packs) > 1 and size * _TINY_SHARE < max_pieces:
        packs[-2:] = _balanced(text, [*packs[-2], *packs[-1]], max_pieces)
    for pack in packs:
        yield pack[0].start, pack[-1].end


def _balanced(text: str, units: Sequence[_Unit], max_pieces: int) -> list[list[_Unit]]:
    """The units as one pack if they fit, else as two of about equal size."""
    total = sum(unit.pieces for unit in units)
    if total <= max_pieces:
        return [list(units)]
    halves = _halved(units, total)
    if min(_size(half) for half in halves) * _TINY_SHARE < max_pieces:
        halves = _halved([part for unit in units for part in _sentences(text, unit)], total)
    return halves


def _halved(units: Sequence[_Unit], total: int) -> list[list[_Unit]]:
    left, best, cut = 0, total, len(units) - 1
    for index, unit in enumerate(units[:-1], start=1):
        left += unit.pieces
        if abs(total - 2 * left) < best:
            best, cut = abs(total - 2 * left), index
    return [list(units[:cut]), list(units[cut:])]


def _size(units: Sequence[_Unit]) -> int:
    return sum(unit.pieces for unit in units)


def _units(text: str, region: _Region, max_pieces: int) -> Iterator[_Unit]:
    """Paragraphs, or their sentences, lines or words where they exceed the budget."""
    for paragraph in _between(_BLANK_LINES, text, region, max_pieces):
        if paragraph.pieces <= max_pieces:
            yield paragraph
            continue
        opens = True
        for sentence in _sentences(text, paragraph):
            for unit in _fitting(text, sentence, max_pieces):
                yield unit._replace(opens=opens)
                opens = False


def _fitting(text: str, sentence: _Unit, max_pieces: int) -> Iterator[_Unit]:
    if sentence.pieces <= max_pieces:
        yield sentence
        return
    for line in _between(_LINE_BREAK, text, sentence, max_pieces):
        if line.pieces <= max_pieces:
            yield line
        else:
            yield from _cut(text, line, max_pieces)


def _between(
    separator: re.Pattern[str], text: str, span: _Region | _Unit, max_pieces: int
) -> Iterator[_Unit]:
    position = span.start
    for match in separator.finditer(text, span.start, span.end):
        yield from _unit(text, position, match.start(), enough=max_pieces)
        position = match.end()
    yield from _unit(text, position, span.end, enough=max_pieces)


def _sentences(text: str, unit: _Unit) -> Iterator[_Unit]:
    for start, end in sentence_spans(text[unit.start : unit.end]):
        yield from _unit(text, unit.start + start, unit.start + end)


def _cut(text: str, line: _Unit, max_pieces: int) -> Iterator[_Unit]:
    """Stretches of at most `max_pieces`, cut before a word where the budget allows it."""
    start = word = line.start
    count = before_word = 0
    for match in _PIECE.finditer(text, line.start, line.end):
        at = match.start()
        if text[at - 1].isspace() and at > start:
            word, before_word = at, count
        is_full = count >= (2 * max_pieces if _is_mark(text[at]) else max_pieces)
        if is_full and at > start:
            if word <= start:
                word, before_word = at, count
            yield from _unit(text, start, word)
            start, count = word, count - before_word
        count += 1
    yield from _unit(text, start, line.end)


def _is_mark(character: str) -> bool:
    """Whether it belongs to the character before it (an accent, a vowel sign, a joiner)."""
    return unicodedata.category(character)[0] == "M" or character == "\u200d"


def _unit(text: str, start: int, end: int, *, enough: int | None = None) -> Iterator[_Unit]:
    """The stretch without the whitespace around it, unless nothing is left of it.

    With `enough` its size is exact up to that, and above it only known to be more.
    """
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield _Unit(start, end, _count(text, start, end, enough))


def _count(text: str, start: int, end: int, enough: int | None) -> int:
    if enough is not None and end - start > (head := enough * 8):
        counted = len(_PIECE.findall(text, start, start + head))
        if counted > enough:
            return counted
    return len(_PIECE.findall(text, start, end))
