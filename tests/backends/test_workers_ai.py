"""What is particular to embeddings by Workers AI; the port's contract is in the suite."""

import math
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from cloudflare.types.ai.ai_run_response import TextEmbeddings

from dome_mcp.backends.cloudflare.ai_gateway import Gateway
from dome_mcp.backends.cloudflare.embedding_models import EMBEDDING_MODELS, embedding_model
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.workers_ai import workers_ai_embedder
from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    ConfigurationError,
    QuotaExhausted,
)
from dome_mcp.core.ports import Embedder
from tests.simulators.cloudflare import ai
from tests.simulators.cloudflare.account import SimulatedAccount, failure
from tests.simulators.cloudflare.ai import WorkersAiSimulator

pytestmark = pytest.mark.anyio

SMALL = "@cf/baai/bge-small-en-v1.5"
M3 = "@cf/baai/bge-m3"
QWEN = "@cf/qwen/qwen3-embedding-0.6b"
EVENING = datetime(2026, 11, 24, 22, 30, tzinfo=UTC)


async def at_once(seconds: float) -> None:
    """Waits for nothing between two tries."""


@dataclass(frozen=True, slots=True)
class Bench:
    account: SimulatedAccount
    simulator: WorkersAiSimulator
    api: CloudflareApi

    def embedder(self, name: str = SMALL) -> Embedder:
        return workers_ai_embedder(self.api, embedding_model(name))

    def fail(self, status: int, body: dict[str, Any], times: int = 1) -> None:
        self.account.fail_next("POST /ai/run/", status, body, times)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    account, simulator = SimulatedAccount(), WorkersAiSimulator()
    account.register("ai", simulator)
    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=at_once, clock=lambda: EVENING
    ) as api:
        yield Bench(account, simulator, api)


@pytest.mark.parametrize("name", EMBEDDING_MODELS)
async def test_every_model_gives_unit_vectors_of_its_dimensions(bench: Bench, name: str) -> None:
    embedder = bench.embedder(name)
    passages = await embedder.embed_passages(["a plumber", "a cake"])
    for vector in [*passages, await embedder.embed_query("who repairs the sink?")]:
        assert len(vector) == embedder.dimensions == ai.EMBEDDING_DIMENSIONS[name]
        assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-5)


async def test_pooling_is_asked_for_and_part_of_the_models_id(bench: Bench) -> None:
    embedder = bench.embedder()
    await embedder.embed_passages(["a plumber"])
    assert bench.simulator.bodies == [{"text": ["a plumber"], "pooling": "cls"}]
    assert embedder.model == "@cf/baai/bge-small-en-v1.5/cls"


async def test_vectors_of_another_pooling_are_not_taken(bench: Bench) -> None:
    result = {"shape": [1, 384], "data": [[1.0] * 384], "pooling": "mean"}
    bench.fail(200, {"success": True, "result": result})
    with pytest.raises(BackendProtocolError, match="pooling"):
        await bench.embedder().embed_passages(["a plumber"])


async def test_a_question_of_an_english_bge_model_has_its_prefix(bench: Bench) -> None:
    await bench.embedder().embed_query("who repairs the sink?")
    (text,) = bench.simulator.bodies[0]["text"]
    assert text == "Represent this sentence for searching relevant passages: who repairs the sink?"


async def test_qwen_is_told_which_text_is_a_question(bench: Bench) -> None:
    embedder = bench.embedder(QWEN)
    await embedder.embed_passages(["a plumber"])
    await embedder.embed_query("who?")
    assert bench.simulator.bodies == [{"text": ["a plumber"]}, {"queries": ["who?"]}]


@pytest.mark.parametrize(("name", "sizes"), [(SMALL, [100, 100, 5]), (QWEN, [32] * 6 + [13])])
async def test_more_texts_than_a_request_takes_go_out_in_several(
    bench: Bench, name: str, sizes: list[int]
) -> None:
    vectors = await bench.embedder(name).embed_passages([f"note {n}" for n in range(205)])
    assert len(vectors) == 205
    assert [len(body["text"]) for body in bench.simulator.bodies] == sizes


async def test_long_texts_share_out_what_bge_m3_reads_in_one_request(bench: Bench) -> None:
    texts = [f"{number} " + "word " * 8_000 for number in range(20)]
    assert len(await bench.embedder(M3).embed_passages(texts)) == 20
    assert [len(body["text"]) for body in bench.simulator.bodies] == [4] * 5


async def test_bge_m3_cuts_a_text_that_it_would_refuse(bench: Bench) -> None:
    embedder = bench.embedder(M3)
    (whole,) = await embedder.embed_passages(["plumber " + "a " * 20_000])
    assert bench.api.calls == 1
    (beginning,) = await embedder.embed_passages(["plumber " + "a " * 8_191])
    assert list(whole) == list(beginning)


async def test_what_no_model_would_read_is_not_even_sent(bench: Bench) -> None:
    await bench.embedder().embed_passages(["word " * 200_000])
    assert len(bench.simulator.bodies[0]["text"][0]) == 512 * 16


