"""`LanguageModel` over HTTP: any server that speaks OpenAI's chat completions.

Ollama, llama.cpp, LM Studio, vLLM and the hosted services all do.
Source: https://platform.openai.com/docs/api-reference/chat (2026-11).
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from dome_mcp.backends.chat_forms import (
    BACKEND,
    COMPATIBLE_FORM,
    Prompt,
    misshapen,
    read_completion,
    read_pieces,
)
from dome_mcp.core.errors import (
    BackendError,
    BackendProtocolError,
    BackendRejected,
    BackendUnavailable,
    InputTooLong,
    QuotaExhausted,
)
from dome_mcp.core.model import Completion, Turn

TIMEOUT_SECONDS = 120.0
CONNECT_SECONDS = 5.0

_TOO_LONG_CODES = ("context_length_exceeded", "exceed_context_size_error")
_TOLD_CONTEXT = re.compile(r"(?:n_ctx\W{1,3}|context length (?:is|of)(?: only)? )(\d{3,})")
"""The words of llama.cpp and LM Studio, and those of OpenAI, vLLM and LM Studio again."""
_NO_COUNTS_CODES = (httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY)
_NO_QUOTA_CODES = ("insufficient_quota", "billing_hard_limit_reached")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model that a server lists, and how many tokens it reads and writes, where it says so."""

    name: str
    context_tokens: int | None = None


class ChatCompletions:
    """A chat model behind a server with OpenAI's interface; the client's timeouts apply.

    Nothing is retried, and neither messages nor key appear in an error. Only a server that refuses
    to be asked how many tokens a streamed answer had is asked again, without that.
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
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._context_tokens = context_tokens
        self._is_counted = True

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
        prompt = Prompt(self._model, turns, max_tokens, temperature)
        with _translated("complete"):
            response = await self._client.send(self._request(prompt))
            self._raise_for_status(response, "complete")
        return read_completion(response.content, COMPATIBLE_FORM)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        prompt = Prompt(self._model, turns, max_tokens, temperature, is_streamed=True)
        with _translated("stream"):
            response = await self._begun(prompt)
            try:
                self._raise_for_status(response, "stream")
                async for piece in read_pieces(response.aiter_bytes(), COMPATIBLE_FORM):
                    yield piece
            finally:
                await response.aclose()

    async def served(self) -> Sequence[ServedModel]:
        """The models that the server lists; none where it keeps no list.

        Raises:
            BackendError: as for `complete`.
        """
        with _translated("list"):
            url = f"{self._base_url}/models"
            response = await self._client.get(url, headers=self._headers)
        if response.status_code == httpx.codes.NOT_FOUND:
            return ()
        self._raise_for_status(response, "list")
        try:
            return [_served(each) for each in response.json()["data"]]
        except (LookupError, TypeError, AttributeError, ValueError) as error:
            raise misshapen("list") from error

    async def _begun(self, prompt: Prompt) -> httpx.Response:
        """The answer whose body is yet to come, or a refusal with its body."""
        request = self._request(replace(prompt, is_counted=self._is_counted))
        response = await self._client.send(request, stream=True)
        if response.status_code == httpx.codes.OK:
            return response
        try:
            await response.aread()
        finally:
            await response.aclose()
        if not self._is_counted or not _refuses_to_count(response):
            return response
        self._is_counted = False
        return await self._begun(prompt)

    def _request(self, prompt: Prompt) -> httpx.Request:
        url = f"{self._base_url}/chat/completions"
        body = COMPATIBLE_FORM.body(prompt)
        return self._client.build_request("POST", url, json=body, headers=self._headers)

    def _raise_for_status(self, response: httpx.Response, operation: str) -> None:
        """Raises what a status other than 200 stands for, and notes what it tells."""
        if response.status_code == httpx.codes.OK:
            return
        told = _told_context(response.text)
        if told is not None:
            self._context_tokens = min(self._context_tokens, told)
        raise _refusal(response, operation, self._model)


def _served(listed: Any) -> ServedModel:
    """One of a server's list; llama.cpp, vLLM and OpenRouter each have their word for the context.

    Source: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md,
    https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html and
    https://openrouter.ai/docs/api-reference/list-available-models (2026-11).
    """
    told = (listed.get("meta") or {}).get("n_ctx")
    told = told or listed.get("max_model_len") or listed.get("context_length")
    return ServedModel(str(listed["id"]), told if isinstance(told, int) else None)


def _refuses_to_count(response: httpx.Response) -> bool:
    """Whether a server's one objection is to be asked for counts: it names the unknown field."""
    return response.status_code in _NO_COUNTS_CODES and "stream_options" in response.text


def _told_context(refusal: str) -> int | None:
    """How many tokens the model takes, where a refusal says so."""
    found = _TOLD_CONTEXT.search(refusal)
    return int(found[1]) if found else None


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


def _refusal(response: httpx.Response, operation: str, model: str) -> BackendError:
    status, text = response.status_code, response.text
    if status in (401, 403):
        return BackendRejected(
            BACKEND, operation, "The language model refuses the key.", "Check DOME_LLM_API_KEY."
        )
    if status == 402 or any(code in text for code in _NO_QUOTA_CODES):
        return QuotaExhausted(BACKEND, operation, "The language model's allowance is used up.")
    if status == 413 or any(code in text for code in _TOO_LONG_CODES) or _told_context(text):
        return InputTooLong(
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
