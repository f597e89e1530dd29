"""The `LanguageModel` port on Workers AI, with or without AI Gateway.

Asked in OpenAI's form, which all of its chat models have in common (`/ai/run` has three).

Source: https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/ and
https://developers.cloudflare.com/ai-gateway/usage/rest-api/ (2026-10).
"""

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from dome_mcp.backends.chat_forms import (
    BACKEND,
    COMPATIBLE_FORM,
    OPENAI_FORM,
    Prompt,
    read_completion,
    read_pieces,
)
from dome_mcp.backends.cloudflare.ai_gateway import Gateway
from dome_mcp.backends.cloudflare.ai_refusals import read_ai
from dome_mcp.backends.cloudflare.chat_models import (
    CONTEXT_TOKENS,
    TIMEOUT_SECONDS,
    UNKNOWN_CONTEXT_TOKENS,
    WITHOUT_THINKING,
)
from dome_mcp.backends.cloudflare.chat_models import DEFAULT_MODEL as DEFAULT_MODEL
from dome_mcp.backends.cloudflare.http import CloudflareApi
from dome_mcp.core.model import Completion, Turn

_HOSTED_HERE = "@cf/"
_BY_OPENAI = "openai/"
_DEFAULT_GATEWAY = Gateway("default")
_PATH = "/ai/v1/chat/completions"


class WorkersAiLanguageModel:
    """A chat model by Cloudflare's name for it: `@cf/…`, or `provider/model` billed by Cloudflare.

    A model of another provider always passes a gateway. Where none is named that is the account's
    `default`, which is then told not to keep prompts too. `context_tokens` overrides the table.
    """

    def __init__(
        self,
        api: CloudflareApi,
        model: str = DEFAULT_MODEL,
        *,
        gateway: Gateway | None = None,
        context_tokens: int | None = None,
    ) -> None:
        if gateway is None and not model.startswith(_HOSTED_HERE):
            gateway = _DEFAULT_GATEWAY
        self._api = api
        self._model = model
        self._form = OPENAI_FORM if model.startswith(_BY_OPENAI) else COMPATIBLE_FORM
        self._headers = gateway.headers() if gateway else None
        self._context_tokens = context_tokens or CONTEXT_TOKENS.get(model, UNKNOWN_CONTEXT_TOKENS)

    @property
    def model(self) -> str:
        return self._model

    @property
    def context_tokens(self) -> int:
        return self._context_tokens

    async def complete(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> Completion:
        """The model's next message (see `LanguageModel.complete`)."""
        response = await self._api.exchange(
            "POST",
            _PATH,
            backend=BACKEND,
            operation="complete",
            json=self._body(turns, max_tokens, temperature, is_streamed=False),
            headers=self._headers,
            is_repeatable=False,  # it may have cost its neurons already
            timeout_seconds=TIMEOUT_SECONDS,
            reader=read_ai,
        )
        return read_completion(response.content, self._form)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        """The same message in pieces (see `LanguageModel.stream`)."""
        async with self._api.stream(
            "POST",
            _PATH,
            backend=BACKEND,
            operation="stream",
            json=self._body(turns, max_tokens, temperature, is_streamed=True),
            headers=self._headers,
            is_repeatable=False,
            timeout_seconds=TIMEOUT_SECONDS,
            reader=read_ai,
        ) as response:
            async for piece in read_pieces(response.aiter_bytes(), self._form):
                yield piece

    def _body(
        self, turns: Sequence[Turn], max_tokens: int, temperature: float, *, is_streamed: bool
    ) -> dict[str, Any]:
        is_here = self._model.startswith(_HOSTED_HERE)
        prompt = Prompt(
            self._model,
            turns,
            max_tokens,
            temperature if is_here else None,  # the newest of other providers refuse one
            is_streamed,
            is_counted=not is_here,  # those here count unasked, and some refuse what they know not
        )
        return {**self._form.body(prompt), **WITHOUT_THINKING.get(self._model, {})}
