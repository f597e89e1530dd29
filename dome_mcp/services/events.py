"""When something was that a question counts time from: "before I moved", "after the operation".

A note is only taken to tell of the event where one sentence has all words of it and is close to it
in meaning; and where that sentence names no day, only if it is very close, for then it is the
note's own day. Otherwise no period is known, and the question is answered without one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo

from dome_mcp.core.event_words import EventWords
from dome_mcp.core.evidence import evidence_units
from dome_mcp.core.model import NoteFilter, Passage
from dome_mcp.core.period_words import days_named
from dome_mcp.core.periods import Days, Period, Unit, days_around
from dome_mcp.core.ports import Ports
from dome_mcp.core.questions import question_terms
from dome_mcp.core.support import Support, weigh
from dome_mcp.services.comparing import closeness_to_question, question_vector
from dome_mcp.services.search import SearchRequest, search

_PASSAGES = 8
_COMPARED = 8
_ALL_WORDS = 0.99
_CLOSE = 0.4
"""With all-MiniLM-L6-v2 "the operation" is 0.45 close to a sentence that says when it was, 0.2 to
one about the operation of a pump; "I moved" 0.53 to "Moved house!", 0.48 to a sofa that was."""
_VERY_CLOSE = 0.5


@dataclass(frozen=True, slots=True)
class _Telling:
    """A sentence that may tell of the event, how close it is to it, and the days it names."""

    closeness: float
    named: Days | None
    passage: Passage


async def event_period(
    event: EventWords, ports: Ports, *, user_id: str, among: NoteFilter, zone: tzinfo
) -> Period | None:
    """The time before or after an event, None where the notes do not tell for certain when it was
    or no model can compare meanings.

    It takes an embedding, a search, and the embedding of up to eight sentences.

    Raises:
        BackendError: the notes cannot be searched.
    """
    vector = await question_vector(event.event, ports.embedder)
    if vector is None:
        return None
    request = SearchRequest(event.event, limit=_PASSAGES, among=among, vector=vector)
    passages = (await search(request, ports, user_id=user_id)).passages
    supports = weigh(question_terms(event.event), evidence_units(passages))
    supports = [each for each in supports if each.framed >= _ALL_WORDS][:_COMPARED]
    closeness = await closeness_to_question(
        vector, [each.unit.in_context for each in supports], ports.embedder
    )
    if closeness is None:
        return None
    telling = [
        _telling(each, close, passages[each.unit.passage], zone)
        for each, close in zip(supports, closeness, strict=True)
    ]
    days = _when(sorted(telling, key=lambda each: -each.closeness), event, zone)
    days = days and event.period(days)
    return days and Period(days, zone)


def _telling(support: Support, closeness: float, passage: Passage, zone: tzinfo) -> _Telling:
    named = days_named(support.unit.text, passage.created_at, zone=zone)
    return _Telling(closeness, next(named, None), passage)


def _when(telling: Sequence[_Telling], event: EventWords, zone: tzinfo) -> Days | None:
    """The days of the event, told of by sentences of which the closest come first."""
    for each in telling:
        if each.named and each.closeness >= _CLOSE:
            return each.named
    if not telling or not event.is_told or telling[0].closeness < _VERY_CLOSE:
        return None
    return days_around(telling[0].passage.created_at.astimezone(zone).date(), Unit.DAY)
