"""How far answers can be trusted: what they cite, what they miss, and knowing when there is none.

    python -m benchmarks.answers [--data FOLDER] [--questions FILE] [--locomo FOLDER] [--sample N]
                                 [--generated [--llm-url URL --llm-model NAME]]
                                 [--model NAME] [--squeezed] [--words-only] [--verbose]

Takes the documents of a folder (examples/documents) in through the product's own path, asks the
questions of a JSON Lines file (benchmarks/answers.jsonl, or questions.jsonl in the folder), whose
form is in `benchmarks.answer_sets`, and prints figures. With `--locomo` the notes are the turns of
dialogues instead, and what is to be cited are the turns that a question was judged by.

Recall of retrieval is the share of what was asked whose proof is in the first passage, or in the
first eight. A citation is right when its quotation proves an answer and stands where the proof
does; one under a question without an answer is wrong. `cited passage right` counts a citation whose
passage holds the proof, be it in the quotation or not. The same is counted of citing the best
passage that a search finds, which is what an answer has to be better than.

The figures should hardly depend on the embedding model. `--model` names another one, as
`DOME_EMBEDDING_MODEL` does, and `--squeezed` distorts the one there is, so that its cosines lie
between 0.6 and 1 as those of bge and e5 do. No language model is asked without `--generated`.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import anyio

from benchmarks.answer_report import explain, report
from benchmarks.answer_sets import Asked, Outcome, judged_questions, read_questions, sample
from benchmarks.retrieval import read_collection, store
from dome_mcp.app import Dome, opened
from dome_mcp.backends.embedded.sqlite import SqliteDatabase
from dome_mcp.backends.embedded.vectors import SqliteVectors
from dome_mcp.background import catch_up
from dome_mcp.core.drafts import Labels
from dome_mcp.core.errors import DomeError
from dome_mcp.core.model import NoteFilter
from dome_mcp.intake import ingest_path
from dome_mcp.services.answer import answer
from dome_mcp.services.asking import Question
from dome_mcp.services.reindexing import adopt_model
from dome_mcp.services.search import SearchRequest, search
from dome_mcp.settings import Settings, environment, load
from dome_mcp.store.notes import eligible_notes
from dome_mcp.wiring import EMBEDDED
from tests.services.squeezed import SqueezedEmbedder

HERE = Path(__file__).parent
DOCUMENTS = HERE.parent / "examples" / "documents"
QUESTIONS = HERE / "answers.jsonl"
OWN_QUESTIONS = "questions.jsonl"


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


async def prepared(arguments: argparse.Namespace, dome: Dome) -> list[Asked]:
    """Stores what is to be asked about, and returns the questions."""
    if arguments.locomo is not None:
        collection = read_collection(arguments.locomo)
        notes = await store(collection.documents, dome)
        print(f"notes                  {len(notes)}")
        return judged_questions(collection, notes)
    print(f"documents              {await take_in(dome, documents_in(arguments.data))}")
    own = arguments.data / OWN_QUESTIONS
    return read_questions(arguments.questions or (own if own.exists() else QUESTIONS))


async def outcomes(dome: Dome, questions: Sequence[Asked]) -> list[Outcome]:
    return [await _outcome(dome, asked, now=datetime.now(UTC)) for asked in questions]


async def _outcome(dome: Dome, asked: Asked, *, now: datetime) -> Outcome:
    among = NoteFilter(context=asked.context)
    request = SearchRequest(asked.question, limit=1, among=among)
    top = await search(request, dome.ports, user_id=dome.user_id)
    start = time.perf_counter()
    given = await answer(
        Question(asked.question, among=among),
        dome.ports,
        user_id=dome.user_id,
        now=now,
        stopwatch=time.perf_counter,
    )
    return Outcome(asked, given, top.passages, time.perf_counter() - start)


async def run(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as home:
        async with opened(_settings(arguments, home)) as plain:
            dome = await squeezed(plain) if arguments.squeezed else plain
            questions = sample(await prepared(arguments, dome), arguments.sample)
            quoting = replace(dome, ports=replace(dome.ports, language_model=None))
            for answering in [quoting, dome] if arguments.generated else [quoting]:
                found = await outcomes(answering, questions)
                print()
                report(found)
                if arguments.verbose:
                    explain(found)


def _settings(arguments: argparse.Namespace, home: str) -> Settings:
    """Those of the command line; of the environment only what names a language model."""
    given = {
        "home": home,
        "timezone": "UTC",
        "allowed_roots": str(arguments.data),
        "embedding_model": "off" if arguments.words_only else arguments.model or "",
        "llm_url": arguments.llm_url or "",
        "llm_model": arguments.llm_model or "",
    }
    named = {name: value for name, value in environment().items() if name.startswith("DOME_LLM_")}
    return load(named if arguments.generated else {}, overrides=given)


async def squeezed(dome: Dome) -> Dome:
    """The application with its embedding model distorted, before anything is stored."""
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
    ports = replace(dome.ports, embedder=embedder, vectors=vectors)
    await adopt_model(ports, place=EMBEDDED)
    return replace(dome, ports=ports)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="How far answers can be trusted.")
    parser.add_argument("--data", type=lambda text: Path(text).resolve(), default=DOCUMENTS)
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--locomo", type=Path, help="a collection of dialogues")
    parser.add_argument("--sample", type=int, help="ask so many of the questions, always the same")
    parser.add_argument("--generated", action="store_true", help="let a language model answer, too")
    parser.add_argument("--llm-url", help="where it is; DOME_LLM_URL")
    parser.add_argument("--llm-model", help="its name; DOME_LLM_MODEL")
    parser.add_argument("--model", help="as DOME_EMBEDDING_MODEL")
    parser.add_argument(
        "--squeezed", action="store_true", help="with the model's cosines distorted"
    )
    parser.add_argument("--words-only", action="store_true", help="without the embedding model")
    parser.add_argument("--verbose", action="store_true", help="show what went wrong")
    return parser


def main() -> None:
    parser = _parser()
    arguments = parser.parse_args()
    named = arguments.llm_url or environment().get("DOME_LLM_URL")
    if arguments.generated and not named:
        parser.error("--generated needs --llm-url and --llm-model")
    anyio.run(run, arguments)


if __name__ == "__main__":
    main()
