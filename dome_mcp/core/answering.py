"""Answers in the notes' own words: which units to quote, and the answer they make.

Nothing is generated here: an extractive answer is one to four quotations, each with its citation,
or the statement that the notes do not hold an answer.
"""

import re
from collections.abc import Sequence

from dome_mcp.core.evidence import Unit, UnitKind
from dome_mcp.core.model import Answer, Citation, IndexState, Passage
from dome_mcp.core.support import Support

EXTRACTIVE = "extractive"
NOT_FOUND = "Not in your notes."
NOT_FOUND_YET = "Not found so far; part of your notes could not be searched."

_MOST_QUOTES = 4
_MARGIN = 0.03
_MARK = re.compile(r"[\[［【](\s*\d{1,4}(?:\s*[,;–-]\s*\d{1,4})*\s*)[\]］】]")


def choose(supports: Sequence[Support]) -> list[Support]:
    """The confident ones among the best unit and those about as good, at most four.

    `supports` come best first. No two of the chosen overlap, and a further one has as much of the
    question in its own words as the first. Empty where none is confident.
    """
    chosen: list[Support] = []
    for support in supports:
        if support.score < supports[0].score - _MARGIN or len(chosen) == _MOST_QUOTES:
            break
        is_new = not any(_overlap(support.unit, other.unit) for other in chosen)
        says_as_much = not chosen or support.own >= max(chosen[0].own - _MARGIN, _MARGIN)
        if is_new and says_as_much and support.is_confident:
            chosen.append(support)
    return chosen


def extractive_answer(
    chosen: Sequence[Support],
    passages: Sequence[Passage],
    *,
    index: IndexState,
    warnings: Sequence[str] = (),
) -> Answer:
    """The answer that quotes the chosen units, or says that there is none."""
    if not chosen:
        return not_found(passages, index=index, model=EXTRACTIVE, warnings=warnings)
    units = [support.unit for support in chosen]
    return Answer(
        text="\n".join(f"{_statement(unit)} [{n}]" for n, unit in enumerate(units, 1)),
        answered=True,
        citations=tuple(
            citation(n, unit, passages[unit.passage]) for n, unit in enumerate(units, 1)
        ),
        passages=tuple(passages),
        model=EXTRACTIVE,
        index=index,
        warnings=tuple(warnings),
    )


def not_found(
    passages: Sequence[Passage],
    *,
    index: IndexState,
    model: str,
    warnings: Sequence[str] = (),
) -> Answer:
    """The answer that there is none; it is not certain of it while the index is behind."""
    is_complete = index.note is None and index.pending_chunks == 0
    return Answer(
        text=NOT_FOUND if is_complete else NOT_FOUND_YET,
        answered=False,
        citations=(),
        passages=tuple(passages),
        model=model,
        index=index,
        warnings=tuple(warnings),
    )


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
