"""Answers of chat models in OpenAI's and in Anthropic's form, whole and as streams.

Source: https://platform.openai.com/docs/api-reference/chat and
https://docs.claude.com/en/api/messages-streaming (2026-11).
"""

import json
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx

Break = Literal["cut off", "error"]
"""How a stream may end too early: without a word, or with an error for its last event."""

PROMPT_TOKENS = 12
ANSWER_TOKENS = 3
PIECE_CHARACTERS = 3
CHUNK_BYTES = 5
"""So few that characters, lines and events are all cut somewhere."""


class InChunks(httpx.AsyncByteStream):
    """A body that arrives `CHUNK_BYTES` at a time."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self._body), CHUNK_BYTES):
            yield self._body[at : at + CHUNK_BYTES]


def openai_answer(
    text: str, *, model: str, is_streamed: bool, is_counted: bool, ends: Break | None
) -> httpx.Response:
    """`is_counted`: a stream has its counts too; an answer in one piece always has."""
    if is_streamed:
        return _streamed(_openai_events(text, ends, is_counted=is_counted))
    return httpx.Response(
        200,
        json={
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {
                "prompt_tokens": PROMPT_TOKENS,
                "completion_tokens": ANSWER_TOKENS,
                "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS,
            },
        },
    )


def anthropic_answer(
    text: str, *, model: str, is_streamed: bool, ends: Break | None
) -> httpx.Response:
    if is_streamed:
        return _streamed(_anthropic_events(text, ends))
    return httpx.Response(
        200,
        json={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "thinking", "thinking": "…"}, {"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": ANSWER_TOKENS},
        },
    )


def _openai_events(text: str, ends: Break | None, *, is_counted: bool) -> list[str]:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += ({"content": piece} for piece in _pieces(text))
    lines = [_data(_openai_event(delta, None)) for delta in deltas]
    if ends == "error":
        lines.append(_data({"errors": [{"code": 3008, "message": "aborted"}]}))
    if ends is None:
        usage = {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": ANSWER_TOKENS}
        lines.append(_data(_openai_event({}, "stop")))
        if is_counted:
            lines.append(_data({"choices": [], "usage": usage}))
        lines.append("data: [DONE]")
    return [": keep-alive", *lines]


def _openai_event(delta: dict[str, Any], finish_reason: str | None) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}


def _anthropic_events(text: str, ends: Break | None) -> list[str]:
    begun = {"input_tokens": PROMPT_TOKENS, "output_tokens": 1}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"role": "assistant", "content": [], "usage": begun}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": _thought()},
    ]
    events += (
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}
        for piece in _pieces(text)
    )
    if ends == "error":
        events.append({"type": "error", "error": {"type": "overloaded_error", "message": "busy"}})
    if ends is None:
        events += [
            {"type": "content_block_stop", "index": 0},
            {
                "type": "message_delta",
                "delta": {"stop_reason": "end_turn"},
                "usage": {"output_tokens": ANSWER_TOKENS},
            },
            {"type": "message_stop"},
        ]
    return [f"event: {event['type']}\n{_data(event)}" for event in events]


def _thought() -> dict[str, str]:
    return {"type": "thinking_delta", "thinking": "…"}


def _pieces(text: str) -> list[str]:
    return [text[at : at + PIECE_CHARACTERS] for at in range(0, len(text), PIECE_CHARACTERS)]


def _data(event: dict[str, Any]) -> str:
    # As JavaScript writes it: U+2028 and U+0085 stay as they are.
    return f"data: {json.dumps(event, ensure_ascii=False)}"


def _streamed(events: list[str]) -> httpx.Response:
    body = "".join(f"{event}\n\n" for event in events).encode()
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, stream=InChunks(body))
