"""The two forms in which chat models are asked and answer: OpenAI's and Anthropic's.

A form turns a prompt into a request's body, an answer into a completion, and an event of a stream
into the text it adds. What a model thinks aloud is part of its text only where the model puts it
there (`<think>…</think>`); where it comes in a field of its own it is left out.

Source: https://platform.openai.com/docs/api-reference/chat and
https://docs.claude.com/en/api/messages (2026-11).
"""

import codecs
import json
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from typing import Any

from dome_mcp.core.errors import BackendProtocolError, BackendUnavailable
from dome_mcp.core.model import Completion, Turn

BACKEND = "language model"
Json = dict[str, Any]

THINKING_TOKENS = 2000
"""What a model of OpenAI's may think before its message: it counts the two as one, and one that
has used up its tokens by thinking says nothing."""

_DATA = "data:"
_DONE = "[DONE]"
_CUT_OFF_REASONS = frozenset({"length", "max_tokens"})


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is asked; `temperature` None leaves the choice to the model.

    `is_counted` False asks a streamed answer for no counts, where a server refuses to be asked.
    """

    model: str
    turns: Sequence[Turn]
    max_tokens: int
    temperature: float | None
    is_streamed: bool = False
    is_counted: bool = True


@dataclass(frozen=True, slots=True)
class Delta:
    """What one event of a stream adds to the message, and whether the message ends with it.

    The counts are those of the whole so far; None where the event has none.
    """

    text: str = ""
    finish_reason: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class ChatForm:
    """One of the two forms.

    `completion` gives the reason why the message ended too. It and `delta` raise LookupError,
    TypeError, AttributeError or ValueError for what is not of this form.
    """

    body: Callable[[Prompt], Json]
    completion: Callable[[Json], tuple[Completion, str | None]]
    delta: Callable[[Json], Delta]


def read_completion(content: bytes, form: ChatForm) -> Completion:
    """The message in an answer.

    Raises:
        BackendProtocolError: there is none, or no text in it.
    """
    try:
        completion, finish_reason = form.completion(json.loads(content))
        text = completion.text.strip()
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise misshapen("complete") from error
    if not text:
        raise _no_text("complete", finish_reason)
    return completion


async def read_pieces(chunks: AsyncIterable[bytes], form: ChatForm) -> AsyncGenerator[Completion]:
    """The pieces of text in a stream of server-sent events, and then the counts where it has any.

    Raises:
        BackendUnavailable: the server reports an error midway.
        BackendProtocolError: the stream ends before the message does, or has no text in it.
    """
    finish_reason: str | None = None
    has_text = False
    counted = Completion("")
    async for data in _events(chunks):
        if data == _DONE:
            finish_reason = finish_reason or _DONE
            break
        delta = _delta(data, form)
        finish_reason = delta.finish_reason or finish_reason
        counted = _counted(counted, delta)
        if delta.text:
            has_text = True
            yield Completion(delta.text)
    if finish_reason is None:
        raise BackendProtocolError(BACKEND, "stream", "The language model's answer was cut off.")
    if not has_text:
        raise _no_text("stream", finish_reason)
    if counted != Completion(""):
        yield counted


def _counted(before: Completion, delta: Delta) -> Completion:
    """The newest of each count: some servers tell the two apart, some again with every event."""
    prompt, answer = delta.prompt_tokens, delta.completion_tokens
    return Completion(
        "",
        before.prompt_tokens if prompt is None else prompt,
        before.completion_tokens if answer is None else answer,
    )


def _delta(data: str, form: ChatForm) -> Delta:
    try:
        event = json.loads(data)
        if event.get("error") or event.get("errors"):
            raise BackendUnavailable(BACKEND, "stream", "The language model broke off.")
        return form.delta(event)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise misshapen("stream") from error


async def _events(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """The data of each event, which in all of these streams is one line.

    Lines are cut here and not by httpx, which takes U+2028, U+0085 and others for line breaks: a
    server may leave them as they are inside a JSON text.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    rest = ""
    async for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        for data in _data_of(lines):
            yield data
    for data in _data_of([rest + decoder.decode(b"", final=True)]):
        yield data


