"""AI Gateway: Cloudflare's proxy before language models, its own and those of other providers.

A gateway keeps prompts and answers in its log unless it is told not to. For a memory they are the
user's notes, so every request through here says so, whatever the gateway's own settings are.

Source: https://developers.cloudflare.com/ai-gateway/usage/rest-api/,
…/ai-gateway/observability/logging/, …/ai-gateway/features/caching/ and
…/ai-gateway/configuration/authentication/ (2026-10).
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import httpx

from dome_mcp.backends.chat_forms import (
    ANTHROPIC_FORM,
    BACKEND,
    OPENAI_FORM,
    ChatForm,
    Prompt,
    read_completion,
    read_pieces,
)
from dome_mcp.backends.cloudflare.gateway_refusals import raise_for_status, translated
from dome_mcp.core.errors import ConfigurationError
from dome_mcp.core.model import Completion, Turn

GATEWAY_URL = "https://gateway.ai.cloudflare.com/v1"
TIMEOUT_SECONDS = 120.0
CONNECT_SECONDS = 5.0
SHORTEST_CACHE_SECONDS = 60
LONGEST_CACHE_SECONDS = 31 * 24 * 60 * 60

_GATEWAY_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNLOGGED = {"cf-aig-collect-log": "false", "cf-aig-collect-log-payload": "false"}
"""The first is for the entry in the log, the second for the texts in it."""

ProviderName = Literal["openai", "anthropic"]
_ANTHROPIC_VERSION = "2023-06-01"


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway of the account; `default` is made by Cloudflare at its first use.

    `keeps_log` leaves it to the gateway's own settings whether prompts and answers are stored.
    `cache_seconds` lets it answer the same request again from its cache; None, and every request
    reaches the model.

    Raises:
        ConfigurationError: there can be no gateway of this name, or it cannot keep answers for so
            short or long a time.
    """

    gateway_id: str
    keeps_log: bool = False
    cache_seconds: int | None = None

    def __post_init__(self) -> None:
        problems: list[str] = []
        if not _GATEWAY_ID.fullmatch(self.gateway_id):
            problems.append(f"{self.gateway_id!r} cannot be the name of an AI Gateway")
        seconds = SHORTEST_CACHE_SECONDS if self.cache_seconds is None else self.cache_seconds
        if not SHORTEST_CACHE_SECONDS <= seconds <= LONGEST_CACHE_SECONDS:
            problems.append(
                f"AI Gateway caches for {SHORTEST_CACHE_SECONDS} seconds to a month, "
                f"not for {seconds} seconds"
            )
        if problems:
            raise ConfigurationError(problems)

    def headers(self) -> dict[str, str]:
        """What a request to `api.cloudflare.com` needs to pass this gateway."""
        return {"cf-aig-gateway-id": self.gateway_id, **self.handling()}

    def handling(self) -> dict[str, str]:
        """What a request says about log and cache, on either of the two hosts."""
        caching = (
            {"cf-aig-skip-cache": "true"}
            if self.cache_seconds is None
            else {"cf-aig-cache-ttl": str(self.cache_seconds)}
        )
        return caching if self.keeps_log else {**caching, **_UNLOGGED}


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """A provider behind the gateway and the user's key for it, which the provider bills.

    `gateway_token` is a Cloudflare token with the permission AI Gateway Run; a gateway that is not
    authenticated needs none.
    """

    provider: ProviderName
    key: str = field(repr=False)
    gateway_token: str | None = field(default=None, repr=False)

    def headers(self) -> dict[str, str]:
        """What authenticates a request, with the provider and with the gateway."""
        if self.provider == "anthropic":
            headers = {"x-api-key": self.key, "anthropic-version": _ANTHROPIC_VERSION}
        else:
            headers = {"Authorization": f"Bearer {self.key}"}
        if self.gateway_token is None:
            return headers
        return {**headers, "cf-aig-authorization": f"Bearer {self.gateway_token}"}


_PROVIDERS: Mapping[ProviderName, tuple[str, ChatForm]] = {
    "openai": ("/openai/chat/completions", OPENAI_FORM),
    "anthropic": ("/anthropic/v1/messages", ANTHROPIC_FORM),
}


class ProviderLanguageModel:
    """A provider's chat model through AI Gateway, with the user's key for the provider.

    Nothing is retried, and neither messages nor keys appear in an error. A temperature is only sent
    where `takes_temperature` says so: the providers' newest models refuse one.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        form: ChatForm,
        *,
        model: str,
        headers: Mapping[str, str],
        context_tokens: int,
        takes_temperature: bool = False,
    ) -> None:
        """For `connect`; `url` is that of the provider's endpoint."""
        self._client = client
        self._url = url
        self._form = form
        self._model = model
        self._headers = dict(headers)
        self._context_tokens = context_tokens
        self._takes_temperature = takes_temperature

    @classmethod
    @asynccontextmanager
    async def connect(
        cls,
        account_id: str,
        gateway: Gateway,
        key: ProviderKey,
        *,
        model: str,
        context_tokens: int = 8192,
        takes_temperature: bool = False,
        base_url: str = GATEWAY_URL,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> AsyncIterator["ProviderLanguageModel"]:
        """The model `model` (by the provider's name for it), with an HTTP client of its own.

        The client is closed with the block.
        """
        path, form = _PROVIDERS[key.provider]
        timeout = httpx.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS)
        async with httpx.AsyncClient(timeout=timeout, transport=transport) as client:
            yield cls(
                client,
                f"{base_url.rstrip('/')}/{account_id}/{gateway.gateway_id}{path}",
                form,
                model=model,
                headers={**key.headers(), **gateway.handling()},
                context_tokens=context_tokens,
                takes_temperature=takes_temperature,
            )

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
        request = self._request(turns, max_tokens, temperature, is_streamed=False)
        with translated(BACKEND, "complete"):
            response = await self._client.send(request)
        raise_for_status(response, BACKEND, "complete")
        return read_completion(response.content, self._form)

    async def stream(
        self, turns: Sequence[Turn], *, max_tokens: int, temperature: float = 0.0
    ) -> AsyncGenerator[Completion]:
        """The same message in pieces (see `LanguageModel.stream`)."""
        request = self._request(turns, max_tokens, temperature, is_streamed=True)
        with translated(BACKEND, "stream"):
            response = await self._client.send(request, stream=True)
            try:
                if not response.is_success:
                    await response.aread()
                    raise_for_status(response, BACKEND, "stream")
                async for piece in read_pieces(response.aiter_bytes(), self._form):
                    yield piece
            finally:
                await response.aclose()

    def _request(
        self, turns: Sequence[Turn], max_tokens: int, temperature: float, *, is_streamed: bool
    ) -> httpx.Request:
        chosen = temperature if self._takes_temperature else None
        prompt = Prompt(self._model, turns, max_tokens, chosen, is_streamed)
        return self._client.build_request(
            "POST", self._url, json=self._form.body(prompt), headers=self._headers
        )
