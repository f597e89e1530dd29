"""Workers AI: embeddings, scores, chat and Markdown, in the shapes and limits of its pages.

A vector here is made of hashed words, so that texts with words in common are near each other; a
test that needs meaning gives a real model as `embed`.

Source: https://developers.cloudflare.com/workers-ai/models/ (schemas),
…/workers-ai/platform/errors/ and …/workers-ai/features/markdown-conversion/ (2026-10).
"""

import hashlib
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import httpx

from tests.simulators.cloudflare.account import failed, failure, succeeded
from tests.simulators.cloudflare.ai_gateway import GatewayTraffic
from tests.simulators.cloudflare.chat_answers import Break, openai_answer

EMBEDDING_DIMENSIONS = {
    "@cf/baai/bge-small-en-v1.5": 384,
    "@cf/baai/bge-base-en-v1.5": 768,
    "@cf/baai/bge-large-en-v1.5": 1024,
    "@cf/baai/bge-m3": 1024,
    "@cf/qwen/qwen3-embedding-0.6b": 1024,
}
BGE_FIELDS = frozenset({"text", "pooling"})
M3_FIELDS = frozenset({"text", "truncate_inputs"})
QWEN_FIELDS = frozenset({"text", "queries", "documents", "instruction"})
BGE_TOKENS = 512
LONG_TOKENS = 8192
MAX_TEXTS = 100
QWEN_MAX_TEXTS = 32
M3_REQUEST_TOKENS = 60_000

RERANKER = "@cf/baai/bge-reranker-base"

CHAT_CONTEXT_TOKENS = {
    "@cf/zai-org/glm-4.7-flash": 131_072,
    "@cf/google/gemma-4-26b-a4b-it": 256_000,
}
CHAT_FIELDS = frozenset(
    {"model", "messages", "stream", "temperature", "max_tokens", "max_completion_tokens"}
)
THINKING_MODELS = frozenset({"@cf/zai-org/glm-4.7-flash"})
"""Those that think unless `chat_template_kwargs` says otherwise."""
OTHER_PROVIDERS = frozenset({"openai/gpt-5-mini"})

INVALID_INPUT = 5006
NO_SUCH_MODEL = 5007
TOO_LONG = 5021
CONTEXT_REACHED = 3030

DAILY_ALLOWANCE_USED = failure(
    3036, "You have used up your daily free allocation of 10,000 neurons."
)
DAILY_ALLOWANCE_USED_TOO = failure(4006, "AiError: you have used up your daily free allocation")
OUT_OF_CAPACITY = failure(3040, "No more data centers to forward the request to")
NEEDS_PAID_PLAN = failure(5035, "This model requires the Workers Paid plan")
WINDOW_EXCEEDED = failure(
    TOO_LONG,
    "AiError: Ai: The estimated number of input and maximum output tokens (262334) exceeded this "
    "model context window limit (131072).",
)

LENGTH = 2.5
"""How long a vector is here: no page promises unit length."""

_WORD = re.compile(r"\w+|[^\w\s]")
Embed = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[float]]]]


class Invalid(Exception):
    """The input is not of the model's schema."""


@dataclass(slots=True)
class WorkersAiSimulator:
    """`/accounts/{id}/ai/…`.

    `say` gives a chat model's answer to the messages, `convert` the Markdown of a document (None:
    it cannot be converted). `refuses_long_texts` makes the small models refuse what they
    otherwise cut. `log` of a gateway is in `gateways`, by its name.
    """

    embed: Embed | None = None
    say: Callable[[list[dict[str, str]]], str] = lambda _: "Four. [1]"
    convert: Callable[[bytes], str | None] = lambda data: data.decode()
    refuses_long_texts: bool = False
    ends: Break | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    gateways: dict[str, GatewayTraffic] = field(default_factory=dict)

    async def answer(self, request: httpx.Request, path: str) -> httpx.Response:
        if path == "/tomarkdown":
            return self._markdown(request)
        body = json.loads(request.content)
        self.bodies.append(body)
        try:
            if path == "/v1/chat/completions":
                return await self._chat(request, body)
            return await self._run(path.removeprefix("/run/"), body)
        except Invalid as problem:
            return failed(400, INVALID_INPUT, f"AiError: Bad input: Error: {problem}")

    async def _run(self, model: str, body: dict[str, Any]) -> httpx.Response:
        if model == RERANKER:
            return _reranked(body)
        if model in EMBEDDING_DIMENSIONS:
            return await self._embedded(model, body)
        return failed(400, NO_SUCH_MODEL, f"No such model {model} or task")

    async def _embedded(self, model: str, body: dict[str, Any]) -> httpx.Response:
        texts = _texts(model, body)
        longest = LONG_TOKENS if "bge-m3" in model or "qwen" in model else BGE_TOKENS
        counts = [_count(text) for text in texts]
        is_strict = "bge-m3" in model and not body.get("truncate_inputs")
        if (is_strict or self.refuses_long_texts) and max(counts, default=0) > longest:
            return httpx.Response(413, json=WINDOW_EXCEEDED)
        if "bge-m3" in model and sum(min(each, longest) for each in counts) > M3_REQUEST_TOKENS:
            return failed(400, CONTEXT_REACHED, "Max context reached")
        read, dimensions = [_cut(text, longest) for text in texts], EMBEDDING_DIMENSIONS[model]
        vectors = (
            await self.embed(read) if self.embed else [hashed(text, dimensions) for text in read]
        )
        pooling = body.get("pooling", "mean")
        data = [_pooled(vector, pooling) for vector in vectors]
        result: dict[str, Any] = {"shape": [len(data), dimensions], "data": data}
        if "qwen" not in model:
            result["pooling"] = "cls" if "bge-m3" in model else pooling
        return succeeded(result)

    async def _chat(self, request: httpx.Request, body: dict[str, Any]) -> httpx.Response:
        model = body["model"]
        if model not in CHAT_CONTEXT_TOKENS.keys() | OTHER_PROVIDERS:
            return failed(400, NO_SUCH_MODEL, f"No such model {model} or task")
        _check_chat(body)
        asked = sum(_count(each["content"]) for each in body["messages"])
        if asked + _max_tokens(body) > CHAT_CONTEXT_TOKENS.get(model, asked + _max_tokens(body)):
            return httpx.Response(413, json=WINDOW_EXCEEDED)

        def respond() -> httpx.Response:
            text = self.say(body["messages"])
            return openai_answer(
                text,
                model=model,
                is_streamed=body.get("stream", False),
                # Cloudflare's own count unasked.
                is_counted=model not in OTHER_PROVIDERS or "stream_options" in body,
                ends=self.ends,
            )

        gateway_id = request.headers.get("cf-aig-gateway-id")
        if gateway_id is None and model in OTHER_PROVIDERS:
            gateway_id = "default"
        if gateway_id is None:
            return respond()
        traffic = self.gateways.setdefault(gateway_id, GatewayTraffic())
        return await traffic.passed(request, respond)

    def _markdown(self, request: httpx.Request) -> httpx.Response:
        results: list[dict[str, Any]] = []
        for name, kind, data in _files(request):
            text = self.convert(data)
            about = {"id": f"{len(results)}", "name": name, "mimeType": kind}
            results.append(
                {**about, "format": "error", "error": "could not be converted"}
                if text is None
                else {**about, "format": "markdown", "tokens": _count(text), "data": text}
            )
        return succeeded(results) if results else failed(400, 3003, "missing files")


