"""What bindings throw and answer, as far as it needs no Worker: errors by words, chat forms."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from dome_mcp.backends.chat_forms import Prompt, read_completion
from dome_mcp.backends.cloudflare.ai_refusals import read_thrown
from dome_mcp.backends.cloudflare.run_form import RUN_FORM
from dome_mcp.backends.cloudflare.vectorize_shapes import read_thrown_by_index
from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    InputTooLong,
    QuotaExhausted,
)
from dome_mcp.core.model import Turn

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TURNS = (Turn("user", "When?"),)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("InferenceUpstreamError: 3036: used up", QuotaExhausted),
        ("AiInternalError: you have used up your daily free allocation of neurons", QuotaExhausted),
        ("InferenceUpstreamError: 5021: too many tokens", InputTooLong),
        ("InferenceUpstreamError: 5007: No such model", BackendRejected),
        ("InferenceUpstreamError: 5006: Bad input", BackendRejected),
        ("InferenceUpstreamError: 3041: blocked", BackendRejected),
        ("InferenceUpstreamError: 10000: Authentication error", BackendRejected),
        ("InferenceUpstreamError: 3040: Capacity", BackendUnavailable),
        ("InferenceUpstreamError: 3007: Timeout", BackendUnavailable),
        ("Error: Network connection lost.", BackendUnavailable),
    ],
)
def test_what_workers_ai_throws_is_read_by_its_code(said: str, expected: type[Exception]) -> None:
    error = read_thrown(f"{said} secret", backend="embedder", operation="embed", now=NOW)
    assert type(error) is expected
    assert "secret" not in str(error)


def test_an_allowance_is_there_again_at_midnight() -> None:
    error = read_thrown("E: 3036: used up", backend="embedder", operation="embed", now=NOW)
    assert isinstance(error, QuotaExhausted)
    assert error.until == datetime(2026, 11, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "expected", "words"),
    [
        ("VECTOR_QUERY_ERROR (code = 40006): got 3 dimensions", BackendRejected, "dimensions"),
        ("VECTOR_DELETE_ERROR (code = 40007): too many ids", BackendRejected, "code = 40007"),
        ("VECTOR_UPSERT_ERROR: Status + 503", BackendUnavailable, "failed"),
    ],
)
def test_what_vectorize_throws_is_read_by_its_code(
    said: str, expected: type[Exception], words: str
) -> None:
    error = read_thrown_by_index(said, "query")
    assert type(error) is expected
    assert words in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        {"response": "Today.", "usage": {"prompt_tokens": 4, "completion_tokens": 2}},
        {
            "choices": [{"message": {"content": "Today."}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 4, "completion_tokens": 2},
        },
        {
            "output": [
                {"type": "reasoning", "content": [{"text": "Hm."}]},
                {"type": "message", "content": [{"text": "Today."}]},
            ],
            "usage": {"prompt_tokens": 4, "completion_tokens": 2},
        },
    ],
)
def test_each_form_of_an_answer_is_read(answer: dict[str, Any]) -> None:
    completion = read_completion(json.dumps(answer).encode(), RUN_FORM)
    assert (completion.text, completion.prompt_tokens, completion.completion_tokens) == (
        *("Today.", 4, 2),
    )


@pytest.mark.parametrize("answer", [{}, {"response": None}, {"output": []}, []])
def test_an_answer_without_text_is_an_error(answer: object) -> None:
    with pytest.raises(BackendProtocolError):
        read_completion(json.dumps(answer).encode(), RUN_FORM)


def test_each_form_of_a_piece_is_read() -> None:
    events = ({"response": "To"}, {"choices": [{"delta": {"content": "day."}}]}, {"usage": {}})
    assert "".join(RUN_FORM.delta(event).text for event in events) == "Today."


def test_a_model_that_would_think_first_is_told_not_to_and_none_is_named_twice() -> None:
    prompt = Prompt("@cf/zai-org/glm-4.7-flash", TURNS, 50, 0.0)
    assert RUN_FORM.body(prompt) == {
        "messages": [{"role": "user", "content": "When?"}],
        "stream": False,
        "temperature": 0.0,
        "max_tokens": 50,
        "chat_template_kwargs": {"enable_thinking": False},
    }
