"""AI Gateway: its log, its cache, and the providers behind it.

Source: https://developers.cloudflare.com/ai-gateway/observability/logging/,
…/ai-gateway/features/caching/ and …/ai-gateway/configuration/authentication/ (2026-10).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.simulators.cloudflare.chat_answers import (
    Break,
    InChunks,
    anthropic_answer,
    openai_answer,
)

PROVIDER_KEY = "sk-of-the-provider"
GATEWAY_TOKEN = "token-of-the-gateway"  # noqa: S105 - of no gateway
MODELS = {"openai": "gpt-5-mini", "anthropic": "claude-sonnet-4-5"}
ANTHROPIC_VERSION = "2023-06-01"
SHORTEST_CACHE_SECONDS = 60
CACHE_STATUS = "cf-aig-cache-status"


@dataclass(slots=True)
class GatewayTraffic:
    """What one gateway has kept of the requests that passed it.

    By default it logs all of them and caches none; headers of a request say otherwise.
    """

    log: list[dict[str, Any]] = field(default_factory=list)
    """An entry per logged request, with its body under `request` where that may be kept."""
    _cache: dict[bytes, tuple[int, bytes, str]] = field(default_factory=dict)

    async def passed(
        self, request: httpx.Request, answer: Callable[[], httpx.Response]
    ) -> httpx.Response:
        """The answer from the cache or from the model, logged or not as the request wants it."""
        headers = request.headers
        if headers.get("cf-aig-collect-log") != "false":
            entry: dict[str, Any] = {"path": request.url.path}
            if headers.get("cf-aig-collect-log-payload") != "false":
                entry["request"] = json.loads(request.content)
            self.log.append(entry)
        is_cached = "cf-aig-cache-ttl" in headers and headers.get("cf-aig-skip-cache") != "true"
        if is_cached and int(headers["cf-aig-cache-ttl"]) < SHORTEST_CACHE_SECONDS:
            return httpx.Response(400, json={"success": False, "error": "cache ttl too short"})
        if is_cached and request.content in self._cache:
            status, content, kind = self._cache[request.content]
            kept = {"Content-Type": kind, CACHE_STATUS: "HIT"}
            return httpx.Response(status, content=content, headers=kept)
        response = answer()
        response.headers[CACHE_STATUS] = "MISS"
        if is_cached and response.is_success and not isinstance(response.stream, InChunks):
            kind = response.headers["Content-Type"]
            self._cache[request.content] = (response.status_code, response.content, kind)
        return response


@dataclass(slots=True)
class GatewayHost:
    """`gateway.ai.cloudflare.com`, as the handler of an `httpx.MockTransport`.

    `say` gives the answer to a request's body. `fault` comes instead of it where set. An
    authenticated gateway wants a token of its own, beside the provider's key.
    """

    account_id: str
    gateway_id: str
    is_authenticated: bool = False
    token: str = GATEWAY_TOKEN
    say: Callable[[dict[str, Any]], str] = lambda _: "Four. [1]"
    fault: httpx.Response | Exception | None = None
    ends: Break | None = None
    traffic: GatewayTraffic = field(default_factory=GatewayTraffic)
    calls: list[httpx.Request] = field(default_factory=list)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        root = f"/v1/{self.account_id}/{self.gateway_id}"
        if not request.url.path.startswith(f"{root}/"):
            return _refused(404, 2001, "Please configure AI Gateway in the Cloudflare dashboard")
        authorization = request.headers.get("cf-aig-authorization")
        if self.is_authenticated and authorization != f"Bearer {self.token}":
            return _refused(401, 2009, "Unauthorized")
        answers = {
            "/openai/chat/completions": self._as_openai,
            "/anthropic/v1/messages": self._as_anthropic,
        }
        answer = answers.get(request.url.path.removeprefix(root))
        if answer is None:
            return _refused(404, 2002, "Invalid provider")
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return httpx.Response(
                self.fault.status_code, content=self.fault.content, headers=self.fault.headers
            )
        return await self.traffic.passed(request, lambda: answer(request))

    def _as_openai(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.headers.get("Authorization") != f"Bearer {PROVIDER_KEY}":
            return _openai_error(401, "invalid_api_key", "Incorrect API key provided")
        if body["model"] != MODELS["openai"]:
            return _openai_error(404, "model_not_found", "The model does not exist")
        for name in sorted({"max_tokens", "temperature"} & body.keys()):
            return _openai_error(400, "unsupported_parameter", f"Unsupported parameter: {name!r}")
        return openai_answer(
            self.say(body),
            model=body["model"],
            is_streamed=body["stream"],
            is_counted="stream_options" in body,
            ends=self.ends,
        )

    def _as_anthropic(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        if request.headers.get("x-api-key") != PROVIDER_KEY:
            return anthropic_error(401, "authentication_error", "invalid x-api-key")
        if request.headers.get("anthropic-version") != ANTHROPIC_VERSION:
            return anthropic_error(400, "invalid_request_error", "anthropic-version: required")
        if body["model"] != MODELS["anthropic"]:
            return anthropic_error(404, "not_found_error", "model: unknown")
        if "max_tokens" not in body or any(each["role"] == "system" for each in body["messages"]):
            return anthropic_error(400, "invalid_request_error", "messages: wrong role")
        return anthropic_answer(
            self.say(body), model=body["model"], is_streamed=body["stream"], ends=self.ends
        )


def _openai_error(status: int, code: str, message: str) -> httpx.Response:
    return httpx.Response(status, json={"error": {"message": message, "code": code}})


def anthropic_error(status: int, kind: str, message: str) -> httpx.Response:
    """An error as Anthropic words it."""
    return httpx.Response(
        status, json={"type": "error", "error": {"type": kind, "message": message}}
    )


def _refused(status: int, code: int, message: str) -> httpx.Response:
    """An error as the gateway itself words it: `error` is a list here."""
    error = [{"code": code, "message": message}]
    return httpx.Response(
        status, json={"success": False, "result": [], "messages": [], "error": error}
    )
