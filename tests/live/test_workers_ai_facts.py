"""What DOME takes for granted of Workers AI: the budget, the dimensions, the limits, the forms.

Source: https://developers.cloudflare.com/workers-ai/models/ (the schema of each model) and
https://developers.cloudflare.com/fundamentals/api/reference/limits/ (2026-11).
"""

import pytest

from dome_mcp.backends.cloudflare.embedding_models import EMBEDDING_MODELS
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.markdown import CONVERTIBLE, MAX_BYTES, to_markdown
from dome_mcp.backends.cloudflare.workers_ai_chat import DEFAULT_MODEL
from tests.live.account import PlainCalls
from tests.live.marks import LIVE

pytestmark = LIVE

SMALL = "/ai/run/@cf/baai/bge-small-en-v1.5"
QUESTION = [{"role": "user", "content": "Answer with the word yes."}]
NO_THOUGHT = {"chat_template_kwargs": {"enable_thinking": False}}


async def test_each_answer_of_the_api_says_what_is_left_of_the_budget(ask: PlainCalls) -> None:
    answer = await ask("GET", "/d1/database", params={"per_page": 10})
    assert answer.calls_left is not None, answer


async def test_a_call_of_workers_ai_counts_in_the_same_budget(ask: PlainCalls) -> None:
    answer = await ask("POST", SMALL, json={"text": ["x"], "pooling": "cls"})
    assert answer.result["shape"] == [1, 384], answer
    assert answer.calls_left is not None, answer


@pytest.mark.parametrize(
    ("model", "dimensions"),
    [
        *((each.name, each.dimensions) for each in EMBEDDING_MODELS.values()),
        ("@cf/google/embeddinggemma-300m", 768),
    ],
)
async def test_a_model_gives_vectors_of_its_dimensions(
    model: str, dimensions: int, ask: PlainCalls
) -> None:
    answer = await ask("POST", f"/ai/run/{model}", json={"text": ["The boiler is old.", "x"]})
    assert answer.result["shape"] == [2, dimensions], answer
    assert [len(vector) for vector in answer.result["data"]] == [dimensions] * 2


async def test_the_pooling_that_was_asked_for_is_named(ask: PlainCalls) -> None:
    answer = await ask("POST", SMALL, json={"text": ["x"], "pooling": "cls"})
    assert answer.result["pooling"] == "cls", answer


async def test_the_two_poolings_give_different_vectors(ask: PlainCalls) -> None:
    text = ["The boiler was serviced in May."]
    cls = await ask("POST", SMALL, json={"text": text, "pooling": "cls"})
    mean = await ask("POST", SMALL, json={"text": text, "pooling": "mean"})
    assert cls.result["data"][0] != pytest.approx(mean.result["data"][0], abs=1e-3)


async def test_a_hundred_texts_are_embedded_at_once_and_not_one_more(ask: PlainCalls) -> None:
    texts = [f"note {number}" for number in range(101)]
    answer = await ask("POST", SMALL, json={"text": texts[:100], "pooling": "cls"})
    assert answer.result["shape"] == [100, 384], answer
    answer = await ask("POST", SMALL, json={"text": texts, "pooling": "cls"})
    assert answer.is_refused, answer


async def test_a_model_that_is_not_there_is_refused(ask: PlainCalls) -> None:
    answer = await ask("POST", "/ai/run/@cf/dome/no-such-model", json={"text": ["x"]})
    assert answer.status in (400, 404), answer
    assert answer.code in (5007, 3042, 7000), answer


async def test_the_chat_model_answers_in_openais_form(ask: PlainCalls) -> None:
    body = {"model": DEFAULT_MODEL, "messages": QUESTION, "max_tokens": 20, **NO_THOUGHT}
    answer = await ask("POST", "/ai/v1/chat/completions", json=body)
    assert answer.status == 200, answer
    assert isinstance(answer.body["choices"][0]["message"]["content"], str), answer
    assert answer.body["usage"]["completion_tokens"] > 0, answer


async def test_the_chat_model_answers_run_in_openais_form_too(ask: PlainCalls) -> None:
    body = {"messages": QUESTION, "max_tokens": 20, **NO_THOUGHT}
    answer = await ask("POST", f"/ai/run/{DEFAULT_MODEL}", json=body)
    assert isinstance(answer.result["choices"][0]["message"]["content"], str), answer


async def test_every_kind_of_document_that_dome_sends_is_taken(ask: PlainCalls) -> None:
    answer = await ask("GET", "/ai/tomarkdown/supported")
    taken = {each["extension"] for each in answer.result}
    assert set(CONVERTIBLE) <= taken, answer


async def test_a_document_as_large_as_dome_sends_is_converted(api: CloudflareApi) -> None:
    # A small one first: what does not convert at all need not be sent ten megabytes.
    assert "old" in await to_markdown(api, b"<p>The boiler is old.</p>", filename="boiler.html")
    text = b"<h1>Boiler</h1><p>Serviced in May.</p><!-- %s -->"
    document = text % (b"x" * (MAX_BYTES - len(text)))
    assert "Serviced in May." in await to_markdown(api, document, filename="boiler.html")
