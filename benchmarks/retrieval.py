"""How good search is: nDCG@10 and recall@10 of each mode on collections with judged queries.

    python benchmarks/retrieval.py --data PATH [--only NAME ...] [--model NAME]

PATH holds a folder per collection with `corpus.jsonl` ({id, text, title?, ts?}), `queries.jsonl`
({id, text}) and `qrels.tsv` (query, document, grade). Cranfield, CISI and LoCoMo come in this
form easily; none is distributed here. An id like `conv-26:D1:3` belongs to the conversation
before the first colon, which becomes the note's context, and its queries search there only.

Each collection is stored through the services into a data folder of its own, indexed with the
default model or the one named (as `DOME_EMBEDDING_MODEL`), and searched as a client would.
A query's score is that of its notes, each at the place of its best passage.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean, median
from typing import get_args
from zoneinfo import ZoneInfo

import anyio

from dome_mcp.app import Dome, opened
from dome_mcp.core.drafts import Labels, NoteDraft, draft_note
from dome_mcp.core.model import Document, NoteFilter, SearchMode
from dome_mcp.services.indexing import index_step
from dome_mcp.services.ingest import ingest_many
from dome_mcp.services.search import MAX_LIMIT, SearchRequest, search
from dome_mcp.settings import Settings

DEPTH = 10
BATCH = 100


@dataclass(frozen=True, slots=True)
class Item:
    """A document or a query of a collection."""

    name: str
    text: str
    title: str | None = None
    created_at: datetime | None = None

    @property
    def context(self) -> str | None:
        return self.name.partition(":")[0] if ":" in self.name else None


@dataclass(frozen=True, slots=True)
class Collection:
    """`relevant` holds the grades by query and document; queries without any are left out."""

    documents: Sequence[Item]
    queries: Sequence[Item]
    relevant: Mapping[str, Mapping[str, int]]


def read_collection(folder: Path) -> Collection:
    relevant: dict[str, dict[str, int]] = {}
    for line in (folder / "qrels.tsv").read_text().splitlines():
        query, document, grade = line.split("\t")
        if int(grade) > 0:
            relevant.setdefault(query, {})[document] = int(grade)
    queries = [item for item in _items(folder / "queries.jsonl") if item.name in relevant]
    return Collection(_items(folder / "corpus.jsonl"), queries, relevant)


def ndcg(grades: Sequence[int], best: Sequence[int]) -> float:
    """Normalised discounted cumulative gain: `grades` as ranked, `best` all that there are."""
    return _gain(grades[:DEPTH]) / _gain(sorted(best, reverse=True)[:DEPTH])


def recall(grades: Sequence[int], best: Sequence[int]) -> float:
    """The share of all relevant documents that is among the first ten."""
    return sum(grade > 0 for grade in grades[:DEPTH]) / len(best)


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(place + 2) for place, grade in enumerate(grades))


def _items(path: Path) -> list[Item]:
    items: list[Item] = []
    for line in path.read_text().splitlines():
        record = json.loads(line)
        at = record.get("ts")
        created_at = datetime.fromisoformat(at).replace(tzinfo=UTC) if at else None
        items.append(Item(record["id"], record["text"], record.get("title"), created_at))
    return items


async def store(documents: Sequence[Item], dome: Dome) -> dict[str, str]:
    """Stores and indexes the documents; the note id of each, by the document's name."""
    notes: dict[str, str] = {}
    now = dome.now()
    for start in range(0, len(documents), BATCH):
        batch = documents[start : start + BATCH]
        now += timedelta(seconds=1)
        drafts = [_draft(item, user_id=dome.user_id, now=now) for item in batch]
        results = await ingest_many(drafts, dome.ports, user_id=dome.user_id, now=now)
        notes |= {item.name: done.note.note_id for item, done in zip(batch, results, strict=True)}
    left = 1
    while left:
        step = await index_step(
            dome.ports, user_id=dome.user_id, holder=dome.holder, now=dome.now()
        )
        left = step.left
    return notes


def _draft(item: Item, *, user_id: str, now: datetime) -> NoteDraft:
    labels = Labels(title=item.title, context=item.context, created_at=item.created_at)
    return draft_note(Document(item.text, "text/plain"), labels, user_id=user_id, now=now)


async def ranked_notes(query: Item, dome: Dome, *, mode: SearchMode) -> list[str]:
    """The notes found, each at the place of its best passage."""
    request = SearchRequest(
        query.text, limit=MAX_LIMIT, mode=mode, among=NoteFilter(context=query.context)
    )
    result = await search(request, dome.ports, user_id=dome.user_id)
    return list(dict.fromkeys(passage.note_id for passage in result.passages))


async def measure(name: str, collection: Collection, model: str | None) -> None:
    """Prints one collection's figures, a line per mode."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home), timezone=ZoneInfo("UTC"), embedding_model=model)
        async with opened(settings) as dome:
            start = time.perf_counter()
            notes = await store(collection.documents, dome)
            seconds = time.perf_counter() - start
            print(f"\n{name}: {len(notes)} notes stored and indexed in {seconds:.0f} s")
            print("mode       nDCG@10  recall@10  p50 ms")
            for mode in get_args(SearchMode):
                await _measure_mode(collection, dome, notes=notes, mode=mode)


async def _measure_mode(
    collection: Collection, dome: Dome, *, notes: Mapping[str, str], mode: SearchMode
) -> None:
    gains: list[float] = []
    recalls: list[float] = []
    times: list[float] = []
    for query in collection.queries:
        # Documents of the same text are one note.
        judged = {
            notes[document]: grade for document, grade in collection.relevant[query.name].items()
        }
        start = time.perf_counter()
        ranked = await ranked_notes(query, dome, mode=mode)
        times.append((time.perf_counter() - start) * 1000)
        grades = [judged.get(note_id, 0) for note_id in ranked]
        gains.append(ndcg(grades, list(judged.values())))
        recalls.append(recall(grades, list(judged.values())))
    print(f"{mode:<10} {fmean(gains):7.4f} {fmean(recalls):10.4f} {median(times):7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of collections")
    parser.add_argument("--only", nargs="+", help="names of collections, all by default")
    parser.add_argument("--model", help="as DOME_EMBEDDING_MODEL; the carried one by default")
    arguments = parser.parse_args()
    for folder in sorted(path.parent for path in arguments.data.glob("*/qrels.tsv")):
        if not arguments.only or folder.name in arguments.only:
            anyio.run(measure, folder.name, read_collection(folder), arguments.model)


if __name__ == "__main__":
    main()
