"""What is particular to chat completions over HTTP; the port's contract is in the suite."""

import logging
from collections.abc import Iterator

import anyio
import httpx
import pytest

from dome_mcp.backends.embedded.llm import ChatCompletions
from dome_mcp.core.errors import BackendProtocolError, BackendRejected, BackendUnavailable
from dome_mcp.core.model import Completion, Turn
from tests.simulators import chat_server
from tests.simulators.chat_server import API_KEY, MODEL, ChatServer, running_chat_server

pytestmark = pytest.mark.anyio

TURNS = (Turn("system", "Be brief."), Turn("user", "What is the guest password?"))


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with running_chat_server() as running:
        yield running


async def complete(server: ChatServer, model: str = MODEL, **options: str) -> Completion:
    options.setdefault("api_key", API_KEY)
    async with ChatCompletions.connect(
        server.base_url, model, api_key=options["api_key"]
    ) as driver:
        return await driver.complete(TURNS, max_tokens=9)


async def streamed(server: ChatServer) -> list[str]:
    async with ChatCompletions.connect(server.base_url, MODEL, api_key=API_KEY) as driver:
        return [piece.text async for piece in driver.stream(TURNS, max_tokens=9)]


async def test_the_request_carries_messages_limits_and_model(server: ChatServer) -> None:
    await complete(server)
    assert server.requests == [
        {
            "model": MODEL,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is the guest password?"},
            ],
            "max_tokens": 9,
            "temperature": 0.0,
            "stream": False,
        }
    ]


async def test_the_token_counts_of_the_server_are_passed_on(server: ChatServer) -> None:
    assert await complete(server) == Completion("Four. [1]", 12, 3)


async def test_a_server_that_refuses_to_count_is_asked_again_without_and_then_never(
    server: ChatServer,
) -> None:
    server.counts_when_asked = False
    async with ChatCompletions.connect(server.base_url, MODEL, api_key=API_KEY) as driver:
        for _ in range(2):
            pieces = [piece async for piece in driver.stream(TURNS, max_tokens=9)]
            assert "".join(piece.text for piece in pieces) == "Four. [1]"
            assert pieces[-1].completion_tokens is None
    asked = [request.get("stream_options") for request in server.requests]
    assert asked == [{"include_usage": True}, None, None]


@pytest.mark.parametrize(
    "words",
    [
        '{"error":{"code":400,"message":"request exceeds","n_prompt_tokens":3031,"n_ctx":1024}}',
        '{"error":{"message":"This model\'s maximum context length is 1024 tokens. However, …"}}',
        '{"error":"the model is loaded with context length of only 1024 tokens"}',
        '{"error":"Cannot truncate prompt with n_keep (11378) >= n_ctx (1024)"}',
    ],
)
async def test_a_server_that_reads_less_than_was_thought_is_believed(
    server: ChatServer, words: str
) -> None:
    server.fault = chat_server.Fault(400, words.encode())
    async with ChatCompletions.connect(server.base_url, MODEL, api_key=API_KEY) as driver:
        assert driver.context_tokens == 8192
        with pytest.raises(BackendRejected, match="too long"):
            await driver.complete(TURNS, max_tokens=9)
        assert driver.context_tokens == 1024


async def test_a_context_that_the_user_made_smaller_stays_as_small(server: ChatServer) -> None:
    server.fault = chat_server.Fault(400, b'{"error":"maximum context length is 4096 tokens"}')
    async with ChatCompletions.connect(
        server.base_url, MODEL, api_key=API_KEY, context_tokens=512
    ) as driver:
        with pytest.raises(BackendRejected):
            await driver.complete(TURNS, max_tokens=9)
        assert driver.context_tokens == 512


async def test_what_a_server_lists_says_how_much_each_model_reads(server: ChatServer) -> None:
    server.listed = [
        {"id": "of-llama.cpp", "meta": {"n_ctx": 1024, "n_ctx_train": 8192}},
        {"id": "of-vllm", "max_model_len": 4096},
        {"id": "of-openrouter", "context_length": 32_768},
        {"id": "of-openai", "meta": None},
    ]
    async with ChatCompletions.connect(server.base_url, MODEL, api_key=API_KEY) as driver:
        assert [(one.name, one.context_tokens) for one in await driver.served()] == [
            ("of-llama.cpp", 1024),
            ("of-vllm", 4096),
            ("of-openrouter", 32_768),
            ("of-openai", None),
        ]
        server.listed = None
        assert not await driver.served()


