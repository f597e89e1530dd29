"""The JSON of notes, passages and answers, as the commands print it; the tools' names for all."""

from datetime import tzinfo

from dome_mcp.core.model import Answer, Citation, IndexState, Note, Passage, SearchResult
from dome_mcp.core.timestamps import local_iso
from dome_mcp.tools.uris import note_uri

Shape = dict[str, object]


def note_shape(note: Note, zone: tzinfo) -> Shape:
    """A note; its text only where it was read."""
    shape: Shape = {
        "note_id": note.note_id,
        "title": note.title,
        "tags": list(note.tags),
        "context": note.context,
        "source": note.source,
        "content_type": note.content_type,
        "created_at": local_iso(note.created_at, zone),
        "updated_at": local_iso(note.updated_at, zone),
        "revision": note.revision,
        "characters": note.characters,
        "chunks": note.chunks,
        "pending_chunks": note.pending,
    }
    return {**shape, "text": note.text} if note.text is not None else shape


def search_shape(result: SearchResult, zone: tzinfo) -> Shape:
    return {
        "passages": [passage_shape(passage, zone) for passage in result.passages],
        "next_offset": result.next_offset,
        "index_state": state(result.index),
    }


def passage_shape(passage: Passage, zone: tzinfo) -> Shape:
    scores = {"keyword": passage.scores.keyword, "semantic": passage.scores.semantic}
    return {
        "note_id": passage.note_id,
        "chunk_id": passage.chunk_id,
        "title": passage.title,
        "date": local_iso(passage.created_at, zone),
        "source": passage.source,
        "text": passage.text,
        "location": _location(passage),
        "tags": list(passage.tags),
        "score": passage.score,
        "scores": scores,
    }


def answer_shape(answer: Answer, zone: tzinfo) -> Shape:
    return {
        "answer": answer.text,
        "answered": answer.answered,
        "confidence": round(answer.confidence, 2),
        "citations": [_citation_shape(citation, zone) for citation in answer.citations],
        "passages": [passage_shape(passage, zone) for passage in answer.passages],
        "model": answer.model,
        "tokens": _tokens(answer),
        "milliseconds": _milliseconds(answer),
        "warnings": list(answer.warnings),
        "index_state": state(answer.index),
    }


def state(index: IndexState) -> str:
    """`ready`, or what is missing in words."""
    return index.note or "ready"


def place(part: Passage | Citation) -> str:
    """Where a passage stands, for people: `p. 3, Plan > Kitchen`; may be empty."""
    page = f"p. {part.page}" if part.page is not None else ""
    heading = part.heading if part.heading != part.title else ""
    return ", ".join(filter(None, (page, heading)))


def _citation_shape(citation: Citation, zone: tzinfo) -> Shape:
    return {
        "n": citation.n,
        "note_id": citation.note_id,
        "uri": note_uri(citation.note_id),
        "title": citation.title,
        "date": local_iso(citation.created_at, zone),
        "location": _location(citation),
        "quote": citation.quote,
    }


def _tokens(answer: Answer) -> Shape | None:
    if answer.tokens is None:
        return None
    return {"prompt": answer.tokens.prompt, "completion": answer.tokens.completion}


def _milliseconds(answer: Answer) -> Shape | None:
    if answer.timing is None:
        return None
    seconds = {"search": answer.timing.search, "answer": answer.timing.answer}
    return {name: round(1000 * each) for name, each in seconds.items()}


def _location(part: Passage | Citation) -> Shape:
    return {"page": part.page, "heading": part.heading, "start": part.start, "end": part.end}
