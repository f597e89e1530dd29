"""Answers from the notes, whole or as they are made."""

import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from fastapi import APIRouter, Request
from pydantic import Field, StrictBool, StringConstraints
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import JSONResponse, Response

from dome_mcp.app import Dome
from dome_mcp.core.model import Passage
from dome_mcp.remote.rest.access import needs
from dome_mcp.remote.rest.problems import problem_of
from dome_mcp.remote.rest.repeating import DomeRoute
from dome_mcp.remote.rest.shapes import Among, Names, accepts
from dome_mcp.services.asking import Follower, Question
from dome_mcp.services.search import MAX_LIMIT
from dome_mcp.services.sessions import Conversed, converse
from dome_mcp.tools.answers import (
    DEFAULT_PASSAGES,
    Answered,
    answer_result,
    evidence_results,
)

router = APIRouter(route_class=DomeRoute, tags=["chat"])

EVENTS = "text/event-stream"

_PING_SECONDS = 15
_STALLED_SECONDS = 60
"""A client that does not read for so long is gone."""


class Chat(Among):
    """A question about the notes."""

    question: Annotated[
        str,
        StringConstraints(strip_whitespace=True, min_length=1),
        Field(examples=["When does the flight to Lisbon leave?"]),
    ]
    limit: Annotated[int, Field(strict=True, ge=1, le=MAX_LIMIT)] = DEFAULT_PASSAGES
    note_ids: Annotated[Names, Field(description="Only from these notes.")] = ()
    session_id: Annotated[
        str, Field(description="Of the answer that this goes on from; none begins a session.")
    ] = ""
    stream: Annotated[StrictBool, Field(description="Whether to send events.")] = False


@router.post(
    "/chat",
    response_model=Answered,
    responses={200: {"content": {EVENTS: {}}}},
)
async def chat(
    request: Request, dome: Annotated[Dome, needs("notes:read")], sent: Chat
) -> Response:
    """Answers a question from the notes, with citations, or says that they hold no answer.

    With `"stream": true`, or `Accept: text/event-stream`, events come as the answer is made:
    `passages`, then `delta` with pieces of its text, then `answer` with the whole of it, which
    alone is checked against the notes; or `error` with a problem.
    """
    among = sent.as_filter(dome.zone, note_ids=sent.note_ids)
    asked = _Asked(dome, Question(sent.question, limit=sent.limit, among=among), sent.session_id)
    if sent.stream or accepts(request, EVENTS):
        return asked.as_events()
    return JSONResponse(asked.result_of(await asked.answer()))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question, and on whose behalf it is asked."""

    dome: Dome
    question: Question
    session_id: str

    async def answer(self, follower: Follower | None = None) -> Conversed:
        dome = self.dome
        return await converse(
            self.question,
            dome.ports,
            user_id=dome.user_id,
            now=dome.now().astimezone(dome.zone),
            session_id=self.session_id,
            follower=follower,
            stopwatch=time.perf_counter,
        )

    def result_of(self, conversed: Conversed) -> Answered:
        return answer_result(conversed, self.question.text, zone=self.dome.zone)

    def as_events(self) -> Response:
        # The answer is made in the response's own task group: a client that leaves ends it, and
        # with it the language model's work.
        sender, receiver = anyio.create_memory_object_stream[ServerSentEvent]()
        return EventSourceResponse(
            _received(receiver),
            data_sender_callable=partial(self._send_events, sender),
            ping=_PING_SECONDS,
            sep="\n",
            send_timeout=_STALLED_SECONDS,
        )

    async def _send_events(self, sender: MemoryObjectSendStream[ServerSentEvent]) -> None:
        async def found(passages: Sequence[Passage]) -> None:
            shown = evidence_results(passages, self.question.text, zone=self.dome.zone)
            await sender.send(_event("passages", {"passages": shown}))

        async def says(text: str) -> None:
            await sender.send(_event("delta", {"text": text}))

        async with sender:
            try:
                answer = await self.answer(Follower(found, says))
                await sender.send(_event("answer", self.result_of(answer)))
            except Exception as error:  # noqa: BLE001  the status is sent; the stream has to say it
                await sender.send(_event("error", problem_of(error)))


async def _received(
    receiver: MemoryObjectReceiveStream[ServerSentEvent],
) -> AsyncIterator[ServerSentEvent]:
    async with receiver:
        async for event in receiver:
            yield event


def _event(name: str, data: Mapping[str, Any]) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data, ensure_ascii=False), event=name, sep="\n")
