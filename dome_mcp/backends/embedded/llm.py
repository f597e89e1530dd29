"""`LanguageModel` over HTTP: any server that speaks OpenAI's chat completions.

Ollama, llama.cpp, LM Studio, vLLM and the hosted services all do.
Source: https://platform.openai.com/docs/api-reference/chat (2026-11).
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import httpx

from dome_mcp.backends.chat_forms import (
    BACKEND,
    COMPATIBLE_FORM,
    Prompt,
    read_completion,
    read_pieces,
)
from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    QuotaExhausted,
)
from dome_mcp.core.model import Completion, Turn

TIMEOUT_SECONDS = 120.0
CONNECT_SECONDS = 5.0

_TOO_LONG_CODES = ("context_length_exceeded", "exceed_context_size_error")
_NO_QUOTA_CODES = ("insufficient_quota", "billing_hard_limit_reached")


class ChatCompletions:
    """A chat model behind a server with OpenAI's interface; the client's timeouts apply.

    Nothing is retried, and neither messages nor key appear in an error.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        base_url: str,
        *,
        model: str,
        api_key: str | None = None,
        context_tokens: int = 8192,
    ) -> None:
        self._client = client
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._context_tokens = context_tokens

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        context_tokens: int = 8192,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> AsyncIterator["ChatCompletions"]:
        """A driver with an HTTP client of its own, closed with the block.

        `base_url` ends with the version, for example `http://127.0.0.1:11434/v1`.
        """
        timeout = httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds))
        async with httpx.AsyncClient(timeout=timeout) as client:
            yield cls(client, base_url, model=model, api_key=api_key, context_tokens=context_tokens)

    @property
    def model(self) -> str:
        return self._model

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        with _translated("complete"):
            request = self._request(turns, max_tokens, temperature, is_streamed=False)
            response = await self._client.send(request)
            _raise_for_status(response, "complete", self._model)
        return read_completion(response.content, COMPATIBLE_FORM)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncIterator[str]:
        with _translated("stream"):
            request = self._request(turns, max_tokens, temperature, is_streamed=True)
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code != httpx.codes.OK:
                    await response.aread()
                    _raise_for_status(response, "stream", self._model)
                async for piece in read_pieces(response.aiter_bytes(), COMPATIBLE_FORM):
                    yield piece
            finally:
                await response.aclose()

    def _request(
        self, turns: Sequence[Turn], max_tokens: int, temperature: float, *, is_streamed: bool
    ) -> httpx.Request:
        prompt = Prompt(self._model, turns, max_tokens, temperature, is_streamed)
        body = COMPATIBLE_FORM.body(prompt)
        return self._client.build_request("POST", self._url, json=body, headers=self._headers)


@contextmanager
def _translated(operation: str) -> Iterator[None]:
    """Turns what httpx raises into the port's errors."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise BackendUnavailable(
            BACKEND, operation, "The language model did not answer in time."
        ) from error
    except httpx.TransportError as error:
        raise BackendUnavailable(
            BACKEND, operation, "The language model cannot be reached.", "Is its server running?"
        ) from error
    except httpx.InvalidURL as error:
        raise BackendRejected(
            BACKEND, operation, "The language model's address is no URL.", "Check DOME_LLM_URL."
        ) from error
    except httpx.DecodingError as error:
        raise BackendProtocolError(
            BACKEND, operation, "The language model's server answered in a form it should not."
        ) from error


def _raise_for_status(response: httpx.Response, operation: str, model: str) -> None:
    """Raises what a status other than 200 stands for."""
    if response.status_code == httpx.codes.OK:
        return
    raise _refusal(response, operation, model)


def _refusal(response: httpx.Response, operation: str, model: str) -> BackendError:
    status, text = response.status_code, response.text
    if status in (401, 403):
        return BackendRejected(
            BACKEND, operation, "The language model refuses the key.", "Check DOME_LLM_API_KEY."
        )
    if status == 402 or any(code in text for code in _NO_QUOTA_CODES):
        return QuotaExhausted(BACKEND, operation, "The language model's allowance is used up.")
    if status == 413 or any(code in text for code in _TOO_LONG_CODES):
        return BackendRejected(
            BACKEND,
            operation,
            "The prompt is too long for the language model.",
            "Ask with a smaller limit, or use a model with a larger context.",
        )
    if status == 404:
        return BackendRejected(
            BACKEND,
            operation,
            f"The server has no language model {model!r}, or no chat completions.",
            "Check DOME_LLM_MODEL and DOME_LLM_URL (it ends with /v1).",
        )
    if status in (408, 429) or status >= 500:
        return BackendUnavailable(
            BACKEND,
            operation,
            f"The language model is busy or failing (HTTP {status}).",
            retry_after=_retry_after(response),
        )
    return BackendRejected(
        BACKEND, operation, f"The language model refused the request (HTTP {status})."
    )


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; the form with a date would need a clock and is left out."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isascii() and value.isdigit() else None
