"""What the notes have for a question: the passages, and what the question asks of them.

A simple question is one embedding and one search. Each further part of a question takes one more
of both, a period one more search, among the notes of that time, and an event that time is counted
from what `events.event_period` takes. Where the documents are said that are meant, one search finds
them and one searches among them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from itertools import chain, zip_longest

from dome_mcp.core.document_words import DocumentWords, about_documents, document_words
from dome_mcp.core.errors import InvalidInput
from dome_mcp.core.event_words import event_words
from dome_mcp.core.follow_ups import Sought, in_full, sought
from dome_mcp.core.model import NoteFilter, Passage, SearchResult
from dome_mcp.core.parts import parts_of
from dome_mcp.core.period_words import PeriodWords, is_from, period_words
from dome_mcp.core.periods import Period
from dome_mcp.core.ports import Ports, Vector
from dome_mcp.core.questions import content_terms, question_terms
from dome_mcp.core.terms import likeness, stems_of
from dome_mcp.services.asking import Question
from dome_mcp.services.comparing import question_vector
from dome_mcp.services.events import event_period
from dome_mcp.services.search import SearchRequest, search

_OTHERS = 4
"""One passage in so many may be from another time than the one asked about, if there are others:
a note need not say when it was, and a document may be of another kind than it is called."""
_WIDELY = 50
"""Passages among which those of a certain sort of document are looked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a question asks, and its vector where a model could make one.

    `text` is it as it was asked. `period` is the time it asks about ("last March"), where it names
    one: passages from it (their own date, or one that they name) stand before the others, which
    may answer all the same, but then not for that time. `core.period_words.is_from` tells them
    apart.
    """

    meant: Sought
    vector: Vector | None
    text: str = ""
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The passages found, best first, and the things that the question asks, at least one.

    With several parts the passages of each take turns, each passage once, so that all parts
    together have as many as a simple question.
    """

    parts: tuple[Part, ...]
    result: SearchResult


@dataclass(frozen=True, slots=True)
class _Asked:
    """A part of a question as it is understood, and as it is without the `words` for its period."""

    text: str
    meant: Sought
    undated: Sought
    period: Period | None
    words: str = ""


async def gather(
    question: Question, ports: Ports, *, user_id: str, now: datetime | None
) -> Gathered:
    """The passages that may hold the answer to a question, at most its limit.

    `now` carries the user's zone; without it only periods that name their year are understood.

    Raises:
        InvalidInput: an empty question, or a limit out of range.
        BackendError: the notes cannot be searched.
    """
    if not question.text.strip():
        raise InvalidInput("The question is empty.", "Send a question about the notes.")
    parts: list[Part] = []
    results: list[SearchResult] = []
    for understood in _understood(question, now):
        asked = await _counted_from_event(understood, question, ports, user_id=user_id, now=now)
        # Embedded once, to search with and to compare with: a request where the model is far away.
        vector = await question_vector(asked.meant.text, ports.embedder)
        result = await _found(asked, vector, question, ports, user_id=user_id, now=now)
        meant = _weighed(asked, result.passages)
        parts.append(Part(meant, vector, asked.text, asked.period))
        results.append(result)
    passages = _in_turns(result.passages for result in results)[: question.limit]
    index = next((each.index for each in results if each.index.note), results[0].index)
    return Gathered(tuple(parts), SearchResult(tuple(passages), index))


def _understood(question: Question, now: datetime | None) -> list[_Asked]:
    """The parts of a question, each going on from what was asked before it."""
    zone = _zone(now)
    parts = parts_of(question.text)
    earlier = [each.question for each in question.earlier]
    full = about_documents(in_full([*earlier, *parts], now, zone=zone))
    opening = period_words(question.text, now, zone=zone)
    shared = opening.period if opening and opening.start == 0 else None
    return [
        _asked(part, full[: len(earlier) + at + 1], now, shared=shared, is_further=at > 0)
        for at, part in enumerate(parts)
    ]


def _asked(
    text: str,
    full: Sequence[str],
    now: datetime | None,
    *,
    shared: Period | None,
    is_further: bool,
) -> _Asked:
    """A part with its period: its own, that of what it goes on from, or the one `shared`."""
    zone = _zone(now)
    *earlier, question = full
    words = period_words(question, now, zone=zone)
    if words is None:
        meant = sought(question, earlier, is_part=is_further)
        before = period_words(meant.goes_on_from, now, zone=zone)
        return _Asked(text, meant, meant, before.period if before else shared)
    earlier = [_undated(each, period_words(each, now, zone=zone)) for each in earlier]
    undated = sought(_undated(question, words), earlier, is_part=is_further)
    meant = Sought(question, question)
    if undated.goes_on_from:
        meant = replace(undated, text=f"{undated.text} {words.text}")
    return _Asked(text, meant, undated, words.period, words.text)


def _undated(question: str, words: PeriodWords | None) -> str:
    return words.left_out_of(question) if words else question