async def test_a_text_is_shortened_for_a_service_that_refuses_long_ones(bench: Bench) -> None:
    bench.simulator.refuses_long_texts = True
    long = "plumber " + "a " * 5_000
    before, cut, after = await bench.embedder().embed_passages(["cake", long, "sink"])
    assert [len(vector) for vector in (before, cut, after)] == [384] * 3
    (cake,) = await bench.embedder().embed_passages(["cake"])
    assert list(before) == list(cake)
    assert cut[ai_word_place("plumber")] > 0


def ai_word_place(word: str) -> int:
    """Where a word stands in the simulator's vectors."""
    return next(n for n, value in enumerate(ai.hashed(word, 384)) if value)


async def test_an_empty_text_and_a_broken_character_can_be_sent(bench: Bench) -> None:
    vectors = await bench.embedder().embed_passages(["", "half a \ud83d pair"])
    assert len(vectors) == 2
    assert all(bench.simulator.bodies[0]["text"])


async def test_what_may_pass_is_tried_again(bench: Bench) -> None:
    bench.fail(429, ai.OUT_OF_CAPACITY, times=2)
    assert len(await bench.embedder().embed_passages(["a plumber"])) == 1
    assert bench.api.calls == 3


async def test_a_request_that_may_have_been_answered_is_sent_again(bench: Bench) -> None:
    bench.account.break_next("POST /ai/run/", httpx.ReadTimeout("late"))
    assert len(await bench.embedder().embed_passages(["a plumber"])) == 1
    assert bench.api.calls == 2


async def test_a_request_too_large_for_the_edge_is_sent_in_halves(bench: Bench) -> None:
    bench.account.fail_next("POST /ai/run/", 413, "<html>Payload Too Large</html>")
    assert len(await bench.embedder().embed_passages(["a plumber", "a cake", "a sink"])) == 3
    assert [body["text"] for body in bench.simulator.bodies] == [
        ["a plumber"],
        ["a cake", "a sink"],
    ]


async def test_no_capacity_for_long_is_an_outage_and_says_so(bench: Bench) -> None:
    bench.fail(429, ai.OUT_OF_CAPACITY, times=3)
    with pytest.raises(BackendUnavailable, match="capacity"):
        await bench.embedder().embed_passages(["a plumber"])


@pytest.mark.parametrize("body", [ai.DAILY_ALLOWANCE_USED, ai.DAILY_ALLOWANCE_USED_TOO])
async def test_a_used_up_day_ends_at_midnight_utc_and_is_not_tried_again(
    bench: Bench, body: dict[str, Any]
) -> None:
    bench.fail(429, body)
    with pytest.raises(QuotaExhausted) as caught:
        await bench.embedder().embed_passages(["a plumber"])
    assert caught.value.until == datetime(2026, 11, 25, tzinfo=UTC)
    assert bench.api.calls == 1


@pytest.mark.parametrize(
    ("status", "body", "hint"),
    [
        (400, failure(5007, "No such model"), "Models are removed"),
        (404, failure(3042, "The model name is invalid"), "Models are removed"),
        (403, ai.NEEDS_PAID_PLAN, "Choose one that the Free plan has"),
        (403, failure(5016, "User has not agreed to the terms"), "dashboard"),
        (403, failure(10000, "Authentication error"), "Workers AI Read"),
    ],
)
async def test_a_refusal_says_what_to_do(
    bench: Bench, status: int, body: dict[str, Any], hint: str
) -> None:
    bench.fail(status, body)
    with pytest.raises(BackendRejected) as caught:
        await bench.embedder().embed_passages(["a plumber"])
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "result",
    [
        {"shape": [1, 3], "data": [[0.1, 0.2, 0.3]]},
        {"shape": [0, 384], "data": []},
        {"shape": [1, 384], "data": [[0.0] * 384]},
        {"shape": [1, 384], "data": [["much"] * 384]},
        {"request_id": "queued"},
        None,
    ],
)
async def test_an_answer_without_the_right_vectors_is_not_taken(bench: Bench, result: Any) -> None:
    bench.fail(200, {"success": True, "result": result})
    with pytest.raises(BackendProtocolError):
        await bench.embedder().embed_passages(["a plumber"])


async def test_an_unknown_model_is_refused_before_the_start() -> None:
    with pytest.raises(ConfigurationError, match="bge-m3"):
        embedding_model("@cf/pfnet/plamo-embedding-1b")


async def test_a_gateway_is_named_and_told_to_keep_nothing(bench: Bench) -> None:
    embedder = workers_ai_embedder(
        bench.api, embedding_model(SMALL), headers=Gateway("dome").headers()
    )
    await embedder.embed_passages(["a plumber"])
    (request,) = bench.account.calls
    assert request.headers["cf-aig-gateway-id"] == "dome"
    assert request.headers["cf-aig-collect-log"] == "false"


async def test_the_simulators_vectors_are_of_the_official_shape(bench: Bench) -> None:
    answer = await bench.api.call(
        "POST",
        f"/ai/run/{SMALL}",
        backend="embedder",
        operation="embed",
        json={"text": "a plumber"},
        is_repeatable=True,
    )
    vectors = TextEmbeddings.model_validate(answer)
    assert vectors.shape == [1, 384]
    assert vectors.model_extra == {"pooling": "mean"}
