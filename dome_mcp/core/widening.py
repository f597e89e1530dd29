"""What a language model is given to read of the chunks found: each thing once, in blocks.

Chunks that follow each other in a note are one block, in the order of the note. What is quoted
and cited is still the chunk: between two of them stands white space of the note alone
(core/chunking.py), which no row of a chunk holds, so a block shows a line break there and no
quote reaches over it. Thus every quote is the note's own text, and has its chunk's page and
heading.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from dome_mcp.core.model import Passage
from dome_mcp.core.terms import terms_of

_PARAGRAPH = 2
"""Characters of white space, from which on the chunks are paragraphs apart."""


@dataclass(frozen=True, slots=True)
class Block:
    """Chunks of one note that follow each other there, at least one."""

    passages: tuple[Passage, ...]

    @property
    def pages(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(one.page for one in self.passages if one.page is not None))

    @property
    def headings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.heading for one in self.passages if one.heading))


@dataclass(frozen=True)
class _Said:
    """A passage with its words, to see whether another says the same."""

    passage: Passage

    @cached_property
    def words(self) -> str:
        return f" {' '.join(term.stem for term in terms_of(self.passage.text))} "

    @cached_property
    def subject(self) -> frozenset[str]:
        return frozenset(term.stem for term in terms_of(self.passage.title))

    def says_all_of(self, other: "_Said") -> bool:
        """Whether the other one has nothing that is not here, word for word, and is not newer.

        A newer one stays: the same old words may be the last word on something. So does one whose
        title has another subject, of which it says what is said here of this one.
        """
        is_as_new = self.passage.created_at >= other.passage.created_at
        is_there = other.words in self.words
        return is_as_new and is_there and other.subject <= {*self.subject, *self.words.split()}


def distinct(passages: Iterable[Passage]) -> list[Passage]:
    """The passages without those that say nothing new, each where the first to say it stood."""
    kept: list[_Said] = []
    for passage in passages:
        said = _Said(passage)
        if any(one.says_all_of(said) for one in kept):
            continue
        first = next((at for at, one in enumerate(kept) if said.says_all_of(one)), len(kept))
        rest = [one for one in kept[first:] if not said.says_all_of(one)]
        kept[first:] = [said, *rest]
    return [one.passage for one in kept]


def around(hits: Sequence[Passage], neighbours: Iterable[Passage]) -> list[Passage]:
    """The neighbours that say something new, those of the best hits first."""
    others = list(neighbours)
    near = [other for hit in hits for other in others if _is_next(hit, other)]
    known = set(hits)
    return [one for one in distinct([*hits, *dict.fromkeys(near)]) if one not in known]


def blocks(passages: Sequence[Passage]) -> list[Block]:
    """The passages, best first, as blocks in the order of the best passage of each."""
    rank = {passage.chunk_id: at for at, passage in enumerate(passages)}
    runs: list[list[Passage]] = []
    for passage in sorted(passages, key=lambda one: (one.note_id, one.start, one.ordinal)):
        if runs and _is_next(runs[-1][-1], passage):
            runs[-1].append(passage)
        else:
            runs.append([passage])
    runs.sort(key=lambda run: min(rank[one.chunk_id] for one in run))
    return [Block(tuple(run)) for run in runs]


def gap(first: Passage, second: Passage) -> str:
    """What to show between two chunks of a block for the white space that stands there."""
    space = second.start - first.end
    return "\n\n" if space >= _PARAGRAPH else "\n" * space


def _is_next(one: Passage, other: Passage) -> bool:
    """Whether the two stand side by side. A note that was changed meanwhile may have moved one."""
    first, second = (one, other) if one.start <= other.start else (other, one)
    is_beside = second.ordinal - first.ordinal == 1 and second.start >= first.end
    return one.note_id == other.note_id and is_beside