def _texts(model: str, body: Mapping[str, Any]) -> list[str]:
    fields, limit = BGE_FIELDS, MAX_TEXTS
    if "bge-m3" in model:
        fields = M3_FIELDS
    if "qwen" in model:
        fields, limit = QWEN_FIELDS, QWEN_MAX_TEXTS
    _refuse_unknown(body, fields)
    texts = body.get("text", body.get("queries", body.get("documents")))
    if isinstance(texts, str):
        texts = [texts]
    if not isinstance(texts, list) or not texts:
        raise Invalid("oneOf at '/' not met, required properties at '/' are 'text'")
    if len(texts) > limit:
        raise Invalid(f"maxItems at '/text' is {limit}")
    if not all(isinstance(text, str) and text for text in texts):
        raise Invalid("minLength at '/text/0' is 1")
    if body.get("pooling", "mean") not in ("mean", "cls"):
        raise Invalid("enum at '/pooling'")
    return texts


def _check_chat(body: Mapping[str, Any]) -> None:
    model = body["model"]
    is_ours = model not in OTHER_PROVIDERS
    extra = {"chat_template_kwargs"} if model in THINKING_MODELS else set[str]()
    theirs = set[str]() if is_ours else {"stream_options"}
    _refuse_unknown(body, CHAT_FIELDS | extra | theirs)
    if not is_ours and {"max_tokens", "temperature"} & body.keys():
        raise Invalid("Unsupported parameter")
    if not body["messages"] or not all(
        each["role"] in ("system", "user", "assistant") and isinstance(each["content"], str)
        for each in body["messages"]
    ):
        raise Invalid("Type mismatch of '/messages'")


def _refuse_unknown(body: Mapping[str, Any], known: frozenset[str] | set[str]) -> None:
    if unknown := sorted(body.keys() - known):
        raise Invalid(f"Additional or unevaluated properties '/{unknown[0]}' at '/' not allowed")


def _max_tokens(body: Mapping[str, Any]) -> int:
    return body.get("max_tokens") or body.get("max_completion_tokens") or 256


def _reranked(body: Mapping[str, Any]) -> httpx.Response:
    _refuse_unknown(body, frozenset({"query", "contexts", "top_k"}))
    texts = [each["text"] for each in body["contexts"]]
    if not body["query"] or not texts or not all(texts):
        raise Invalid("minLength is 1")
    asked = set(_WORD.findall(body["query"].lower()))
    scores = [len(asked & set(_WORD.findall(text.lower()))) / len(asked) for text in texts]
    ranked = sorted(enumerate(scores), key=lambda each: -each[1])[: body.get("top_k")]
    return succeeded({"response": [{"id": number, "score": score} for number, score in ranked]})


def _files(request: httpx.Request) -> list[tuple[str, str, bytes]]:
    """The name, type and bytes of each file in a form."""
    head = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode()
    form = BytesParser(policy=HTTP).parsebytes(head + request.content)
    files: list[tuple[str, str, bytes]] = []
    for part in form.iter_parts():
        if part.get_param("name", header="Content-Disposition") == "files":
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            files.append((str(part.get_filename()), part.get_content_type(), data))
    return files


def _count(text: str) -> int:
    return len(_WORD.findall(text))


def _cut(text: str, tokens: int) -> str:
    """The text up to its so many-th word."""
    for number, word in enumerate(_WORD.finditer(text), 1):
        if number == tokens:
            return text[: word.end()]
    return text


def hashed(text: str, dimensions: int) -> list[float]:
    """How often each word is in the text, each word at a place of its own."""
    vector = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [""]:
        digest = hashlib.sha256(word.encode()).digest()
        vector[int.from_bytes(digest[:4]) % dimensions] += 1.0
    return vector


def _pooled(vector: Sequence[float], pooling: str) -> list[float]:
    """Vectors of the two poolings have nothing to do with each other."""
    turned = vector if pooling == "cls" else [*vector[1:], vector[0]]
    return [number * LENGTH for number in turned]