def _data_of(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith(_DATA):
            yield line.removeprefix(_DATA).strip()


def _openai_body(prompt: Prompt) -> Json:
    return {**_chat_body(prompt), "max_completion_tokens": prompt.max_tokens + THINKING_TOKENS}


def _compatible_body(prompt: Prompt) -> Json:
    return {**_chat_body(prompt), "max_tokens": prompt.max_tokens}


def _chat_body(prompt: Prompt) -> Json:
    body: Json = {
        "model": prompt.model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in prompt.turns],
        "stream": prompt.is_streamed,
    }
    if prompt.is_streamed and prompt.is_counted:
        body["stream_options"] = {"include_usage": True}
    return body if prompt.temperature is None else {**body, "temperature": prompt.temperature}


def _openai_completion(answer: Json) -> tuple[Completion, str | None]:
    choice = answer["choices"][0]
    text = choice["message"].get("content") or ""
    return Completion(text, *openai_counts(answer)), choice.get("finish_reason")


def _openai_delta(event: Json) -> Delta:
    choices = event["choices"]
    if not choices:  # an event for the usage alone
        return Delta("", None, *openai_counts(event))
    text = choices[0]["delta"].get("content") or ""
    return Delta(text, choices[0].get("finish_reason"), *openai_counts(event))


def openai_counts(answer: Json) -> tuple[int | None, int | None]:
    """The tokens of the prompt and of the message, of an answer or an event."""
    usage: Mapping[str, Any] = answer.get("usage") or {}
    return usage.get("prompt_tokens"), usage.get("completion_tokens")


def _anthropic_body(prompt: Prompt) -> Json:
    system = "\n\n".join(turn.content for turn in prompt.turns if turn.role == "system")
    body: Json = {
        "model": prompt.model,
        "messages": [
            {"role": turn.role, "content": turn.content}
            for turn in prompt.turns
            if turn.role != "system"
        ],
        "max_tokens": prompt.max_tokens,
        "stream": prompt.is_streamed,
    }
    if system:
        body["system"] = system
    return body if prompt.temperature is None else {**body, "temperature": prompt.temperature}


def _anthropic_completion(answer: Json) -> tuple[Completion, str | None]:
    text = "".join(block["text"] for block in answer["content"] if block["type"] == "text")
    return Completion(text, *_anthropic_counts(answer)), answer.get("stop_reason")


def _anthropic_delta(event: Json) -> Delta:
    match event["type"]:
        case "content_block_delta" if event["delta"]["type"] == "text_delta":
            return Delta(event["delta"]["text"])
        case "message_start":
            return Delta("", None, *_anthropic_counts(event["message"]))
        case "message_delta":
            return Delta("", event["delta"].get("stop_reason"), *_anthropic_counts(event))
        case _:
            return Delta()


def _anthropic_counts(answer: Json) -> tuple[int | None, int | None]:
    usage: Mapping[str, Any] = answer.get("usage") or {}
    return usage.get("input_tokens"), usage.get("output_tokens")


OPENAI_FORM = ChatForm(_openai_body, _openai_completion, _openai_delta)
"""OpenAI's own models, the newest of which refuse the field `max_tokens`."""

COMPATIBLE_FORM = ChatForm(_compatible_body, _openai_completion, _openai_delta)
"""Everyone else's, the oldest of which know no other field."""

ANTHROPIC_FORM = ChatForm(_anthropic_body, _anthropic_completion, _anthropic_delta)


def misshapen(operation: str) -> BackendProtocolError:
    """For an answer that is none of the form."""
    return BackendProtocolError(
        BACKEND, operation, "The language model's server answered in a form it should not."
    )


def _no_text(operation: str, finish_reason: str | None) -> BackendProtocolError:
    if finish_reason in _CUT_OFF_REASONS:
        return BackendProtocolError(
            BACKEND,
            operation,
            "The language model used up its tokens before it answered.",
            "It thinks too long: allow it more tokens, or choose a model that does not think.",
        )
    return BackendProtocolError(BACKEND, operation, "The language model's answer is empty.")