async def test_a_wrong_key_is_rejected_and_not_repeated(server: ChatServer) -> None:
    with pytest.raises(BackendRejected) as caught:
        await complete(server, api_key="sk-mistyped")
    assert "DOME_LLM_API_KEY" in caught.value.hint
    assert "sk-mistyped" not in str(caught.value)


async def test_an_unknown_model_is_named(server: ChatServer) -> None:
    with pytest.raises(BackendRejected, match="large-chat"):
        await complete(server, "large-chat")


async def test_an_address_without_its_version_is_explained(server: ChatServer) -> None:
    address = server.base_url.removesuffix("/v1")
    async with ChatCompletions.connect(address, MODEL, api_key=API_KEY) as driver:
        with pytest.raises(BackendRejected) as caught:
            await driver.complete(TURNS, max_tokens=9)
    assert "/v1" in caught.value.hint


async def test_a_busy_server_says_when_to_come_back(server: ChatServer) -> None:
    server.fault = chat_server.OVERLOADED
    with pytest.raises(BackendUnavailable) as caught:
        await complete(server)
    assert caught.value.retry_after == 7.0
    assert len(server.requests) == 1


async def test_a_date_to_come_back_at_is_left_out(server: ChatServer) -> None:
    when = {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
    server.fault = chat_server.error_fault(503, "overloaded", **when)
    with pytest.raises(BackendUnavailable) as caught:
        await complete(server)
    assert caught.value.retry_after is None


async def test_an_answer_without_choices_breaks_the_protocol(server: ChatServer) -> None:
    server.fault = chat_server.WRONG_SHAPE
    with pytest.raises(BackendProtocolError):
        await complete(server)


async def test_a_slow_server_is_given_up(server: ChatServer) -> None:
    server.fault = chat_server.SLOW
    with anyio.fail_after(10), pytest.raises(BackendUnavailable, match="in time"):
        async with ChatCompletions.connect(
            server.base_url, MODEL, api_key=API_KEY, timeout_seconds=0.2
        ) as driver:
            await driver.complete(TURNS, max_tokens=9)


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with running_chat_server() as stopped:
        address = stopped.base_url
    async with ChatCompletions.connect(address, MODEL) as driver:
        with pytest.raises(BackendUnavailable, match="reached"):
            await driver.complete(TURNS, max_tokens=9)


async def test_line_breaks_of_unicode_in_a_streamed_answer_end_no_line(server: ChatServer) -> None:
    text = "one\u2028two\u2029three\x85four"
    server.say = lambda _: text
    assert "".join(await streamed(server)) == text


async def test_a_stream_that_breaks_off_is_not_taken_for_an_answer(server: ChatServer) -> None:
    server.breaks_off = True
    with pytest.raises(BackendProtocolError, match="cut off"):
        await streamed(server)


async def test_an_error_in_the_middle_of_a_stream_is_raised(server: ChatServer) -> None:
    server.fault = chat_server.Fault(body=b'data: {"error": {"message": "out of memory"}}\n\n')
    with pytest.raises(BackendUnavailable, match="broke off"):
        await streamed(server)


async def test_neither_key_nor_messages_are_logged(
    server: ChatServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        await complete(server)
    written = caplog.text
    assert "password" not in written
    assert API_KEY not in written


async def test_a_client_from_outside_is_used_and_left_open(server: ChatServer) -> None:
    async with httpx.AsyncClient() as client:
        driver = ChatCompletions(
            client, server.base_url, model=MODEL, api_key=API_KEY, context_tokens=2048
        )
        assert (await driver.complete(TURNS, max_tokens=9)).text == "Four. [1]"
        assert driver.context_tokens == 2048
        assert not client.is_closed
