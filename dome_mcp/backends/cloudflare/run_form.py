"""How a chat model is asked by `env.AI.run`, and the three forms in which one answers there.

The older models say `response`, the newer ones OpenAI's `choices`, those of OpenAI `output`. This
runs inside Workers too, so it imports the standard library alone.

Source: https://developers.cloudflare.com/workers-ai/models/ (the schema of each model, 2026-10).
"""

from dataclasses import replace
from typing import Any

from dome_mcp.backends.chat_forms import (
    COMPATIBLE_FORM,
    ChatForm,
    Delta,
    Json,
    Prompt,
    openai_counts,
)
from dome_mcp.backends.cloudflare.chat_models import WITHOUT_THINKING
from dome_mcp.core.model import Completion


def _body(prompt: Prompt) -> Json:
    """The input of a run, which names the model beside it."""
    body = COMPATIBLE_FORM.body(replace(prompt, is_counted=False))  # a run counts unasked
    del body["model"]
    return {**body, **WITHOUT_THINKING.get(prompt.model, {})}


def _completion(answer: Json) -> tuple[Completion, str | None]:
    if "choices" in answer:
        return COMPATIBLE_FORM.completion(answer)
    tokens = openai_counts(answer)
    if "output" in answer:
        return Completion(_said(answer["output"]), *tokens), answer.get("status")
    return Completion(answer["response"] or "", *tokens), None


def _said(output: list[Any]) -> str:
    """The text of the messages; what comes before them is thought."""
    messages = [each for each in output if each["type"] == "message"]
    return "".join(part["text"] for each in messages for part in each["content"])


def _delta(event: Json) -> Delta:
    if "choices" in event:
        return COMPATIBLE_FORM.delta(event)
    return Delta(event.get("response") or "", None, *openai_counts(event))


RUN_FORM = ChatForm(_body, _completion, _delta)
