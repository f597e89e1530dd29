"""Answers in the notes' own words: which units to quote, and the answer they make.

Nothing is generated here: an extractive answer is one to six quotations, each with its citation,
and for each thing asked that they do not answer the statement that the notes do not hold it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from dome_mcp.core.contradictions import Quotes
from dome_mcp.core.evidence import Unit, UnitKind
from dome_mcp.core.model import Answer, Citation, IndexState, Passage
from dome_mcp.core.support import Support

EXTRACTIVE = "extractive"
NOT_FOUND = "Not in your notes."
NOT_FOUND_YET = "Not found so far; part of your notes could not be searched."

_ELSEWHEN = "Nothing quoted here is of the time asked about ({})."
_MOST_QUOTES = 4
_MOST_QUOTES_IN_ALL = 6
_MARGIN = 0.03
_MARK = re.compile(r"[\[［【](\s*\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*\s*)[\]］】]")


def choose(supports: Sequence[Support]) -> list[Support]:
    """The confident ones among the best unit and those about as good, at most four.

    `supports` come best first. No two of the chosen overlap, and a further one is as confident as
    the first and has as much of the question in its own words: of two that look alike the second
    is wrong more often than not. Empty where none is confident.
    """
    chosen: list[Support] = []
    for support in supports:
        if support.score < supports[0].score - _MARGIN or len(chosen) == _MOST_QUOTES:
            break
        is_new = not any(_overlap(support.unit, other.unit) for other in chosen)
        if is_new and support.is_confident and (not chosen or _says_as_much(support, chosen[0])):
            chosen.append(support)
    return chosen


def _says_as_much(further: Support, first: Support) -> bool:
    is_as_sure = further.confidence >= first.confidence
    return is_as_sure and further.own >= max(first.own - _MARGIN, _MARGIN)


@dataclass(frozen=True, slots=True)
class PartQuotes:
    """What is quoted for one of the things that a question asks, which `asked` says.

    `certainty` is that of the first quote, 0 to 1. `elsewhen` is the time it asks about in words,
    where nothing quoted is of that time.
    """

    asked: str
    quotes: Quotes
    certainty: float = 0.0
    elsewhen: str | None = None


def extractive_answer(
    parts: Sequence[PartQuotes],
    passages: Sequence[Passage],
    *,
    index: IndexState,
    warnings: Sequence[str] = (),
) -> Answer:
    """The answer that quotes what answers each part, or says that there is none.

    What answers two parts is quoted once. What is over six quotes in all is left out, of each part
    the last ones first.
    """
    if not any(part.quotes.chosen for part in parts):
        return not_found(passages, index=index, model=EXTRACTIVE, warnings=warnings)
    kept = _kept(parts)
    numbers: dict[Unit, int] = {}
    lines: list[str] = []
    missing: list[str] = []
    for part, supports in zip(parts, kept, strict=True):
        for support in supports:
            unit = support.unit
            if unit not in numbers:
                numbers[unit] = len(numbers) + 1
                lead = _older(passages[unit.passage]) if support in part.quotes.outdated else ""
                lines.append(f"{lead}{_statement(unit)} [{numbers[unit]}]")
        if part.elsewhen and supports:
            lines.append(_ELSEWHEN.format(part.elsewhen))
        if not supports:
            missing.append(_missing(part.asked, index))
    return Answer(
        text="\n".join((*lines, *missing)),
        answered=True,
        citations=tuple(citation(n, unit, passages[unit.passage]) for unit, n in numbers.items()),
        passages=tuple(passages),
        model=EXTRACTIVE,
        index=index,
        warnings=(*warnings, *missing),
        confidence=min(part.certainty for part in parts if part.quotes.chosen),
    )


def _kept(parts: Sequence[PartQuotes]) -> list[list[Support]]:
    """What each part quotes, what is outdated after what is not, at most six different ones."""
    wanted = [(*part.quotes.chosen, *part.quotes.outdated)[:_MOST_QUOTES] for part in parts]
    ranked = [one.unit for rank in zip_longest(*wanted) for one in rank if one is not None]
    kept = set(list(dict.fromkeys(ranked))[:_MOST_QUOTES_IN_ALL])
    return [[one for one in supports if one.unit in kept] for supports in wanted]


def _older(passage: Passage) -> str:
    day = passage.created_at
    return f"An older note ({day.day} {day:%B %Y}) says otherwise: "


def _missing(asked: str, index: IndexState) -> str:
    return f"{_denial(index).rstrip('.')}: {asked.strip(' ?？!')}."


def not_found(
    passages: Sequence[Passage],
    *,
    index: IndexState,
    model: str,
    warnings: Sequence[str] = (),
) -> Answer:
    """The answer that there is none; it is not certain of it while the index is behind."""
    return Answer(
        text=_denial(index),
        answered=False,
        citations=(),
        passages=tuple(passages),
        model=model,
        index=index,
        warnings=tuple(warnings),
    )


def _denial(index: IndexState) -> str:
    is_complete = index.note is None and index.pending_chunks == 0
    return NOT_FOUND if is_complete else NOT_FOUND_YET


def citation(n: int, unit: Unit, passage: Passage) -> Citation:
    """The unit as citation number `n`, its offsets counted in the note."""
    return Citation(
        n=n,
        note_id=passage.note_id,
        chunk_id=passage.chunk_id,
        title=passage.title,
        created_at=passage.created_at,
        quote=unit.text,
        start=passage.start + unit.start,
        end=passage.start + unit.end,
        page=passage.page,
        heading=passage.heading,
        source=passage.source,
    )


def index_warnings(index: IndexState) -> tuple[str, ...]:
    """What the reader of an answer should know about the state of the index."""
    return () if index.note is None else (index.note,)


def without_marks(text: str) -> str:
    """The text with `[1]` written `(1)`, so that what a note says never looks like a citation."""
    return _MARK.sub(r"(\1)", text)


def _statement(unit: Unit) -> str:
    """The unit as a line of an answer; a table row is followed by what its columns are called."""
    text = without_marks(unit.text.strip())
    if unit.kind is UnitKind.ROW and unit.header:
        return f"{text} ({without_marks(unit.header)})"
    if unit.kind is UnitKind.LIST:
        return text
    return " ".join(text.split())


def _overlap(one: Unit, other: Unit) -> bool:
    return one.passage == other.passage and one.start < other.end and other.start < one.end