async def _counted_from_event(
    asked: _Asked, question: Question, ports: Ports, *, user_id: str, now: datetime | None
) -> _Asked:
    """The part with the time before or after an event as its period, where it asks for that."""
    event = event_words(asked.meant.text) if asked.period is None else None
    if event is None:
        return asked
    period = await event_period(
        event, ports, user_id=user_id, among=question.among, zone=_zone(now)
    )
    return replace(asked, period=period)


def _zone(now: datetime | None) -> tzinfo:
    return (now.tzinfo if now else None) or UTC


def _weighed(asked: _Asked, passages: Sequence[Passage]) -> Sought:
    """The question, weighed by the words for its period only where a passage has them as well:
    what was written last March says so by its date, but of two years of a table one is meant."""
    stems = {term.stem for term in content_terms(asked.words)}
    has_them = stems and any(stems <= stems_of(passage.text) for passage in passages)
    weighed = asked.meant if has_them else replace(asked.meant, asked=asked.undated.asked)
    return replace(weighed, asked=_without_document(weighed.asked, passages))


def _without_document(question: str, passages: Sequence[Passage]) -> str:
    """The question without the words for a document, if such documents have half of what it is
    about: where they know nothing of that, an answer from elsewhere is none."""
    words = document_words(question)
    if words is None:
        return question
    left = words.left_out_of(question)
    subject = question_terms(left).named or {term.stem for term in content_terms(left)}
    meant = (f"{each.title}\n{each.text}" for each in passages if words.mean(each))
    stems = frozenset(chain.from_iterable(map(stems_of, meant)))
    found = sum(likeness(stem, stems) > 0 for stem in subject)
    return left if subject and 2 * found >= len(subject) else question


async def _found(
    asked: _Asked,
    vector: Vector | None,
    question: Question,
    ports: Ports,
    *,
    user_id: str,
    now: datetime | None,
) -> SearchResult:
    request = SearchRequest(
        asked.meant.text, limit=question.limit, among=question.among, vector=vector
    )
    result = await search(request, ports, user_id=user_id)
    passages: Sequence[Passage] = result.passages
    if words := document_words(asked.undated.text):
        meant = await _meant(words, asked, request, ports, user_id=user_id)
        passages = _first(meant, passages, limit=question.limit)
    if period := asked.period:
        among = _within(question.among, period)
        dated: tuple[Passage, ...] = ()
        if asked.undated.text.strip() and _has_notes(among, now):
            request = replace(request, query=asked.undated.text, among=among)
            dated = (await search(request, ports, user_id=user_id)).passages
        passages = _preferred(passages, dated, period, limit=question.limit)
    return SearchResult(tuple(passages), result.index)


async def _meant(
    words: DocumentWords, asked: _Asked, request: SearchRequest, ports: Ports, *, user_id: str
) -> tuple[Passage, ...]:
    """The best passages of the documents that a question says it means, found without the words
    that say so: one search tells which documents these are, and one is made among them."""
    query = words.left_out_of(asked.undated.text)
    request = replace(request, query=query, limit=_WIDELY)
    found = (await search(request, ports, user_id=user_id)).passages
    notes = {passage.note_id: None for passage in found if words.mean(passage)}
    if not notes:
        return ()
    among = replace(request.among, note_ids=tuple(notes))
    found = (await search(replace(request, among=among), ports, user_id=user_id)).passages
    return tuple(passage for passage in found if words.mean(passage))


def _within(among: NoteFilter, period: Period) -> NoteFilter:
    """The notes of the filter that are of the period."""
    since = max(filter(None, (among.since, period.since)), default=None)
    until = min(filter(None, (among.until, period.until)), default=None)
    return replace(among, since=since, until=until)


def _has_notes(among: NoteFilter, now: datetime | None) -> bool:
    """False where the time is empty, or has not come."""
    is_empty = among.since and among.until and among.since >= among.until
    return not is_empty and not (among.since and now and among.since > now)


def _preferred(
    found: Sequence[Passage], dated: Sequence[Passage], period: Period, *, limit: int
) -> list[Passage]:
    """What is from the period, and then the best of the rest, for which a few places are kept."""
    of_period = [passage for passage in found if is_from(passage, period)]
    others = [passage for passage in found if passage not in of_period]
    kept = others[: limit // _OTHERS]
    first = _in_turns([of_period, dated])[: limit - len(kept)]
    return [*first, *others][:limit]


def _first(meant: Sequence[Passage], found: Sequence[Passage], *, limit: int) -> Sequence[Passage]:
    """What is of the documents meant, and of what was found besides a little; all of that where
    there are no such documents."""
    if not meant:
        return found
    others = [passage for passage in found if passage not in meant][: limit // _OTHERS]
    return [*meant[: limit - len(others)], *others]


def _in_turns(lists: Iterable[Sequence[Passage]]) -> list[Passage]:
    """The passages of all lists, from each its best, then from each its next; each once."""
    first: dict[str, Passage] = {}
    for passage in chain.from_iterable(zip_longest(*lists)):
        if passage is not None:
            first.setdefault(passage.chunk_id, passage)
    return list(first.values())
