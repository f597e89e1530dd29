"""What rag_answer does, over the API: one request, whose events tell how far the answer is."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from dome_mcp.api_client.connection import Api, given
from dome_mcp.api_client.note_calls import AMONG
from dome_mcp.api_client.refusals import misshapen, refusal_of
from dome_mcp.tools._boundary import Arguments, Call
from dome_mcp.tools.answer import Progress
from dome_mcp.tools.answers import Answered

_EVENTS = "text/event-stream"


async def rag_answer(api: Api, sent: Arguments, call: Call) -> Answered:
    """The answer, once it is whole; until then the client hears of its progress."""
    asked = {"question": sent["question"], "limit": sent["limit"], "stream": True}
    body = {**asked, **given(sent, "note_ids", "session_id", *AMONG)}
    progress = Progress(call)
    async with api.streamed("chat", body) as response:
        if not response.headers.get("content-type", "").startswith(_EVENTS):
            await response.aread()
            return api.content_of(response)
        async for name, data in _events(response):
            if name == "passages":
                await progress.found(data["passages"])
            elif name == "delta":
                await progress.says(data["text"])
            elif name == "error":
                raise refusal_of(data, response.headers)
            elif name == "answer":
                return data
    raise misshapen(api.server)


async def _events(response: httpx.Response) -> AsyncIterator[tuple[str, Any]]:
    """Each event's name and data, which is one line of JSON; comments keep the line open."""
    name = ""
    async for line in response.aiter_lines():
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)
