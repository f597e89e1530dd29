"""Workers AI by its binding: the embedder suite, conversions and chat."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import httpx
import pytest

from dome_mcp.backends.embedded.embedder import OnnxModel
from dome_mcp.backends.embedded.models import describe
from dome_mcp.core.errors import (
    BackendRejected,
    BackendUnavailable,
    QuotaExhausted,
    UnreadableDocument,
)
from dome_mcp.core.model import Turn
from tests.companion_workers.remote import Binding
from tests.companion_workers.remote_ai import RemoteEmbedder, RemoteLanguageModel
from tests.companion_workers.remote_bindings import RemoteBindings
from tests.conformance.embedder_suite import *  # noqa: F403 - pytest collects the suite from here
from tests.simulators.cloudflare import ai

TURNS = (Turn("system", "Be brief."), Turn("user", "What is the guest password?"))


@cache
def carried_model() -> OnnxModel:
    return OnnxModel(describe(None, cache=Path()))


async def carried(texts: Sequence[str]) -> Sequence[Sequence[float]]:
    return carried_model().embed(texts)


@pytest.fixture
def account(remote: RemoteBindings) -> Iterator[RemoteBindings]:
    """The account, asked for the carried model's vectors, and as it was afterwards."""
    remote.ai.embed = carried
    yield remote
    remote.ai.embed = None
    remote.account.work_again()


@pytest.fixture
def embedder(client: httpx.AsyncClient, account: RemoteBindings) -> RemoteEmbedder:
    return RemoteEmbedder(Binding(client, "AI"))


@pytest.fixture
def chat(client: httpx.AsyncClient) -> RemoteLanguageModel:
    return RemoteLanguageModel(Binding(client, "AI"))


@pytest.mark.parametrize(
    ("status", "body", "expected", "words"),
    [
        (429, ai.DAILY_ALLOWANCE_USED, QuotaExhausted, "allowance"),
        (429, ai.OUT_OF_CAPACITY, BackendUnavailable, "no capacity"),
        (403, ai.NEEDS_PAID_PLAN, BackendRejected, "Workers Paid"),
        (502, "<html>Bad gateway</html>", BackendUnavailable, "cannot be reached"),
    ],
)
async def test_what_workers_ai_refuses_is_an_error_of_ours(
    embedder: RemoteEmbedder,
    account: RemoteBindings,
    status: int,
    body: dict[str, object] | str,
    expected: type[Exception],
    words: str,
) -> None:
    account.account.fail_next("POST /ai/run/", status, body)
    with pytest.raises(expected, match=words):
        await embedder.embed_passages(["some secret text"])


async def test_a_document_is_converted_as_it_is_over_rest(
    client: httpx.AsyncClient, account: RemoteBindings
) -> None:
    binding = Binding(client, "AI")
    assert await binding.call("to_markdown", b"# Boiler", "a/boiler.html") == "# Boiler"
    for data, filename, reason in [
        (b"x", "notes.txt", "unsupported"),
        (b" ", "empty.html", "empty"),
    ]:
        with pytest.raises(UnreadableDocument) as refused:
            await binding.call("to_markdown", data, filename)
        assert refused.value.reason == reason


async def test_a_conversion_without_neurons_left_waits_for_the_next_day(
    client: httpx.AsyncClient, account: RemoteBindings
) -> None:
    account.account.fail_next("/ai/tomarkdown", 429, ai.DAILY_ALLOWANCE_USED)
    with pytest.raises(QuotaExhausted):
        await Binding(client, "AI").call("to_markdown", b"a picture", "a.png")


async def test_a_chat_model_answers_whole_and_in_pieces(
    chat: RemoteLanguageModel, account: RemoteBindings
) -> None:
    account.ai.say = lambda _: "Grüße [1],\n- “zwei” 三 🦉"
    completion = await chat.complete(TURNS, max_tokens=50)
    assert (completion.text, completion.prompt_tokens) == ("Grüße [1],\n- “zwei” 三 🦉", 12)
    *pieces, counted = [piece async for piece in chat.stream(TURNS, max_tokens=50)]
    assert "".join(piece.text for piece in pieces) == completion.text
    assert len(pieces) > 1
    assert counted == replace(completion, text="")


async def test_a_chat_models_refusal_repeats_no_message(
    chat: RemoteLanguageModel, account: RemoteBindings
) -> None:
    account.account.fail_next("POST /ai/v1/", 413, ai.WINDOW_EXCEEDED)
    with pytest.raises(BackendRejected, match="too long") as refused:
        await chat.complete(TURNS, max_tokens=5)
    assert "password" not in str(refused.value)
