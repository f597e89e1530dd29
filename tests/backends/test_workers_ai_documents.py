"""Reranking and the conversion to Markdown by Workers AI."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from cloudflare.types.ai import ToMarkdownTransformResponse

from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.backends.cloudflare.markdown import CONVERTIBLE, MAX_BYTES, to_markdown
from dome_mcp.backends.cloudflare.reranking import WorkersAiReranker
from dome_mcp.core.errors import (
    BackendProtocolError,
    BackendUnavailable,
    QuotaExhausted,
    UnreadableDocument,
)
from dome_mcp.core.ports import Reranker
from tests.simulators.cloudflare import ai
from tests.simulators.cloudflare.account import SimulatedAccount
from tests.simulators.cloudflare.ai import WorkersAiSimulator

pytestmark = pytest.mark.anyio


async def at_once(seconds: float) -> None:
    """Waits for nothing between two tries."""


@dataclass(frozen=True, slots=True)
class Bench:
    account: SimulatedAccount
    simulator: WorkersAiSimulator
    api: CloudflareApi

    @property
    def reranker(self) -> Reranker:
        return WorkersAiReranker(self.api)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    account, simulator = SimulatedAccount(), WorkersAiSimulator()
    account.register("ai", simulator)
    async with CloudflareApi.open(
        account.account, transport=account.transport, sleep=at_once
    ) as api:
        yield Bench(account, simulator, api)


async def test_no_texts_cost_no_request(bench: Bench) -> None:
    await bench.reranker.rerank("sink", [])
    assert bench.api.calls == 0


async def test_an_answer_that_leaves_a_text_out_is_not_taken(bench: Bench) -> None:
    result = {"response": [{"id": 1, "score": 0.9}]}
    bench.account.fail_next("POST /ai/run/", 200, {"success": True, "result": result})
    with pytest.raises(BackendProtocolError):
        await bench.reranker.rerank("sink", ["a cake", "the sink"])


async def test_an_outage_is_not_an_empty_list_of_scores(bench: Bench) -> None:
    bench.account.fail_next("POST /ai/run/", 429, ai.OUT_OF_CAPACITY, times=3)
    with pytest.raises(BackendUnavailable):
        await bench.reranker.rerank("sink", ["a cake"])


async def test_a_document_becomes_markdown(bench: Bench) -> None:
    bench.simulator.convert = lambda data: f"# {data.decode()}\n\nA cat."
    text = await to_markdown(bench.api, b"Minka", filename="minka.PNG")
    assert text == "# Minka\n\nA cat."


async def test_only_the_name_of_a_file_leaves_the_machine_and_not_its_folder(
    bench: Bench,
) -> None:
    for filename in ("/home/anna/diary/minka.png", "C:\\Anna\\diary\\minka.png"):
        await to_markdown(bench.api, b"Minka", filename=filename)
    for request in bench.account.calls:
        assert b"minka.png" in request.content
        assert b"image/png" in request.content
        assert b"diary" not in request.content


async def test_of_a_pdf_the_pictures_are_read_and_the_metadata_are_not(bench: Bench) -> None:
    await to_markdown(bench.api, b"%PDF-", filename="a.pdf")
    options = b'{"pdf": {"metadata": false, "images": {"convert": true}}}'
    assert options in bench.account.calls[0].content


@pytest.mark.parametrize(
    ("filename", "data", "converted", "reason"),
    [
        ("slides.pptx", b"x", "text", "unsupported"),
        ("README", b"x", "text", "unsupported"),
        ("a.png", b"x" * (MAX_BYTES + 1), "text", "too_large"),
        ("a.png", b"x", " \n", "empty"),
        ("a.png", b"x", None, "corrupt"),
    ],
)
async def test_a_document_without_text_says_why(
    bench: Bench, filename: str, data: bytes, converted: str | None, reason: str
) -> None:
    bench.simulator.convert = lambda _: converted
    with pytest.raises(UnreadableDocument) as caught:
        await to_markdown(bench.api, data, filename=filename)
    assert caught.value.reason == reason


async def test_a_conversion_is_tried_again_after_a_failure_that_may_pass(bench: Bench) -> None:
    bench.account.fail_next("POST /ai/tomarkdown", 503)
    assert await to_markdown(bench.api, b"Minka", filename="a.png") == "Minka"


async def test_a_used_up_day_is_no_fault_of_the_document(bench: Bench) -> None:
    bench.account.fail_next("POST /ai/tomarkdown", 429, ai.DAILY_ALLOWANCE_USED)
    with pytest.raises(QuotaExhausted):
        await to_markdown(bench.api, b"Minka", filename="a.png")


async def test_an_answer_without_a_document_is_not_taken(bench: Bench) -> None:
    bench.account.fail_next("POST /ai/tomarkdown", 200, {"success": True, "result": []})
    with pytest.raises(BackendProtocolError):
        await to_markdown(bench.api, b"Minka", filename="a.png")


def test_pictures_and_old_spreadsheets_can_be_converted() -> None:
    assert {".png", ".jpg", ".webp", ".xls", ".odt", ".ods"} <= CONVERTIBLE.keys()


async def test_the_simulators_documents_are_of_the_official_shape(bench: Bench) -> None:
    answer = await bench.api.exchange(
        "POST",
        "/ai/tomarkdown",
        backend="markdown conversion",
        operation="convert",
        files=[("files", ("a.png", b"Minka", "image/png"))],
        is_repeatable=True,
    )
    (result,) = answer.json()["result"]
    # A number on the pages, a text in the OpenAPI description.
    document = ToMarkdownTransformResponse.model_validate({**result, "tokens": "1"})
    assert (document.name, document.mime_type, document.data) == ("a.png", "image/png", "Minka")
