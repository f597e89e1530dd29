"""rag_answer with every part on Cloudflare: what a chat model adds, what it costs, how it fails."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from dome_mcp.app import Dome, Door
from dome_mcp.server import build_server
from dome_mcp.settings import load
from tests.cli.simulated_cloud import SimulatedCloud, simulated_cloud
from tests.serving import LISBON, call, text_of
from tests.simulators.cloudflare import ai
from tests.simulators.cloudflare.ai_gateway import MODELS
from tests.simulators.cloudflare.providers import running_gateway

pytestmark = pytest.mark.anyio

MODEL = "@cf/zai-org/glm-4.7-flash"
QUESTION = "Which hotel did Anna book?"
WRITTEN = "Anna booked the hotel Miramar for the second week of May. [1]"


@pytest.fixture
def cloud() -> Iterator[SimulatedCloud]:
    with simulated_cloud() as cloud:
        cloud.ai.say = lambda _: WRITTEN
        yield cloud


@asynccontextmanager
async def quiet(dome: Dome) -> AsyncIterator[None]:
    """Nothing beside the requests, so that every call to the account is one of theirs."""
    yield


@asynccontextmanager
async def client_of(cloud: SimulatedCloud, home: Path, **more: str) -> AsyncIterator[Client]:
    """A client of a server with one note."""
    door = Door(load({**cloud.settings, "DOME_HOME": str(home), "DOME_TIMEZONE": "UTC", **more}))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(door.keep, quiet)
        async with Client(build_server(door)) as client:
            await call(client, "ingest", text=LISBON, title="Lisbon")
            cloud.account.calls.clear()
            yield client
        tasks.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class Cost:
    """The calls that an answer made, by service."""

    embeddings: int
    vectors: int
    statements: int
    chat: int

    @classmethod
    def of(cls, cloud: SimulatedCloud) -> "Cost":
        asked = cloud.account.asked
        return cls(
            embeddings=sum("/ai/run/" in each for each in asked),
            vectors=sum("/vectorize/" in each for each in asked),
            statements=sum("/d1/" in each for each in asked),
            chat=sum("/ai/v1/chat" in each for each in asked),
        )


async def test_an_answer_that_is_quoted_asks_for_no_chat(
    cloud: SimulatedCloud, tmp_path: Path
) -> None:
    async with client_of(cloud, tmp_path) as client:
        answer = await call(client, "rag_answer", question=QUESTION)
    assert (answer["model"], answer["answered"]) == ("extractive", True)
    cost = Cost.of(cloud)
    assert (cost.vectors, cost.statements, cost.chat) == (1, 2, 0)  # it is remembered
    # The question for the search, and once more with the sentences that may be quoted.
    assert cost.embeddings <= 3


async def test_a_written_answer_costs_two_calls_more_than_its_search(
    cloud: SimulatedCloud, tmp_path: Path
) -> None:
    async with client_of(cloud, tmp_path, DOME_LLM_MODEL=MODEL) as client:
        answer = await call(client, "rag_answer", question=QUESTION)
    assert (answer["model"], answer["answer"]) == (MODEL, WRITTEN)
    assert "hotel Miramar" in answer["citations"][0]["quote"]
    # The model's answer, and what stands beside the passages for it to read.
    assert Cost.of(cloud) == Cost(embeddings=1, vectors=1, statements=3, chat=1)


async def test_progress_tells_how_far_an_answer_is_before_it_comes(
    cloud: SimulatedCloud, tmp_path: Path
) -> None:
    cloud.ai.say = lambda _: " ".join([WRITTEN] * 5)
    seen: list[tuple[float, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message))

    async with client_of(cloud, tmp_path, DOME_LLM_MODEL=MODEL) as client:
        asked: dict[str, Any] = {"question": QUESTION}
        result = await client.call_tool("rag_answer", asked, progress_callback=hear)
    assert not result.is_error, text_of(result)
    assert seen[0] == (0, "Passages found: 1")
    steps = [progress for progress, _ in seen]
    assert steps == sorted(set(steps))
    assert len(steps) > 2


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (429, ai.DAILY_ALLOWANCE_USED_TOO, "10,000 neurons"),
        (429, ai.OUT_OF_CAPACITY, "no capacity"),
        (403, ai.NEEDS_PAID_PLAN, "Workers Paid plan"),
        (502, "<html>", "HTTP 502"),
    ],
)
async def test_a_model_that_is_out_leaves_the_quotations_and_the_reason(
    cloud: SimulatedCloud, tmp_path: Path, status: int, body: dict[str, Any] | str, reason: str
) -> None:
    async with client_of(cloud, tmp_path, DOME_LLM_MODEL=MODEL) as client:
        cloud.account.fail_next("POST /ai/v1/chat", status, body, times=9)
        answer = await call(client, "rag_answer", question=QUESTION)
    assert (answer["model"], answer["answered"]) == ("extractive", True)
    assert "Miramar" in answer["answer"]
    (warning,) = answer["warnings"]
    assert reason in warning


async def test_a_stream_that_breaks_off_is_no_answer(cloud: SimulatedCloud, tmp_path: Path) -> None:
    cloud.ai.ends = "cut off"
    async with client_of(cloud, tmp_path, DOME_LLM_MODEL=MODEL) as client:
        answer = await call(client, "rag_answer", question=QUESTION)
    assert answer["model"] == "extractive"
    assert "cut off" in answer["warnings"][0]


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_providers_model_answers_through_the_gateway(
    cloud: SimulatedCloud, tmp_path: Path, provider: Any
) -> None:
    with running_gateway() as gateway:
        gateway.host.say = lambda _: WRITTEN
        gateway.host.token = cloud.account.token
        variables = {**gateway.variables_for(provider), **cloud.settings}
        async with client_of(cloud, tmp_path, **variables) as client:
            answer = await call(client, "rag_answer", question=QUESTION)
        assert (answer["model"], answer["answer"]) == (MODELS[provider], WRITTEN)
        assert len(gateway.host.calls) == 1
        assert gateway.host.traffic.log == []
