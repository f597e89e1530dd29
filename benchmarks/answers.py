"""How far answers can be trusted: precision of citations, and knowing when there is no answer.

    python -m benchmarks.answers [--data FOLDER] [--questions FILE] [--model FOLDER] [--squeezed]
                                 [--words-only] [--verbose]

Takes the documents of a folder (examples/documents) in through the product's own path, asks the
questions of a JSON Lines file (benchmarks/answers.jsonl, or questions.jsonl in the folder) and
prints figures. A question is `{"question": "…", "accept": ["…"]}`: a citation is right when its
quote holds one of the accepted texts; none are accepted where the documents hold no answer. No
language model is asked.

The figures should hardly depend on the embedding model. `--model` is the folder of another one, and
`--squeezed` distorts the one there is, so that its cosines lie between 0.6 and 1 as those of bge
and e5 do.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio

from dome_mcp.app import Dome, opened
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import SqliteVectors
from dome_mcp.background import catch_up
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import DomeError
from dome_mcp.core.model import Answer
from dome_mcp.intake import ingest_path
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Question
from dome_mcp.settings import Settings
from dome_mcp.store.notes import eligible_notes
from tests.services.squeezed import SqueezedEmbedder

HERE = Path(__file__).parent
DOCUMENTS = HERE.parent / "examples" / "documents"
QUESTIONS = HERE / "answers.jsonl"
OWN_QUESTIONS = "questions.jsonl"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A question, what is accepted as its answer, and what came."""

    question: str
    accept: tuple[str, ...]
    answer: Answer
    seconds: float

    @property
    def is_answerable(self) -> bool:
        return bool(self.accept)

    @property
    def right(self) -> list[bool]:
        """For each citation, whether it is right."""
        quotes = [" ".join(citation.quote.split()) for citation in self.answer.citations]
        return [any(text in quote for text in self.accept) for quote in quotes]

    @property
    def is_as_it_should_be(self) -> bool:
        return any(self.right) if self.is_answerable else not self.answer.answered


def documents_in(folder: Path) -> list[Path]:
    files = (path for path in sorted(folder.iterdir()) if path.is_file())
    return [path for path in files if path.name != OWN_QUESTIONS]


async def take_in(dome: Dome, paths: Sequence[Path]) -> int:
    """Ingests and indexes documents, and returns how many; says which cannot be read."""
    taken = 0
    for path in paths:
        try:
            await ingest_path(dome, str(path), Labels())
            taken += 1
        except DomeError as error:
            print(f"left out: {path.name}: {error}")
    if dome.ports.embedder is not None:
        await dome.ports.embedder.warm_up()
        await catch_up(dome)
    return taken


async def outcomes(dome: Dome, lines: Sequence[str]) -> list[Outcome]:
    found: list[Outcome] = []
    for line in lines:
        asked = json.loads(line)
        start = time.perf_counter()
        given = await answer(Question(asked["question"]), dome.ports, user_id=dome.user_id)
        seconds = time.perf_counter() - start
        found.append(Outcome(asked["question"], tuple(asked.get("accept", ())), given, seconds))
    return found


def report(found: Sequence[Outcome]) -> None:
    """Prints the figures."""
    answerable = [one for one in found if one.is_answerable]
    abstained = [one for one in found if not one.answer.answered]
    rightly = sum(not one.is_answerable for one in abstained)
    citations = [right for one in found for right in one.right]
    print(f"questions            {len(found)}, {len(found) - len(answerable)} without an answer")
    print(
        f"answered rightly     {_share(sum(any(one.right) for one in answerable), len(answerable))}"
    )
    print(f"citation precision   {_share(sum(citations), len(citations))}")
    print(f"abstention precision {_share(rightly, len(abstained))}")
    print(f"abstention recall    {_share(rightly, len(found) - len(answerable))}")
    f1 = 2 * rightly / max(1, len(abstained) + len(found) - len(answerable))
    print(f"abstention F1        {f1:.3f}")
    print(f"time p50             {1000 * statistics.median(one.seconds for one in found):.0f} ms")


def explain(found: Sequence[Outcome]) -> None:
    """Prints what did not come out as it should."""
    for one in found:
        if not one.is_as_it_should_be or not all(one.right):
            print(f"\n{one.question}\n  wanted {one.accept or 'no answer'}")
            print(f"  got    {one.answer.text}")
            for passage in one.answer.passages[:2]:
                print(f"  near   {' '.join(passage.text.split())[:110]}")


async def run(arguments: argparse.Namespace, paths: Sequence[Path], lines: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(
            home=Path(home),
            timezone=ZoneInfo("UTC"),
            allowed_roots=(arguments.data,),
            embedding_model="off" if arguments.words_only else arguments.model,
        )
        async with opened(settings) as plain:
            dome = squeezed(plain) if arguments.squeezed else plain
            print(f"documents            {await take_in(dome, paths)}")
            found = await outcomes(dome, lines)
    report(found)
    if arguments.verbose:
        explain(found)


def squeezed(dome: Dome) -> Dome:
    """The application with its embedding model distorted."""
    database = dome.ports.database
    if dome.ports.embedder is None or not isinstance(database, SqliteDatabase):
        return dome
    embedder = SqueezedEmbedder(dome.ports.embedder)
    vectors = SqliteVectors(
        database,
        model=embedder.model,
        dimensions=embedder.dimensions,
        eligible=eligible_notes,
    )
    return replace(dome, ports=replace(dome.ports, embedder=embedder, vectors=vectors))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f} ({part} of {whole})" if whole else "none"


def main() -> None:
    parser = argparse.ArgumentParser(description="How far answers can be trusted.")
    parser.add_argument("--data", type=lambda text: Path(text).resolve(), default=DOCUMENTS)
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--model", help="the folder of another embedding model")
    parser.add_argument(
        "--squeezed", action="store_true", help="with the model's cosines distorted"
    )
    parser.add_argument("--words-only", action="store_true", help="without the embedding model")
    parser.add_argument("--verbose", action="store_true", help="show what went wrong")
    arguments = parser.parse_args()
    own = arguments.data / OWN_QUESTIONS
    questions = arguments.questions or (own if own.exists() else QUESTIONS)
    lines = questions.read_text("utf-8").splitlines()
    anyio.run(run, arguments, documents_in(arguments.data), lines)


if __name__ == "__main__":
    main()
