"""Questions with what proves their answers, read from files, and what came of asking them.

A question file has a line each:

- `{"question": "…", "accept": ["…"], "file": "…", "page": 3}`: what is cited proves the answer when
  it holds one of the accepted texts and comes from that page. `file` and `page` may be missing, and
  `also` lists further places of the same form that say the same;
- `{"question": "…", "parts": [{"accept": …}, …]}` asks several things;
- `{"question": "…", "accept": []}` has no answer in the documents.

A collection of dialogues is read by `benchmarks.retrieval`: there the turns that a question is
judged by prove its answer, whatever of them is quoted.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.retrieval import Collection
from dome_mcp.core.model import Answer, Citation, Passage

_SEED = 2023


@dataclass(frozen=True, slots=True)
class Cited:
    """A stretch of a note, be it a quotation or a whole passage."""

    text: str
    note_id: str
    source: str | None
    page: int | None

    @classmethod
    def of(cls, found: Citation | Passage) -> "Cited":
        text = found.quote if isinstance(found, Citation) else found.text
        return cls(" ".join(text.split()), found.note_id, found.source, found.page)


class Part(Protocol):
    """One thing that a question asks, and what proves its answer."""

    def is_proved_by(self, cited: Cited) -> bool: ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where an answer stands; None is anywhere."""

    file: str | None = None
    page: int | None = None

    def __str__(self) -> str:
        page = f", page {self.page}" if self.page else ""
        return f"{self.file or 'any document'}{page}"

    def has(self, cited: Cited) -> bool:
        name = Path(cited.source).name if cited.source else None
        return self.file in (None, name) and self.page in (None, cited.page)


@dataclass(frozen=True, slots=True)
class Stated:
    """Proved by any of the texts in any of the places."""

    accept: tuple[str, ...]
    places: tuple[Place, ...]

    def __str__(self) -> str:
        return f"{' | '.join(self.accept)} ({' | '.join(map(str, self.places))})"

    def is_proved_by(self, cited: Cited) -> bool:
        is_said = any(text in cited.text for text in self.accept)
        return is_said and any(place.has(cited) for place in self.places)


@dataclass(frozen=True, slots=True)
class Told:
    """Proved by whatever is quoted of a note; `text` is what it says."""

    note_id: str
    text: str

    def __str__(self) -> str:
        return self.text

    def is_proved_by(self, cited: Cited) -> bool:
        return cited.note_id == self.note_id


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and what it asks; no part where there is no answer."""

    question: str
    parts: tuple[Part, ...]
    context: str | None = None
    """The only one whose notes may answer."""

    def proved(self, found: Sequence[Citation | Passage]) -> float:
        """The share of the parts that are proved."""
        every = [Cited.of(one) for one in found]
        proved = sum(any(part.is_proved_by(one) for one in every) for part in self.parts)
        return proved / len(self.parts) if self.parts else 0.0

    def right(self, found: Sequence[Citation | Passage]) -> list[bool]:
        """For each, whether it proves any of the parts."""
        return [any(part.is_proved_by(Cited.of(one)) for part in self.parts) for one in found]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a question, after how long; `top` is the best passage that a search finds."""

    asked: Asked
    answer: Answer
    top: tuple[Passage, ...]
    seconds: float

    @property
    def right(self) -> list[bool]:
        """For each citation, whether it is right."""
        return self.asked.right(self.answer.citations)

    @property
    def right_passages(self) -> list[bool]:
        """For each citation, whether the passage that it quotes from holds what proves an answer,
        be it in the quotation or not."""
        passages = {passage.chunk_id: passage for passage in self.answer.passages}
        cited = [passages.get(one.chunk_id, one) for one in self.answer.citations]
        return self.asked.right(cited)

    @property
    def is_as_it_should_be(self) -> bool:
        if not self.asked.parts:
            return not self.answer.answered
        return all(self.right) and self.asked.proved(self.answer.citations) == 1


def read_questions(path: Path) -> list[Asked]:
    records = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [Asked(record["question"], _parts(record)) for record in records]


def _parts(record: Mapping[str, Any]) -> tuple[Part, ...]:
    parts = record.get("parts") or ([record] if record["accept"] else [])
    return tuple(Stated(tuple(part["accept"]), _places(part)) for part in parts)


def _places(part: Mapping[str, Any]) -> tuple[Place, ...]:
    places = [part, *part.get("also", ())]
    return tuple(Place(place.get("file"), place.get("page")) for place in places)


def judged_questions(collection: Collection, notes: Mapping[str, str]) -> list[Asked]:
    """The questions of a collection; `notes` has each document's note."""
    turns = {turn.name: Told(notes[turn.name], turn.text) for turn in collection.documents}
    asked: list[Asked] = []
    for query in collection.queries:
        # Documents of the same text are one note.
        proofs = dict.fromkeys(turns[name] for name in collection.relevant[query.name])
        asked.append(Asked(query.text, tuple(proofs), query.context))
    return asked


def sample(questions: Sequence[Asked], most: int | None) -> list[Asked]:
    """At most so many of them, the same ones every time."""
    if most is None or most >= len(questions):
        return list(questions)
    return random.Random(_SEED).sample(questions, most)
